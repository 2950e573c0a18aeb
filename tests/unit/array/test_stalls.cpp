// Injected stalls against a model that looks at every cycle.
#include <gtest/gtest.h>

#include <vector>

#include "tlm/core/array/array_stalls.h"

namespace retrace {
namespace {

constexpr std::uint64_t cycles = 20000;

// Which cycles are stalled, from the slots.
std::vector<bool> stalled(const array_stalls& s) {
    std::vector<bool> all(cycles + 1000);
    std::uint64_t end = 0;
    for (std::uint64_t slot = 0; slot <= s.slot_of(cycles); ++slot) {
        const auto p = s.in_slot(slot);
        EXPECT_GE(p.start, end) << "pauses overlap";
        EXPECT_EQ(s.slot_of(p.start), slot);
        EXPECT_EQ(s.slot_of(p.start + p.count - 1), slot);
        end = p.start + p.count;
        for (std::uint64_t c = p.start; c < end && c < all.size(); ++c) {
            all[c] = true;
        }
    }
    return all;
}

TEST(array_stalls, cycles_count_as_if_one_looked_at_each) {
    for (const array_stress& stress : {array_stress{1, 20, 8}, array_stress{2, 1, 1}, array_stress{3, 1, 30},
                                       array_stress{4, 300, 100}, array_stress{5, 2, 3}}) {
        const array_stalls s(stress);
        ASSERT_TRUE(s.enabled());
        const std::vector<bool> frozen = stalled(s);
        for (std::uint64_t start = 0; start < cycles / 2; start += 1 + start % 7) {
            std::uint64_t expected = start;
            while (frozen[expected]) {
                ++expected;
            }
            ASSERT_EQ(s.running(start), expected) << start;
            const std::uint64_t running = expected;
            for (unsigned n = 0; n < 40; ++n) {
                ASSERT_EQ(s.after(running, n), expected) << running << " + " << n;
                do {
                    ++expected;
                } while (frozen[expected]);
            }
        }
    }
}

TEST(array_stalls, gaps_and_lengths_are_what_was_asked_for) {
    const array_stress stress{9, 50, 9};
    const array_stalls s(stress);
    std::vector<unsigned> lengths(stress.max_cycles + 1);
    std::uint64_t total = 0, last = 0;
    constexpr unsigned count = 20000;
    for (unsigned slot = 0; slot < count; ++slot) {
        const auto p = s.in_slot(slot);
        ++lengths.at(p.count);
        total += p.count;
        last = p.start + p.count;
    }
    EXPECT_EQ(lengths[0], 0u);
    for (unsigned n = 1; n <= stress.max_cycles; ++n) {
        EXPECT_NEAR(lengths[n], count / 9.0, count / 90.0);
    }
    EXPECT_NEAR(static_cast<double>(last - total) / count, 50, 1);
}

TEST(array_stalls, without_a_gap_there_are_none) {
    const array_stalls s(array_stress{});
    EXPECT_FALSE(s.enabled());
    EXPECT_EQ(s.running(17), 17u);
    EXPECT_EQ(s.after(17, 5), 22u);
}

TEST(array_stalls, seeds_differ) {
    const array_stalls a({1, 50, 8}), b({2, 50, 8}), again({1, 50, 8});
    unsigned same = 0;
    for (unsigned slot = 0; slot < 100; ++slot) {
        same += a.in_slot(slot).start == b.in_slot(slot).start;
        EXPECT_EQ(a.in_slot(slot).start, again.in_slot(slot).start);
    }
    EXPECT_LT(same, 20u);
}

} // namespace
} // namespace retrace
