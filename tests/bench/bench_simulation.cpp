// Speed of whole simulations, measured from outside: every repetition is one run of the `retrace` program, in turn
// with what it is compared to.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <exception>
#include <filesystem>

#include <unistd.h>

#include <fmt/format.h>

#include "tests/bench/child.h"
#include "tests/bench/figures.h"
#include "tests/bench/references.h"

namespace retrace::bench {
namespace {

const figure_handle large_figure({"`retrace gemm` 1024^3 bf16, large, against sgemm", "", 0.3});
const figure_handle small_figure({"`retrace gemm` 1024^3 bf16, small, against sgemm", "", 0.05});
const figure_handle stepped_figure({"`retrace gemm` 512^3 bf16, small, stepped, k cycles/s", " k", 500});
const figure_handle log_figure({"event log at default detail, share of a run", " %", 10, bound::below});
const figure_handle waves_figure({"waves that are armed and idle, share of a run", " %", 5, bound::below});

constexpr int side = 1024;

child_run gemm(const std::string& preset, int n, const std::string& array) {
    const std::string size = std::to_string(n);
    return run_retrace({"gemm", "--m", size, "--k", size, "--n", size, "--preset", preset, "--dtype", "bf16",
                        "--array", array});
}

// From doorbell to completion, with values and exact cycles, beside single-precision products of the same size.
void simulation_gemm(benchmark::State& state, const std::string& preset, const figure_handle& figure) {
    if (!reference_products::instance().complete()) {
        state.SkipWithError("needs libopenblas0 and libdnnl2");
        return;
    }
    const double macs = 1.0 * side * side * side;
    reference_stopwatch reference(side);
    double best = 0;
    try {
        for (auto _ : state) {
            const double rate = gemm(preset, side, "kernel").summary["run"]["macs_per_cpu_second"];
            for (int i = 0; i < 3; ++i) // the child has had the caches: the first call finds them cold
                reference.run();
            best = std::max(best, rate);
            state.SetIterationTime(macs / rate);
        }
    } catch (const std::exception& error) {
        state.SkipWithError(error.what());
        return;
    }
    const double ratio = best * reference.best_seconds() / macs;
    state.counters["G_macs_per_second"] = best * 1e-9;
    state.counters["ratio"] = ratio;
    state.SetLabel(reference.describe());
    figure.measured(ratio, fmt::format("{:.1f} G MAC/s; {}", best * 1e-9, reference.describe()));
}
BENCHMARK_CAPTURE(simulation_gemm, large, "large", large_figure)
    ->Iterations(12)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(simulation_gemm, small, "small", small_figure)
    ->Iterations(8)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

void simulation_stepped(benchmark::State& state) {
    double best = 0;
    try {
        for (auto _ : state) {
            const nlohmann::json run = gemm("small", 512, "stepped").summary["run"];
            const double rate = run["simulated_cycles_per_cpu_second"];
            best = std::max(best, rate);
            state.SetIterationTime(run["cpu_seconds"]);
        }
    } catch (const std::exception& error) {
        state.SkipWithError(error.what());
        return;
    }
    state.counters["cycles"] = best;
    stepped_figure.measured(best * 1e-3, "whole simulation");
}
BENCHMARK(simulation_stepped)->Iterations(5)->UseManualTime()->Unit(benchmark::kMillisecond);

// What the log adds to the digits example, in CPU time of the whole process, so that opening, indices and closing
// count. Machines wander within the seconds that the example takes: short runs alternate many times, and their best
// times make up the example's 60 steps (12 epochs of 5 batches), of which the first two log their tiles. Without timeline.json, which is
// drawn from the log afterwards.
void event_log_share(benchmark::State& state) {
    constexpr int steps = 60, few = 2, some = 20;
    const std::string config = (examples() / "digits" / "recompute.yaml").string();
    struct variant {
        int steps;
        const char* log;
        double best = 1e30;
    };
    variant none_few{few, "log.events=false"}, none{some, "log.events=false"}, commands_few{few, "log.steps=[]"},
        commands{some, "log.steps=[]"}, tiles{few, "log.steps=[1, 2]"};
    try {
        for (auto _ : state) {
            double all = 0;
            for (variant* v : {&none_few, &none, &commands_few, &commands, &tiles}) {
                const double now = run_retrace({"train", config, "--set", "training.epochs=null", "--set",
                                                "training.steps=" + std::to_string(v->steps), "--set", v->log, "--timeline-max", "0"})
                                       .cpu_seconds;
                v->best = std::min(v->best, now);
                all += now;
            }
            state.SetIterationTime(all);
        }
    } catch (const std::exception& error) {
        state.SkipWithError(error.what());
        return;
    }
    const double step = (none.best - none_few.best) / (some - few);
    const double without = none.best + (steps - some) * step;
    // What opening and closing take is there once, whatever the number of steps.
    const double log_of_few = commands_few.best - none_few.best, log_of_some = commands.best - none.best;
    const double command_log = std::max(0.0, log_of_few + (steps - few) * (log_of_some - log_of_few) / (some - few));
    const double tile_log = std::max(0.0, tiles.best - commands_few.best);
    const double share = 100 * (command_log + tile_log) / (without + command_log + tile_log);
    state.counters["seconds_without"] = without;
    state.counters["seconds_commands"] = command_log;
    state.counters["seconds_tiles"] = tile_log;
    state.counters["share_percent"] = share;
    log_figure.measured(share, fmt::format("digits/recompute.yaml, {} steps composed of runs of {} and {}: {:.2f} s, and "
                                           "{:.2f} s for commands, {:.2f} s for tiles of 2 steps",
                                           steps, few, some, without, command_log, tile_log));
}
BENCHMARK(event_log_share)->Iterations(9)->UseManualTime()->Unit(benchmark::kSecond);

// Waves that wait: for a window that is far away, and for a trigger that does not come.
void armed_waves_share(benchmark::State& state) {
    const std::string config = (examples() / "digits" / "recompute.yaml").string();
    const std::filesystem::path file = std::filesystem::temp_directory_path() / fmt::format("retrace-bench-{}.fst", getpid());
    const std::vector<std::string> common{"train", config, "--set", "training.epochs=null", "--set", "training.steps=8", "--set", "log.events=false"};
    struct variant {
        std::vector<std::string> more;
        double best = 1e30;
    };
    variant none{{}}, window{{"--waves", file.string(), "--wave-start", "1000000000000"}},
        trigger{{"--waves", file.string(), "--wave-trigger", "npu0.dma0.fault"}};
    try {
        for (auto _ : state) {
            double all = 0;
            for (variant* v : {&none, &window, &trigger}) {
                std::vector<std::string> arguments = common;
                arguments.insert(arguments.end(), v->more.begin(), v->more.end());
                const double now = run_retrace(arguments).cpu_seconds;
                v->best = std::min(v->best, now);
                all += now;
            }
            state.SetIterationTime(all);
        }
    } catch (const std::exception& error) {
        state.SkipWithError(error.what());
        return;
    }
    for (const char* suffix : {"", ".gtkw", ".filters", ".blocks"})
        std::filesystem::remove_all(file.string() + suffix);
    const auto share = [&](const variant& v) { return 100 * std::max(0.0, v.best / none.best - 1); };
    state.counters["window_percent"] = share(window);
    state.counters["trigger_percent"] = share(trigger);
    waves_figure.measured(std::max(share(window), share(trigger)),
                          fmt::format("8 steps of digits/recompute.yaml, {:.2f} s: {:.1f} % for a window to come, {:.1f} % for a trigger", none.best,
                                      share(window), share(trigger)));
}
BENCHMARK(armed_waves_share)->Iterations(15)->UseManualTime()->Unit(benchmark::kSecond);

} // namespace
} // namespace retrace::bench
