// The soft-float referee against the host's fused multiply-add and addition, which follow IEEE 754 as well
// but were made by somebody else.
#include "tlm/core/numeric/soft_float.h"

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

namespace retrace {
namespace {

float value(std::uint32_t bits) { return std::bit_cast<float>(bits); }

std::uint32_t canonical_bits(float f) {
    return std::isnan(f) ? 0x7fc00000u : std::bit_cast<std::uint32_t>(f);
}

// The compiler may not evaluate these: the host's instructions and library are what is compared with.
std::uint32_t host_fma(std::uint32_t a, std::uint32_t b, std::uint32_t c) {
    volatile float x = value(a), y = value(b), z = value(c);
    return canonical_bits(std::fma(x, y, z));
}
std::uint32_t host_add(std::uint32_t a, std::uint32_t b) {
    volatile float x = value(a), y = value(b);
    return canonical_bits(x + y);
}

// Where rounding, encoding and special cases change over.
std::vector<std::uint32_t> corners() {
    std::vector<std::uint32_t> magnitudes{
        0x00000000, 0x00000001, 0x00000002, 0x00000003, 0x003fffff, 0x00400000, 0x00400001, // subnormal
        0x007ffffe, 0x007fffff, 0x00800000, 0x00800001, 0x00ffffff, 0x01000000,             // smallest normal
        0x0b800000, 0x0c000000, 0x1f800000, 0x20000000, 0x20000001,                         // 2^-104, 2^-64
        0x33000000, 0x33000001, 0x33800000, 0x337fffff, 0x34000000, // 2^-25, 2^-24, 2^-23
        0x3effffff, 0x3f000000, 0x3f000001, 0x3f7ffffe, 0x3f7fffff, 0x3f800000, 0x3f800001, // around 1
        0x3f800002, 0x3fbfffff, 0x3fc00000, 0x3fffffff, 0x40000000, 0x40400000, 0x4b000001,
        0x4b7fffff, 0x4b800000, 0x4b800001, 0x5f000000, 0x5f7fffff, 0x5f800000,  // 2^24, 2^64
        0x7e800000, 0x7effffff, 0x7f000000, 0x7f000001, 0x7f7ffffe, 0x7f7fffff,  // largest
        0x7f800000, 0x7f800001, 0x7fbfffff, 0x7fc00000, 0x7fc12345, 0x7fffffff}; // infinity, NaN
    std::vector<std::uint32_t> all;
    for (const std::uint32_t m : magnitudes) {
        all.push_back(m);
        all.push_back(m | 0x80000000u);
    }
    return all;
}

TEST(soft_float, every_triple_of_corners_is_fused_as_on_the_host) {
    const auto values = corners();
    for (const std::uint32_t a : values) {
        for (const std::uint32_t b : values) {
            for (const std::uint32_t c : values) {
                ASSERT_EQ(soft::fma(a, b, c), host_fma(a, b, c)) << std::hex << a << " * " << b << " + " << c;
            }
        }
    }
}

TEST(soft_float, every_pair_of_corners_is_added_as_on_the_host) {
    const auto values = corners();
    for (const std::uint32_t a : values) {
        for (const std::uint32_t b : values) {
            ASSERT_EQ(soft::add(a, b), host_add(a, b)) << std::hex << a << " + " << b;
        }
    }
}

// Operand classes. Ties and cancellation are relations: the third operand follows from the other two.
enum class operand { any, near_one, subnormal, tiny, huge, few_digits, special };
constexpr std::array operands{operand::any,  operand::near_one,   operand::subnormal, operand::tiny,
                              operand::huge, operand::few_digits, operand::special};
enum class relation { none, cancels, nearly_cancels, far_above, far_below };
constexpr std::array relations{relation::none, relation::cancels, relation::nearly_cancels,
                               relation::far_above, relation::far_below};

class generator {
public:
    explicit generator(std::uint64_t seed) : engine_(seed) {}

