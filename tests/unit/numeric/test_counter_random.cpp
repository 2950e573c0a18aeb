#include "hw/spec/counter_random.h"

#include <gtest/gtest.h>

#include <set>

namespace retrace {
namespace {

// Known-answer vectors that the authors publish with Random123 (kat_vectors, "philox4x32 10").
TEST(counter_random, matches_the_published_known_answers) {
    EXPECT_EQ(philox4x32_10({0, 0, 0, 0}, {0, 0}),
              (philox_counter{0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u}));
    EXPECT_EQ(philox4x32_10({0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu}, {0xffffffffu, 0xffffffffu}),
              (philox_counter{0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu}));
    EXPECT_EQ(philox4x32_10({0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u}, {0xa4093822u, 0x299f31d0u}),
              (philox_counter{0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u}));
}

TEST(counter_random, places_seed_step_operator_and_element_as_documented) {
    const std::uint64_t seed = 0x299f31d0a4093822u;
    const std::uint64_t block = 0x05a308d3243f6a88u;
    const philox_counter expected =
        philox4x32_10({0x243f6a88u, 0x05a308d3u, 0x13198a2eu, 0x03707344u}, {0xa4093822u, 0x299f31d0u});
    EXPECT_EQ(counter_random_block(seed, 0x03707344u, 0x13198a2eu, block), expected);
    for (unsigned lane = 0; lane < 4; ++lane) {
        EXPECT_EQ(counter_random(seed, 0x03707344u, 0x13198a2eu, 4 * block + lane), expected[lane]);
    }
}

TEST(counter_random, every_part_of_the_key_changes_the_word) {
    std::set<std::uint32_t> words;
    for (std::uint64_t seed : {1u, 2u}) {
        for (std::uint32_t step : {0u, 1u}) {
            for (std::uint32_t op : {0u, 1u}) {
                for (std::uint64_t element : {0u, 1u, 4u}) {
                    words.insert(counter_random(seed, step, op, element));
                }
            }
        }
    }
    EXPECT_EQ(words.size(), 24u);
}

} // namespace
} // namespace retrace
