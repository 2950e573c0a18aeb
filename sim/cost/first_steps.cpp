// The process that calibrate() starts: a training run as `retrace train` runs it, that ends early and says what it took.
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/time.h>
#include <time.h>

#include "sim/cli/training_run.h"
#include "sim/config/load.h"
#include "sim/cost/calibration.h"
#include "sim/cost/run_cost.h"
#include "sim/log/sqlite_log.h"
#include "sim/platform/array_choice.h"
#include "sim/report/html_report.h"
#include "sim/report/run_folder.h"
#include "sim/report/step_log.h"
#include "sim/timeline/machine.h"
#include "sim/timeline/timeline.h"

namespace retrace {

namespace {

constexpr std::uint64_t enough_steps = 3; ///< one that warms up, one at tile level, one that is neither

double now() {
    timespec t{};
    clock_gettime(CLOCK_MONOTONIC, &t);
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

/// The largest resident memory so far of this process alone (ru_maxrss would hold the parent's too).
std::uint64_t peak_memory() {
    std::ifstream in("/proc/self/status");
    std::string line;
    unsigned long long kilobytes = 0;
    while (std::getline(in, line))
        if (std::sscanf(line.c_str(), "VmHWM: %llu kB", &kilobytes) == 1)
            break;
    return kilobytes * 1024;
}

/// Breaks the simulation off at a time of the clock on the wall.
class alarm_clock {
public:
    explicit alarm_clock(double seconds) {
        std::signal(SIGALRM, [](int) { simulated_port::request_stop(); });
        itimerval timer{};
        timer.it_value.tv_sec = static_cast<time_t>(seconds);
        timer.it_value.tv_usec = static_cast<suseconds_t>((seconds - static_cast<double>(timer.it_value.tv_sec)) * 1e6);
        setitimer(ITIMER_REAL, &timer, nullptr);
    }
    ~alarm_clock() {
        const itimerval none{};
        setitimer(ITIMER_REAL, &none, nullptr);
        std::signal(SIGALRM, SIG_DFL);
    }
    alarm_clock(const alarm_clock&) = delete;
    alarm_clock& operator=(const alarm_clock&) = delete;
};

std::uint64_t size_of(const std::filesystem::path& file) {
    std::error_code error;
    const std::uintmax_t bytes = std::filesystem::file_size(file, error);
    return error ? 0 : bytes;
}

} // namespace

void run_first_steps(const std::filesystem::path& folder, double seconds, double hard_seconds) {
    const double begin = now();
    run_config config = load_config((folder / "config.yaml").string()).config;
    check_array_choice(config.npu);
    dataset data = load_data(config);
    const plan p = plan_of(config);
    const std::uint64_t all_steps = length_of(config, data.rows()).steps;
    // One step at tile level tells what one takes, if the run has any: the second, because the first also warms up.
    const bool tiles = !config.log.steps.empty() && config.log.steps.front() <= all_steps;
    const std::uint32_t tile_step = all_steps > 1 ? 2 : 1;
    const run_folder out(folder / "run");
    out.write("config.resolved.yaml", to_yaml(config));
    std::unique_ptr<sqlite_log> log;
    if (config.log.events)
        log = std::make_unique<sqlite_log>(out.file("events.sqlite").string(),
                                           tiles ? std::vector<std::uint32_t>{tile_step} : std::vector<std::uint32_t>{});

    const alarm_clock alarm(hard_seconds);
    calibration c;
    std::optional<training_run> opened;
    try {
        opened.emplace(config, p, std::move(data), log.get());
    } catch (const simulation_interrupted&) {
        throw calibration_error(fmt::format("the start alone, before the first step, takes more than {} s", hard_seconds));
    }
    training_run& run = *opened;
    if (log)
        describe_machine(*log, config.npu, run.platform().device().dram());
    c.start_cycles = run.platform().cycles();
    const double started = now();
    c.start_seconds = started - begin;
    double last = started, first_step = 0, plain = 0;
    std::uint64_t plain_steps = 0, cycles = c.start_cycles;
    run_summary summary;
    {
        step_log steps(out.file("steps.csv"));
        try {
            run.execute([&](const run_progress& r) {
                steps.add({r.step, r.epoch, r.loss, r.accuracy, r.cycles});
                const double time = now(), took = time - last;
                last = time;
                cycles = r.cycles;
                c.steps = r.step;
                if (log && tiles && r.step == tile_step) {
                    c.logged_step_seconds = took;
                    c.tile_steps = 1;
                } else if (r.step == 1) {
                    first_step = took;
                } else {
                    plain += took;
                    ++plain_steps;
                }
                if (time - started > seconds && r.step >= enough_steps)
                    simulated_port::request_stop();
            });
        } catch (const simulation_interrupted&) {
            // That was the plan.
        }
    }
    if (c.steps == 0) {
        c.part_of_step = static_cast<double>(run.platform().cycles() - c.start_cycles) /
                         static_cast<double>(std::max<std::uint64_t>(1, p.training.predicted_cycles));
        c.step_seconds = now() - started;
    } else {
        c.step_cycles = (cycles - c.start_cycles) / c.steps;
        c.step_seconds = plain_steps != 0 ? plain / static_cast<double>(plain_steps) : first_step != 0 ? first_step : c.logged_step_seconds;
    }
    c.run_peak_bytes = peak_memory();

    double ending = now();
    summary = run.summarise_device();
    summary.command = "train";
    summary.name = config.name;
    summary.config_sha256 = config_sha256(config);
    summary.status = "interrupted";
    out.write("summary.json", to_json(summary));
    if (log) {
        log->close();
        c.log_bytes = size_of(out.file("events.sqlite"));
        write_timeline(out.file("events.sqlite").string(), out.file("timeline.json").string(), {});
        c.timeline_bytes = size_of(out.file("timeline.json"));
    }
    c.log_end_seconds = now() - ending;
    ending = now();
    write_report(folder / "run");
    c.report_seconds = now() - ending;
    c.peak_bytes = peak_memory();

    const nlohmann::json j{{"steps", c.steps},
                           {"part_of_step", c.part_of_step},
                           {"start_cycles", c.start_cycles},
                           {"step_cycles", c.step_cycles},
                           {"start_seconds", c.start_seconds},
                           {"step_seconds", c.step_seconds},
                           {"logged_step_seconds", c.logged_step_seconds},
                           {"log_end_seconds", c.log_end_seconds},
                           {"report_seconds", c.report_seconds},
                           {"log_bytes", c.log_bytes},
                           {"timeline_bytes", c.timeline_bytes},
                           {"tile_steps", c.tile_steps},
                           {"run_peak_bytes", c.run_peak_bytes},
                           {"peak_bytes", c.peak_bytes}};
    std::ofstream file(folder / "calibration.json", std::ios::binary);
    file << j.dump();
    file.close();
    if (!file)
        throw calibration_error("the temporary folder cannot be written");
}

} // namespace retrace
