#include <filesystem>

#include <fmt/format.h>

#include "sim/cli/commands.h"
#include "sim/cli/run_status.h"
#include "sim/cli/stop_signals.h"
#include "sim/cli/training_run.h"
#include "sim/cli/waves.h"
#include "sim/config/load.h"
#include "sim/cost/run_cost.h"
#include "sim/log/sqlite_log.h"
#include "sim/log/tensor_names.h"
#include "sim/platform/array_choice.h"
#include "sim/report/html_report.h"
#include "sim/report/progress.h"
#include "sim/report/run_folder.h"
#include "sim/report/step_log.h"
#include "sim/cli/timeline_file.h"

namespace retrace::cli {

namespace {

/// Everything that a run needs, checked; nothing on the disk has been touched.
struct prepared_run {
    run_config config;
    std::optional<wave_settings> waves;
    dataset data;
    retrace::plan plan;
};

prepared_run prepare(const train_options& options) {
    loaded_config loaded = load_config(options.config, options.overrides);
    npu_config& npu = loaded.config.npu;
    if (!options.array.empty())
        npu.array.implementation = options.array;
    for (const std::string& window : options.array_windows)
        npu.array.windows.push_back(parse_array_window(window));
    std::optional<wave_settings> waves = wave_choice(options.waves, npu);
    check_array_choice(npu);
    dataset data = load_data(loaded.config);
    check_data_rows(loaded, data.rows());
    retrace::plan plan = plan_of(loaded.config);
    return {std::move(loaded.config), std::move(waves), std::move(data), std::move(plan)};
}

/// The run with its waves, if there are to be any.
class watched_run {
public:
    watched_run(prepared_run& p, trace::event_sink* log) : prepared_(p), names_(log), sink_(p.waves ? &names_ : log) {}

