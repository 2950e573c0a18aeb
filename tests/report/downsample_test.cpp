#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include <gtest/gtest.h>

#include "sim/report/downsample.h"

namespace retrace::test {
namespace {

TEST(extremes, keeps_all_points_of_a_short_curve) {
    const std::vector<double> curve{3, 1, 2};
    EXPECT_EQ(extremes(curve, 4), (std::vector<std::size_t>{0, 1, 2}));
    EXPECT_TRUE(extremes(std::vector<double>{}, 4).empty());
}

TEST(extremes, keeps_ends_and_every_peak_within_the_budget) {
    std::mt19937 random(7);
    for (const std::size_t count : {5u, 17u, 1000u, 100'003u})
        for (const std::size_t budget : {4u, 5u, 16u, 999u}) {
            std::vector<double> curve(count);
            for (double& v : curve)
                v = static_cast<double>(random() % 1000);
            curve[count / 3] = 5000;
            curve[count / 2] = -5000;
            const std::vector<std::size_t> kept = extremes(curve, budget);
            EXPECT_LE(kept.size(), std::max(budget, std::min(count, budget)));
            EXPECT_TRUE(std::is_sorted(kept.begin(), kept.end()));
            EXPECT_EQ(std::adjacent_find(kept.begin(), kept.end()), kept.end()) << "no point twice";
            EXPECT_EQ(kept.front(), 0u);
            EXPECT_EQ(kept.back(), count - 1);
            EXPECT_TRUE(std::binary_search(kept.begin(), kept.end(), count / 3)) << count << " " << budget;
            EXPECT_TRUE(std::binary_search(kept.begin(), kept.end(), count / 2)) << count << " " << budget;
        }
}

TEST(extremes, a_value_that_is_no_number_counts_as_the_highest) {
    std::vector<double> curve(100, 1.0);
    curve[40] = std::numeric_limits<double>::quiet_NaN();
    const std::vector<std::size_t> kept = extremes(curve, 8);
    EXPECT_TRUE(std::binary_search(kept.begin(), kept.end(), std::size_t{40}));
}

TEST(spread, takes_the_first_two_the_last_and_even_steps_between) {
    EXPECT_EQ(spread(3, 5), (std::vector<std::size_t>{0, 1, 2}));
    EXPECT_EQ(spread(62, 5), (std::vector<std::size_t>{0, 1, 21, 41, 61}));
    EXPECT_EQ(spread(10, 1), (std::vector<std::size_t>{9}));
    EXPECT_TRUE(spread(10, 0).empty());
    for (std::size_t count = 1; count < 40; ++count)
        for (std::size_t budget = 1; budget < 45; ++budget) {
            const std::vector<std::size_t> kept = spread(count, budget);
            EXPECT_EQ(kept.size(), std::min(count, budget));
            EXPECT_TRUE(std::is_sorted(kept.begin(), kept.end()));
            EXPECT_EQ(std::adjacent_find(kept.begin(), kept.end()), kept.end());
            EXPECT_EQ(kept.back(), count - 1);
        }
}

} // namespace
} // namespace retrace::test
