// `retrace plan`: what a run will do, and what it will cost.
#include <cstdio>
#include <optional>
#include <unistd.h>

#include <fmt/format.h>

#include "sim/cli/commands.h"
#include "sim/cli/stop_signals.h"
#include "sim/cli/timeline_file.h"
#include "sim/cli/training_run.h"
#include "sim/cli/waves.h"
#include "sim/config/load.h"
#include "sim/cost/run_cost.h"
#include "sim/platform/array_choice.h"

namespace retrace::cli {

namespace {

/// A line on the terminal while something takes a second or two; wiped away at the end.
class passing_note {
public:
    explicit passing_note(const char* text) : shown_(isatty(STDERR_FILENO) != 0) {
        if (shown_)
            fmt::print(stderr, "{}", text);
        std::fflush(stderr);
    }
    ~passing_note() {
        if (shown_)
            fmt::print(stderr, "\r\033[K");
    }
    passing_note(const passing_note&) = delete;
    passing_note& operator=(const passing_note&) = delete;

private:
    bool shown_;
};

} // namespace

int plan(const plan_options& options) {
    if (!options.first_steps.empty()) {
        run_first_steps(options.first_steps, options.first_steps_seconds.at(0), options.first_steps_seconds.at(1));
        return success;
    }
    loaded_config loaded = load_config(options.config, options.overrides);
    run_config& config = loaded.config;
    if (!options.array.empty())
        config.npu.array.implementation = options.array;
    run_files files;
    const std::optional<timeline_options> timeline = timeline_choice("", options.timeline_max);
    files.timeline_max = timeline ? std::optional(timeline->max_bytes) : std::nullopt;
    if (const auto waves = wave_choice(options.waves, config.npu))
        files.waves = {waves->file, waves->max_bytes,
                       waves->scopes.empty() && waves->trigger.empty() && waves->start == 0 && waves->stop == ~std::uint64_t{0}};
    const retrace::plan p = plan_of(config);
    fmt::print("{}", describe(p));
    if (options.programs)
        for (const compiler::compiled_kernel& k : p.kernels)
            fmt::print("\n{}:\n{}", k.name, compiler::disassemble(k));
    std::fflush(stdout);

    check_array_choice(config.npu);
    const dataset data = load_data(config);
    check_data_rows(loaded, data.rows());
    const run_length length = length_of(config, data.rows());
    const std::filesystem::path out = options.out.empty() ? std::filesystem::path("out") / config.name : std::filesystem::path(options.out);
    const disk_needs needs = needs_of(config, p, length, files);
    std::optional<calibration> measured;
    std::string reason = "--no-calibration";
    if (!options.no_calibration) {
        const passing_note note("measuring the first steps, about two seconds (--no-calibration leaves that out) ...");
        try {
            measured = calibrate(config);
        } catch (const calibration_interrupted& e) {
            return 128 + e.signal();
        } catch (const calibration_error& e) {
            reason = std::string("the first steps could not be measured: ") + e.what();
        }
    }
    fmt::print("\n{}", describe(cost_of(config, p, length, files, measured), config, measured, reason, out, room_for(out)));
    std::fflush(stdout);
    check_room(out, needs); // as `train` would refuse it
    return success;
}

} // namespace retrace::cli
