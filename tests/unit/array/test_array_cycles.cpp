// Cycles of the array, written out here by hand from the contract and compared with every implementation.
#include <gtest/gtest.h>

#include "tests/unit/array/array_test_data.h"
#include "tlm/core/array/array_timing.h"

namespace retrace {
namespace {

using test::flavour;
using test::test_matrix;

array_config make_config(unsigned rows, unsigned columns, unsigned depth, unsigned cycles) {
    array_config config;
    config.rows = rows;
    config.columns = columns;
    config.fma_depth = depth;
    config.operand_cycles.fill(cycles);
    return config;
}

TEST(array_cycles, a_serial_tile_takes_m_plus_2r_plus_c_minus_2) {
    std::mt19937 engine(1);
    for (const auto& [rows, columns, m] :
         {std::array{8u, 8u, 1u}, std::array{8u, 8u, 20u}, std::array{4u, 9u, 3u}, std::array{1u, 1u, 1u},
          std::array{32u, 32u, 64u}}) {
        const array_config config = make_config(rows, columns, 1, 1);
        // A padded tile takes as long as a full one.
        test_matrix w(1 + rows / 2, 1 + columns / 2, number_format::bf16, flavour::moderate, engine);
        test_matrix a(m, 1 + rows / 2, number_format::bf16, flavour::moderate, engine);
        if (rows == 1) {
            w = test_matrix(1, 1, number_format::bf16, flavour::moderate, engine);
            a = test_matrix(m, 1, number_format::bf16, flavour::moderate, engine);
        }
        for (auto& [name, array] : test::all_arrays(config)) {
            array->load_weights(0, w.view());
            array->stream(rows, a.view(), true);
            column_sums out;
            const std::uint64_t total = m + 2 * rows + columns - 2;
            EXPECT_FALSE(array->collect(total - 2, out)) << name;
            ASSERT_TRUE(array->collect(total - 1, out)) << name; // the cycles 0 .. total-1 are `total` cycles
            EXPECT_EQ(out.last_cycle, total - 1) << name;
            EXPECT_FALSE(array->collect(total + 1000, out)) << name;
        }
        EXPECT_EQ(array_timing(config).serial_tile_cycles(number_format::bf16, number_format::bf16, m),
                  m + 2 * rows + columns - 2);
    }
}

TEST(array_cycles, every_sum_leaves_when_the_contract_says) {
    std::mt19937 engine(2);
    for (const unsigned depth : {1u, 2u, 3u}) {
        for (const unsigned o : {1u, 4u}) {
            const array_config config = make_config(5, 7, depth, o);
            test_matrix w(5, 6, number_format::fp32, flavour::moderate, engine);
            test_matrix a(4, 5, number_format::fp32, flavour::moderate, engine);
            for (auto& [name, array] : test::all_arrays(config)) {
                array->want_stamps(true);
                array->load_weights(10, w.view());
                const std::uint64_t start = 10 + 5 * o + 3;
                array->stream(start, a.view(), true);
                column_sums out;
                ASSERT_TRUE(array->collect(1000, out)) << name;
                ASSERT_EQ(out.cycles.size(), 4u * 6u);
                for (unsigned i = 0; i < 4; ++i) {
                    for (unsigned c = 0; c < 6; ++c) {
                        EXPECT_EQ(out.cycles[i * 6 + c], start + i * o + c + 5 * depth - 1) << name;
                    }
                }
                EXPECT_EQ(out.first_cycle, start + 5 * depth - 1);
                EXPECT_EQ(out.last_cycle, start + 3 * o + 6 + 5 * depth - 1);
            }
        }
    }
}

TEST(array_cycles, weights_and_operands_of_different_formats_have_their_own_row_cycles) {
    std::mt19937 engine(3);
    array_config config; // fp32 4, bf16 1
    config.rows = 3;
    config.columns = 3;
    test_matrix w(3, 3, number_format::fp32, flavour::moderate, engine);
    test_matrix a(5, 3, number_format::bf16, flavour::moderate, engine);
    for (auto& [name, array] : test::all_arrays(config)) {
        array->load_weights(0, w.view());
        array->stream(12, a.view(), true);
        column_sums out;
        ASSERT_TRUE(array->collect(1000, out)) << name;
        EXPECT_EQ(out.last_cycle, 12u + 4 + 2 + 3 - 1) << name;
    }
}

TEST(array_cycles, overlapped_tiles_take_the_closed_form) {
    std::mt19937 engine(4);
    constexpr unsigned tiles = 5;
    for (const unsigned depth : {1u, 2u, 3u}) {
        for (const unsigned o : {1u, 4u}) {
            for (const unsigned m : {1u, 6u, 30u}) {
                const array_config config = make_config(6, 5, depth, o);
                const std::uint64_t lag = 5 * (depth > o ? depth - o : 0);
                const std::uint64_t step = std::max<std::uint64_t>(m * o, lag + 6 * o);
                const std::uint64_t total = 6 * o + (tiles - 1) * step + (m - 1) * o + 4 + 6 * depth;
                EXPECT_EQ(array_timing(config).overlapped_cycles(number_format::bf16, number_format::bf16, m,
                                                                 tiles),
                          total);
                test_matrix w(6, 5, number_format::bf16, flavour::moderate, engine);
                test_matrix a(m, 6, number_format::bf16, flavour::moderate, engine);
                const auto expected = test::reference_tile(a.view(), w.view());
                for (auto& [name, array] : test::all_arrays(config)) {
                    std::uint64_t start = 6 * o;
                    array->load_weights(0, w.view());
                    column_sums out;
                    for (unsigned tile = 0; tile < tiles; ++tile) {
                        array->stream(start, a.view(), true);
                        if (tile + 1 < tiles) {
                            array->load_weights(start + lag, w.view());
                            start += step;
                        }
                    }
                    for (unsigned tile = 0; tile < tiles; ++tile) {
                        ASSERT_TRUE(array->collect(total - 1, out)) << name << " tile " << tile;
                        EXPECT_EQ(out.bits, expected) << name;
                    }
                    EXPECT_EQ(out.last_cycle, total - 1) << name;
                }
            }
        }
    }
}

TEST(array_cycles, a_freeze_delays_everything_from_its_cycle_on) {
    std::mt19937 engine(5);
    const array_config config = make_config(3, 2, 2, 2);
    test_matrix w(3, 2, number_format::bf16, flavour::moderate, engine);
    test_matrix a(4, 3, number_format::bf16, flavour::moderate, engine);
    const auto expected = test::reference_tile(a.view(), w.view());
    const std::uint64_t last = 6 + 3 * 2 + 1 + 6 - 1;
    for (std::uint64_t f = 0; f <= last + 2; ++f) {
        for (auto& [name, array] : test::all_arrays(config)) {
            array->want_stamps(true);
            array->load_weights(0, w.view());
            array->stream(6, a.view(), true);
            array->freeze(f, 5);
            column_sums out;
            ASSERT_TRUE(array->collect(1000, out)) << name;
            EXPECT_EQ(out.bits, expected) << name;
            for (unsigned i = 0; i < 4; ++i) {
                for (unsigned c = 0; c < 2; ++c) {
                    const std::uint64_t stamp = 6 + i * 2 + c + 6 - 1;
                    EXPECT_EQ(out.cycles[i * 2 + c], stamp >= f ? stamp + 5 : stamp)
                        << name << " freeze at " << f;
                }
            }
        }
    }
}

TEST(array_cycles, adjoining_freezes_add_up) {
    std::mt19937 engine(6);
    const array_config config = make_config(2, 2, 1, 1);
    test_matrix w(2, 2, number_format::bf16, flavour::moderate, engine);
    test_matrix a(3, 2, number_format::bf16, flavour::moderate, engine);
    for (auto& [name, array] : test::all_arrays(config)) {
        array->load_weights(0, w.view());
        column_sums out;
        EXPECT_FALSE(array->collect(0, out));
        array->freeze(1, 2);
        EXPECT_FALSE(array->collect(2, out));
        array->freeze(3, 4); // the load's second row enters in cycle 7
        array->stream(8, a.view(), true);
        array->freeze(9, 0); // nothing
        array->freeze(9, 1);
        ASSERT_TRUE(array->collect(1000, out)) << name;
        EXPECT_EQ(out.first_cycle, 8u + 1 + 2 - 1) << name;
        EXPECT_EQ(out.last_cycle, 8u + 1 + 2 + 1 + 2 - 1) << name;
    }
}

TEST(array_cycles, long_idle_times_cost_nothing) {
    std::mt19937 engine(7);
    const array_config config = make_config(4, 4, 1, 1);
    test_matrix w(4, 4, number_format::bf16, flavour::moderate, engine);
    test_matrix a(4, 4, number_format::bf16, flavour::moderate, engine);
    constexpr std::uint64_t late = std::uint64_t{1} << 50;
    for (auto& [name, array] : test::all_arrays(config)) {
        array->load_weights(late, w.view());
        array->stream(late + late, a.view(), true);
        column_sums out;
        ASSERT_TRUE(array->collect(4 * late, out)) << name;
        EXPECT_EQ(out.first_cycle, late + late + 3) << name;
    }
}

} // namespace
} // namespace retrace
