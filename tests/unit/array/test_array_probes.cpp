// What the stepped array tells of its PEs: every register, every cycle, checked against the rule of a PE.
#include <cmath>
#include <cstring>
#include <map>

#include <gtest/gtest.h>

#include "tests/unit/array/array_test_data.h"
#include "tlm/core/array/array_probes.h"
#include "tlm/core/array/array_timing.h"
#include "tlm/core/array/stepped_array.h"
#include "tlm/core/array/windowed_array.h"

namespace retrace::test {
namespace {

/// Keeps every change; value() is what a wave would show in a cycle.
struct recorded_waves : trace::probe_listener {
    std::map<trace::probe_id, std::map<std::uint64_t, std::uint64_t>> changes;
    void change(trace::probe_id p, trace::cycle_t cycle, std::uint64_t bits) override { changes[p][cycle] = bits; }
    void change(trace::probe_id, trace::cycle_t, double) override { FAIL(); }
    void change(trace::probe_id, trace::cycle_t, std::string) override { FAIL(); }
    std::uint32_t value(trace::probe_id p, std::uint64_t cycle) const {
        const auto signal = changes.find(p);
        if (signal == changes.end()) {
            return 0;
        }
        const auto after = signal->second.upper_bound(cycle);
        return after == signal->second.begin() ? 0 : static_cast<std::uint32_t>(std::prev(after)->second);
    }
};

float number(std::uint32_t bits) {
    float f;
    std::memcpy(&f, &bits, sizeof f);
    return f;
}

class array_waves : public testing::TestWithParam<unsigned> {
protected:
    array_waves() : probes_(registry_, "npu0.array", 3, 2) {
        config_.rows = 3, config_.columns = 2, config_.fma_depth = GetParam();
        std::mt19937 engine(7);
        for (unsigned t = 0; t < 2; ++t) {
            weights_.emplace_back(3, 2, number_format::fp32, flavour::moderate, engine);
            rows_.emplace_back(5, 3, number_format::fp32, flavour::moderate, engine);
        }
    }
    trace::probe_id id(unsigned r, unsigned c, array_probes::what w) const { return (r * 2 + c) * array_probes::whats + w; }

    array_config config_;
    trace::probe_registry registry_;
    array_probes probes_;
    std::vector<test_matrix> weights_, rows_;
};

TEST_P(array_waves, every_sum_is_the_product_of_what_the_waves_show_beside_it) {
    stepped_array array(config_);
    array.show(probes_);
    recorded_waves waves;
    registry_.listen(&waves, [](const trace::probe&) { return true; });
    const array_timing timing(config_);
    array.load_weights(10, weights_[0].view());
    std::uint64_t at = timing.load_complete(10, number_format::fp32);
    array.stream(at, rows_[0].view(), true);
    const std::uint64_t reload = timing.earliest_reload(at, number_format::fp32);
    array.load_weights(reload, weights_[1].view());
    const std::uint64_t second = std::max(timing.next_stream(at, number_format::fp32, 5), timing.load_complete(reload, number_format::fp32));
    array.stream(second, rows_[1].view(), true);
    const std::uint64_t end = timing.last_stamp(second, number_format::fp32, 5);
    column_sums sums;
    ASSERT_TRUE(array.collect(end, sums));
    ASSERT_TRUE(array.collect(end, sums));

    const unsigned depth = config_.fma_depth;
    unsigned products = 0;
    for (std::uint64_t t = 10; t <= end + 1; ++t) {
        for (unsigned r = 0; r < 3; ++r) {
            for (unsigned c = 0; c < 2; ++c) {
                // The operand of a sum came D - 1 cycles earlier, the sum from above one more.
                const std::uint64_t began = t - (depth - 1);
                if (!waves.value(id(r, c, array_probes::valid), began)) {
                    continue;
                }
                const float above = r ? number(waves.value(id(r - 1, c, array_probes::sum), began - 1)) : 0.0f;
                const float expected = std::fma(number(waves.value(id(r, c, array_probes::operand), began)),
                                                number(waves.value(id(r, c, array_probes::weight), began)), above);
                EXPECT_EQ(number(waves.value(id(r, c, array_probes::sum), t)), expected) << "cycle " << t << " pe " << r << " " << c;
                ++products;
            }
        }
    }
    EXPECT_EQ(products, 2u * 5 * 3 * 2);
    // The weights are those that were loaded, shadow before active.
    for (unsigned r = 0; r < 3; ++r) {
        for (unsigned c = 0; c < 2; ++c) {
            std::uint32_t first, last;
            const matrix_view one = weights_[0].view(), two = weights_[1].view();
            std::memcpy(&first, one.data + r * one.row_pitch_bytes + c * 4, 4);
            std::memcpy(&last, two.data + r * two.row_pitch_bytes + c * 4, 4);
            EXPECT_EQ(waves.value(id(r, c, array_probes::shadow), at + c), first);
            // Active from the end of the cycle in which the first row passes: D r + c after the stream's begin.
            EXPECT_NE(waves.value(id(r, c, array_probes::weight), at + depth * r + c), first);
            EXPECT_EQ(waves.value(id(r, c, array_probes::weight), at + depth * r + c + 1), first);
            EXPECT_EQ(waves.value(id(r, c, array_probes::weight), end + 1), last);
        }
    }
}

TEST_P(array_waves, nobody_who_listens_is_told_nothing_and_settling_tells_up_to_a_cycle) {
    stepped_array quiet(config_), told(config_);
    quiet.show(probes_);
    const auto run = [&](stepped_array& array, bool settle) {
        array.load_weights(0, weights_[0].view());
        const array_timing timing(config_);
        const std::uint64_t at = timing.load_complete(0, number_format::fp32), end = timing.last_stamp(at, number_format::fp32, 5);
        array.stream(at, rows_[0].view(), true);
        if (settle) {
            for (std::uint64_t t = 1; t <= end; t += 3) {
                array.settle(t);
            }
        }
        column_sums sums;
        EXPECT_TRUE(array.collect(end, sums));
        return sums.bits;
    };
    const auto bits = run(quiet, false);
    told.show(probes_);
    recorded_waves waves;
    registry_.listen(&waves, [&](const trace::probe& p) { return p.name == "npu0.array.pe_2_1.sum"; });
    EXPECT_EQ(run(told, true), bits);
    EXPECT_EQ(waves.changes.size(), 1u);
    EXPECT_EQ(waves.changes.begin()->first, id(2, 1, array_probes::sum));
    registry_.listen(nullptr, {});
}

INSTANTIATE_TEST_SUITE_P(depths, array_waves, testing::Values(1u, 3u));

} // namespace
} // namespace retrace::test
