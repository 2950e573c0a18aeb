#include "host/training/initializer.h"

#include "hw/spec/counter_random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <vector>

namespace retrace {
namespace {

std::vector<float> weights(std::size_t count, std::size_t fan_in, std::uint64_t seed, std::uint32_t layer) {
    std::vector<float> w(count);
    he_uniform(w, fan_in, seed, layer);
    return w;
}

TEST(initializer, elements_are_those_of_the_generator) {
    const std::vector<float> w = weights(1003, 24, 5, 2); // bound sqrt(6 / 24) is exactly 0.5
    for (std::size_t i = 0; i < w.size(); ++i) {
        const std::uint32_t word = counter_random(5, 0, 0x80000002u, i);
        ASSERT_EQ(w[i], static_cast<float>(std::ldexp(static_cast<double>(word >> 8) - 8388608.0, -24))) << i;
    }
}

TEST(initializer, has_the_range_mean_and_variance_of_he) {
    const std::size_t fan_in = 256;
    const std::vector<float> w = weights(fan_in * 256, fan_in, 1, 1);
    const double bound = std::sqrt(6.0 / fan_in);
    double sum = 0, squares = 0;
    for (const float x : w) {
        ASSERT_LE(std::fabs(x), bound * (1 + 1e-6));
        sum += x;
        squares += double{x} * x;
    }
    const double n = static_cast<double>(w.size());
    EXPECT_LT(std::fabs(sum / n), 4 * std::sqrt(2.0 / fan_in / n)); // four standard errors
    EXPECT_NEAR(squares / n * fan_in / 2, 1, 0.02);
    EXPECT_GT(*std::max_element(w.begin(), w.end()), 0.999 * bound);
    EXPECT_LT(*std::min_element(w.begin(), w.end()), -0.999 * bound);
}

TEST(initializer, depends_on_seed_and_layer_and_nothing_else) {
    const std::vector<float> w = weights(101, 10, 7, 3);
    EXPECT_EQ(w, weights(101, 10, 7, 3));
    EXPECT_NE(w, weights(101, 10, 8, 3));
    EXPECT_NE(w, weights(101, 10, 7, 4));
    EXPECT_NE(w, weights(101, 10, 7 + (std::uint64_t{1} << 32), 3));
    const std::vector<float> longer = weights(150, 10, 7, 3);
    EXPECT_TRUE(std::equal(w.begin(), w.end(), longer.begin()));
}

TEST(initializer, refuses_a_layer_without_inputs) {
    EXPECT_THROW(weights(4, 0, 1, 1), std::invalid_argument);
}

} // namespace
} // namespace retrace
