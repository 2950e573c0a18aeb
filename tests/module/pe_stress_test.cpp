// The PE array's engine under injected stalls: what a stall delays and by how much, who is charged for it,
// and that values never change.
#include <algorithm>

#include "tests/module/pe_bench.h"
#include "tlm/core/array/kernel_array.h"
#include "tlm/core/array/lockstep_array.h"
#include "tlm/core/array/stepped_array.h"

namespace retrace::test {
namespace {

constexpr unsigned pe = spec::engine_pe;
constexpr auto bf16 = number_format::bf16;

npu_config stalled_config(array_stress stress, bool ideal = false) {
    npu_config c = bench_config();
    c.array.stress = stress;
    c.ideal_memories = ideal;
    return c;
}

/// Cycle by cycle: the cycle in which the array has run for `cycles` more cycles than in `start`.
std::uint64_t later(const array_stalls& stalls, std::uint64_t start, std::uint64_t cycles) {
    const auto runs = [&](std::uint64_t c) {
        const auto p = stalls.in_slot(stalls.slot_of(c));
        return c < p.start || c >= p.start + p.count;
    };
    EXPECT_TRUE(runs(start)) << "begins in a stalled cycle";
    while (cycles > 0)
        cycles -= runs(++start);
    return start;
}

TEST(pe_stress, every_event_moves_by_the_stalls_before_it) {
    const npu_config c = stalled_config({.seed = 3, .mean_gap_cycles = 7, .max_cycles = 6});
    const array_stalls stalls(c.array.stress);
    array_pair pair(c);
    constexpr unsigned m = 12, count = 20;
    pair.each([&](device_bench& b) {
        b.stalls.begin(0);
        put_operands(b, bf16, m, 8, 8);
        b.start(pe, tiles(b.config, bf16, m, 8, 8, count));
    });
    pair.run();
    pair.expect_equal();
    std::uint64_t previous_end = 0;
    for (unsigned t = 0; t < count; ++t) {
        const auto load = pair.kernel.accesses(pe, 2 * t)[0], sums = pair.kernel.accesses(pe, 2 * t + 1)[1];
        // Loads take 8 cycles of the array; 12 rows on an 8 x 8 array are through in 11 + 7 + 8.
        const std::uint64_t W = load.end - 1;
        bool found = false;
        for (std::uint64_t start = load.begin; start + 7 <= W && !found; ++start)
            found = stalls.running(start) == start && later(stalls, start, 7) == W;
        EXPECT_TRUE(found) << t;
        // The first tile begins when its load is complete; then rows follow each other without a gap.
        const std::uint64_t from = t == 0 ? later(stalls, W, 1) : previous_end - 1;
        EXPECT_EQ(sums.end - 1, later(stalls, from, t == 0 ? 11 + 7 + 8 - 1 : m)) << t;
        previous_end = sums.end;
    }
}

TEST(pe_stress, stalls_are_charged_as_bank_conflicts_and_the_account_is_complete) {
    const array_stress stress{.seed = 8, .mean_gap_cycles = 9, .max_cycles = 7};
    device_bench plain(stalled_config({}, true)),
        b(stalled_config(stress, true), kernel_factory(), "stalled");
    for (device_bench* d : {&plain, &b}) {
        d->stalls.begin(0);
        put_operands(*d, bf16, 20, 8, 8);
        d->start(pe, tiles(d->config, bf16, 20, 8, 8, 30));
    }
    ASSERT_TRUE(plain.run());
    ASSERT_TRUE(b.run());
    const auto end = b.one_ending().cycle, plain_end = plain.one_ending().cycle;
    b.stalls.until(end);
    plain.stalls.until(plain_end);
    std::uint64_t sum = 0;
    for (unsigned s = 0; s < stall_count; ++s)
        sum += b.stalls.of(static_cast<stall>(s));
    EXPECT_EQ(sum, end);
    EXPECT_EQ(b.stalls.of(stall::other), 0u);
    EXPECT_EQ(plain.stalls.of(stall::bank_conflict), 0u);
    // What the array did is the same; all that was added is stalls.
    EXPECT_EQ(b.stalls.of(stall::compute), 30u * 20);
    EXPECT_EQ(plain.stalls.of(stall::compute), 30u * 20);
    const array_stalls stalls(stress);
    std::uint64_t frozen = 0; // while weights or rows were in the array
    const std::uint64_t first = b.accesses(pe, 0)[0].begin;
    for (std::uint64_t cycle = first; cycle < end; ++cycle)
        frozen += stalls.running(cycle) != cycle;
    EXPECT_GT(frozen, 200u);
    EXPECT_NEAR(static_cast<double>(b.stalls.of(stall::bank_conflict)), static_cast<double>(frozen), 7);
    EXPECT_EQ(b.stalls.of(stall::fill) + b.stalls.of(stall::drain) + b.stalls.of(stall::weight_load),
              plain.stalls.of(stall::fill) + plain.stalls.of(stall::drain) +
                  plain.stalls.of(stall::weight_load));
    EXPECT_EQ(b.get(b.psum_memory, 0, b.psum_memory.capacity()),
              plain.get(plain.psum_memory, 0, plain.psum_memory.capacity()));
}

/// Both arrays as one, compared as they run.
pe_array::array_factory lockstep_factory() {
    return [](const array_config& shape) {
        std::vector<retrace::named_array> arrays;
        arrays.push_back({"kernel", std::make_unique<kernel_array>(shape)});
        arrays.push_back({"stepped", std::make_unique<stepped_array>(shape)});
        return std::make_unique<lockstep_array>(shape, std::move(arrays));
    };
}

TEST(pe_stress, lockstep_runs_in_the_device_through_aborts_and_stalls) {
    npu_config c = stalled_config({.seed = 4, .mean_gap_cycles = 5, .max_cycles = 11});
    c.array.fma_depth = 3;
    device_bench b(c, lockstep_factory());
    put_operands(b, bf16, 20, 8, 8);
    for (unsigned trial = 0; trial < 12; ++trial) {
        b.start(pe, tiles(b.config, bf16, 20, 8, 8, 10));
        b.pass(60 + trial * 23);
        b.pe.abort();
        ASSERT_TRUE(b.run(5000));
        b.endings.clear();
        b.start(pe, tiles(b.config, bf16, 20, 7, 5, 3));
        ASSERT_TRUE(b.run());
        EXPECT_EQ(b.one_ending().fault, spec::engine_fault::none) << trial;
    }
}

TEST(pe_stress, the_same_seed_gives_the_same_cycles_and_another_seed_others) {
    device_bench first(stalled_config({.seed = 1, .mean_gap_cycles = 10, .max_cycles = 8}), kernel_factory(),
                       "first");
    device_bench again(stalled_config({.seed = 1, .mean_gap_cycles = 10, .max_cycles = 8}), kernel_factory(),
                       "again");
    device_bench other(stalled_config({.seed = 2, .mean_gap_cycles = 10, .max_cycles = 8}), kernel_factory(),
                       "other");
    for (device_bench* b : {&first, &again, &other}) {
        put_operands(*b, bf16, 20, 8, 8);
        b->start(pe, tiles(b->config, bf16, 20, 8, 8, 40));
    }
    for (device_bench* b : {&first, &again, &other})
        ASSERT_TRUE(b->run());
    EXPECT_EQ(first.events.text, again.events.text);
    EXPECT_NE(first.events.text, other.events.text);
}

} // namespace
} // namespace retrace::test
