#pragma once
// The subcommands of the program, one function each: what CLI11 parsed goes in, an exit code comes out. They throw; main() turns
// exceptions into messages and exit codes (architecture, "Errors: whose fault is it?").
#include <cstdint>
#include <string>
#include <vector>

#include "sim/cli/wave_options.h"

namespace retrace::cli {

enum exit_code : int { success = 0, program_fault = 1, usage_fault = 2, hang = 3, model_fault = 4 };

struct train_options {
    std::string config;
    std::vector<std::string> overrides;
    std::string out;   ///< empty: out/<config name>
    std::string array; ///< empty: as configured
    std::vector<std::string> array_windows; ///< START:STOP=ARRAY
    std::string timeline_steps;             ///< empty: as logged
    std::string timeline_max = "50MB";      ///< 0: no timeline
    wave_options waves;
    bool quiet = false;
};
int train(const train_options& options);

struct plan_options {
    std::string config;
    std::vector<std::string> overrides;
    bool programs = false; ///< also list the engine programs
    // As for train.
    std::string out, array, timeline_max = "50MB";
    wave_options waves;
    bool no_calibration = false; ///< do not run the first steps
    std::string first_steps;     ///< folder: run first steps, and say there what they took (sim/cost/calibration.h)
    std::vector<double> first_steps_seconds{1.2, 2.5};
};
int plan(const plan_options& options);

struct prove_options {
    std::string run; ///< folder of a training run
};
/// Holds the run's event log against what its schedule promises (sim/proof/proof.h); program_fault if a claim fails.
int prove(const prove_options& options);

struct inspect_options {
    std::string run;                    ///< a run's folder, or an event log
    std::vector<std::string> question;  ///< none: what can be asked; one with a blank: SQL; otherwise a ready question and its arguments
    std::string memory;                 ///< who-wrote; empty: every memory
    std::uint64_t limit = 0;            ///< rows; 0: as many as suit the question
};
/// Asks a run's event log (sim/timeline/inspect.h).
int inspect(const inspect_options& options);

struct report_options {
    std::string run;
    std::string out; ///< empty: report.html in the run's folder
};
/// Makes the page of a run again from its folder (sim/report/html_report.h).
int report(const report_options& options);

struct compare_options {
    std::string first, second;
    std::string out; ///< empty: compare.html
};
/// Two runs side by side, as a table and as a page.
int compare(const compare_options& options);

struct gemm_options {
    std::uint32_t m = 0, k = 0, n = 0;
    std::string preset = "small", dtype = "bf16";
    std::vector<std::string> overrides;
    std::string array; ///< empty: as configured
    std::vector<std::string> array_windows; ///< START:STOP=ARRAY
    std::string out;   ///< empty: out/gemm
    std::uint64_t seed = 1;
    std::string timeline_steps;        ///< empty: commands only
    std::string timeline_max = "50MB"; ///< 0: no timeline
    wave_options waves;
    bool serial = false, quiet = false;
};
int gemm(const gemm_options& options);

struct core_options {
    std::string elf;
    std::uint64_t limit = 1'000'000'000;
    std::uint64_t memory_bytes = 16u << 20;
    std::string signature; ///< file for the words from begin_signature to end_signature; empty: none
    bool trace = false;    ///< a line per instruction on standard output
};
int core(const core_options& options);

struct cosim_options {
    std::uint64_t seed = 1, count = 40;
    unsigned jobs = 0; ///< 0: as many as there are processors
    std::string array = "lockstep", out, case_file;
    std::string fault; ///< of seeded_faults(); empty: none
    unsigned shrink = 3;
    wave_options waves;
    bool worker = false, quiet = false; ///< worker: this process runs one case itself
};
/// The co-simulation regression (sim/cosim/regression.h): random programs on the whole device against an untimed reference.
int cosim(const cosim_options& options);

struct fma_options {
    std::string file;               ///< vectors in Berkeley TestFloat's text format; empty: the built-in sweep
    std::uint64_t sweep = 1'000'000; ///< triples
    std::uint64_t seed = 1;
};
/// Checks the multiply-add of every array of this build; model_fault if one is wrong.
int fma(const fma_options& options);

int help(const std::string& topic);

} // namespace retrace::cli
