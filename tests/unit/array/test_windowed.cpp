// Switching between arrays at loads changes nothing that a caller sees.
#include <gtest/gtest.h>

#include "tests/unit/array/array_program.h"
#include "tlm/core/array/kernel_array.h"
#include "tlm/core/array/stepped_array.h"
#include "tlm/core/array/windowed_array.h"

namespace retrace {
namespace {

using test::flavour;
using test::test_matrix;

std::vector<std::unique_ptr<array_interface>> kernel_and_stepped(const array_config& config) {
    std::vector<std::unique_ptr<array_interface>> arrays;
    arrays.push_back(std::make_unique<kernel_array>(config));
    arrays.push_back(std::make_unique<stepped_array>(config));
    return arrays;
}

TEST(windowed, random_programs_in_random_windows_give_what_one_array_gives) {
    std::uint64_t inside = 0, outside = 0;
    for (std::uint32_t seed = 1; seed <= 200; ++seed) {
        array_config config;
        config.rows = 1 + seed % 11;
        config.columns = 1 + seed % 7;
        config.fma_depth = 1 + seed % 3;
        const test::array_program p =
            test::random_program(config, seed, {.tiles = 4 + seed % 9, .accumulates = true});
        std::mt19937 engine(seed);
        std::vector<array_window> windows;
        for (std::uint64_t at = engine() % 60; at < p.end - 10000; at += 1 + engine() % 90) {
            const std::uint64_t stop = at + 1 + engine() % 80;
            windows.push_back({at, stop, 1});
            at = stop;
        }
        std::shuffle(windows.begin(), windows.end(), engine);
        kernel_array plain(config);
        windowed_array switching(config, kernel_and_stepped(config), windows);
        ASSERT_TRUE(test::same(test::play(p, plain), test::play(p, switching))) << "seed " << seed;
        outside += switching.streams_of(0);
        inside += switching.streams_of(1);
    }
    EXPECT_GT(inside, 300u);
    EXPECT_GT(outside, 300u);
}

TEST(windowed, a_stream_goes_where_its_weights_went) {
    std::mt19937 engine(1);
    array_config config;
    config.rows = config.columns = 4;
    const test_matrix w(4, 4, number_format::bf16, flavour::moderate, engine);
    const test_matrix a(2, 4, number_format::bf16, flavour::moderate, engine);
    windowed_array array(config, kernel_and_stepped(config), {{10, 20, 1}});
    const auto tile = [&](std::uint64_t load, std::uint64_t start, bool again) {
        array.load_weights(load, w.view());
        array.stream(start, a.view(), true);
        if (again) {
            array.stream(start + 2, a.view(), false);
        }
    };
    tile(9, 13, true); // the load is before the window, its streams are inside
    EXPECT_EQ(array.streams_of(0), 2u);
    EXPECT_EQ(array.streams_of(1), 0u);
    tile(19, 30, true); // the load is inside, its streams behind
    EXPECT_EQ(array.streams_of(1), 2u);
    tile(31, 40, false); // the window's stop does not belong to it
    EXPECT_EQ(array.streams_of(0), 3u);
    column_sums out;
    for (const std::uint64_t last :
         {13u + 1 + 3 + 3, 15u + 1 + 3 + 3, 30u + 1 + 3 + 3, 32u + 1 + 3 + 3, 40u + 1 + 3 + 3}) {
        ASSERT_TRUE(array.collect(1000, out));
        EXPECT_EQ(out.last_cycle, last);
        EXPECT_EQ(out.bits, test::reference_tile(a.view(), w.view()));
    }
    EXPECT_FALSE(array.collect(1000, out));
}

// A huge run with freezes outside the window: the window's array neither steps nor hoards.
TEST(windowed, cycles_outside_the_windows_cost_the_other_array_nothing) {
    std::mt19937 engine(2);
    array_config config;
    config.rows = config.columns = 4;
    const test_matrix w(4, 4, number_format::bf16, flavour::moderate, engine);
    const test_matrix a(2, 4, number_format::bf16, flavour::moderate, engine);
    std::vector<std::unique_ptr<array_interface>> arrays;
    arrays.push_back(std::make_unique<kernel_array>(config));
    auto stepped = std::make_unique<stepped_array>(config);
    const stepped_array& inside = *stepped;
    arrays.push_back(std::move(stepped));
    windowed_array array(config, std::move(arrays), {{20000, 20100, 1}});
    column_sums out;
    for (std::uint64_t at = 0; at < 40000; at += 50) {
        array.load_weights(at, w.view());
        array.stream(at + 4, a.view(), true);
        array.freeze(at + 6, 3);
        ASSERT_TRUE(array.collect(at + 30, out));
    }
    EXPECT_EQ(array.streams_of(1), 2u);
    EXPECT_LT(inside.cycles_stepped(), 100u);
}

TEST(windowed, the_rules_hold_across_a_switch) {
    std::mt19937 engine(3);
    array_config config;
    config.rows = config.columns = 4;
    config.fma_depth = 3; // reload: 3 * 2 cycles after the swap
    const test_matrix w(4, 4, number_format::bf16, flavour::moderate, engine);
    const test_matrix a(20, 4, number_format::bf16, flavour::moderate, engine);
    const auto make = [&](std::uint64_t window) {
        auto array = std::make_unique<windowed_array>(config, kernel_and_stepped(config),
                                                      std::vector<array_window>{{window, window + 100, 1}});
        array->load_weights(0, w.view());
        return array;
    };
    EXPECT_THROW(make(2)->load_weights(5, w.view()), array_protocol_error); // the first is not taken
    auto early = make(5);
    early->stream(4, a.view(), true);
    EXPECT_THROW(early->load_weights(9, w.view()), array_protocol_error);
    auto overlap = make(5);
    overlap->stream(4, a.view(), true);
    overlap->load_weights(10, w.view());
    EXPECT_THROW(overlap->stream(23, a.view(), true), array_protocol_error);
    auto legal = make(5);
    legal->stream(4, a.view(), true);
    legal->load_weights(10, w.view());
    EXPECT_NO_THROW(legal->stream(24, a.view(), true));
    EXPECT_EQ(legal->streams_of(1), 1u);
    auto past = make(5);
    column_sums out;
    past->stream(4, a.view(), true);
    EXPECT_FALSE(past->collect(30, out));
    EXPECT_THROW(past->load_weights(30, w.view()), array_protocol_error);
    EXPECT_THROW(make(5)->stream(4, a.view(), false), array_protocol_error);
}

TEST(windowed, wrong_windows_are_refused) {
    const array_config config;
    const auto refuses = [&](std::vector<array_window> windows) {
        EXPECT_THROW(windowed_array(config, kernel_and_stepped(config), std::move(windows)),
                     array_protocol_error);
    };
    refuses({{20, 20, 1}});
    refuses({{20, 10, 1}});
    refuses({{10, 20, 2}});
    refuses({{10, 20, 1}, {19, 30, 1}});
    EXPECT_NO_THROW(windowed_array(config, kernel_and_stepped(config), {{20, 30, 1}, {10, 20, 1}}));
    EXPECT_THROW(windowed_array(config, {}, {}), array_protocol_error);
}

} // namespace
} // namespace retrace
