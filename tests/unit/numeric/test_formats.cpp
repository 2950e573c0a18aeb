// Conversions of single elements against an oracle in binary64 arithmetic (ldexp, nearbyint) that shares
// nothing with the bit manipulation under test.
#include "tlm/core/numeric/formats.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace retrace {
namespace {

struct small_float {
    int mantissa;
    int bias;
    bool has_infinity;
    std::uint32_t nan;
    int exponent_bits;
};

constexpr small_float bf16{7, 127, true, 0x7fc0, 8};
constexpr small_float e4m3{3, 7, false, 0x7f, 4};
constexpr small_float e5m2{2, 15, true, 0x7e, 5};

// The largest finite magnitude of the format.
double largest(const small_float& f) {
    const int top = (1 << f.exponent_bits) - 1;
    const double all_ones = 2.0 - std::ldexp(1.0, -f.mantissa);
    return f.has_infinity ? std::ldexp(all_ones, top - 1 - f.bias)
                          : std::ldexp(all_ones - std::ldexp(1.0, -f.mantissa), top - f.bias);
}

double value_of(const small_float& f, std::uint32_t code) {
    const std::uint32_t sign = code >> (f.mantissa + f.exponent_bits);
    const int field = static_cast<int>((code >> f.mantissa) & ((1u << f.exponent_bits) - 1));
    const int fraction = static_cast<int>(code & ((1u << f.mantissa) - 1));
    const int top = (1 << f.exponent_bits) - 1;
    double magnitude;
    if (f.has_infinity && field == top) {
        magnitude = fraction == 0 ? std::numeric_limits<double>::infinity() : std::nan("");
    } else if (!f.has_infinity && field == top && fraction == (1 << f.mantissa) - 1) {
        magnitude = std::nan("");
    } else if (field == 0) {
        magnitude = std::ldexp(fraction, 1 - f.bias - f.mantissa);
    } else {
        magnitude = std::ldexp((1 << f.mantissa) + fraction, field - f.bias - f.mantissa);
    }
    return sign != 0 ? -magnitude : magnitude;
}

// Encodes a magnitude that the format represents exactly, or an overflow.
std::uint32_t encode(const small_float& f, bool negative, double magnitude) {
    const std::uint32_t sign = negative ? 1u << (f.mantissa + f.exponent_bits) : 0u;
    if (magnitude > largest(f)) {
        return f.has_infinity ? sign | (((1u << f.exponent_bits) - 1) << f.mantissa) : f.nan;
    }
    if (magnitude < std::ldexp(1.0, 1 - f.bias)) {
        return sign | static_cast<std::uint32_t>(std::ldexp(magnitude, f.bias + f.mantissa - 1));
    }
    const int exponent = std::ilogb(magnitude);
    const auto fraction = static_cast<std::uint32_t>(std::ldexp(magnitude, f.mantissa - exponent));
    return sign | (static_cast<std::uint32_t>(exponent + f.bias) << f.mantissa) |
           (fraction & ((1u << f.mantissa) - 1));
}

double last_place(const small_float& f, double magnitude) {
    const int exponent = magnitude == 0 ? 1 - f.bias : std::max(std::ilogb(magnitude), 1 - f.bias);
    return std::ldexp(1.0, exponent - f.mantissa);
}

std::uint32_t oracle_nearest(const small_float& f, std::uint32_t bits) {
    const double x = std::bit_cast<float>(bits);
    if (std::isnan(x)) {
        return f.nan;
    }
    if (std::isinf(x)) {
        return encode(f, x < 0, std::numeric_limits<double>::infinity());
    }
    const double unit = last_place(f, std::fabs(x));
    return encode(f, std::signbit(x), std::nearbyint(std::fabs(x) / unit) * unit);
}

std::uint32_t oracle_stochastic(const small_float& f, std::uint32_t bits, std::uint32_t random) {
    const double x = std::bit_cast<float>(bits);
    if (std::isnan(x)) {
        return f.nan;
    }
    if (std::isinf(x)) {
        return encode(f, x < 0, std::numeric_limits<double>::infinity());
    }
    const double unit = last_place(f, std::fabs(x));
    const double scaled = std::fabs(x) / unit;
    const double discarded = std::floor(std::ldexp(scaled - std::floor(scaled), 32));
    const double increment = discarded + random >= 4294967296.0 ? 1.0 : 0.0;
    return encode(f, std::signbit(x), (std::floor(scaled) + increment) * unit);
}

// Binary32 patterns worth trying for a format: every value of the format, the midpoints to its neighbours and
// the patterns one binary32 step around both, specials, and seeded random patterns.
std::vector<std::uint32_t> interesting(const small_float& f) {
    std::vector<std::uint32_t> patterns{0u,          0x80000000u, 1u,          0x80000001u, 0x007fffffu,
                                        0x00800000u, 0x7f7fffffu, 0xff7fffffu, 0x7f800000u, 0xff800000u,
                                        0x7f800001u, 0x7fc00000u, 0xffc00000u, 0xffffffffu, 0x7fbfffffu};
    const std::uint32_t codes = 1u << (1 + f.exponent_bits + f.mantissa);
    for (std::uint32_t code = 0; code < codes; ++code) {
        const double value = value_of(f, code);
        if (!std::isfinite(value)) {
            continue;
        }
        const double half = last_place(f, std::fabs(value)) / 2;
        for (const double point : {value, value + half, value - half, value + half / 2}) {
            const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(point));
            patterns.insert(patterns.end(), {bits - 1, bits, bits + 1});
        }
    }
    std::mt19937 engine(20240601);
    for (int i = 0; i < 200000; ++i) {
        patterns.push_back(static_cast<std::uint32_t>(engine()));
    }
    // Random mantissas in the exponent range of the small formats.
    for (int i = 0; i < 200000; ++i) {
        const std::uint32_t exponent = 127 - 30 + engine() % 50;
        patterns.push_back((static_cast<std::uint32_t>(engine()) & 0x807fffffu) | (exponent << 23));
    }
    return patterns;
}

