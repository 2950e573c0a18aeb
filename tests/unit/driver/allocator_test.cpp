#include <gtest/gtest.h>

#include <random>

#include "host/driver/allocator.h"

namespace retrace {
namespace {

TEST(range_allocator, gives_disjoint_aligned_pieces_and_counts_them) {
    range_allocator range("r", 0x1010, 4096);
    const auto a = range.allocate(100, 64, 1).value(), b = range.allocate(1, 256, 2).value(),
               c = range.allocate(16, 16).value();
    EXPECT_EQ(a.address, 0x1040u);
    EXPECT_EQ(b.address, 0x1100u);
    EXPECT_EQ(c.address, 0x1010u); // the gap before the first
    EXPECT_EQ(range.used(), 117u);
    EXPECT_EQ(range.allocations().size(), 3u);
    EXPECT_EQ(range.allocations()[1].tag, 1u);
}

TEST(range_allocator, merges_freed_neighbours_in_every_order) {
    int order[] = {0, 1, 2};
    do {
        range_allocator range("r", 0, 300);
        const std::uint64_t at[] = {range.allocate(100, 1)->address, range.allocate(100, 1)->address,
                                    range.allocate(100, 1)->address};
        for (const int i : order) {
            range.free(at[i]).value();
        }
        EXPECT_EQ(range.largest_free(), 300u);
        EXPECT_EQ(range.used(), 0u);
        EXPECT_EQ(range.peak(), 300u);
        EXPECT_TRUE(range.allocate(300, 1));
    } while (std::next_permutation(order, order + 3));
}

TEST(range_allocator, says_what_was_needed_what_there_is_and_what_would_do) {
    range_allocator range("region activations of device DRAM", 1 << 20, 1000);
    range.allocate(600, 1, 1).value();
    const auto failed = range.allocate(500, 64, 7);
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error(), driver_error::out_of_memory);
    for (const char* part :
         {"region activations", "tag 7", "needs 500 bytes", "400 of 1000 are available", "1140 bytes"}) {
        EXPECT_NE(failed.failure().text.find(part), std::string::npos)
            << part << ": " << failed.failure().text;
    }
    range_allocator larger("r", 1 << 20, 1140), smaller("r", 1 << 20, 1139);
    larger.allocate(600, 1).value(), smaller.allocate(600, 1).value();
    EXPECT_TRUE(larger.allocate(500, 64));
    EXPECT_FALSE(smaller.allocate(500, 64));
}

TEST(range_allocator, refuses_mistakes_of_the_caller) {
    range_allocator range("r", 0, 1000);
    EXPECT_EQ(range.allocate(0).error(), driver_error::bad_argument);
    EXPECT_EQ(range.allocate(8, 48).error(), driver_error::bad_argument);
    EXPECT_EQ(range.allocate(8, 0).error(), driver_error::bad_argument);
    EXPECT_EQ(range.free(0).error(), driver_error::bad_argument);
    const auto a = range.allocate(64).value();
    EXPECT_EQ(range.free(a.address + 1).error(), driver_error::bad_argument);
    EXPECT_TRUE(range.free(a.address));
    EXPECT_EQ(range.free(a.address).error(), driver_error::bad_argument);
    EXPECT_EQ(range.allocate(~std::uint64_t{0}).error(), driver_error::out_of_memory);
}

TEST(range_allocator, reserves_exactly_what_was_asked_for) {
    range_allocator range("r", 1000, 1000);
    EXPECT_EQ(range.reserve(1200, 300, 7)->address, 1200u);
    EXPECT_EQ(range.used(), 300u);
    EXPECT_EQ(range.allocate(300, 1)->address, 1500u); // the piece below is too small
    EXPECT_EQ(range.reserve(1000, 200)->bytes, 200u);
    EXPECT_EQ(range.reserve(1800, 200)->bytes, 200u);
    EXPECT_EQ(range.largest_free(), 0u);
    for (const auto& [address, bytes] : {std::pair{1100u, 50u}, std::pair{1199u, 2u}, std::pair{999u, 2u},
                                         std::pair{1999u, 2u}, std::pair{2000u, 1u}, std::pair{1000u, ~0u}}) {
        EXPECT_EQ(range.reserve(address, bytes).error(), driver_error::out_of_memory) << address;
    }
    EXPECT_EQ(range.reserve(1000, 0).error(), driver_error::bad_argument);
    range.free(1200).value();
    EXPECT_EQ(range.reserve(1200, 301).error(), driver_error::out_of_memory);
    EXPECT_TRUE(range.reserve(1201, 299));
    EXPECT_EQ(range.largest_free(), 1u);
}

TEST(range_allocator, keeps_its_books_under_random_use) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        std::mt19937_64 random(seed);
        range_allocator range("r", 4096, 1 << 16);
        std::map<std::uint64_t, std::uint64_t> mine;
        for (int step = 0; step < 2000; ++step) {
            if (random() % 2 == 0 && !mine.empty()) {
                auto victim = std::next(mine.begin(), static_cast<long>(random() % mine.size()));
                range.free(victim->first).value();
                mine.erase(victim);
            } else {
                const std::uint64_t bytes = 1 + random() % 3000, alignment = std::uint64_t{1} << random() % 9;
                const auto got = range.allocate(bytes, alignment);
                if (!got) {
                    EXPECT_LT(range.largest_free(), bytes + alignment);
                    continue;
                }
                EXPECT_EQ(got->address % alignment, 0u);
                EXPECT_GE(got->address, 4096u);
                EXPECT_LE(got->address + bytes, 4096u + (1 << 16));
                const auto after = mine.lower_bound(got->address);
                EXPECT_TRUE(after == mine.end() || got->address + bytes <= after->first);
                EXPECT_TRUE(after == mine.begin() ||
                            std::prev(after)->first + std::prev(after)->second <= got->address);
                mine[got->address] = bytes;
            }
        }
        std::uint64_t used = 0;
        for (const auto& [address, bytes] : mine) {
            used += bytes;
        }
        EXPECT_EQ(range.used(), used);
        while (!mine.empty()) {
            range.free(mine.begin()->first).value();
            mine.erase(mine.begin());
        }
        EXPECT_EQ(range.largest_free(), 1u << 16);
    }
}

TEST(device_allocator, keeps_regions_apart) {
    device_capabilities c;
    c.regions = {{spec::region_kind::activations, 0, 1024}, {spec::region_kind::programs, 1024, 512}};
    device_allocator memory(c);
    EXPECT_EQ(memory.allocate(spec::region_kind::programs, 512)->address, 1024u);
    EXPECT_EQ(memory.allocate(spec::region_kind::programs, 1).error(), driver_error::out_of_memory);
    EXPECT_EQ(memory.allocate(spec::region_kind::gradients, 1).error(), driver_error::bad_argument);
    EXPECT_EQ(memory.reserve(spec::region_kind::activations, 512, 513).error(), driver_error::out_of_memory);
    EXPECT_EQ(memory.reserve(spec::region_kind::gradients, 0, 1).error(), driver_error::bad_argument);
    EXPECT_EQ(memory.reserve(spec::region_kind::activations, 0, 1024)->address, 0u);
    EXPECT_TRUE(memory.free(1024));
    EXPECT_EQ(memory.free(2000).error(), driver_error::bad_argument);
    EXPECT_EQ(memory.region(spec::region_kind::activations)->used(), 1024u);
    EXPECT_EQ(memory.region(spec::region_kind::weights), nullptr);
}

} // namespace
} // namespace retrace
