#pragma once
// summary.json: what a run found, stable names, documented in the README. Everything but `run.*_seconds` and the rates derived from them
// is the same in every repetition of the run.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tlm/npu.h"

namespace retrace {

struct memory_summary {
    std::string name;
    std::uint64_t capacity_bytes = 0, peak_bytes = 0, planned_peak_bytes = 0;
};

/// What the numbers were measured on; a report needs no other file to turn cycles into seconds.
struct machine_summary {
    std::string preset, array; ///< array: the implementation
    unsigned rows = 0, columns = 0;
    double clock_hz = 0;
};

struct run_summary {
    std::string command, name; ///< "train" or "gemm"; the configuration's name, or the product
    machine_summary machine;
    // result: what does not apply to a run is left out
    std::optional<double> test_accuracy, loss;
    std::optional<std::string> weights_sha256, checksum;
    std::optional<bool> verified;
    // cycles
    std::uint64_t cycles = 0, array_cycles = 0;
    std::vector<std::pair<std::string, std::uint64_t>> stalls;
    cycle_attribution attribution; ///< of the same cycles: per phase, per engine, over time
    // work
    std::uint64_t macs = 0;
    double utilisation = 0;
    std::vector<memory_summary> memory;
    std::string schedule;
    std::uint64_t forward_executions = 0;
    // run
    std::string config_sha256;
    std::uint64_t seed = 0;
    std::string status = "complete", reason; ///< otherwise "interrupted", "hang", "failed" or "model_fault", and why
    double wall_seconds = 0, cpu_seconds = 0; ///< of the simulation, from the first doorbell to the last completion
};

/// Fills machine, cycles, stalls, work and memory (without planned peaks) from the device.
void read_device(run_summary& summary, const npu_config& config, npu& device);

std::string to_json(const run_summary& summary);
/// Tables for people: where the cycles went, also per phase, and memory against capacity.
std::string describe(const run_summary& summary);

/// CPU and wall time since construction.
class stopwatch {
public:
    stopwatch();
    double wall() const;
    double cpu() const;

private:
    double wall_, cpu_;
};

} // namespace retrace