template <typename Widen>
void check_widening(const small_float& f, Widen widen) {
    const std::uint32_t codes = 1u << (1 + f.exponent_bits + f.mantissa);
    for (std::uint32_t code = 0; code < codes; ++code) {
        const double value = value_of(f, code);
        const std::uint32_t got = widen(code);
        if (std::isnan(value)) {
            ASSERT_EQ(got, 0x7fc00000u) << std::hex << code;
        } else {
            ASSERT_EQ(got, std::bit_cast<std::uint32_t>(static_cast<float>(value))) << std::hex << code;
        }
    }
}

TEST(formats, widening_bf16_is_exact_for_every_value) {
    check_widening(bf16, [](std::uint32_t c) { return widen_bf16(static_cast<std::uint16_t>(c)); });
}

TEST(formats, widening_e4m3_is_exact_for_every_value) {
    check_widening(e4m3, [](std::uint32_t c) { return widen_e4m3(static_cast<std::uint8_t>(c)); });
}

TEST(formats, widening_e5m2_is_exact_for_every_value) {
    check_widening(e5m2, [](std::uint32_t c) { return widen_e5m2(static_cast<std::uint8_t>(c)); });
}

TEST(formats, widening_int8_is_exact_and_int32_rounds_to_nearest_even) {
    for (int i = -128; i <= 127; ++i) {
        EXPECT_EQ(widen_int8(static_cast<std::int8_t>(i)),
                  std::bit_cast<std::uint32_t>(static_cast<float>(i)));
    }
    EXPECT_EQ(widen_int32(16777217), std::bit_cast<std::uint32_t>(16777216.0f));
    EXPECT_EQ(widen_int32(16777219), std::bit_cast<std::uint32_t>(16777220.0f));
    EXPECT_EQ(widen_int32(std::numeric_limits<std::int32_t>::min()), std::bit_cast<std::uint32_t>(-0x1p31f));
}