    std::uint32_t draw(operand kind) {
        const auto r = static_cast<std::uint32_t>(engine_());
        const std::uint32_t sign = r & 0x80000000u, mantissa = r & 0x7fffffu;
        const auto with = [&](std::uint32_t low, std::uint32_t count) {
            return sign | (low + static_cast<std::uint32_t>(engine_() % count)) << 23 | mantissa;
        };
        switch (kind) {
        case operand::near_one:
            return with(124, 7);
        case operand::subnormal:
            return sign | mantissa >> engine_() % 23;
        case operand::tiny:
            return with(1, 70);
        case operand::huge:
            return with(180, 75);
        case operand::few_digits: // products of 25 digits: half of them are ties
            return with(110, 35) & ~0x7ffu;
        case operand::special: {
            constexpr std::uint32_t all[] = {0,          0x7f800000, 0x7f800001, 0x7fc00000,
                                             0x7fffffff, 1,          0x7f7fffff};
            return sign | all[engine_() % 7];
        }
        default:
            return r;
        }
    }

    std::uint32_t third(relation kind, operand own, std::uint32_t a, std::uint32_t b) {
        if (kind == relation::none) {
            return draw(own);
        }
        const std::uint32_t product = canonical_bits(value(a) * value(b));
        const std::uint32_t opposite = product ^ 0x80000000u;
        const int field = static_cast<int>(product >> 23 & 0xff);
        const auto moved = [&](int by) {
            const int to = std::min(254, std::max(0, field + by));
            return (static_cast<std::uint32_t>(engine_()) & 0x80000000u) |
                   static_cast<std::uint32_t>(to) << 23 |
                   (engine_() % 2 != 0 ? static_cast<std::uint32_t>(engine_()) & 0x7fffffu : 0u);
        };
        switch (kind) {
        case relation::cancels:
            return opposite;
        case relation::nearly_cancels:
            return opposite + static_cast<std::uint32_t>(engine_() % 9) - 4;
        case relation::far_above: // the product is about half a unit of c's last place, or less
            return moved(20 + static_cast<int>(engine_() % 40));
        default:
            return moved(-20 - static_cast<int>(engine_() % 40));
        }
    }

private:
    std::mt19937_64 engine_;
};

TEST(soft_float, millions_of_random_triples_of_every_class_are_fused_as_on_the_host) {
    generator draw(754);
    constexpr unsigned each = 16000; // x 7 x 7 x 5 = 3.9 million
    for (const operand x : operands) {
        for (const operand y : operands) {
            for (const relation z : relations) {
                for (unsigned i = 0; i < each; ++i) {
                    const std::uint32_t a = draw.draw(x), b = draw.draw(y);
                    const std::uint32_t c = draw.third(z, operands[i % operands.size()], a, b);
                    ASSERT_EQ(soft::fma(a, b, c), host_fma(a, b, c))
                        << std::hex << a << " * " << b << " + " << c;
                }
            }
        }
    }
}

TEST(soft_float, a_million_random_sums_are_added_as_on_the_host) {
    generator draw(2019);
    for (const operand x : operands) {
        for (const operand y : operands) {
            for (unsigned i = 0; i < 20000; ++i) {
                const std::uint32_t a = draw.draw(x);
                const std::uint32_t near = a ^ (0x80000000u | static_cast<std::uint32_t>(i % 16) << 21);
                const std::uint32_t b = i % 3 == 0 ? near : draw.draw(y);
                ASSERT_EQ(soft::add(a, b), host_add(a, b)) << std::hex << a << " + " << b;
            }
        }
    }
}

// Independent of any host: results known from the standard.
TEST(soft_float, the_standard_s_special_cases_are_literal) {
    EXPECT_EQ(soft::fma(0, 0x40400000, 0x80000000), 0u);                   // 6.3: +0 + -0
    EXPECT_EQ(soft::fma(0x80000000, 0x40400000, 0x80000000), 0x80000000u); // -0 + -0
    EXPECT_EQ(soft::fma(0x3f800000, 0x3f800000, 0xbf800000), 0u);          // exact cancellation
    EXPECT_EQ(soft::fma(0, 0x7f800000, 0x3f800000), 0x7fc00000u);          // 7.2 c)
    EXPECT_EQ(soft::fma(0x3f800000, 0x7f800000, 0xff800000), 0x7fc00000u); // 7.2 d)
    EXPECT_EQ(soft::fma(0xffc12345, 1, 1), 0x7fc00000u);                   // payload and sign are dropped
    EXPECT_EQ(soft::fma(0x7f7fffff, 0x7f7fffff, 0xff7fffff), 0x7f800000u); // 7.4
    // (1 + 2^-12)^2 = 1 + 2^-11 + 2^-24: a tie that goes to the even neighbour; c = 2^-149 breaks it.
    EXPECT_EQ(soft::fma(0x3f800800, 0x3f800800, 0), 0x3f801000u);
    EXPECT_EQ(soft::fma(0x3f800800, 0x3f800800, 1), 0x3f801001u);
    EXPECT_EQ(soft::fma(0x3f800800, 0x3f800800, 0x80000001), 0x3f801000u);
    // 2^-75 * 2^-75 = 2^-150 is half the smallest subnormal: to even, and up with anything more.
    EXPECT_EQ(soft::fma(0x1a000000, 0x1a000000, 0), 0u);
    EXPECT_EQ(soft::fma(0x1a000001, 0x1a000000, 0), 1u);
    EXPECT_EQ(soft::fma(0x1a000000, 0x1a000000, 1), 2u);
    EXPECT_EQ(soft::add(0x7f7fffff, 0x73000000), 0x7f800000u); // half a unit above the largest: overflow
    EXPECT_EQ(soft::add(0x7f7fffff, 0x72ffffff), 0x7f7fffffu);
    EXPECT_EQ(soft::multiply_add_integer(0xffffff80u, 0xffffff80u, 0x7fffffffu), 0x80003fffu);
    EXPECT_EQ(soft::multiply_add_integer(0xffffffffu, 127, 0), 0xffffff81u);
}

// Every code of the small formats, by value in binary64.
double small_value(std::uint32_t code, int exponent_bits, int mantissa_bits, int bias) {
    const int field = static_cast<int>(code >> mantissa_bits) & ((1 << exponent_bits) - 1);
    const double fraction =
        std::ldexp(static_cast<double>(code & ((1u << mantissa_bits) - 1)), -mantissa_bits);
    const double magnitude =
        field == 0 ? std::ldexp(fraction, 1 - bias) : std::ldexp(1 + fraction, field - bias);
    return code >> (exponent_bits + mantissa_bits) & 1u ? -magnitude : magnitude;
}

std::uint32_t widened(number_format f, std::uint32_t code) {
    std::byte bytes[5];
    std::memcpy(bytes + 1, &code, 4); // unaligned
    return soft::widen(f, bytes + 1);
}

TEST(soft_float, every_code_of_a_small_format_widens_to_its_value) {
    for (std::uint32_t code = 0; code < 0x10000; ++code) {
        const bool special = (code & 0x7f80u) == 0x7f80u;
        const std::uint32_t expected = !special
                                           ? canonical_bits(static_cast<float>(small_value(code, 8, 7, 127)))
                                       : (code & 0x7fu) != 0 ? 0x7fc00000u
                                                             : (code & 0x8000u) << 16 | 0x7f800000u;
        ASSERT_EQ(widened(number_format::bf16, code), expected) << code;
    }
    for (std::uint32_t code = 0; code < 256; ++code) {
        const std::uint32_t magnitude = code & 0x7fu;
        EXPECT_EQ(widened(number_format::fp8_e4m3, code),
                  magnitude == 0x7f ? 0x7fc00000u
                                    : canonical_bits(static_cast<float>(small_value(code, 4, 3, 7))));
        EXPECT_EQ(widened(number_format::fp8_e5m2, code),
                  magnitude > 0x7c    ? 0x7fc00000u
                  : magnitude == 0x7c ? (code & 0x80u) << 24 | 0x7f800000u
                                      : canonical_bits(static_cast<float>(small_value(code, 5, 2, 15))));
        EXPECT_EQ(widened(number_format::int8, code),
                  static_cast<std::uint32_t>(static_cast<std::int32_t>(static_cast<std::int8_t>(code))));
    }
}

TEST(soft_float, binary32_widens_to_itself_with_a_canonical_nan) {
    for (const std::uint32_t bits : corners()) {
        EXPECT_EQ(widened(number_format::fp32, bits), std::isnan(value(bits)) ? 0x7fc00000u : bits);
        EXPECT_EQ(widened(number_format::int32, bits), bits);
    }
}

} // namespace
} // namespace retrace
