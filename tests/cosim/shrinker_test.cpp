// The shrinker against failures that are injected: a predicate stands for the device.
#include <gtest/gtest.h>

#include "sim/cosim/case_rules.h"
#include "sim/cosim/generator.h"
#include "sim/cosim/reference.h"
#include "sim/cosim/shrinker.h"

namespace retrace::cosim {
namespace {

using spec::opcode;

std::size_t operations(const test_case& c) {
    std::size_t count = 0;
    for (const command& k : c.commands)
        count += k.operations.size();
    return count;
}

template <typename Predicate>
bool any_operation(const test_case& c, Predicate&& p) {
    for (const command& k : c.commands)
        for (const operation& o : k.operations)
            if (p(o))
                return true;
    return false;
}

/// Shrinks the first seed that fails; every candidate must be legal.
template <typename Predicate>
test_case shrunk(Predicate&& fails, unsigned trials = 4000) {
    for (std::uint64_t seed = 1;; ++seed) {
        const test_case c = generate(seed);
        if (!fails(c) || operations(c) < 20)
            continue;
        const shrunk_case s = shrink(
            c,
            [&](const test_case& candidate) {
                const auto fault = find_fault(candidate);
                EXPECT_FALSE(fault) << fault->text;
                return fails(candidate);
            },
            trials);
        EXPECT_TRUE(fails(s.smallest));
        EXPECT_LE(s.trials, trials);
        EXPECT_TRUE(run_reference(s.smallest, prepare(s.smallest, spec::host_window_base))->faults.empty());
        return s.smallest;
    }
}

TEST(shrinker, a_failure_of_one_copy_ends_as_one_copy_of_one_byte) {
    const test_case c = shrunk([](const test_case& t) {
        return any_operation(t, [](const operation& o) { return o.opcode == opcode::copy && !(o.flags & spec::copy_transpose); });
    });
    ASSERT_EQ(operations(c), 1u);
    const operation& o = c.commands.at(0).operations.at(0);
    EXPECT_EQ(o.sizes, (std::array<std::uint32_t, 4>{1, 1, 1, 1}));
    EXPECT_EQ(c.commands.size(), 1u);
    EXPECT_EQ(c.buffers.size(), 2u);
    EXPECT_EQ(c.machine.dma_queues, 1u);
    EXPECT_EQ(c.machine.fma_depth, 1u);
    EXPECT_EQ(c.machine.stress_seed, 0u);
}

// A streaming pass without swap needs data, weights, and a stream that took them: five operations, and no fewer are legal.
TEST(shrinker, what_a_failing_operation_needs_stays) {
    const test_case c = shrunk([](const test_case& t) {
        return any_operation(
            t, [](const operation& o) { return o.opcode == opcode::matmul && !(o.flags & spec::matmul_swap) && o.columns > 1; });
    });
    EXPECT_EQ(c.commands.size(), 1u);
    unsigned copies = 0, loads = 0, streams = 0;
    for (const operation& o : c.commands[0].operations) {
        copies += o.opcode == opcode::copy;
        loads += o.opcode == opcode::load_weights;
        streams += o.opcode == opcode::matmul;
        if (o.opcode == opcode::matmul) {
            EXPECT_EQ(o.rows, 1u);
            EXPECT_EQ(o.columns, 2u) << "the depth of load and streams shrinks together";
        }
        if (o.opcode == opcode::load_weights) {
            EXPECT_EQ(o.columns, 1u);
        }
    }
    EXPECT_EQ(loads, 1u);
    EXPECT_EQ(streams, 2u);
    EXPECT_GE(copies, 1u);
    EXPECT_LE(copies, 3u);
    EXPECT_EQ(operations(c), copies + loads + streams);
}

TEST(shrinker, a_failure_that_needs_two_commands_keeps_two) {
    const auto fails = [](const test_case& t) {
        unsigned with_work = 0;
        for (const command& k : t.commands)
            with_work += !k.operations.empty() && any_operation({0, t.machine, t.buffers, {k}},
                                                                [](const operation& o) { return o.opcode == opcode::copy; });
        return with_work >= 2;
    };
    const test_case c = shrunk(fails);
    EXPECT_EQ(c.commands.size(), 2u);
    EXPECT_EQ(operations(c), 2u);
}

TEST(shrinker, what_the_machine_must_have_stays) {
    const test_case c = shrunk([](const test_case& t) {
        return t.machine.fma_depth == 3 && t.machine.weight_registers == 1 &&
               any_operation(t, [](const operation& o) { return o.opcode == opcode::binary; });
    });
    EXPECT_EQ(c.machine.fma_depth, 3u);
    EXPECT_EQ(c.machine.weight_registers, 1u);
    EXPECT_EQ(c.machine.dma_queues, 1u);
    const operation& last = c.commands.back().operations.back();
    EXPECT_EQ(last.opcode, opcode::binary);
    EXPECT_EQ(last.rows, 1u);
    EXPECT_EQ(last.columns, 1u);
}

TEST(shrinker, the_limit_of_trials_holds) {
    const test_case c = generate(4);
    unsigned calls = 0;
    const shrunk_case s = shrink(
        c,
        [&](const test_case&) {
            ++calls;
            return false;
        },
        7);
    EXPECT_EQ(calls, 7u);
    EXPECT_EQ(s.trials, 7u);
    EXPECT_FALSE(s.finished);
    EXPECT_EQ(s.smallest, c);
}

TEST(shrinker, repair_makes_any_remainder_legal) {
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        test_case c = generate(seed);
        std::size_t at = 0;
        for (command& k : c.commands)
            std::erase_if(k.operations, [&](const operation&) { return (at++ + seed) % 3 == 0; });
        repair(c);
        const auto fault = find_fault(c);
        ASSERT_FALSE(fault) << "seed " << seed << ": " << fault->text;
    }
}

} // namespace
} // namespace retrace::cosim
