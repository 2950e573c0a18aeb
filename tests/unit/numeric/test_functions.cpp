// Functions against the host's long double library: within 2 ulp everywhere, and the stated special values.
#include "tlm/core/numeric/functions.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <random>
#include <stdexcept>
#include <vector>

#include "tests/unit/numeric/dispatch_targets.h"
#include "tlm/core/numeric/formats.h"

namespace retrace {
namespace {

long double exact(unary_function function, long double x) {
    switch (function) {
    case unary_function::identity:
        return x;
    case unary_function::relu:
        return x > 0 ? x : 0.0L;
    case unary_function::exp:
        return std::exp(x);
    case unary_function::log:
        return std::log(x);
    case unary_function::tanh:
        return std::tanh(x);
    case unary_function::sigmoid:
        return 1.0L / (1.0L + std::exp(-x));
    case unary_function::gelu: {
        const long double pi = 3.14159265358979323846264338327950288L;
        const long double w = std::sqrt(2.0L / pi) * (x + 0.044715L * x * x * x);
        return x / (1.0L + std::exp(-2.0L * w));
    }
    case unary_function::reciprocal:
        return 1.0L / x;
    case unary_function::sqrt:
        return std::sqrt(x);
    case unary_function::rsqrt:
        return 1.0L / std::sqrt(x);
    }
    return 0;
}

// Distance in units of the last place of binary32 at the exact value.
double ulp_error(std::uint32_t got, long double expected) {
    const float value = std::bit_cast<float>(got);
    if (std::isnan(expected)) {
        return got == canonical_nan_fp32 ? 0.0 : INFINITY;
    }
    if (std::isinf(expected) || std::fabs(expected) >= 0x1.ffffffp127L) {
        return std::isinf(value) && std::signbit(value) == std::signbit(expected) ? 0.0 : INFINITY;
    }
    if (!std::isfinite(value)) {
        return INFINITY;
    }
    const int exponent = expected == 0 ? -126 : std::max(std::ilogb(expected), -126);
    return static_cast<double>(std::fabs(static_cast<long double>(value) - expected) /
                               std::ldexp(1.0L, exponent - 23));
}

std::vector<std::uint32_t> sweep() {
    std::vector<std::uint32_t> patterns;
    for (std::uint32_t code = 0; code < 65536; ++code) {
        patterns.push_back(code << 16); // every bf16 value
    }
    for (std::uint64_t bits = 0; bits < (std::uint64_t{1} << 32); bits += 40009) {
        patterns.push_back(static_cast<std::uint32_t>(bits));
    }
    std::mt19937 engine(99);
    for (int i = 0; i < 100000; ++i) {
        patterns.push_back((static_cast<std::uint32_t>(engine()) & 0x807fffffu) |
                           ((110u + engine() % 27u) << 23));
    }
    // Around 1, where log crosses zero, around the tanh threshold, and the smallest numbers.
    for (std::uint32_t i = 0; i < 2000; ++i) {
        patterns.push_back(0x3f800000u - 1000u + i);
        patterns.push_back(0x3a800000u - 1000u + i);
        patterns.push_back(i);
        patterns.push_back(0x80000000u + i);
    }
    return patterns;
}

TEST(functions, stay_within_two_ulp_of_the_exact_value) {
    const auto patterns = sweep();
    for (unsigned f = 0; f < unary_function_count; ++f) {
        const auto function = static_cast<unary_function>(f);
        auto row = patterns;
        apply_function_row(function, row);
        double worst = 0;
        for (std::size_t i = 0; i < row.size(); ++i) {
            const float x = std::bit_cast<float>(patterns[i]);
            if (!std::isfinite(x)) {
                continue; // special_values states these
            }
            const double error = ulp_error(row[i], exact(function, x));
            worst = std::max(worst, error);
            ASSERT_LE(error, 2.0) << name_of(function) << " of " << std::hexfloat << x << " gave "
                                  << std::bit_cast<float>(row[i]);
        }
        RecordProperty(name_of(function), std::to_string(worst));
        // The header promises more than the contract asks.
        EXPECT_LE(worst, 0.51) << name_of(function);
    }
}

TEST(functions, special_values_are_as_documented) {
    const auto apply = [](unary_function f, std::uint32_t bits) { return apply_function(f, bits); };
    constexpr std::uint32_t zero = 0, minus_zero = 0x80000000u, inf = 0x7f800000u, minus_inf = 0xff800000u;
    constexpr std::uint32_t one = 0x3f800000u, minus_one = 0xbf800000u, nan = 0x7fc00000u, half = 0x3f000000u;
    for (unsigned f = 0; f < unary_function_count; ++f) {
        for (const std::uint32_t payload : {0x7f800001u, 0x7fc12345u, 0xffc00000u, 0xffffffffu}) {
            EXPECT_EQ(apply(static_cast<unary_function>(f), payload), nan) << f;
        }
    }
    EXPECT_EQ(apply(unary_function::identity, minus_zero), minus_zero);
    EXPECT_EQ(apply(unary_function::relu, minus_zero), zero);
    EXPECT_EQ(apply(unary_function::relu, minus_inf), zero);
    EXPECT_EQ(apply(unary_function::relu, inf), inf);
    EXPECT_EQ(apply(unary_function::exp, minus_inf), zero);
    EXPECT_EQ(apply(unary_function::exp, inf), inf);
    EXPECT_EQ(apply(unary_function::exp, zero), one);
    EXPECT_EQ(apply(unary_function::log, zero), minus_inf);
    EXPECT_EQ(apply(unary_function::log, minus_zero), minus_inf);
    EXPECT_EQ(apply(unary_function::log, one), zero);
    EXPECT_EQ(apply(unary_function::log, minus_one), nan);
    EXPECT_EQ(apply(unary_function::log, minus_inf), nan);
    EXPECT_EQ(apply(unary_function::log, inf), inf);
    EXPECT_EQ(apply(unary_function::tanh, inf), one);
    EXPECT_EQ(apply(unary_function::tanh, minus_inf), minus_one);
    EXPECT_EQ(apply(unary_function::tanh, minus_zero), minus_zero);
    EXPECT_EQ(apply(unary_function::sigmoid, minus_inf), zero);
    EXPECT_EQ(apply(unary_function::sigmoid, inf), one);
    EXPECT_EQ(apply(unary_function::sigmoid, zero), half);
    EXPECT_EQ(apply(unary_function::gelu, minus_inf), minus_zero);
    EXPECT_EQ(apply(unary_function::gelu, inf), inf);
    EXPECT_EQ(apply(unary_function::gelu, minus_zero), minus_zero);
    EXPECT_EQ(apply(unary_function::reciprocal, minus_zero), minus_inf);
    EXPECT_EQ(apply(unary_function::reciprocal, minus_inf), minus_zero);
    EXPECT_EQ(apply(unary_function::sqrt, minus_zero), minus_zero);
    EXPECT_EQ(apply(unary_function::sqrt, minus_one), nan);
    EXPECT_EQ(apply(unary_function::rsqrt, minus_zero), minus_inf);
    EXPECT_EQ(apply(unary_function::rsqrt, zero), inf);
    EXPECT_EQ(apply(unary_function::rsqrt, inf), zero);
    EXPECT_EQ(apply(unary_function::rsqrt, minus_one), nan);
}

std::uint64_t digest(const std::vector<std::uint32_t>& words) {
    std::uint64_t hash = 0xcbf29ce484222325u; // FNV-1a
    for (const std::uint32_t word : words) {
        for (int byte = 0; byte < 4; ++byte) {
            hash = (hash ^ ((word >> (8 * byte)) & 0xffu)) * 0x100000001b3u;
        }
    }
    return hash;
}

TEST(functions, give_the_same_bits_on_every_target) {
    const auto patterns = sweep();
    for (unsigned f = 0; f < unary_function_count; ++f) {
        std::vector<std::uint64_t> digests;
        test::for_every_target([&](std::int64_t) {
            auto row = patterns;
            apply_function_row(static_cast<unary_function>(f), row);
            digests.push_back(digest(row));
        });
        for (const std::uint64_t d : digests) {
            EXPECT_EQ(d, digests.front()) << name_of(static_cast<unary_function>(f));
        }
    }
}

// Digests over all bf16 values, computed once by a transcription of the header's text into another language
// (Python, whose floats are binary64 and whose operators are never fused): a host, compiler or option that
// changes one bit of one function shows here.
TEST(functions, give_the_pinned_bits) {
    constexpr std::uint64_t pinned[unary_function_count] = {
        0xcf8e09175d8f5ba5u, 0xcd1d110ebbd6bdd8u, 0x9748938080659125u, 0xf3e39677dcfb6ac7u,
        0xb12e87bc941ffbadu, 0x88feb98241815e19u, 0xca9fee718eeea3a4u, 0xd5d5d441a9fdc645u,
        0x5947209b92fab9b5u, 0x4ac196a5afde231bu};
    for (unsigned f = 0; f < unary_function_count; ++f) {
        std::vector<std::uint32_t> row;
        for (std::uint32_t code = 0; code < 65536; ++code) {
            row.push_back(code << 16);
        }
        apply_function_row(static_cast<unary_function>(f), row);
        EXPECT_EQ(digest(row), pinned[f])
            << name_of(static_cast<unary_function>(f)) << std::hex << " 0x" << digest(row);
    }
}

TEST(functions, an_unknown_function_is_refused) {
    std::vector<std::uint32_t> row(3);
    EXPECT_THROW(apply_function_row(static_cast<unary_function>(200), row), std::invalid_argument);
}

} // namespace
} // namespace retrace
