// Autodiff and optimizer against PyTorch's vectors, without any device: the graph's own operations,
// interpreted.

#include "host/training/host_numeric.h"
#include "host/training/optimizer.h"
#include "tests/golden/golden.h"
#include "tests/unit/training/reference_step.h"

#include <gtest/gtest.h>

namespace retrace {
namespace {

using role = tensor_role;

class golden_training : public testing::TestWithParam<std::tuple<std::string, std::string>> {
protected:
    golden::vectors vectors = golden::vectors::load(std::get<0>(GetParam()), std::get<1>(GetParam()));
    bool bf16 = std::get<1>(GetParam()) == "bf16";
    operand_format format = bf16 ? operand_format::bf16 : operand_format::fp32;
    double tolerance = bf16 ? 1e-3 : 1e-5; // bf16: see tests/golden/README.md
    network net = dense_chain(vectors.widths());

    void expect_near(const reference_step& step, tensor_id id, const std::string& name) {
        EXPECT_LT(golden::relative_distance(step.value(id), vectors.at(name).values), tolerance) << name;
    }
    // Weights, biases and whatever else a range takes from outside.
    void deliver_parameters(reference_step& step, const layer_range& range) {
        for (std::size_t k = range.first; k <= range.last; ++k) {
            step.deliver({role::weight, k}, vectors.at("start/W_" + std::to_string(k)).values);
            step.deliver({role::bias, k}, vectors.at("start/b_" + std::to_string(k)).values);
        }
    }
    void expect_range(const reference_step& step, const layer_range& range) {
        for (std::size_t k = range.first; k <= range.last; ++k) {
            const std::string n = std::to_string(k);
            expect_near(step, {role::io, k}, "step0/IO_" + n);
            expect_near(step, {role::gradient, k}, "step0/G_" + n);
            expect_near(step, {role::weight_gradient, k}, "step0/dW_" + n);
            expect_near(step, {role::bias_gradient, k}, "step0/db_" + n);
        }
    }
};

TEST_P(golden_training, one_step_of_the_whole_network) {
    layer_range range = whole_network(net);
    range.input_needs_gradient = true;
    reference_step step(differentiate(net, range, vectors.batch(), format));
    deliver_parameters(step, range);
    step.deliver({role::io, 0}, vectors.at("step0/inputs").values);
    step.deliver({role::targets, net.depth()}, vectors.at("step0/targets").values);
    step.run();
    expect_range(step, range);
    expect_near(step, {role::loss, net.depth()}, "step0/loss");
    expect_near(step, {role::gradient, 0}, "step0/G_0");
}

TEST_P(golden_training, a_middle_range_with_input_and_gradient_from_outside) {
    const layer_range range = pipeline_stage(3, 5);
    reference_step step(differentiate(net, range, vectors.batch(), format));
    deliver_parameters(step, range);
    step.deliver({role::io, 2}, vectors.at("step0/IO_2").values);
    step.deliver({role::gradient, 5}, vectors.at("step0/G_5").values);
    step.run();
    expect_range(step, range);
    expect_near(step, {role::gradient, 2}, "step0/G_2");
}

TEST_P(golden_training, the_last_range_makes_its_own_loss) {
    const layer_range range = pipeline_stage(4, net.depth());
    reference_step step(differentiate(net, range, vectors.batch(), format));
    deliver_parameters(step, range);
    step.deliver({role::io, 3}, vectors.at("step0/IO_3").values);
    step.deliver({role::targets, net.depth()}, vectors.at("step0/targets").values);
    step.run();
    expect_range(step, range);
    expect_near(step, {role::gradient, 3}, "step0/G_3");
    expect_near(step, {role::loss, net.depth()}, "step0/loss");
}

TEST_P(golden_training, three_steps_with_the_optimizer) {
    const layer_range range = whole_network(net);
    std::vector<tensor_id> parameters, gradients;
    std::vector<std::vector<float>> masters;
    std::vector<std::size_t> sizes;
    std::vector<std::string> names;
    for (std::size_t k = 1; k <= net.depth(); ++k) {
        for (const auto& [value, gradient] :
             {std::pair{role::weight, role::weight_gradient}, std::pair{role::bias, role::bias_gradient}}) {
            parameters.push_back({value, k});
            gradients.push_back({gradient, k});
            names.push_back(to_string(parameters.back()));
            masters.push_back(vectors.at("start/" + names.back()).values);
            sizes.push_back(masters.back().size());
        }
    }
    sgd_options options;
    options.schedule.rate = vectors.number("rate");
    options.momentum = vectors.number("momentum");
    sgd_optimizer optimizer(options, sizes);
    ASSERT_EQ(vectors.steps(), 3u);
    for (std::size_t s = 0; s < vectors.steps(); ++s) {
        const std::string here = "step" + std::to_string(s);
        reference_step step(differentiate(net, range, vectors.batch(), format));
        step.deliver({role::io, 0}, vectors.at(here + "/inputs").values);
        step.deliver({role::targets, net.depth()}, vectors.at(here + "/targets").values);
        for (std::size_t i = 0; i < parameters.size(); ++i)
            step.deliver(parameters[i], masters[i]);
        step.run();
        expect_near(step, {role::loss, net.depth()}, here + "/loss");
        for (std::size_t i = 0; i < parameters.size(); ++i) {
            optimizer.update(i, s, masters[i], step.value(gradients[i]));
            const std::string after = here + "/after/" + names[i];
            if (vectors.has(after)) {
                EXPECT_LT(golden::relative_distance(masters[i], vectors.at(after).values), tolerance)
                    << after;
            }
        }
    }
    EXPECT_TRUE(vectors.has("step0/after/W_1"));
    EXPECT_TRUE(vectors.has("step2/after/b_1"));
    // The comparison above would be empty if the weights hardly moved.
    EXPECT_GT(golden::relative_distance(masters[0], vectors.at("start/W_1").values), 10 * tolerance);
}

INSTANTIATE_TEST_SUITE_P(vectors, golden_training,
                         testing::Combine(testing::Values("tails6", "chain6", "chain12"),
                                          testing::Values("fp32", "bf16")),
                         [](const auto& tested) {
                             return std::get<0>(tested.param) + "_" + std::get<1>(tested.param);
                         });

// The vectors must be able to fail: a wrong mask, a gradient of the value after the activation, an unrounded
// operand.
TEST(golden_training_sensitivity, wrong_gradients_are_far_away) {
    const auto vectors = golden::vectors::load("tails6", "fp32");
    const network net = dense_chain(vectors.widths());
    training_graph graph = differentiate(net, whole_network(net), vectors.batch(), operand_format::fp32);
    for (backward_operation& b : graph.backward)
        if (b.data_gradient)
            b.data_gradient->activation = activation_kind::none; // no mask
    reference_step step(graph);
    for (std::size_t k = 1; k <= net.depth(); ++k) {
        step.deliver({role::weight, k}, vectors.at("start/W_" + std::to_string(k)).values);
        step.deliver({role::bias, k}, vectors.at("start/b_" + std::to_string(k)).values);
    }
    step.deliver({role::io, 0}, vectors.at("step0/inputs").values);
    step.deliver({role::targets, net.depth()}, vectors.at("step0/targets").values);
    step.run();
    EXPECT_GT(
        golden::relative_distance(step.value({role::weight_gradient, 1}), vectors.at("step0/dW_1").values),
        0.1);
}

TEST(golden_vectors, operands_are_exact_in_bf16_and_fp32_differs_from_them) {
    const auto narrow = golden::vectors::load("chain6", "bf16");
    for (const float x : narrow.at("step0/IO_3").values)
        ASSERT_EQ(host_numeric::rounded_to_bf16(x), x);
    const auto wide = golden::vectors::load("chain6", "fp32");
    EXPECT_GT(golden::relative_distance(narrow.at("step0/dW_1").values, wide.at("step0/dW_1").values), 1e-3);
}

} // namespace
} // namespace retrace