    /// Opens the device. `marker`: of the waves.
    void open(const std::optional<failure_point>& marker) {
        run_.emplace(prepared_.config, prepared_.plan, std::move(prepared_.data), sink_, [&](simulated_port& port) -> std::shared_ptr<void> {
            if (!prepared_.waves)
                return {};
            port.probes().name_tensors([this](std::uint32_t tag) { return names_.name(tag); });
            auto session = std::make_shared<wave_session>(*prepared_.waves, port);
            if (marker)
                session->mark(*marker);
            waves_ = session;
            return session;
        });
    }
    training_run* operator->() { return &*run_; }
    bool opened() const { return run_.has_value(); }
    std::shared_ptr<wave_session> waves() const { return waves_.lock(); }
    /// Where it failed.
    std::optional<failure_point> failure(const std::exception& error) { return locate(error, run_ ? &run_->platform() : nullptr); }

private:
    prepared_run& prepared_;
    tensor_names names_;
    trace::event_sink* sink_;
    std::weak_ptr<wave_session> waves_;
    std::optional<training_run> run_;
};

std::string describe(const run_progress& r, double seconds) {
    return fmt::format("epoch {}/{}  loss {:.4f}  accuracy {:5.1f} %  {:.1f} M cycles  {:.2f} M cycles/s", r.epoch, r.epochs, r.loss, 100 * r.accuracy,
                       static_cast<double>(r.cycles) / 1e6, static_cast<double>(r.cycles) / 1e6 / seconds);
}

/// Does what a failed run has done, for its waves alone.
int train_again(prepared_run& p, const failure_point& expected, bool quiet) {
    const stop_signals stoppable;
    const stopwatch watch;
    watched_run run(p, nullptr);
    progress_line line(!quiet);
    try {
        run.open(expected);
        run->execute([&](const run_progress& r) { line.show(r.step, r.steps, "running again: " + describe(r, watch.wall())); });
    } catch (const simulation_interrupted&) {
        throw;
    } catch (const std::exception& e) {
        line.finish();
        return judge_again(expected, run.failure(e));
    }
    return judge_again(expected, std::nullopt);
}

} // namespace

int train(const train_options& options) {
    // The data is read before anything is planned or created: a bad file leaves no trace.
    prepared_run prepared = prepare(options);
    const run_config& config = prepared.config;
    if (const auto failure = expected_failure(options.waves))
        return train_again(prepared, *failure, options.quiet);
    const std::optional<timeline_options> timeline = timeline_choice(options.timeline_steps, options.timeline_max);
    const std::filesystem::path out = options.out.empty() ? std::filesystem::path("out") / config.name : std::filesystem::path(options.out);
    run_folder::check(out);
    run_folder::check_outside(out, options.config);
    run_folder::check_outside(out, config.data.file);
    run_files files;
    files.timeline_max = timeline ? std::optional(timeline->max_bytes) : std::nullopt;
    if (prepared.waves)
        files.waves = {prepared.waves->file, prepared.waves->max_bytes};
    check_room(out, needs_of(config, prepared.plan, length_of(config, prepared.data.rows()), files));

    run_folder folder(out);
    folder.write("config.resolved.yaml", to_yaml(config));
    std::unique_ptr<sqlite_log> log;
    if (config.log.events)
        log = std::make_unique<sqlite_log>(folder.file("events.sqlite").string(),
                                           std::vector<std::uint32_t>(config.log.steps.begin(), config.log.steps.end()));

    watched_run run(prepared, log.get());
    run_summary summary;
    const stopwatch watch;
    const auto write_summary = [&] {
        summary.command = "train";
        summary.name = config.name;
        summary.config_sha256 = config_sha256(config);
        summary.wall_seconds = watch.wall();
        summary.cpu_seconds = watch.cpu();
        folder.write("summary.json", to_json(summary));
    };
    try {
        const stop_signals stoppable;
        run.open(std::nullopt);
        if (log)
            describe_machine(*log, config.npu, run->platform().device().dram());
        step_log steps(folder.file("steps.csv"));
        progress_line line(!options.quiet);
        run->execute([&](const run_progress& r) {
            steps.add({r.step, r.epoch, r.loss, r.accuracy, r.cycles});
            line.show(r.step, r.steps, describe(r, watch.wall()));
        });
        line.finish();
        summary = run->summarise();
        if (log)
            log->close();
    } catch (const std::exception& e) {
        // The report of a run that did not end says how far it came; the error itself goes on.
        if (run.opened())
            summary = run->summarise_device();
        summary.status = status_of(e);
        summary.reason = e.what();
        attempt(write_summary);
        if (log)
            attempt([&] { log->close(); });
        const std::shared_ptr<wave_session> waves = run.waves();
        const std::optional<failure_point> point = run.failure(e);
        if (waves && point)
            waves->mark(*point);
        if (waves)
            attempt([&] { waves->finish(); });
        try_write_report(out);
        try_draw_timeline(folder, log.get(), timeline);
        if (point && !options.waves.no_failure_waves && !(waves && waves->covers(point->cycle)))
            record_failure(out, *point, config.npu);
        throw;
    }
    write_summary();
    const bool reported = try_write_report(out);
    const bool drawn = try_draw_timeline(folder, log.get(), timeline);
    fmt::print(stderr, "{}", describe_unused_windows(config.npu.array, run->platform().tiles_in_windows(), run->platform().cycles()));
    const std::shared_ptr<wave_session> waves = run.waves();
    if (waves)
        waves->finish();
    if (options.quiet)
        return success;
    if (summary.test_accuracy)
        fmt::print("Test accuracy {:.2f} % on {} held-out rows; loss of the last step {:.4f}\n", 100 * *summary.test_accuracy,
                   config.data.test_rows, *summary.loss);
    fmt::print("Schedule {}: {} forward executions, {} cycles\n\n", summary.schedule, summary.forward_executions, summary.cycles);
    fmt::print("{}\n", describe(summary));
    fmt::print("Files in {}: {}summary.json, steps.csv{}{}, config.resolved.yaml\n", out.string(), reported ? "report.html, " : "",
               log ? ", events.sqlite" : "", drawn ? ", timeline.json" : "");
    if (waves && waves->draws())
        fmt::print("Waves in {}; look at them with: gtkwave {}.gtkw\n", prepared.waves->file, prepared.waves->file);
    return success;
}

} // namespace retrace::cli
