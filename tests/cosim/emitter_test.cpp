// Programs from cases: order where bytes are shared, freedom elsewhere, and nothing the static checker objects to.
#include <gtest/gtest.h>

#include "sim/cosim/generator.h"
#include "sim/cosim/machine.h"
#include "sim/cosim/reference.h"
#include "tests/cosim/small_case.h"

namespace retrace::cosim {
namespace {

using test::copy_of;

std::size_t waits_of(const emitted_command& e) {
    std::size_t waits = 0;
    for (const auto& p : e.programs)
        for (const auto& i : p.code) {
            const auto h = compiler::header_of(i);
            waits += (h.wait0_count > 0) + (h.wait1_count > 0);
        }
    return waits;
}

TEST(emitter, semaphores_are_balanced_and_free_of_deadlock) {
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        const test_case c = generate(seed);
        const emitted_case e = emit(c);
        for (const emitted_command& k : e.commands) {
            // Semaphores only: the checker's other rules are those of compiled programs.
            for (const std::string& fault : compiler::check(k.programs, {}))
                EXPECT_EQ(fault.find("semaphore"), fault.npos) << "seed " << seed << ": " << fault;
            EXPECT_LE(k.waits.size(), spec::max_waits);
            EXPECT_LE(k.slots.size(), spec::max_operands);
            EXPECT_LE(k.programs.size(), spec::max_programs);
            for (const std::size_t w : k.waits)
                EXPECT_LT(&e.commands[w], &k);
        }
    }
}

TEST(emitter, operations_without_common_bytes_do_not_wait) {
    test_case c = test::small_case();
    c.commands[0].operations = {copy_of(spec::engine_dma, test::h_in, 0, test::s_rows, 64),
                                copy_of(spec::engine_dma + 1, test::h_in, 0, test::s_weights, 64)};
    EXPECT_EQ(waits_of(emit(c).commands[0]), 0u) << "two readers of the same bytes";
}

TEST(emitter, a_queue_waits_for_what_it_reads_of_its_own_and_for_nothing_else) {
    test_case c = test::small_case();
    c.commands[0].operations = {copy_of(spec::engine_dma, test::h_in, 0, test::s_result, 64),
                                copy_of(spec::engine_dma, test::s_result, 0, test::h_out, 64)};
    EXPECT_EQ(waits_of(emit(c).commands[0]), 1u);
    c.commands[0].operations.push_back(
        copy_of(spec::engine_dma, test::h_in, 0, test::s_result, 64)); // after a read: in order by itself
    EXPECT_EQ(waits_of(emit(c).commands[0]), 1u);
}

TEST(emitter, waits_that_others_imply_are_left_out) {
    const emitted_case e = emit(test::small_case());
    // upload -> load, upload -> matmul, matmul -> activate, activate -> download; the second load and matmul follow by
    // themselves.
    EXPECT_EQ(waits_of(e.commands[0]), 4u);
}

TEST(emitter, commands_wait_for_those_they_conflict_with) {
    test_case c = test::small_case();
    const auto all = c.commands[0].operations;
    c.commands.assign(3, {});
    c.commands[0].operations = {all[0]};
    c.commands[1].operations = {all[1]};
    c.commands[2].operations = {all.begin() + 2, all.end()};
    const emitted_case e = emit(c);
    ASSERT_EQ(e.commands.size(), 3u);
    EXPECT_TRUE(e.commands[1].waits.empty());
    EXPECT_EQ(e.commands[2].waits.size(), 2u);
}

TEST(emitter, more_than_four_commands_to_wait_for_are_collected_by_a_nop) {
    test_case c;
    c.buffers = {{"h", spec::memory_kind::host, 0, 4096, 0, 0, value_class::moderate}};
    command last;
    for (unsigned i = 0; i < 9; ++i) {
        c.buffers.push_back({"d" + std::to_string(i), spec::memory_kind::device_dram, i * 100, 64});
        command k;
        k.operations = {copy_of(spec::engine_dma, 0, 0, i + 1, 64)};
        c.commands.push_back(k);
        operation back = copy_of(spec::engine_dma, i + 1, 0, 0, 64);
        back.to.offset = 1000 + i * 64;
        last.operations.push_back(back);
    }
    c.commands.push_back(last);
    const prepared_case p = prepare(c, spec::host_window_base);
    EXPECT_GT(p.commands.size(), c.commands.size());
    std::size_t nops = 0;
    for (const auto& k : p.commands)
        nops += k.opcode == static_cast<std::uint8_t>(spec::command_opcode::nop);
    EXPECT_EQ(nops, p.commands.size() - c.commands.size());
    const auto reference = run_reference(c, p);
    EXPECT_TRUE(reference->faults.empty()) << reference->faults.front();
}

// Take one wait out of a program: some order of the engines must then go wrong, or the wait was not needed.
TEST(emitter, every_wait_of_the_small_case_is_needed) {
    const test_case c = test::small_case();
    const prepared_case whole = prepare(c, spec::host_window_base);
    unsigned removed = 0;
    for (std::size_t program = 0; program < whole.emitted.commands[0].programs.size(); ++program)
        for (std::size_t i = 0; i < whole.emitted.commands[0].programs[program].code.size(); ++i)
            for (const std::size_t count_byte : {3u, 5u}) {
                prepared_case p = whole;
                auto& code = p.emitted.commands[0].programs[program].code[i];
                if (code[count_byte] == std::byte{0})
                    continue;
                code[count_byte] = std::byte{0};
                ++removed;
                bool noticed = false;
                for (std::uint64_t order = 0; order < 200 && !noticed; ++order) {
                    reference_options options;
                    options.interleaving = order;
                    const auto reference = run_reference(c, p, options);
                    for (const std::string& fault : reference->faults)
                        noticed = noticed || fault.find("is left at") == fault.npos; // the token that nobody took is no proof
                }
                EXPECT_TRUE(noticed) << "program " << program << ", instruction " << i;
            }
    EXPECT_EQ(removed, 4u);
}

} // namespace
} // namespace retrace::cosim
