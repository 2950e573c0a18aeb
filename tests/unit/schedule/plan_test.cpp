// Plans on the interpreter: same bits under every schedule, peaks to the byte, overwriting that happens,
// ranges, evaluations, capacities.
#include "host/training/plan.h"

#include <gtest/gtest.h>

#include "tests/golden/golden.h"
#include "tests/unit/schedule/training_bench.h"

namespace retrace {
namespace {

using namespace testing;

const std::vector<std::size_t> six{12, 20, 33, 17, 24, 9, 5};
const std::vector<std::size_t> twelve{10, 16, 9, 16, 24, 8, 17, 16, 16, 12, 20, 11, 4};

std::vector<schedule_settings> settings_for(std::size_t layers) {
    std::vector<schedule_settings> all{{schedule_kind::store_all, 1}, {schedule_kind::recompute, 1}};
    for (std::size_t n = 1; n <= layers; ++n)
        if (layers % n == 0 || n == 5)
            for (const schedule_kind kind : {schedule_kind::interval, schedule_kind::interval_overwrite})
                all.push_back({kind, n});
    return all;
}

std::string text(const schedule_settings& s) {
    return to_string(s.kind) + (" " + std::to_string(s.interval));
}

plan plan_of(const std::vector<std::size_t>& widths, std::size_t batch, operand_format f,
             const schedule_settings& s, unsigned queues = 4) {
    training_shape shape;
    shape.batch = batch;
    shape.operands = f;
    shape.schedule = s;
    const network net = dense_chain(widths);
    shape.range = whole_network(net);
    return make_plan(net, shape, training_device(queues));
}

void expect_same_results_everywhere(const std::vector<std::size_t>& widths, std::size_t batch,
                                    operand_format f) {
    std::vector<values> reference;
    unsigned queues = 1;
    for (const schedule_settings& s : settings_for(widths.size() - 1)) {
        SCOPED_TRACE(text(s));
        queues = queues % 5 + 1;
        training_bench bench(plan_of(widths, batch, f, s, queues), 1000 + queues);
        std::vector<values> results;
        for (std::uint32_t step = 1; step <= 2;
             ++step) { // the second brings new weights into the places of the old
            bench.random_weights(step);
            bench.random_batch(step, batch);
            ASSERT_NO_FATAL_FAILURE(bench.step(step));
            for (values& v : bench.results())
                results.push_back(std::move(v));
            bench.expect_all_released();
            if (step == 1)
                bench.expect_planned_peaks(); // a single step reaches them
        }
        bench.expect_planned_peaks();
        if (reference.empty())
            reference = results;
        EXPECT_TRUE(same_bits(results, reference)) << "gradients differ from store_all's";
    }
}

TEST(plan, six_layers_bf16_give_the_same_bits_and_the_planned_peaks_under_every_schedule) {
    expect_same_results_everywhere(six, 37, operand_format::bf16);
}

TEST(plan, six_layers_fp32_give_the_same_bits_and_the_planned_peaks_under_every_schedule) {
    expect_same_results_everywhere(six, 19, operand_format::fp32);
}

TEST(plan, twelve_layers_give_the_same_bits_and_the_planned_peaks_under_every_schedule) {
    expect_same_results_everywhere(twelve, 18, operand_format::bf16);
}

TEST(plan, any_order_of_engines_gives_the_same_bits) {
    std::vector<values> reference;
    for (std::uint64_t seed = 0; seed < 12; ++seed) {
        training_bench bench(plan_of(six, 21, operand_format::bf16, {schedule_kind::recompute, 1},
                                     1 + static_cast<unsigned>(seed % 4)),
                             seed);
        bench.random_weights(1);
        bench.random_batch(1, 21);
        ASSERT_NO_FATAL_FAILURE(bench.step(1));
        bench.expect_planned_peaks();
        if (seed == 0)
            reference = bench.results();
        EXPECT_TRUE(same_bits(bench.results(), reference)) << seed;
    }
}

TEST(plan, gradients_match_the_golden_vectors) {
    for (const std::string operands : {"fp32", "bf16"})
        for (const std::string name : {"tails6", "chain6"}) {
            SCOPED_TRACE(name + " " + operands);
            const golden::vectors golden = golden::vectors::load(name, operands);
            const operand_format f = operands == "fp32" ? operand_format::fp32 : operand_format::bf16;
            const std::vector<std::size_t> widths = golden.widths();
            training_shape shape;
            shape.batch = golden.batch();
            shape.operands = f;
            shape.schedule = {schedule_kind::recompute, 1};
            const network net = dense_chain(widths);
            shape.range = whole_network(net);
            device_capabilities device = training_device();
            device.state_buffer_bytes = 256 << 10;
            training_bench bench(make_plan(net, shape, device), 5);
            const auto matrix = [&](const std::string& tensor) {
                const golden::tensor& t = golden.at(tensor);
                return values{t.rows, t.columns, t.values};
            };
            for (std::size_t k = 1; k < widths.size(); ++k) {
                bench.put(bench.buffers.weights[k], matrix("start/W_" + std::to_string(k)));
                bench.put_fp32(bench.buffers.bias[k], matrix("start/b_" + std::to_string(k)));
            }
            bench.put(bench.buffers.input, matrix("step0/inputs"));
            bench.put(bench.buffers.targets, matrix("step0/targets"));
            ASSERT_NO_FATAL_FAILURE(bench.step(1));
            const double tolerance = f == operand_format::fp32 ? 1e-5 : 2e-2;
            for (std::size_t k = 1; k < widths.size(); ++k) {
                const auto dw = bench.get_fp32(bench.buffers.weight_gradient[k], widths[k - 1], widths[k]);
                const auto db = bench.get_fp32(bench.buffers.bias_gradient[k], 1, widths[k]);
                EXPECT_LT(golden::relative_distance(dw.v, golden.at("step0/dW_" + std::to_string(k)).values),
                          tolerance)
                    << "dW_" << k;
                EXPECT_LT(golden::relative_distance(db.v, golden.at("step0/db_" + std::to_string(k)).values),
                          tolerance)
                    << "db_" << k;
            }
            const auto loss = bench.get_fp32(bench.buffers.loss, shape.batch, 1);
            double mean = 0;
            for (const float l : loss.v)
                mean += l;
            const float got = static_cast<float>(mean / static_cast<double>(shape.batch));
            EXPECT_LT(golden::relative_distance(std::vector{got}, golden.at("step0/loss").values), tolerance);
        }
}

TEST(plan, recompute_overwrites_in_place_and_only_what_leaves_may_leave) {
    training_bench bench(plan_of(six, 37, operand_format::bf16, {schedule_kind::recompute, 1}), 3);
    bench.random_weights(1);
    bench.random_batch(1, 37);
    ASSERT_NO_FATAL_FAILURE(bench.step(1));
    const auto tag = [](std::size_t k) { return tag_of({tensor_role::io, k}); };
    for (std::size_t k = 2; k <= 6; ++k) {
        // F_k in the first sweep and for every B above k + 1.
        const std::uint64_t times = k == 6 ? 1 : 1 + (6 - k);
        EXPECT_EQ((bench.machine.overwritten[{tag(k - 1), tag(k)}]),
                  times * 37 * std::min(six[k - 1], six[k]) * 2)
            << "IO_" << k;
    }
    for (const auto& [tensor, bytes] : bench.machine.to_host) {
        const tensor_role role = tensor_of(tensor).id.role;
        EXPECT_TRUE(role == tensor_role::weight_gradient || role == tensor_role::bias_gradient ||
                    role == tensor_role::loss || tensor_of(tensor).id == (tensor_id{tensor_role::io, 6}))
            << tag_name(tensor) << " left the device";
    }
    // Input, the widest output and nothing else: below input + IO_1 + IO_2.
    EXPECT_EQ(bench.p.peaks.activations.peak_bytes, 37u * (12 + 33) * 2);
    EXPECT_LT(bench.p.peaks.activations.extent_bytes, 37u * (12 + 20 + 33) * 2);
}

TEST(plan, equal_layers_share_programs_and_programs_do_not_grow_with_the_schedule) {
    const std::vector<std::size_t> equal(9, 16);
    const plan a = plan_of(equal, 16, operand_format::bf16, {schedule_kind::recompute, 1});
    const plan b =
        plan_of(std::vector<std::size_t>(13, 16), 16, operand_format::bf16, {schedule_kind::recompute, 1});
    EXPECT_EQ(a.kernels.size(), b.kernels.size());
    EXPECT_EQ(a.peaks.programs.peak_bytes, b.peaks.programs.peak_bytes);
}

TEST(plan, pipeline_stages_together_give_the_whole_networks_bits) {
    const std::size_t batch = 22;
    const network net = dense_chain(six);
    const auto stage_plan = [&](std::size_t first, std::size_t last, const schedule_settings& s) {
        training_shape shape;
        shape.batch = batch;
        shape.schedule = s;
        shape.range = pipeline_stage(first, last);
        return make_plan(net, shape, training_device(3));
    };
    training_bench whole(plan_of(six, batch, operand_format::bf16, {}), 1);
    whole.random_weights(1);
    whole.random_batch(1, batch);
    ASSERT_NO_FATAL_FAILURE(whole.step(1));
    const auto reference = whole.results(); // dW_1, db_1, ..., logits, loss

    for (const schedule_settings& s : settings_for(3)) {
        SCOPED_TRACE(text(s));
        training_bench low(stage_plan(1, 3, s), 2), high(stage_plan(4, 6, s), 3);
        EXPECT_TRUE(high.p.shape.range.input_needs_gradient);
        low.random_weights(1);
        high.random_weights(1);
        low.random_batch(1, batch);
        high.random_batch(1, batch);
        // The lower stage's output is known from running it with any gradient; its commands are replayed with
        // the right one.
        low.put(low.buffers.output_gradient, random_values(batch, six[3], spec::number_format::bf16, 9));
        ASSERT_NO_FATAL_FAILURE(low.step(1));
        high.put(high.buffers.input, low.get(low.buffers.logits, batch, six[3]));
        ASSERT_NO_FATAL_FAILURE(high.step(1));
        low.put(low.buffers.output_gradient, high.get(high.buffers.input_gradient, batch, six[3]));
        ASSERT_NO_FATAL_FAILURE(low.step(2));
        low.expect_planned_peaks();
        high.expect_planned_peaks();
        low.expect_all_released();
        high.expect_all_released();
        auto l = low.results(), h = high.results();
        EXPECT_TRUE(same_bits({l.begin(), l.begin() + 6}, {reference.begin(), reference.begin() + 6}));
        EXPECT_TRUE(same_bits({h.begin(), h.begin() + 8}, {reference.begin() + 6, reference.end()}));
    }
}

TEST(plan, evaluations_give_the_training_steps_logits_and_stay_inside_the_planned_peaks) {
    for (const schedule_settings& s : settings_for(6)) {
        SCOPED_TRACE(text(s));
        training_shape shape;
        shape.batch = 24;
        shape.schedule = s;
        shape.evaluation_batches = {24, 7, 40};
        const network net = dense_chain(six);
        shape.range = whole_network(net);
        training_bench bench(make_plan(net, shape, training_device(2)), 4);
        bench.random_weights(1);
        bench.random_batch(1, 40);
        ASSERT_NO_FATAL_FAILURE(bench.step(1));
        const values trained = bench.get(bench.buffers.logits, 24, 5);
        for (std::size_t e = 0; e < 3; ++e) {
            ASSERT_NO_FATAL_FAILURE(bench.run(
                evaluation_commands(bench.p, e, static_cast<std::uint32_t>(e + 1), 2, bench.buffers)));
            const std::size_t rows = shape.evaluation_batches[e];
            const values logits = bench.get(bench.buffers.logits, rows, 5);
            EXPECT_EQ(
                0, std::memcmp(logits.v.data(), trained.v.data(), std::min<std::size_t>(rows, 24) * 5 * 4));
            bench.expect_all_released();
        }
        ASSERT_NO_FATAL_FAILURE(bench.step(2));
        bench.expect_planned_peaks();
    }
}

TEST(plan, layers_without_bias_or_activation_are_planned_too) {
    network net = dense_chain({9, 12, 10, 4});
    net.layers[0].bias = false;
    net.layers[1].activation = activation_kind::none;
    std::vector<values> reference;
    for (const schedule_settings& s : settings_for(3)) {
        training_shape shape;
        shape.batch = 13;
        shape.schedule = s;
        shape.range = whole_network(net);
        training_bench bench(make_plan(net, shape, training_device(1)), 8);
        bench.random_weights(1);
        bench.random_batch(1, 13);
        ASSERT_NO_FATAL_FAILURE(bench.step(1));
        bench.expect_planned_peaks();
        if (reference.empty())
            reference = bench.results();
        EXPECT_TRUE(same_bits(bench.results(), reference)) << text(s);
    }
}

/// The smallest capacity named by an error is enough, and one byte (or burst) less is not.
template <class set_capacity>
void expect_exact(const training_shape& shape, const network& net, const std::string& memory,
                  set_capacity set) {
    device_capabilities device = training_device();
    set(device, 256);
    try {
        make_plan(net, shape, device);
        FAIL() << memory << " of 256 bytes was accepted";
    } catch (const capacity_error& error) {
        EXPECT_EQ(error.memory(), memory);
        EXPECT_EQ(error.available_bytes(), 256u);
        EXPECT_GT(error.needed_bytes(), 256u);
        EXPECT_FALSE(error.culprit().empty());
        set(device, error.smallest_capacity());
        EXPECT_NO_THROW(make_plan(net, shape, device)) << error.what();
        set(device, error.smallest_capacity() - 1);
        EXPECT_THROW(make_plan(net, shape, device), capacity_error);
    }
}

TEST(plan, capacities_that_are_too_small_are_named_with_the_smallest_that_would_do) {
    const network net = dense_chain(six);
    for (const schedule_settings& s : settings_for(6)) {
        SCOPED_TRACE(text(s));
        training_shape shape;
        shape.batch = 37;
        shape.schedule = s;
        shape.range = whole_network(net);
        shape.evaluation_batches = {11};
        const auto region = [](std::size_t r) {
            return [r](device_capabilities& d, std::uint64_t bytes) { d.regions[r].bytes = bytes; };
        };
        expect_exact(shape, net, "activations", region(0));
        expect_exact(shape, net, "gradients", region(1));
        expect_exact(shape, net, "weights", region(2));
        expect_exact(shape, net, "programs", region(3));
        expect_exact(shape, net, "state_buffer",
                     [](device_capabilities& d, std::uint64_t bytes) { d.state_buffer_bytes = bytes; });
    }
}

TEST(plan, store_all_is_refused_where_recompute_fits) {
    const network net = dense_chain(six);
    training_shape shape;
    shape.batch = 37;
    shape.schedule = {schedule_kind::recompute, 1};
    shape.range = whole_network(net);
    device_capabilities device = training_device();
    device.regions[0].bytes = 37 * (12 + 33) * 2 + 64;
    EXPECT_NO_THROW(make_plan(net, shape, device));
    shape.schedule.kind = schedule_kind::store_all;
    try {
        make_plan(net, shape, device);
        FAIL();
    } catch (const capacity_error& error) {
        EXPECT_NE(std::string(error.what()).find("IO_2"), std::string::npos) << error.what();
    }
    shape.schedule.kind = schedule_kind::recompute;
    device.regions.back().base = spec::control_base - device.regions.back().bytes;
    EXPECT_NO_THROW(make_plan(net, shape, device));
    device.regions.back().base = spec::control_base - 64; // the mover loads programs, and reaches no further
    EXPECT_THROW(make_plan(net, shape, device), std::runtime_error);
    device.regions.pop_back();
    EXPECT_THROW(make_plan(net, shape, device), std::runtime_error);
}

TEST(plan, description_lists_operations_memories_and_kernels) {
    const std::string text = describe(plan_of(six, 37, operand_format::bf16, {schedule_kind::interval, 2}));
    for (const char* part : {"interval 2", "8 forward executions", "F_1'", "LG", "activations",
                             "state_buffer", "backward_first", "predicted cycles"})
        EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
}

} // namespace
} // namespace retrace