TEST(formats, narrowing_rounds_to_nearest_even) {
    for (const std::uint32_t bits : interesting(bf16)) {
        ASSERT_EQ(narrow_bf16(bits), oracle_nearest(bf16, bits)) << std::hex << bits;
    }
    for (const std::uint32_t bits : interesting(e4m3)) {
        ASSERT_EQ(narrow_e4m3(bits), oracle_nearest(e4m3, bits)) << std::hex << bits;
    }
    for (const std::uint32_t bits : interesting(e5m2)) {
        ASSERT_EQ(narrow_e5m2(bits), oracle_nearest(e5m2, bits)) << std::hex << bits;
    }
}

TEST(formats, widening_then_narrowing_returns_every_value) {
    for (std::uint32_t code = 0; code < 65536; ++code) {
        const std::uint32_t expected = std::isnan(value_of(bf16, code)) ? 0x7fc0u : code;
        ASSERT_EQ(narrow_bf16(widen_bf16(static_cast<std::uint16_t>(code))), expected);
    }
    for (std::uint32_t code = 0; code < 256; ++code) {
        const auto byte = static_cast<std::uint8_t>(code);
        EXPECT_EQ(narrow_e4m3(widen_e4m3(byte)), std::isnan(value_of(e4m3, code)) ? 0x7fu : code);
        EXPECT_EQ(narrow_e5m2(widen_e5m2(byte)), std::isnan(value_of(e5m2, code)) ? 0x7eu : code);
    }
}

TEST(formats, overflow_is_nan_in_e4m3_and_infinity_elsewhere) {
    const auto bits = [](float v) { return std::bit_cast<std::uint32_t>(v); };
    EXPECT_EQ(narrow_e4m3(bits(448.0f)), 0x7e);
    EXPECT_EQ(narrow_e4m3(bits(464.0f)), 0x7e); // the tie goes to the even 448
    EXPECT_EQ(narrow_e4m3(bits(464.1f)), 0x7f);
    EXPECT_EQ(narrow_e4m3(bits(-464.1f)), 0x7f);
    EXPECT_EQ(narrow_e4m3(0x7f800000u), 0x7f);
    EXPECT_EQ(narrow_e5m2(bits(57344.0f)), 0x7b);
    EXPECT_EQ(narrow_e5m2(bits(61440.0f)), 0x7c); // the tie goes to the even overflow
    EXPECT_EQ(narrow_e5m2(bits(-61440.0f)), 0xfc);
    EXPECT_EQ(narrow_bf16(0x7f7fffffu), 0x7f80);
    EXPECT_EQ(narrow_bf16(0xff7fffffu), 0xff80);
}

TEST(formats, stochastic_narrowing_follows_its_definition) {
    std::mt19937 engine(7);
    const std::uint32_t corners[] = {0u, 1u, 0x7fffffffu, 0x80000000u, 0xffffffffu};
    const auto check = [&](const small_float& f, auto narrow) {
        std::size_t index = 0;
        for (const std::uint32_t bits : interesting(f)) {
            const std::uint32_t random =
                index % 3 == 0 ? corners[(index / 3) % 5] : static_cast<std::uint32_t>(engine());
            ++index;
            ASSERT_EQ(narrow(bits, random), oracle_stochastic(f, bits, random))
                << std::hex << bits << " " << random;
        }
    };
    check(bf16, [](auto b, auto r) { return narrow_bf16_stochastic(b, r); });
    check(e4m3, [](auto b, auto r) { return narrow_e4m3_stochastic(b, r); });
    check(e5m2, [](auto b, auto r) { return narrow_e5m2_stochastic(b, r); });
}

TEST(formats, stochastic_narrowing_keeps_what_is_representable_whatever_the_word) {
    for (std::uint32_t code = 0; code < 256; ++code) {
        const std::uint32_t bits = widen_e4m3(static_cast<std::uint8_t>(code));
        EXPECT_EQ(narrow_e4m3_stochastic(bits, 0xffffffffu), narrow_e4m3(bits));
    }
}

} // namespace
} // namespace retrace
