#pragma once
// Small training runs on the whole simulated device, with random data, and what tests want to know of them.
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "host/training/trainer.h"
#include "sim/config/load.h"
#include "sim/log/sqlite_log.h"
#include "sim/platform/platform.h"
#include "sim/proof/proof.h"

namespace retrace::test {

/// A folder of its own that disappears with it.
class scratch_folder {
public:
    scratch_folder();
    ~scratch_folder();
    scratch_folder(const scratch_folder&) = delete;
    scratch_folder& operator=(const scratch_folder&) = delete;
    std::string file(const std::string& name) const { return (path_ / name).string(); }

private:
    std::filesystem::path path_;
};

struct small_run {
    std::vector<std::size_t> widths{16, 16, 16, 16, 16, 16, 10};
    std::size_t batch = 40;
    operand_format operands = operand_format::bf16;
    schedule_settings schedule;
    std::string preset = "tiny";
    std::vector<std::string> overrides; ///< npu.KEY=VALUE
    std::uint32_t steps = 2;
    std::vector<std::uint32_t> tile_steps{1};
    std::string log; ///< event log to write; empty: none
    std::uint64_t seed = 7;
    // How a schedule is made wrong: on the plan, before programs are loaded, and on the commands of a step.
    std::function<void(plan&)> edit_plan;
    std::function<void(std::uint32_t step, std::vector<spec::command>&)> edit_commands;

    std::size_t layers() const { return widths.size() - 1; }
};

/// Six layers, five of 16 and one of 10.
small_run six_layers(schedule_kind kind, std::size_t spacing = 1);

/// The run's processor and its plan (edited).
npu_config processor_of(const small_run& run);
plan plan_of(const small_run& run);
proof_expectations expectations_of(const small_run& run);

/// A device with a trainer on it. One per process.
class system_under_test {
public:
    explicit system_under_test(const small_run& run,
                               const sgd_options& optimizer = {{0.05f, rate_decay::constant, 0}, 0.9f, 0.0f});

    trainer& host() { return *trainer_; }
    simulated_port& platform() { return *port_; }
    const plan& planned() const { return plan_; }
    /// All steps with random data; the losses.
    std::vector<double> train();

private:
    small_run run_;
    npu_config npu_;
    plan plan_;
    std::unique_ptr<sqlite_log> log_;
    std::unique_ptr<simulated_port> port_;
    std::unique_ptr<device> device_;
    std::unique_ptr<trainer> trainer_;
};

struct run_outcome {
    std::string error; ///< what() of what ended the run, if anything did
    std::vector<double> losses;
    std::string weights; ///< SHA-256 of all weights and biases
    std::uint64_t cycles = 0;
    std::map<std::string, std::uint64_t> peaks, planned; ///< bytes by memory
    std::uint64_t stale_reads = 0;
};

/// Runs it in a process of its own.
run_outcome execute(const small_run& run);

/// `body` in a process of its own; what it returns. A failed expectation there, or a crash, fails the test
/// here.
std::string in_child(const std::function<std::string()>& body);

/// Names of the checks that fail ("name" or "name: nothing to check"), with their rows added to the test's
/// output.
std::vector<std::string> failed_checks(const std::string& log, const proof_expectations& expectations);

class wrong_schedule;
/// The checks that fail in a run of the schedule that `edit` has made wrong; `more` executions of F are
/// expected than without it.
std::vector<std::string> failed_after(small_run run, const std::function<void(wrong_schedule&)>& edit,
                                      int more = 0);

} // namespace retrace::test
