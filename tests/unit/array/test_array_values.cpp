// Bits of single tiles: kernel = stepped = scalar reference.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "tests/unit/array/array_test_data.h"
#include "tests/unit/numeric/dispatch_targets.h"
#include "tlm/core/array/array_timing.h"
#include "tlm/core/array/kernel_array.h"

namespace retrace {
namespace {

using test::flavour;
using test::test_matrix;

// One tile from cycle 0, as early as the contract allows.
column_sums run_tile(array_interface& array, const array_config& config, test_matrix& w, test_matrix& a) {
    const array_timing timing(config);
    array.load_weights(0, w.view());
    const std::uint64_t start = timing.load_complete(0, w.view().format);
    array.stream(start, a.view(), true);
    const test_matrix w_before = w, a_before = a;
    w.overwrite(std::byte{0xff}); // captured at the call: the memory may change afterwards
    a.overwrite(std::byte{0xff});
    column_sums out;
    EXPECT_TRUE(array.collect(timing.last_stamp(start, a.view().format, a.view().rows), out));
    w = w_before;
    a = a_before;
    return out;
}

void check_tile(const array_config& config, unsigned m, unsigned k, unsigned n, number_format weights,
                number_format operands, flavour kind, std::mt19937& engine) {
    test_matrix w(k, n, weights, kind, engine);
    test_matrix a(m, k, operands, kind, engine);
    const auto expected = test::reference_tile(a.view(), w.view());
    for (auto& [name, array] : test::all_arrays(config)) {
        const column_sums got = run_tile(*array, config, w, a);
        ASSERT_EQ(got.rows, m);
        ASSERT_EQ(got.columns, n);
        ASSERT_EQ(got.bits, expected) << name << " " << name_of(operands) << " m " << m << " k " << k << " n "
                                      << n << " in " << config.rows << " x " << config.columns << " depth "
                                      << config.fma_depth << " flavour " << static_cast<int>(kind);
    }
}

TEST(array_values, every_tail_of_a_small_array_agrees) {
    std::mt19937 engine(1);
    for (unsigned depth = 1; depth <= 3; ++depth) {
        array_config config;
        config.rows = 5;
        config.columns = 6;
        config.fma_depth = depth;
        for (unsigned k = 1; k <= config.rows; ++k) {
            for (unsigned n = 1; n <= config.columns; ++n) {
                for (const unsigned m : {1u, 2u, 7u}) {
                    const auto format = test::operand_formats[engine() % 5];
                    check_tile(config, m, k, n, format, format, test::all_flavours[engine() % 6], engine);
                }
            }
        }
    }
}

TEST(array_values, every_format_and_flavour_agrees) {
    std::mt19937 engine(2);
    for (const number_format format : test::operand_formats) {
        for (const flavour kind : test::all_flavours) {
            for (const unsigned o : {1u, 4u}) {
                for (unsigned depth = 1; depth <= 3; ++depth) {
                    array_config config;
                    config.rows = 1 + engine() % 40;
                    config.columns = 1 + engine() % 70;
                    config.fma_depth = depth;
                    config.operand_cycles.fill(o);
                    const unsigned k = 1 + engine() % config.rows;
                    const unsigned n = 1 + engine() % config.columns;
                    check_tile(config, 1 + engine() % 60, k, n, format, format, kind, engine);
                    check_tile(config, 1 + engine() % 30, config.rows, config.columns, format, format, kind,
                               engine);
                }
            }
        }
    }
}

TEST(array_values, float_formats_of_operands_and_weights_may_differ) {
    std::mt19937 engine(3);
    array_config config;
    config.rows = 16;
    config.columns = 16;
    for (unsigned w = 0; w < 4; ++w) {
        for (unsigned a = 0; a < 4; ++a) {
            check_tile(config, 9, 13, 11, static_cast<number_format>(w), static_cast<number_format>(a),
                       flavour::moderate, engine);
        }
    }
}

TEST(array_values, chains_longer_than_the_kernels_block_stay_one_chain) {
    std::mt19937 engine(4);
    array_config config;
    config.rows = 300;
    config.columns = 40;
    for (const number_format format : test::operand_formats) {
        for (const unsigned k : {128u, 129u, 257u, 300u}) {
            check_tile(config, 33, k, 40, format, format, flavour::cancelling, engine);
        }
    }
    // int8 beyond what binary32 sums exactly: 1100 * 2^14 > 2^24.
    config.rows = 1100;
    config.columns = 3;
    check_tile(config, 5, 1100, 3, number_format::int8, number_format::int8, flavour::huge, engine);
    check_tile(config, 5, 1100, 3, number_format::int8, number_format::int8, flavour::any_bits, engine);
}

TEST(array_values, masked_rows_pass_the_sum_unchanged) {
    // One row of weights, w = -0: the product is -0 and +0 + -0 = +0. The three masked rows must leave it
    // alone.
    array_config config;
    config.rows = 4;
    config.columns = 4;
    const std::uint32_t minus_zero = 0x80000000u, one = 0x3f800000u;
    const matrix_view w{reinterpret_cast<const std::byte*>(&minus_zero), 4, 1, 1, number_format::fp32};
    const matrix_view a{reinterpret_cast<const std::byte*>(&one), 4, 1, 1, number_format::fp32};
    for (auto& [name, array] : test::all_arrays(config)) {
        array->load_weights(0, w);
        array->stream(16, a, true);
        column_sums out;
        ASSERT_TRUE(array->collect(100, out)) << name;
        EXPECT_EQ(out.bits, std::vector<std::uint32_t>{0u}) << name;
    }
}

TEST(array_values, sums_are_fused_and_nan_is_canonical) {
    array_config config;
    config.rows = 2;
    config.columns = 2;
    // (1 + 2^-12)^2 - (1 + 2^-11) = 2^-24 only if the product is not rounded before the add.
    const float x = 1.0f + 0x1p-12f;
    const float w_values[4] = {-(1.0f + 0x1p-11f), std::bit_cast<float>(0xff812345u), x, 1.0f};
    const float a_values[2] = {1.0f, x};
    const matrix_view w{reinterpret_cast<const std::byte*>(w_values), 8, 2, 2, number_format::fp32};
    const matrix_view a{reinterpret_cast<const std::byte*>(a_values), 8, 1, 2, number_format::fp32};
    for (auto& [name, array] : test::all_arrays(config)) {
        array->load_weights(0, w);
        array->stream(8, a, true);
        column_sums out;
        ASSERT_TRUE(array->collect(100, out)) << name;
        EXPECT_EQ(out.bits[0], std::bit_cast<std::uint32_t>(0x1p-24f)) << name;
        EXPECT_EQ(out.bits[1], 0x7fc00000u) << name;
    }
}

TEST(array_values, every_instruction_set_gives_the_same_bits) {
    std::mt19937 engine(5);
    array_config config;
    config.rows = 130;
    config.columns = 70;
    for (const number_format format : test::operand_formats) {
        for (const flavour kind : test::all_flavours) {
            for (const auto& [m, k, n] :
                 {std::array{37u, 130u, 70u}, std::array{1u, 7u, 33u}, std::array{64u, 32u, 16u}}) {
                test_matrix w(k, n, format, kind, engine);
                test_matrix a(m, k, format, kind, engine);
                const auto expected = test::reference_tile(a.view(), w.view());
                test::for_every_target([&](std::int64_t target) {
                    kernel_array array(config);
                    ASSERT_EQ(run_tile(array, config, w, a).bits, expected)
                        << hwy::TargetName(target) << " " << name_of(format);
                });
            }
        }
    }
}

} // namespace
} // namespace retrace
