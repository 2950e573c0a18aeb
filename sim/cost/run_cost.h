#pragma once
// What a training run will cost: time, memory of the simulator, disk. Sizes of files are counted from the plan (log_size.h); time and
// memory are extrapolated from the first steps, where these were measured (calibration.h). Everything is an estimate.
#include <filesystem>
#include <optional>
#include <string>

#include "sim/cost/calibration.h"
#include "sim/cost/disk_room.h"
#include "sim/cost/log_size.h"
#include "sim/timeline/timeline.h"

namespace retrace {

/// What a run writes beside what its configuration says.
struct run_files {
    std::optional<std::uint64_t> timeline_max = timeline_options::default_bytes; ///< none: no timeline.json
    struct waves_file {
        std::string file;
        std::uint64_t max_bytes = 0;
        bool all = true; ///< all engines over the whole run
    };
    std::optional<waves_file> waves; ///< none: no waves were asked for
};

/// Steps and evaluated rows, of a data file of so many rows.
run_length length_of(const run_config& config, std::size_t data_rows);

/// The disk that a training run needs.
disk_needs needs_of(const run_config& config, const plan& p, const run_length& length, const run_files& files = {});

struct run_cost {
    run_length length;
    log_size log;
    disk_needs disk;
    run_files files;
    std::uint64_t cycles = 0; ///< measured steps times their number, or what the plan predicts
    // Of the measurement; 0 without one.
    double start_seconds = 0, step_seconds = 0, logged_seconds = 0, evaluation_seconds = 0, end_seconds = 0;
    std::uint64_t memory_bytes = 0;
    std::uint64_t wave_bytes = 0; ///< of all engines over the whole run, without a limit
    double wall_seconds() const {
        return start_seconds + static_cast<double>(length.steps) * step_seconds + logged_seconds + evaluation_seconds + end_seconds;
    }
};

run_cost cost_of(const run_config& config, const plan& p, const run_length& length, const run_files& files,
                 const std::optional<calibration>& measured);

/// A table for people. `no_calibration`: why there are no measurements; `out`: the run's folder, and what is free there.
std::string describe(const run_cost& cost, const run_config& config, const std::optional<calibration>& measured,
                     const std::string& no_calibration, const std::filesystem::path& out, const disk_room& room);

} // namespace retrace
