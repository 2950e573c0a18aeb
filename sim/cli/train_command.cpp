#include <filesystem>

#include <fmt/format.h>

#include "sim/cli/commands.h"
#include "sim/cli/training_run.h"
#include "sim/config/load.h"
#include "sim/log/sqlite_log.h"
#include "sim/report/progress.h"
#include "sim/report/run_folder.h"

namespace retrace::cli {

int train(const train_options& options) {
    loaded_config loaded = load_config(options.config, options.overrides);
    run_config& config = loaded.config;
    if (!options.array.empty())
        config.npu.array.implementation = options.array;
    // The data is read before anything is planned or created, and again by the run itself: a bad file leaves no trace.
    const dataset_description description{config.net.features(0), config.data.classes, static_cast<float>(config.data.scale)};
    check_data_rows(loaded, dataset::load(config.data.file, description).rows());
    const retrace::plan p = plan_of(config);
    const std::filesystem::path out = options.out.empty() ? std::filesystem::path("out") / config.name : std::filesystem::path(options.out);
    run_folder::check(out);

    const stopwatch watch;
    run_folder folder(out);
    folder.write("config.resolved.yaml", to_yaml(config));
    std::unique_ptr<sqlite_log> log;
    if (config.log.events)
        log = std::make_unique<sqlite_log>(folder.file("events.sqlite").string(),
                                           std::vector<std::uint32_t>(config.log.steps.begin(), config.log.steps.end()));

    training_run run(config, p, log.get());
    progress_line line(!options.quiet);
    run.execute([&](const run_progress& r) {
        line.show(r.step, r.steps,
                  fmt::format("epoch {}/{}  loss {:.4f}  accuracy {:5.1f} %  {:.1f} M cycles  {:.2f} M cycles/s", r.epoch, r.epochs, r.loss,
                              100 * r.accuracy, static_cast<double>(r.cycles) / 1e6, static_cast<double>(r.cycles) / 1e6 / watch.wall()));
    });
    line.finish();

    run_summary summary = run.summarise();
    summary.config_sha256 = config_sha256(config);
    summary.wall_seconds = watch.wall();
    summary.cpu_seconds = watch.cpu();
    folder.write("summary.json", to_json(summary));
    if (options.quiet)
        return success;
    if (summary.test_accuracy)
        fmt::print("Test accuracy {:.2f} % on {} held-out rows; loss of the last step {:.4f}\n", 100 * *summary.test_accuracy,
                   config.data.test_rows, *summary.loss);
    fmt::print("Schedule {}: {} forward executions, {} cycles\n\n", summary.schedule, summary.forward_executions, summary.cycles);
    fmt::print("{}\n", describe(summary));
    fmt::print("Files in {}: summary.json{}, config.resolved.yaml\n", out.string(), log ? ", events.sqlite" : "");
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
