#pragma once
// What a training run takes on this computer, measured: its first steps, run in a process of their own (SystemC allows one simulation
// in each) for about a second, with its log, timeline and report, in a temporary folder that is gone afterwards.
#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>

#include "sim/config/run_config.h"

namespace retrace {

/// The first steps could not be run, or told nothing; the text says why. The plan stands without them.
class calibration_error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// SIGINT or SIGTERM came while they ran; nothing is left of them.
class calibration_interrupted : public calibration_error {
public:
    explicit calibration_interrupted(int signal) : calibration_error("stopped by the user"), signal_(signal) {}
    int signal() const { return signal_; }

private:
    int signal_;
};

struct calibration {
    std::uint64_t steps = 0;          ///< that ended within the time
    double part_of_step = 0;          ///< where none did: how far the first one came, by the plan's cycles
    std::uint64_t start_cycles = 0;   ///< until the first step: loading programs
    std::uint64_t step_cycles = 0;    ///< of a step; 0 where none ended
    double start_seconds = 0;         ///< process, data, device, programs
    double step_seconds = 0;          ///< of a step (or of the part) without tile level
    double logged_step_seconds = 0;   ///< of a step that is logged instruction by instruction; 0: not measured
    double log_end_seconds = 0;       ///< closing the log, timeline.json
    double report_seconds = 0;        ///< report.html
    std::uint64_t log_bytes = 0, timeline_bytes = 0;
    std::uint64_t tile_steps = 0;     ///< of its steps
    std::uint64_t run_peak_bytes = 0; ///< resident memory of the simulation
    std::uint64_t peak_bytes = 0;     ///< with what the end takes
};

struct calibration_options {
    double seconds = 1.2;                  ///< no step is begun after these, but the first three
    double hard_seconds = 2.5;             ///< and a step that is still under way then is broken off
    double kill_seconds = 20;              ///< when the process itself has to end, whatever it does
    std::string program = "/proc/self/exe";
    std::filesystem::path temporary;       ///< empty: the system's place for temporary files
};

/// Runs the first steps of this configuration; throws calibration_error.
calibration calibrate(const run_config& config, const calibration_options& options = {});

/// The other side, in the process that calibrate() starts: `folder` holds config.yaml, and gets calibration.json.
void run_first_steps(const std::filesystem::path& folder, double seconds, double hard_seconds);

} // namespace retrace
