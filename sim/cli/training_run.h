#pragma once
// A training run on the simulated device, from a checked configuration to the numbers of its summary: what `retrace train` does and what
// the system tests do.
#include <functional>
#include <memory>

#include "host/training/trainer.h"
#include "sim/config/run_config.h"
#include "sim/platform/platform.h"
#include "sim/report/summary.h"

namespace retrace {

/// The plan of a configuration: needs no device and simulates nothing. `test_rows` decides the evaluation batches.
plan plan_of(const run_config& config);

/// The rows of the configuration's data file. Throws data_error.
dataset load_data(const run_config& config);

std::size_t steps_of(const run_config& config, std::size_t train_rows);

struct run_progress {
    std::size_t step = 0, steps = 0, epoch = 0, epochs = 0;
    double loss = 0, accuracy = 0;
    std::uint64_t cycles = 0;
};

class training_run {
public:
    /// Opens the device. Throws data_error (too few rows), training_error.
    training_run(const run_config& config, const plan& plan, dataset data, trace::event_sink* sink, const device_companion& companion = {});

    /// All steps and the final evaluation; `report` after every step.
    void execute(const std::function<void(const run_progress&)>& report);

    trainer& host() { return *trainer_; }
    simulated_port& platform() { return *port_; }
    /// What the device alone tells, also of a run that did not end.
    run_summary summarise_device() const;
    /// Of a whole run. Throws std::logic_error if a memory's measured peak is not what the plan says.
    run_summary summarise() const;

private:
    const run_config& config_;
    const plan& plan_;
    dataset data_;
    dataset_split split_;
    std::unique_ptr<simulated_port> port_;
    std::shared_ptr<void> companion_;
    std::unique_ptr<device> device_;
    std::unique_ptr<trainer> trainer_;
    step_result last_;
    std::size_t test_correct_ = 0;
};

} // namespace retrace
