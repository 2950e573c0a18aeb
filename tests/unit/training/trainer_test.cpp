// What the trainer refuses, and what it holds of the device's memory. That it trains is tests/system's
// business: the engines of this device compute nothing.
#include "host/training/trainer.h"

#include <gtest/gtest.h>

#include "tests/unit/driver/test_bench.h"

namespace retrace {
namespace {

constexpr std::size_t batch = 8, features = 12, classes = 5;

plan plan_for(const test_bench& bench, std::optional<layer_range> part = {}) {
    const network net = dense_chain({features, 16, classes});
    training_shape shape;
    shape.batch = batch;
    shape.range = part.value_or(whole_network(net));
    return make_plan(net, shape, bench.driver->capabilities());
}

TEST(trainer, takes_only_batches_of_the_planned_size) {
    test_bench bench;
    const plan p = plan_for(bench);
    trainer t(*bench.driver, p, {});
    const std::vector<float> inputs(batch * features), targets(batch * classes), more(batch * features + 1);
    EXPECT_NO_THROW(t.train(1, inputs, targets));
    EXPECT_THROW(t.train(2, more, targets), training_error);
    EXPECT_THROW(t.train(2, std::span(inputs).first(features), targets), training_error);
    EXPECT_THROW(t.train(2, inputs, inputs), training_error);
    EXPECT_THROW(t.train(2, inputs, {}), training_error);
    EXPECT_NO_THROW(t.train(2, inputs, targets));
}

TEST(trainer, refuses_a_plan_of_a_part_of_a_network) {
    test_bench bench;
    for (const layer_range& part : {pipeline_stage(1, 1), pipeline_stage(2, 2), layer_range{1, 2, true}}) {
        const plan p = plan_for(bench, part);
        EXPECT_THROW(trainer(*bench.driver, p, {}), training_error) << part.first << ".." << part.last;
    }
}

TEST(trainer, holds_the_planned_places_as_long_as_it_lives) {
    test_bench bench;
    const plan p = plan_for(bench);
    const auto used = [&](spec::region_kind kind) { return bench.driver->memory().region(kind)->used(); };
    const std::uint64_t host_before = bench.driver->host().range().used();
    {
        trainer t(*bench.driver, p, {});
        EXPECT_EQ(used(spec::region_kind::activations), p.peaks.activations.extent_bytes);
        EXPECT_EQ(used(spec::region_kind::gradients), p.peaks.gradients.extent_bytes);
        EXPECT_EQ(used(spec::region_kind::weights), p.peaks.weights.extent_bytes);
        EXPECT_EQ(used(spec::region_kind::programs), p.peaks.programs.extent_bytes);
        EXPECT_GT(bench.driver->host().range().used(), host_before);
        EXPECT_THROW(trainer(*bench.driver, p, {}), training_error) << "the places are taken";
        EXPECT_NE(bench.driver->memory().allocate(spec::region_kind::weights, 64)->address,
                  bench.driver->capabilities().region(spec::region_kind::weights).base);
    }
    EXPECT_EQ(used(spec::region_kind::activations), 0u);
    EXPECT_EQ(used(spec::region_kind::programs), 0u);
    EXPECT_EQ(bench.driver->host().range().used(), host_before);
}

} // namespace
} // namespace retrace
