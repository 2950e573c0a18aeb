// Which bytes a strided access touches, against writing every byte out.
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "sim/timeline/access_pattern.h"

namespace retrace {
namespace {

using places = std::multiset<std::array<std::uint64_t, 4>>;

places found_by_arithmetic(const access_pattern& p, std::uint64_t address) {
    places all;
    EXPECT_TRUE(p.places_of(address, [&](const auto& at) { all.insert(at); }));
    return all;
}

places found_one_by_one(const access_pattern& p, std::uint64_t address) {
    places all;
    for (std::uint64_t k = 0; k < p.sizes[3]; ++k)
        for (std::uint64_t j = 0; j < p.sizes[2]; ++j)
            for (std::uint64_t i = 0; i < p.sizes[1]; ++i)
                for (std::uint64_t x = 0; x < p.sizes[0]; ++x)
                    if (p.base + k * p.strides[2] + j * p.strides[1] + i * p.strides[0] + x == address)
                        all.insert({x, i, j, k});
    return all;
}

TEST(access_pattern, finds_every_place_of_a_byte_whatever_the_strides) {
    std::mt19937 random(1);
    const auto below = [&](unsigned n) { return random() % n; };
    std::size_t hits = 0, twice = 0;
    for (int n = 0; n < 2000; ++n) {
        access_pattern p;
        p.base = below(20);
        p.sizes = {1 + below(6), 1 + below(4), 1 + below(4), 1 + below(3)};
        p.strides = {below(9), below(25), below(60)}; // overlapping, interleaved, descending, zero
        for (int m = 0; m < 20; ++m) {
            const std::uint64_t address = below(150);
            const places expected = found_one_by_one(p, address);
            ASSERT_EQ(found_by_arithmetic(p, address), expected) << n;
            hits += !expected.empty();
            twice += expected.size() > 1;
        }
    }
    EXPECT_GT(hits, 5000u);
    EXPECT_GT(twice, 1000u);
}

TEST(access_pattern, large_matrices_take_no_time) {
    const access_pattern p{1000, {4096, 4'000'000'000, 60000, 60000}, {8192, 4'000'000'000, 4'294'967'295}};
    EXPECT_EQ(found_by_arithmetic(p, 1000 + 8192 * 77 + 5).count({5, 77, 0, 0}), 1u);
    EXPECT_EQ(found_by_arithmetic(p, 999), places{});
}

TEST(access_pattern, says_when_a_pattern_is_too_entangled) {
    const access_pattern p{0, {1, 4'000'000'000, 1, 1}, {0, 0, 0}};
    std::size_t found = 0;
    EXPECT_FALSE(p.places_of(0, [&](const auto&) { ++found; }));
    EXPECT_LE(found, std::size_t{access_pattern::most_steps});
    EXPECT_TRUE(p.places_of(1, [&](const auto&) { FAIL(); }));
    EXPECT_TRUE((access_pattern{0, {0, 1, 1, 1}, {}}.places_of(0, [&](const auto&) { FAIL(); })));
}

} // namespace
} // namespace retrace
