// Verilator 5.006 has miscompiled XOR logic when it optimised: the same programs on a build without optimisation,
// at a size that it can still be built in.
#include <gtest/gtest.h>

#include <Vfma_unoptimised.h>
#include <Vmac_array_4x4x1_unoptimised.h>
#include <Vmac_array_4x4x3_unoptimised.h>
#include <Vpsum_adder_unoptimised.h>

#include "hw/verilated/verilated_model.h"
#include "tests/rtl/array_program.h"
#include "tests/rtl/fma_triples.h"
#include "tlm/core/array/stepped_array.h"

namespace retrace {
namespace {

using adder = rtl::verilated_adder_model<Vpsum_adder_unoptimised, 8>;

template <typename Model>
void check_array(unsigned depth) {
    array_config config;
    config.rows = config.columns = 4;
    config.fma_depth = depth;
    for (std::uint32_t seed = 1; seed <= 60; ++seed) {
        stepped_array stepped(config);
        const auto array = rtl::drive(config, std::make_unique<rtl::verilated_array_model<Model>>(0),
                                      std::make_unique<adder>(0));
        const auto program = test::random_program(config, seed);
        ASSERT_EQ(test::difference(test::run(stepped, program), test::run(*array, program)), "") << "seed " << seed;
    }
}

TEST(unoptimised_rtl, array_of_depth_1_agrees) { check_array<Vmac_array_4x4x1_unoptimised>(1); }
TEST(unoptimised_rtl, array_of_depth_3_agrees) { check_array<Vmac_array_4x4x3_unoptimised>(3); }

TEST(unoptimised_rtl, fma_agrees) {
    rtl::verilated_fma_model<Vfma_unoptimised> fma;
    std::mt19937_64 engine(1);
    for (unsigned i = 0; i < 300'000; ++i) {
        const test::fma_triple t = test::draw_triple(engine);
        ASSERT_EQ(fma.fma(t.a, t.b, t.c), test::expected_fma(t)) << std::hex << t.a << " " << t.b << " " << t.c;
    }
}

TEST(unoptimised_rtl, adder_agrees) {
    adder unoptimised(0);
    stepped_array stepped({});
    std::mt19937_64 engine(2);
    for (unsigned round = 0; round < 2000; ++round) {
        std::vector<std::uint32_t> sums, expected;
        for (unsigned i = 0; i < 11; ++i) {
            const test::fma_triple t = test::draw_triple(engine);
            sums.push_back(t.a);
            expected.push_back(t.c);
        }
        auto got = expected;
        stepped.accumulate(expected, sums, round % 3 == 0);
        unoptimised.accumulate(got, sums, round % 3 == 0);
        ASSERT_EQ(got, expected);
    }
}

} // namespace
} // namespace retrace
