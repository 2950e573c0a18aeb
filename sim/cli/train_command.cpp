#include <filesystem>

#include <fmt/format.h>

#include "sim/cli/commands.h"
#include "sim/cli/run_status.h"
#include "sim/cli/stop_signals.h"
#include "sim/cli/training_run.h"
#include "sim/config/load.h"
#include "sim/log/sqlite_log.h"
#include "sim/platform/array_choice.h"
#include "sim/report/html_report.h"
#include "sim/report/progress.h"
#include "sim/report/run_folder.h"
#include "sim/report/step_log.h"
#include "sim/cli/timeline_file.h"

namespace retrace::cli {

int train(const train_options& options) {
    loaded_config loaded = load_config(options.config, options.overrides);
    run_config& config = loaded.config;
    if (!options.array.empty())
        config.npu.array.implementation = options.array;
    for (const std::string& window : options.array_windows)
        config.npu.array.windows.push_back(parse_array_window(window));
    check_array_choice(config.npu);
    const std::optional<timeline_options> timeline = timeline_choice(options.timeline_steps, options.timeline_max);
    // The data is read before anything is planned or created: a bad file leaves no trace.
    dataset data = load_data(config);
    check_data_rows(loaded, data.rows());
    const retrace::plan p = plan_of(config);
    const std::filesystem::path out = options.out.empty() ? std::filesystem::path("out") / config.name : std::filesystem::path(options.out);
    run_folder::check(out);
    run_folder::check_outside(out, options.config);
    run_folder::check_outside(out, config.data.file);

    run_folder folder(out);
    folder.write("config.resolved.yaml", to_yaml(config));
    std::unique_ptr<sqlite_log> log;
    if (config.log.events)
        log = std::make_unique<sqlite_log>(folder.file("events.sqlite").string(),
                                           std::vector<std::uint32_t>(config.log.steps.begin(), config.log.steps.end()));

    training_run run(config, p, std::move(data), log.get());
    if (log)
        describe_machine(*log, config.npu, run.platform().device().dram());
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
        step_log steps(folder.file("steps.csv"));
        progress_line line(!options.quiet);
        run.execute([&](const run_progress& r) {
            steps.add({r.step, r.epoch, r.loss, r.accuracy, r.cycles});
            line.show(r.step, r.steps,
                      fmt::format("epoch {}/{}  loss {:.4f}  accuracy {:5.1f} %  {:.1f} M cycles  {:.2f} M cycles/s", r.epoch, r.epochs, r.loss,
                                  100 * r.accuracy, static_cast<double>(r.cycles) / 1e6, static_cast<double>(r.cycles) / 1e6 / watch.wall()));
        });
        line.finish();
        summary = run.summarise();
    } catch (const std::exception& e) {
        // The report of a run that did not end says how far it came; the error itself goes on.
        summary = run.summarise_device();
        summary.status = status_of(e);
        summary.reason = e.what();
        try {
            write_summary();
            draw_timeline(folder, log.get(), timeline);
        } catch (const std::exception&) {
            // The first error is the one to know.
        }
        try_write_report(out);
        throw;
    }
    if (log)
        log->close();
    write_summary();
    draw_timeline(folder, log.get(), timeline);
    const bool reported = try_write_report(out);
    fmt::print(stderr, "{}", describe_unused_windows(config.npu.array, run.platform().tiles_in_windows(), run.platform().cycles()));
    if (options.quiet)
        return success;
    if (summary.test_accuracy)
        fmt::print("Test accuracy {:.2f} % on {} held-out rows; loss of the last step {:.4f}\n", 100 * *summary.test_accuracy,
                   config.data.test_rows, *summary.loss);
    fmt::print("Schedule {}: {} forward executions, {} cycles\n\n", summary.schedule, summary.forward_executions, summary.cycles);
    fmt::print("{}\n", describe(summary));
    fmt::print("Files in {}: {}summary.json, steps.csv{}{}, config.resolved.yaml\n", out.string(), reported ? "report.html, " : "",
               log ? ", events.sqlite" : "", log && timeline ? ", timeline.json" : "");
    return success;
}

int plan(const plan_options& options) {
    const loaded_config loaded = load_config(options.config, options.overrides);
    const retrace::plan p = plan_of(loaded.config);
    fmt::print("{}", describe(p));
    if (options.programs)
        for (const compiler::compiled_kernel& k : p.kernels)
            fmt::print("\n{}:\n{}", k.name, compiler::disassemble(k));
    return success;
}

} // namespace retrace::cli
