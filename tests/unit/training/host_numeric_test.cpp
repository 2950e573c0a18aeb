#include "host/training/host_numeric.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <stdexcept>
#include <vector>

namespace retrace {
namespace {

using host_numeric::bf16_from_fp32;
using host_numeric::fp32_from_bf16;

// What 16 bits mean, from the definition of the format (8 exponent bits, 7 fraction bits), without looking at
// binary32's layout.
double meaning(std::uint16_t bits) {
    const int exponent = (bits >> 7) & 0xff;
    const int fraction = bits & 0x7f;
    const double sign = bits & 0x8000 ? -1.0 : 1.0;
    if (exponent == 0xff)
        return fraction ? std::numeric_limits<double>::quiet_NaN()
                        : sign * std::numeric_limits<double>::infinity();
    return exponent == 0 ? sign * std::ldexp(fraction, -133)
                         : sign * std::ldexp(128 + fraction, exponent - 134);
}

// Rounding by search: the neighbours below and above, their distances in binary64 (exact here), ties to the
// even one.
std::uint16_t nearest(float value) {
    if (std::isnan(value))
        return 0x7fc0;
    const std::uint16_t sign = std::signbit(value) ? 0x8000 : 0;
    const double magnitude = std::fabs(static_cast<double>(value));
    std::uint16_t low = 0, high = 0x7f80; // patterns of positive numbers are in numerical order
    while (low < high) {                  // the largest pattern not above the value
        const auto middle = static_cast<std::uint16_t>((low + high + 1) / 2);
        if (meaning(middle) <= magnitude)
            low = middle;
        else
            high = static_cast<std::uint16_t>(middle - 1);
    }
    if (low == 0x7f80)
        return sign | low;
    const auto above = static_cast<std::uint16_t>(low + 1);
    // Past the largest finite number stands, for the sake of rounding, the next power of two.
    const double upper = above == 0x7f80 ? std::ldexp(1.0, 128) : meaning(above);
    const double down = magnitude - meaning(low), up = upper - magnitude;
    return sign | (down < up || (down == up && low % 2 == 0) ? low : above);
}

bool same_bits(float a, float b) {
    return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b);
}

TEST(host_numeric, widening_every_bf16_value) {
    for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
        const auto narrow = static_cast<std::uint16_t>(bits);
        const double expected = meaning(narrow);
        const float wide = fp32_from_bf16(narrow);
        if (std::isnan(expected)) {
            ASSERT_EQ(std::bit_cast<std::uint32_t>(wide), 0x7fc00000u) << bits;
            ASSERT_EQ(bf16_from_fp32(wide), 0x7fc0) << bits;
        } else {
            ASSERT_TRUE(same_bits(wide, static_cast<float>(expected))) << bits;
            ASSERT_EQ(bf16_from_fp32(wide), narrow) << bits;
        }
    }
}

// Every upper half with the lower halves at which rounding can change, against the search.
TEST(host_numeric, narrowing_every_upper_half_around_its_ties) {
    for (std::uint32_t upper = 0; upper < 0x10000; ++upper) {
        for (const std::uint32_t lower : {0x0000u, 0x0001u, 0x7fffu, 0x8000u, 0x8001u, 0xffffu}) {
            const auto value = std::bit_cast<float>(upper << 16 | lower);
            ASSERT_EQ(bf16_from_fp32(value), nearest(value)) << std::hex << (upper << 16 | lower);
        }
    }
}

TEST(host_numeric, narrowing_random_patterns) {
    std::mt19937 random(7);
    for (int i = 0; i < 300000; ++i) {
        const std::uint32_t bits = random();
        const auto value = std::bit_cast<float>(bits);
        ASSERT_EQ(bf16_from_fp32(value), nearest(value)) << std::hex << bits;
    }
}

TEST(host_numeric, corner_values) {
    constexpr float infinity = std::numeric_limits<float>::infinity();
    EXPECT_EQ(bf16_from_fp32(0.0f), 0x0000);
    EXPECT_EQ(bf16_from_fp32(-0.0f), 0x8000);
    EXPECT_EQ(bf16_from_fp32(infinity), 0x7f80);
    EXPECT_EQ(bf16_from_fp32(-infinity), 0xff80);
    EXPECT_EQ(bf16_from_fp32(std::numeric_limits<float>::max()), 0x7f80);
    EXPECT_EQ(bf16_from_fp32(std::numeric_limits<float>::denorm_min()), 0x0000);
    EXPECT_EQ(bf16_from_fp32(std::bit_cast<float>(0xffc12345u)), 0x7fc0); // negative NaN with a payload
    EXPECT_EQ(bf16_from_fp32(std::bit_cast<float>(0x7f800001u)),
              0x7fc0); // signalling NaN, payload in the lower half
    EXPECT_EQ(bf16_from_fp32(std::bit_cast<float>(0x7fffffffu)), 0x7fc0); // must not carry into -0
}

TEST(host_numeric, bulk_equals_one_by_one_at_every_length) {
    std::mt19937 random(11);
    for (std::size_t n = 0; n < 70; ++n) {
        std::vector<float> wide(n), back(n);
        std::vector<std::uint16_t> narrow(n);
        for (float& x : wide)
            x = std::bit_cast<float>(static_cast<std::uint32_t>(random()));
        host_numeric::narrow(wide, narrow);
        host_numeric::widen(narrow, back);
        for (std::size_t i = 0; i < n; ++i) {
            ASSERT_EQ(narrow[i], bf16_from_fp32(wide[i]));
            ASSERT_TRUE(same_bits(back[i], fp32_from_bf16(narrow[i])));
        }
    }
    std::vector<float> three(3);
    std::vector<std::uint16_t> two(2);
    EXPECT_THROW(host_numeric::narrow(three, two), std::invalid_argument);
    EXPECT_THROW(host_numeric::widen(two, three), std::invalid_argument);
}

} // namespace
} // namespace retrace
