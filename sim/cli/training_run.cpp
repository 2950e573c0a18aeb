#include "sim/cli/training_run.h"

#include <map>

#include <fmt/format.h>

#include "firmware/firmware_image.h"
#include "sim/config/config_error.h"
#include "sim/platform/capabilities.h"
#include "sim/support/sha256.h"

namespace retrace {

namespace {

dataset_description description_of(const run_config& c) {
    return {c.net.features(0), c.data.classes, static_cast<float>(c.data.scale)};
}

std::size_t train_rows_of(const run_config& c, const dataset& data) { // split() says what is wrong, if anything
    return c.data.train_rows != 0 ? c.data.train_rows : data.rows() - std::min(data.rows(), c.data.test_rows);
}

std::map<std::string, std::uint64_t> planned_peaks(const plan_peaks& p) {
    return {{"activations", p.activations.peak_bytes}, {"gradients", p.gradients.peak_bytes},       {"weights", p.weights.peak_bytes},
            {"programs", p.programs.peak_bytes},       {"device_dram", p.device_dram.peak_bytes}, {"state_buffer", p.state_buffer.peak_bytes},
            {"psum", p.psum.peak_bytes}};
}

} // namespace

plan plan_of(const run_config& c) {
    training_shape shape;
    shape.batch = c.training.batch;
    shape.operands = c.training.operands;
    shape.schedule = {schedule_kind_of(c.training.schedule), std::max<std::size_t>(1, c.training.interval)};
    shape.range = whole_network(c.net);
    if (c.data.test_rows >= c.training.batch)
        shape.evaluation_batches.push_back(c.training.batch);
    if (c.data.test_rows % c.training.batch != 0)
        shape.evaluation_batches.push_back(c.data.test_rows % c.training.batch);
    return make_plan(c.net, shape, capabilities_of(c.npu));
}

std::size_t steps_of(const run_config& c, std::size_t train_rows) {
    return c.training.steps != 0 ? c.training.steps : c.training.epochs * (train_rows / c.training.batch);
}

dataset load_data(const run_config& config) { return dataset::load(config.data.file, description_of(config)); }

training_run::training_run(const run_config& config, const plan& p, dataset data, trace::event_sink* sink, const device_companion& companion)
    : config_(config), plan_(p), data_(std::move(data)),
      split_(data_.split(train_rows_of(config, data_), config.data.test_rows)) {
    port_ = std::make_unique<simulated_port>(config.npu, 0, sink);
    if (companion)
        companion_ = companion(*port_);
    device_options options;
    options.sink = sink;
    result<std::unique_ptr<device>> opened = device::open(*port_, control_firmware(), options);
    if (!opened)
        throw training_error(opened.failure().text);
    device_ = std::move(opened).value();
    check_same(p.device, device_->capabilities());

    trainer_settings settings;
    settings.seed = config.seed;
    const optimizer_config& o = config.training.optimizer;
    settings.optimizer.schedule = {static_cast<float>(o.learning_rate), o.decay, steps_of(config, split_.train.size())};
    settings.optimizer.momentum = static_cast<float>(o.momentum);
    settings.optimizer.weight_decay = static_cast<float>(o.weight_decay);
    settings.sink = sink;
    settings.host_work = [this] { port_->compute(config_.host.step_cycles); };
    trainer_ = std::make_unique<trainer>(*device_, p, settings);
}

void training_run::execute(const std::function<void(const run_progress&)>& report) {
    const batch_sampler sampler(split_.train, config_.training.batch, config_.seed);
    run_progress progress;
    progress.steps = steps_of(config_, split_.train.size());
    progress.epochs = (progress.steps + sampler.steps_per_epoch() - 1) / sampler.steps_per_epoch();
    std::vector<float> inputs(config_.training.batch * data_.features()), targets(config_.training.batch * data_.classes());
    for (std::size_t step = 1; step <= progress.steps; ++step) {
        data_.gather(sampler.rows_of_step(step - 1), inputs, targets);
        last_ = trainer_->train(static_cast<std::uint32_t>(step), inputs, targets);
        progress.step = step;
        progress.epoch = (step - 1) / sampler.steps_per_epoch() + 1;
        progress.loss = last_.loss;
        progress.accuracy = static_cast<double>(last_.correct) / static_cast<double>(config_.training.batch);
        progress.cycles = port_->cycles();
        if (report)
            report(progress);
    }
    if (!split_.test.empty())
        test_correct_ = trainer_->evaluate(static_cast<std::uint32_t>(progress.steps + 1), data_, split_.test);
}

run_summary training_run::summarise_device() const {
    run_summary s;
    port_->device().stalls().until(port_->cycles());
    read_device(s, config_.npu, port_->device());
    s.schedule = to_string(plan_.shape.schedule.kind);
    s.forward_executions = trainer_->forward_executions();
    s.seed = config_.seed;
    return s;
}

run_summary training_run::summarise() const {
    run_summary s = summarise_device();
    for (const auto& [name, planned] : planned_peaks(plan_.peaks))
        for (memory_summary& m : s.memory)
            if (m.name == name) {
                m.planned_peak_bytes = planned;
                if (m.peak_bytes != planned)
                    throw std::logic_error(fmt::format("memory '{}' held {} bytes at its peak, the plan says {}", name, m.peak_bytes, planned));
            }
    if (!split_.test.empty())
        s.test_accuracy = static_cast<double>(test_correct_) / static_cast<double>(split_.test.size());
    s.loss = last_.loss;
    sha256 digest;
    for (std::size_t k = 1; k <= plan_.net.depth(); ++k) {
        digest.add(std::as_bytes(trainer_->weights(k)));
        digest.add(std::as_bytes(trainer_->bias(k)));
    }
    s.weights_sha256 = digest.hex();
    return s;
}

} // namespace retrace
