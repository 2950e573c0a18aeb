#pragma once
// The regression: many cases, each in a process of its own, several at a time; then the table, coverage, JUnit XML, and for what
// failed the facts, the command that reproduces it, and the smallest case that still fails.
//
// Files in the folder: summary.txt, junit.xml, coverage.json; per case seed_N/ with case.json, result.json, coverage.json,
// log.txt, and for a failure report.txt, shrunk.json and failure.fst, the waves before it (of the shrunk case, if there is one).
#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "sim/cosim/case_result.h"
#include "sim/cosim/coverage.h"

namespace retrace::cosim {

struct regression_options {
    std::uint64_t first_seed = 1, count = 1;
    unsigned jobs = 1;
    std::string array;
    std::filesystem::path out;
    std::optional<std::filesystem::path> case_file; ///< this case instead of seeds
    unsigned shrink = 3;                            ///< failures that are shrunk, the first ones
    unsigned shrink_trials = 400;
    bool quiet = false;
    bool waves = true;     ///< of the failures that are shrunk: run again for the cycles before the failure
    std::string wave_file = "failure.fst";
    std::chrono::milliseconds limit{300'000}; ///< of a case
    /// What runs a case: called with `cosim --worker --seed N --array A --out FOLDER`, or `--case FILE` for --seed. Default: this
    /// program.
    std::string program = "/proc/self/exe";
    std::vector<std::string> worker_arguments; ///< passed on to every worker, and part of the command that reproduces a failure
};

struct finished_case {
    case_result result;
    double seconds = 0;
    std::string log;       ///< what the worker said, its end
    std::string reproduce; ///< command
    std::string shrunk;    ///< command that runs the shrunk case; empty: none
    std::string report;    ///< everything about a failure
    std::string waves;     ///< command that shows the waves before it; empty: none
    std::string machine;   ///< "8x8, D 1", as far as known

    /// Commands and report of a failure; empty for a pass.
    std::string failure_text() const;
};

struct regression_result {
    std::vector<finished_case> cases; ///< in the order of seeds
    coverage covered;

    bool passed() const;
    /// 0, 3 (nothing worse than a hang) or 4.
    int exit_code() const;
};

/// The folder of the options is created or, if it holds an earlier run, replaced (run_folder_error). Throws processes_interrupted
/// when stopped by a signal; the results so far are written then too.
regression_result run_regression(const regression_options& options);

/// The table: cases by machine, then what failed.
std::string describe(const regression_result& r);

} // namespace retrace::cosim
