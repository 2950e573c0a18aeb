#include "host/training/optimizer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace retrace {
namespace {

sgd_options plain(float rate, float momentum = 0, float weight_decay = 0) {
    sgd_options options;
    options.schedule.rate = rate;
    options.momentum = momentum;
    options.weight_decay = weight_decay;
    return options;
}

// One element through several steps in one call each.
std::vector<float> path(const sgd_options& options, float start, const std::vector<float>& gradients) {
    sgd_optimizer optimizer(options, {1});
    std::vector<float> weight = {start}, seen;
    for (std::size_t s = 0; s < gradients.size(); ++s) {
        optimizer.update(0, s, weight, std::span(&gradients[s], 1));
        seen.push_back(weight[0]);
    }
    return seen;
}

TEST(optimizer, plain_descent_on_exact_numbers) {
    EXPECT_EQ(path(plain(0.5f), 4, {2, -8, 0}), (std::vector<float>{3, 7, 7}));
}

TEST(optimizer, momentum_accumulates_without_damping) {
    // v = 2, 1 + 2 = 3, 1.5 + 0 = 1.5
    EXPECT_EQ(path(plain(0.25f, 0.5f), 4, {2, 2, 0}), (std::vector<float>{3.5f, 2.75f, 2.375f}));
}

TEST(optimizer, weight_decay_joins_the_gradient_before_the_momentum) {
    // d = 1 + 0.25 * 8 = 3, v = 3, w = 8 - 1.5; then d = 0 + 0.25 * 6.5 = 1.625, v = 1.5 + 1.625, w = 6.5
    // - 1.5625
    EXPECT_EQ(path(plain(0.5f, 0.5f, 0.25f), 8, {1, 0}), (std::vector<float>{6.5f, 4.9375f}));
}

TEST(optimizer, every_operation_rounds_by_itself) {
    // rate * g = 1 + 2^-11 + 2^-24 loses its last bit before it is subtracted; a fused operation would keep
    // it.
    const float rate = 1.0f + std::ldexp(1.0f, -12), g = rate;
    const float product = rate * g;
    ASSERT_NE(std::fma(-rate, g, 1.0f), 1.0f - product);
    EXPECT_EQ(path(plain(rate), 1, {g})[0], 1.0f - product);

    // momentum * v is a product of its own too: v = g first, then (m * g) + d.
    const float m = 0.75f - std::ldexp(1.0f, -13), v = 1.0f + std::ldexp(1.0f, -12);
    const float kept = m * v, d = -kept;
    ASSERT_NE(std::fma(m, v, d), 0.0f);
    sgd_optimizer optimizer(plain(1.0f, m), {1});
    std::vector<float> weight = {0};
    optimizer.update(0, 0, weight, std::span(&v, 1));
    optimizer.update(0, 1, weight, std::span(&d, 1));
    EXPECT_EQ(optimizer.velocity(0)[0], 0.0f);
}

TEST(optimizer, parameters_keep_their_own_velocity) {
    sgd_optimizer optimizer(plain(1, 0.5f), {2, 3});
    std::vector<float> a(2), b(3);
    optimizer.update(0, 0, a, std::vector<float>{1, 2});
    optimizer.update(1, 0, b, std::vector<float>{4, 5, 6});
    optimizer.update(0, 1, a, std::vector<float>{0, 0});
    EXPECT_EQ(a, (std::vector<float>{-1.5f, -3}));
    EXPECT_EQ(b, (std::vector<float>{-4, -5, -6}));
    EXPECT_EQ(optimizer.velocity(0)[1], 1);
    EXPECT_EQ(optimizer.velocity(1)[2], 6);
}

TEST(optimizer, linear_rate_falls_by_equal_parts) {
    rate_schedule schedule{0.5f, rate_decay::linear, 4};
    EXPECT_EQ(schedule.at(0), 0.5f);
    EXPECT_EQ(schedule.at(1), 0.375f);
    EXPECT_EQ(schedule.at(3), 0.125f);
    EXPECT_EQ(schedule.at(4), 0.0f);
    EXPECT_EQ(schedule.at(400), 0.0f);
    schedule.decay = rate_decay::constant;
    EXPECT_EQ(schedule.at(3), 0.5f);

    sgd_options options = plain(0.5f);
    options.schedule.decay = rate_decay::linear;
    options.schedule.total_steps = 4;
    EXPECT_EQ(path(options, 0, {1, 1, 1, 1}), (std::vector<float>{-0.5f, -0.875f, -1.125f, -1.25f}));
}

TEST(optimizer, options_out_of_range_are_refused) {
    constexpr float nan = std::numeric_limits<float>::quiet_NaN();
    constexpr float infinity = std::numeric_limits<float>::infinity();
    for (const float rate : {0.0f, -1.0f, nan, infinity})
        EXPECT_THROW(sgd_optimizer(plain(rate), {1}), optimizer_error) << rate;
    for (const float momentum : {-0.1f, 1.0f, nan})
        EXPECT_THROW(sgd_optimizer(plain(1, momentum), {1}), optimizer_error) << momentum;
    for (const float decay : {-0.1f, nan, infinity})
        EXPECT_THROW(sgd_optimizer(plain(1, 0, decay), {1}), optimizer_error) << decay;
    sgd_options linear = plain(1);
    linear.schedule.decay = rate_decay::linear;
    EXPECT_THROW(sgd_optimizer(linear, {1}), optimizer_error);
}

TEST(optimizer, updates_that_do_not_fit_are_refused_and_change_nothing) {
    sgd_optimizer optimizer(plain(1), {2});
    std::vector<float> weights = {1, 2};
    EXPECT_THROW(optimizer.update(1, 0, weights, weights), optimizer_error);
    EXPECT_THROW(optimizer.update(0, 0, weights, std::vector<float>{1, 2, 3}), optimizer_error);
    EXPECT_THROW(optimizer.update(0, 0, std::span(weights).first(1), std::vector<float>{1}), optimizer_error);
    EXPECT_EQ(weights, (std::vector<float>{1, 2}));
}

} // namespace
} // namespace retrace
