// The reference's arithmetic against the device model's: two texts of one contract, written independently.
#include <array>
#include <bit>

#include <gtest/gtest.h>

#include "hw/spec/counter_random.h"
#include "sim/cosim/reference_numbers.h"
#include "tlm/core/numeric/formats_bulk.h"
#include "tlm/core/numeric/functions.h"
#include "tlm/core/numeric/soft_float.h"

namespace retrace::cosim {
namespace {

using spec::number_format;

std::uint32_t device_widen(number_format f, std::uint32_t code) {
    std::uint32_t word = 0;
    widen_row(static_cast<retrace::number_format>(f), reinterpret_cast<const std::byte*>(&code), {&word, 1});
    return word;
}

std::uint32_t device_narrow(number_format f, std::uint32_t bits) {
    std::uint32_t code = 0;
    narrow_row(static_cast<retrace::number_format>(f), {&bits, 1}, reinterpret_cast<std::byte*>(&code));
    return code;
}

/// Random words of which many are special, or lie next to something special.
std::uint32_t word(std::uint32_t stream, std::uint32_t i) {
    constexpr std::array<std::uint32_t, 14> special{0x00000000, 0x00000001, 0x007fffff, 0x00800000, 0x33800000,
                                                    0x3f800000, 0x3f7fffff, 0x43e00000, 0x43e80000, 0x477fe000,
                                                    0x47800000, 0x7f7fffff, 0x7f800000, 0x7fc00001};
    const std::uint32_t a = counter_random(99, 0, stream, 2 * i), b = counter_random(99, 0, stream, 2 * i + 1);
    switch (b % 4) {
    case 0:
        return special[a % special.size()] + (b >> 8) % 5 - 2 + (b & 0x80000000u);
    case 1: // moderate
        return (a & 0x807fffffu) | (118 + (b >> 8) % 20) << 23;
    case 2: // ties: few bits
        return (a & 0xfff80000u) | (b >> 8 & 1) << 18;
    default:
        return a;
    }
}

TEST(reference_numbers, every_code_widens_as_on_the_device) {
    for (const number_format f : {number_format::bf16, number_format::fp8_e4m3, number_format::fp8_e5m2, number_format::int8})
        for (std::uint32_t code = 0; code < (f == number_format::bf16 ? 0x10000u : 0x100u); ++code)
            ASSERT_EQ(widen(f, code), device_widen(f, code)) << spec::name_of(f) << " " << code;
    for (std::uint32_t i = 0; i < 100000; ++i)
        for (const number_format f : {number_format::fp32, number_format::int32})
            ASSERT_EQ(widen(f, word(1, i)), device_widen(f, word(1, i))) << spec::name_of(f) << " " << word(1, i);
}

TEST(reference_numbers, narrowing_agrees_with_the_device) {
    for (std::uint32_t i = 0; i < 400000; ++i)
        for (const number_format f :
             {number_format::fp32, number_format::bf16, number_format::fp8_e4m3, number_format::fp8_e5m2, number_format::int8})
            ASSERT_EQ(narrow(f, word(2, i)), device_narrow(f, word(2, i))) << spec::name_of(f) << " " << std::hex << word(2, i);
}

TEST(reference_numbers, stochastic_narrowing_agrees_with_the_device) {
    for (std::uint32_t i = 0; i < 200000; ++i)
        for (const number_format f : {number_format::bf16, number_format::fp8_e4m3, number_format::fp8_e5m2}) {
            const std::uint32_t bits = word(3, i), random = i % 8 ? counter_random(7, 0, 4, i) : (i % 16 ? 0u : 0xffffffffu);
            std::uint32_t code = 0;
            narrow_row_stochastic(static_cast<retrace::number_format>(f), {&bits, 1}, {&random, 1},
                                  reinterpret_cast<std::byte*>(&code));
            ASSERT_EQ(narrow_stochastic(f, bits, random), code) << spec::name_of(f) << " " << std::hex << bits << " " << random;
        }
}

TEST(reference_numbers, functions_agree_with_the_device) {
    for (unsigned f = 0; f < spec::activation_function_count; ++f)
        for (std::uint32_t i = 0; i < 200000; ++i) {
            const std::uint32_t x = word(10 + f, i);
            ASSERT_EQ(apply(static_cast<spec::activation_function>(f), x), apply_function(static_cast<unary_function>(f), x))
                << spec::name_of(static_cast<spec::activation_function>(f)) << " " << std::hex << x;
        }
}

TEST(reference_numbers, fused_and_plain_sums_agree_with_the_soft_float) {
    for (std::uint32_t i = 0; i < 300000; ++i) {
        const std::uint32_t a = word(30, i), b = word(31, i), c = word(32, i);
        ASSERT_EQ(fma(a, b, c), soft::fma(a, b, c)) << std::hex << a << " " << b << " " << c;
        ASSERT_EQ(add(a, c), soft::add(a, c)) << std::hex << a << " " << c;
    }
}

TEST(reference_numbers, zeros_and_nans_of_max_and_min) {
    const std::uint32_t plus = 0, minus = 0x80000000, one = 0x3f800000, nan = 0x7f800123;
    using op = spec::vector_operation;
    EXPECT_EQ(combine(op::max, plus, minus), plus);
    EXPECT_EQ(combine(op::max, minus, plus), plus);
    EXPECT_EQ(combine(op::min, plus, minus), minus);
    EXPECT_EQ(combine(op::min, minus, plus), minus);
    EXPECT_EQ(combine(op::max, nan, one), nan_bits);
    EXPECT_EQ(combine(op::min, one, nan), nan_bits);
    EXPECT_EQ(combine(op::select_positive, one, minus), plus);
    EXPECT_EQ(combine(op::select_positive, one, nan), plus);
    EXPECT_EQ(combine(op::select_positive, nan, one), nan_bits);
}

TEST(reference_numbers, ulps_count_across_zero) {
    EXPECT_EQ(ulp_distance(number_format::fp32, 0x3f800000, 0x3f800001), 1u);
    EXPECT_EQ(ulp_distance(number_format::fp32, 0x00000000, 0x80000000), 0u);
    EXPECT_EQ(ulp_distance(number_format::fp32, 0x00000001, 0x80000001), 2u);
    EXPECT_EQ(ulp_distance(number_format::bf16, 0x3f80, 0xbf80), 2 * 0x3f80u);
    EXPECT_EQ(ulp_distance(number_format::int8, 0x80, 0x7f), 255u);
    EXPECT_EQ(ulp_distance(number_format::int32, 0x80000000, 0x7fffffff), 0xffffffffu);
}

} // namespace
} // namespace retrace::cosim
