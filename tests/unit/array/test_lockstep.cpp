// Arrays that agree: lockstep gives what each of them gives, compares every tuple, and refuses what they
// refuse.
#include <gtest/gtest.h>

#include "tests/unit/array/array_program.h"
#include "tlm/core/array/kernel_array.h"
#include "tlm/core/array/lockstep_array.h"
#include "tlm/core/array/stepped_array.h"

namespace retrace {
namespace {

using test::flavour;
using test::test_matrix;

array_config shape_of(unsigned rows, unsigned columns, unsigned depth) {
    array_config config;
    config.rows = rows;
    config.columns = columns;
    config.fma_depth = depth;
    return config;
}

std::vector<retrace::named_array> pair(const array_config& config) {
    std::vector<retrace::named_array> arrays;
    arrays.push_back({"kernel", std::make_unique<kernel_array>(config)});
    arrays.push_back({"stepped", std::make_unique<stepped_array>(config)});
    return arrays;
}

// Every k and n of a tile, with m around the sizes where tiles overlap differently, stalled in the middle.
TEST(lockstep, every_tail_shape_agrees_for_short_and_deep_pipelines) {
    std::mt19937 engine(11);
    for (const unsigned depth : {1u, 3u}) {
        const array_config config = shape_of(5, 6, depth);
        lockstep_array array(config, pair(config));
        std::uint64_t at = 0, tuples = 0;
        for (unsigned k = 1; k <= config.rows; ++k) {
            for (unsigned n = 1; n <= config.columns; ++n) {
                for (const unsigned m : {1u, 4u, 5u, 6u, 13u}) {
                    const auto f = test::operand_formats[(k + n + m) % 5];
                    const test_matrix w(k, n, f, test::all_flavours[engine() % 6], engine);
                    const test_matrix a(m, k, f, test::all_flavours[engine() % 6], engine);
                    array.load_weights(at, w.view());
                    at += std::uint64_t{config.rows} * config.cycles_of(f);
                    array.stream(at, a.view(), true);
                    array.freeze(at + 1 + engine() % 20, 1 + engine() % 7);
                    column_sums out;
                    at += 1000;
                    ASSERT_TRUE(array.collect(at, out));
                    ASSERT_EQ(out.bits, test::reference_tile(a.view(), w.view()));
                    EXPECT_TRUE(out.cycles.empty()); // nobody asked for stamps
                    std::vector<std::uint32_t> psum(out.bits.size(), 0x3f800001u);
                    array.accumulate(psum, out.bits, is_integer(f));
                    tuples += 2 * out.bits.size();
                    ++at;
                }
            }
        }
        EXPECT_EQ(array.tuples_compared(), tuples);
        EXPECT_GT(array.tuples_refereed(), 500u);
    }
}

TEST(lockstep, random_programs_give_what_the_kernel_gives_alone) {
    for (std::uint32_t seed = 1; seed <= 150; ++seed) {
        array_config config = shape_of(1 + seed % 17, 1 + seed % 13, 1 + seed % 3);
        config.operand_cycles[1] = 1 + seed % 2;
        const test::array_program p =
            test::random_program(config, seed, {.tiles = 1 + seed % 9, .accumulates = true});
        kernel_array kernel(config);
        lockstep_array both(config, pair(config), {.seed = seed});
        const bool stamps = seed % 4 != 0;
        ASSERT_TRUE(test::same(test::play(p, kernel, stamps), test::play(p, both, stamps)))
            << "seed " << seed;
    }
}

TEST(lockstep, three_arrays_are_compared_too) {
    const array_config config = shape_of(7, 9, 2);
    auto arrays = pair(config);
    arrays.push_back({"scalar", std::make_unique<stepped_array>(config, stepped::instruction_set::scalar)});
    lockstep_array all(config, std::move(arrays));
    kernel_array kernel(config);
    const test::array_program p = test::random_program(config, 5, {.tiles = 30, .accumulates = true});
    EXPECT_TRUE(test::same(test::play(p, kernel), test::play(p, all)));
}

TEST(lockstep, stamps_are_given_to_the_streams_that_asked) {
    std::mt19937 engine(3);
    const array_config config = shape_of(2, 2, 1);
    lockstep_array array(config, pair(config));
    const test_matrix w(2, 2, number_format::bf16, flavour::moderate, engine);
    const test_matrix a(3, 2, number_format::bf16, flavour::moderate, engine);
    array.load_weights(0, w.view());
    array.want_stamps(true);
    array.stream(2, a.view(), true);
    array.want_stamps(false);
    array.stream(5, a.view(), false);
    column_sums out;
    ASSERT_TRUE(array.collect(100, out));
    EXPECT_EQ(out.cycles, (std::vector<std::uint64_t>{3, 4, 4, 5, 5, 6}));
    ASSERT_TRUE(array.collect(100, out));
    EXPECT_TRUE(out.cycles.empty());
    EXPECT_FALSE(array.collect(100, out));
}

// A program's fault stays the program's fault, also where the kernel refuses at the call and the stepped
// array only when a register sees it.
TEST(lockstep, violations_of_the_protocol_are_not_mismatches) {
    std::mt19937 engine(4);
    const array_config config = shape_of(4, 3, 3);
    const test_matrix w(4, 3, number_format::bf16, flavour::moderate, engine);
    const test_matrix a(6, 4, number_format::bf16, flavour::moderate, engine);
    const test_matrix narrow(6, 3, number_format::bf16, flavour::moderate, engine);
    const auto make = [&] { return std::make_unique<lockstep_array>(config, pair(config)); };
    const auto loaded = [&] {
        auto array = make();
        array->load_weights(0, w.view());
        return array;
    };
    const auto streaming = [&] {
        auto array = loaded();
        array->stream(4, a.view(), true);
        return array;
    };
    EXPECT_THROW(make()->stream(0, a.view(), true), array_protocol_error);        // no weights
    EXPECT_THROW(loaded()->stream(4, a.view(), false), array_protocol_error);     // none active
    EXPECT_THROW(loaded()->stream(3, a.view(), true), array_protocol_error);      // load not complete
    EXPECT_THROW(loaded()->stream(4, narrow.view(), true), array_protocol_error); // another k
    EXPECT_THROW(loaded()->load_weights(20, w.view()), array_protocol_error);     // shadow not taken
    EXPECT_THROW(streaming()->stream(9, a.view(), false), array_protocol_error);  // streams overlap
    EXPECT_THROW(streaming()->load_weights(9, w.view()), array_protocol_error);   // swap still under way
    EXPECT_NO_THROW(streaming()->load_weights(10, w.view()));
    auto frozen = streaming();
    frozen->freeze(5, 3);
    EXPECT_THROW(frozen->freeze(7, 1), array_protocol_error);
    auto late = streaming();
    late->freeze(8, 10);
    EXPECT_THROW(late->load_weights(12, w.view()), array_protocol_error);
    std::vector<std::uint32_t> two(2), three(3);
    EXPECT_THROW(make()->accumulate(two, three, false), array_protocol_error);
}

TEST(lockstep, one_array_is_not_a_comparison) {
    const array_config config = shape_of(2, 2, 1);
    std::vector<retrace::named_array> one;
    one.push_back({"kernel", std::make_unique<kernel_array>(config)});
    EXPECT_THROW(lockstep_array(config, std::move(one)), array_protocol_error);
}

TEST(ulp_distance, counts_the_values_between) {
    EXPECT_EQ(ulp_distance(0x3f800000, 0x3f800001), 1u);
    EXPECT_EQ(ulp_distance(0x00000001, 0x80000001), 2u);
    EXPECT_EQ(ulp_distance(0x00000000, 0x80000000), 0u);
    EXPECT_EQ(ulp_distance(0x7f7fffff, 0x7f800000), 1u);
    EXPECT_EQ(ulp_distance(0x7fc00000, 0x3f800000), std::nullopt);
    EXPECT_EQ(ulp_distance(0x3f800000, 0xffc00000), std::nullopt);
}

} // namespace
} // namespace retrace
