#include "tlm/core/numeric/formats_bulk.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <random>
#include <stdexcept>
#include <vector>

#include "tests/unit/numeric/dispatch_targets.h"
#include "tlm/core/numeric/fma_row.h"

namespace retrace {
namespace {

std::vector<std::uint32_t> mixed_patterns(std::size_t size, std::uint32_t seed) {
    constexpr std::uint32_t corners[] = {0u,          0x80000000u, 1u,          0x807fffffu,
                                         0x00800000u, 0x3f800000u, 0x7f7fffffu, 0xff7fffffu,
                                         0x7f800000u, 0xff800000u, 0x7f800001u, 0xffffffffu,
                                         0x43e80000u, 0xc3e80001u, 0x47700000u, 0x3a800000u};
    std::mt19937 engine(seed);
    std::vector<std::uint32_t> patterns(size);
    for (auto& p : patterns) {
        const std::uint32_t kind = engine() % 4;
        const std::uint32_t word = static_cast<std::uint32_t>(engine());
        p = kind == 0   ? corners[word % 16]
            : kind == 1 ? word
                        : (word & 0x807fffffu) | ((100u + word % 50u) << 23);
    }
    return patterns;
}

std::uint32_t widen_one(number_format format, const std::byte* from) {
    std::uint32_t word = 0;
    std::memcpy(&word, from, bytes_of(format));
    switch (format) {
    case number_format::fp32:
        return canonical_fp32(word);
    case number_format::bf16:
        return widen_bf16(static_cast<std::uint16_t>(word));
    case number_format::fp8_e4m3:
        return widen_e4m3(static_cast<std::uint8_t>(word));
    case number_format::fp8_e5m2:
        return widen_e5m2(static_cast<std::uint8_t>(word));
    case number_format::int8:
        return widen_int8(static_cast<std::int8_t>(word));
    case number_format::int32:
        return widen_int32(static_cast<std::int32_t>(word));
    }
    return 0;
}

TEST(formats_bulk, widening_blocks_equals_single_elements_on_every_target) {
    std::mt19937 engine(3);
    std::vector<std::byte> source(4096);
    for (auto& b : source) {
        b = static_cast<std::byte>(engine());
    }
    test::for_every_target([&](std::int64_t target) {
        for (unsigned f = 0; f < number_format_count; ++f) {
            const auto format = static_cast<number_format>(f);
            for (std::size_t columns : {0u, 1u, 7u, 16u, 33u, 100u}) {
                const std::size_t pitch = columns * bytes_of(format) + 3; // odd: rows are not aligned
                std::vector<std::uint32_t> out(5 * 101, 0xdeadbeefu);
                widen_block(format, source.data() + 1, pitch, 5, columns, out.data(), 101);
                for (std::size_t r = 0; r < 5; ++r) {
                    for (std::size_t c = 0; c < 101; ++c) {
                        const std::byte* from = source.data() + 1 + r * pitch + c * bytes_of(format);
                        const std::uint32_t expected = c < columns ? widen_one(format, from) : 0xdeadbeefu;
                        ASSERT_EQ(out[r * 101 + c], expected) << name_of(format) << " target " << target;
                    }
                }
            }
        }
    });
}

TEST(formats_bulk, narrowing_rows_equals_single_elements_on_every_target) {
    const auto source = mixed_patterns(10007, 5);
    const auto random = mixed_patterns(10007, 6);
    test::for_every_target([&](std::int64_t target) {
        std::vector<std::uint16_t> half(source.size());
        std::vector<std::uint8_t> byte(source.size());
        auto* half_out = reinterpret_cast<std::byte*>(half.data());
        auto* byte_out = reinterpret_cast<std::byte*>(byte.data());
        narrow_row(number_format::bf16, source, half_out);
        for (std::size_t i = 0; i < source.size(); ++i) {
            ASSERT_EQ(half[i], narrow_bf16(source[i])) << target;
        }
        narrow_row_stochastic(number_format::bf16, source, random, half_out);
        for (std::size_t i = 0; i < source.size(); ++i) {
            ASSERT_EQ(half[i], narrow_bf16_stochastic(source[i], random[i])) << target;
        }
        narrow_row(number_format::fp8_e4m3, source, byte_out);
        for (std::size_t i = 0; i < source.size(); ++i) {
            ASSERT_EQ(byte[i], narrow_e4m3(source[i])) << target << std::hex << " " << source[i];
        }
        narrow_row_stochastic(number_format::fp8_e4m3, source, random, byte_out);
        for (std::size_t i = 0; i < source.size(); ++i) {
            ASSERT_EQ(byte[i], narrow_e4m3_stochastic(source[i], random[i])) << target;
        }
        narrow_row(number_format::fp8_e5m2, source, byte_out);
        for (std::size_t i = 0; i < source.size(); ++i) {
            ASSERT_EQ(byte[i], narrow_e5m2(source[i])) << target;
        }
        narrow_row_stochastic(number_format::fp8_e5m2, source, random, byte_out);
        for (std::size_t i = 0; i < source.size(); ++i) {
            ASSERT_EQ(byte[i], narrow_e5m2_stochastic(source[i], random[i])) << target;
        }
        narrow_row(number_format::int8, source, byte_out);
        for (std::size_t i = 0; i < source.size(); ++i) {
            ASSERT_EQ(static_cast<std::int8_t>(byte[i]), narrow_int8(source[i])) << target;
        }
        std::vector<std::uint32_t> word(source.size());
        narrow_row(number_format::fp32, source, reinterpret_cast<std::byte*>(word.data()));
        for (std::size_t i = 0; i < source.size(); ++i) {
            ASSERT_EQ(word[i], canonical_fp32(source[i])) << target;
        }
    });
}

TEST(formats_bulk, accumulating_adds_once_with_canonical_nan_or_wraps) {
    const auto a = mixed_patterns(5003, 21);
    const auto b = mixed_patterns(5003, 22);
    test::for_every_target([&](std::int64_t target) {
        auto sum = a;
        accumulate_row(sum, b, false);
        auto wrapped = a;
        accumulate_row(wrapped, b, true);
        for (std::size_t i = 0; i < a.size(); ++i) {
            const volatile float x = std::bit_cast<float>(a[i]);
            const volatile float y = std::bit_cast<float>(b[i]);
            const float expected = x + y;
            ASSERT_EQ(sum[i], std::isnan(expected) ? 0x7fc00000u : std::bit_cast<std::uint32_t>(expected))
                << target;
            ASSERT_EQ(wrapped[i], static_cast<std::uint32_t>(std::uint64_t{a[i]} + b[i]));
        }
    });
}

TEST(formats_bulk, scale_and_bias_is_one_fused_operation) {
    const auto a = mixed_patterns(5003, 31);
    const auto b = mixed_patterns(5003, 32);
    const float scale = 0x1.000002p+0f; // its square needs the extra digits that only fusion keeps
    test::for_every_target([&](std::int64_t target) {
        auto row = a;
        scale_bias_row(row, scale, b);
        auto plain = a;
        scale_bias_row(plain, scale, {});
        for (std::size_t i = 0; i < a.size(); ++i) {
            const float x = std::bit_cast<float>(a[i]);
            const float with = std::fma(x, scale, std::bit_cast<float>(b[i]));
            ASSERT_EQ(row[i], std::isnan(with) ? 0x7fc00000u : std::bit_cast<std::uint32_t>(with)) << target;
            const float without = std::fma(x, scale, 0.0f);
            ASSERT_EQ(plain[i], std::isnan(without) ? 0x7fc00000u : std::bit_cast<std::uint32_t>(without))
                << target;
        }
    });
}

TEST(formats_bulk, refuses_what_is_not_defined) {
    std::vector<std::uint32_t> row(4), shorter(3);
    std::vector<std::byte> out(16);
    EXPECT_THROW(narrow_row(number_format::int32, row, out.data()), std::invalid_argument);
    EXPECT_THROW(narrow_row_stochastic(number_format::fp32, row, row, out.data()), std::invalid_argument);
    EXPECT_THROW(narrow_row_stochastic(number_format::bf16, row, shorter, out.data()), std::invalid_argument);
    EXPECT_THROW(accumulate_row(row, shorter, false), std::invalid_argument);
    EXPECT_THROW(scale_bias_row(row, 1.0f, shorter), std::invalid_argument);
}

} // namespace
} // namespace retrace
