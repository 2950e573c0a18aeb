// Training on the device against golden vectors that PyTorch made (tests/golden): losses, gradients and
// weights.
#include "tests/golden/golden.h"
#include "tests/system/system_bench.h"

namespace retrace::test {
namespace {

struct golden_case {
    const char* name;
    operand_format operands;
    schedule_settings schedule;
    const char* preset;
};

class golden_vectors : public testing::TestWithParam<golden_case> {};

void meet(const golden_case& c) {
    const golden::vectors expected = golden::vectors::load(c.name, to_string(c.operands));
    const double tolerance = c.operands == operand_format::fp32 ? 1e-5 : 1e-3; // tests/golden/README.md
    small_run run;
    run.widths = expected.widths();
    run.batch = expected.batch();
    run.operands = c.operands;
    run.schedule = c.schedule;
    run.preset = c.preset;
    const sgd_options optimizer{
        {expected.number("rate"), rate_decay::constant, 0}, expected.number("momentum"), 0.0f};
    system_under_test system(run, optimizer);
    trainer& host = system.host();

    const auto set = [&](std::span<float> to, const std::string& name) {
        const std::vector<float>& values = expected.at(name).values;
        ASSERT_EQ(to.size(), values.size()) << name;
        std::copy(values.begin(), values.end(), to.begin());
    };
    const auto near = [&](std::span<const float> actual, const std::string& name) {
        EXPECT_LE(golden::relative_distance(actual, expected.at(name).values), tolerance) << name;
    };
    const std::size_t layers = run.layers();
    for (std::size_t k = 1; k <= layers; ++k) {
        set(host.weights(k), "start/W_" + std::to_string(k));
        set(host.bias(k), "start/b_" + std::to_string(k));
    }
    ASSERT_EQ(expected.steps(), 3u);
    for (std::uint32_t s = 0; s < expected.steps(); ++s) {
        const std::string step = "step" + std::to_string(s) + "/";
        const double loss =
            host.train(s + 1, expected.at(step + "inputs").values, expected.at(step + "targets").values).loss;
        const double wanted = expected.at(step + "loss").values.at(0);
        EXPECT_NEAR(loss, wanted, tolerance * wanted) << step;
        for (std::size_t k = 1; k <= layers; ++k) {
            const std::string number = std::to_string(k);
            if (s == 0) {
                near(host.weight_gradient(k), step + "dW_" + number);
                near(host.bias_gradient(k), step + "db_" + number);
            }
            if (expected.has(step + "after/W_" + number)) {
                near(host.weights(k), step + "after/W_" + number);
                near(host.bias(k), step + "after/b_" + number);
            }
        }
    }
    EXPECT_TRUE(expected.has("step2/after/W_1"));
}

TEST_P(golden_vectors, are_met) {
    in_child([] {
        meet(GetParam());
        return std::string();
    });
}

constexpr auto fp32 = operand_format::fp32, bf16 = operand_format::bf16;

INSTANTIATE_TEST_SUITE_P(
    cases, golden_vectors,
    testing::Values(golden_case{"tails6", fp32, {schedule_kind::store_all, 1}, "tiny"},
                    golden_case{"tails6", bf16, {schedule_kind::store_all, 1}, "tiny"},
                    golden_case{"tails6", fp32, {schedule_kind::recompute, 1}, "small"},
                    golden_case{"tails6", bf16, {schedule_kind::interval, 2}, "small"},
                    golden_case{"chain6", fp32, {schedule_kind::store_all, 1}, "small"},
                    golden_case{"chain6", bf16, {schedule_kind::store_all, 1}, "small"},
                    golden_case{"chain6", fp32, {schedule_kind::interval, 2}, "tiny"},
                    golden_case{"chain6", bf16, {schedule_kind::recompute, 1}, "tiny"},
                    golden_case{"chain12", fp32, {schedule_kind::recompute, 1}, "small"},
                    golden_case{"chain12", bf16, {schedule_kind::store_all, 1}, "tiny"},
                    golden_case{"chain12", fp32, {schedule_kind::interval_overwrite, 4}, "tiny"},
                    golden_case{"chain12", bf16, {schedule_kind::interval_overwrite, 3}, "small"}),
    [](const auto& info) {
        return std::string(info.param.name) + "_" + to_string(info.param.operands) + "_" +
               to_string(info.param.schedule.kind) + "_" + info.param.preset;
    });

} // namespace
} // namespace retrace::test
