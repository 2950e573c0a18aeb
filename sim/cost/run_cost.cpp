#include "sim/cost/run_cost.h"

#include <algorithm>

#include <fmt/format.h>

#include "sim/cli/training_run.h"
#include "waves/wave_recorder.h"

namespace retrace {

namespace {

constexpr std::uint64_t write_cache_bytes = 32'000'000;    ///< PRAGMA cache_size of sqlite_log
constexpr std::uint64_t read_cache_bytes = 16'000'000;     ///< and of log_reader, when timeline and report are made
constexpr double seconds_per_tile_row = 1e-6;              ///< of the log, where no logged step was measured
constexpr double seconds_per_file_byte = 8e-9, telling_bytes = 5e6; ///< closing log and timeline, where that much was not measured

std::uint64_t tile_steps(const run_config& config, const run_length& length) {
    if (!config.log.events)
        return 0;
    return static_cast<std::uint64_t>(std::count_if(config.log.steps.begin(), config.log.steps.end(),
                                                    [&](std::uint64_t s) { return s >= 1 && s <= length.steps; }));
}

std::string duration_text(double seconds) {
    if (seconds < 9.95)
        return fmt::format("{:.{}f} s", seconds, seconds < 0.0995 ? 3 : seconds < 0.995 ? 2 : 1);
    if (seconds < 100)
        return fmt::format("{:.0f} s", seconds);
    if (seconds < 100 * 60)
        return fmt::format("{:.{}f} min", seconds / 60, seconds < 600 ? 1 : 0);
    if (seconds < 72 * 3600)
        return fmt::format("{:.1f} h", seconds / 3600);
    return fmt::format("{:.1f} days", seconds / 86400);
}

std::string cycles_text(std::uint64_t cycles) {
    const auto value = static_cast<double>(cycles);
    if (value < 1e6)
        return fmt::format("{}", cycles);
    return value < 1e9 ? fmt::format("{:.2f} M", value / 1e6) : fmt::format("{:.2f} G", value / 1e9);
}

void row(std::string& text, const char* name, const std::string& value, const std::string& remark) {
    text += fmt::format("  {:<14} {:>12}{}{}\n", name, value, remark.empty() ? "" : "   ", remark);
}

} // namespace

run_length length_of(const run_config& config, std::size_t data_rows) {
    const std::size_t rest = data_rows - std::min(data_rows, config.data.test_rows);
    return {steps_of(config, config.data.train_rows != 0 ? config.data.train_rows : rest), config.data.test_rows};
}

disk_needs needs_of(const run_config& config, const plan& p, const run_length& length, const run_files& files) {
    disk_needs needs;
    needs.other = other_bytes(length.steps);
    if (files.waves) {
        needs.waves = files.waves->max_bytes;
        needs.wave_file = files.waves->file;
    }
    if (!config.log.events)
        return needs;
    const log_size log = log_of_training(config, p, length);
    needs.log = log.bytes;
    needs.log_tiles = log.tile_bytes;
    if (files.timeline_max)
        needs.timeline = std::min(*files.timeline_max, log.timeline_bytes);
    return needs;
}

run_cost cost_of(const run_config& config, const plan& p, const run_length& length, const run_files& files,
                 const std::optional<calibration>& measured) {
    run_cost cost;
    // Instructions of all steps: those of the first, and what a second one adds for each of the others.
    run_config everything = config;
    everything.log.events = true;
    everything.log.steps = {0, 1, 2, 3};
    const auto instructions = [&](std::uint64_t steps) { return log_of_training(everything, p, {steps, length.test_rows}).rows.instructions; };
    const std::uint64_t one = instructions(1);
    cost.wave_bytes = wave_bytes(one + (length.steps - 1) * (instructions(2) - one), ~std::uint64_t{0});
    cost.length = length;
    cost.files = files;
    if (config.log.events)
        cost.log = log_of_training(config, p, length);
    cost.disk = needs_of(config, p, length, files);
    cost.cycles = predicted_cycles(p, length);
    if (!measured)
        return cost;
    const calibration& m = *measured;
    const auto steps = static_cast<double>(length.steps);
    const double predicted_step = static_cast<double>(std::max<std::uint64_t>(1, p.training.predicted_cycles));
    const double evaluation_steps = static_cast<double>(predicted_cycles(p, {0, length.test_rows})) / predicted_step;
    const double real_step = m.step_cycles != 0 ? static_cast<double>(m.step_cycles) : predicted_step;
    cost.cycles = m.start_cycles + static_cast<std::uint64_t>(real_step * (steps + evaluation_steps));
    cost.start_seconds = m.start_seconds;
    cost.step_seconds = m.steps != 0 ? m.step_seconds : m.step_seconds / std::max(1e-6, m.part_of_step);
    cost.evaluation_seconds = evaluation_steps * cost.step_seconds;
    if (const std::uint64_t logged = tile_steps(config, length)) {
        const double extra = m.logged_step_seconds != 0
                                 ? std::max(0.0, m.logged_step_seconds - m.step_seconds)
                                 : seconds_per_tile_row * static_cast<double>(cost.log.rows.tile_level()) / static_cast<double>(logged);
        cost.logged_seconds = static_cast<double>(logged) * extra;
    }
    // What closing a small log takes says nothing of what a large one will.
    const auto written = static_cast<double>(m.log_bytes + m.timeline_bytes);
    const auto to_write = static_cast<double>(cost.log.bytes + (files.timeline_max ? cost.log.timeline_bytes : 0));
    const double rate = written >= telling_bytes ? m.log_end_seconds / written : seconds_per_file_byte;
    cost.end_seconds = m.report_seconds + std::max(0.0, m.log_end_seconds + rate * (to_write - written));
    // What a step needs is there after the first one; what grows from then on is the log's page caches, up to their limits.
    cost.memory_bytes = m.peak_bytes;
    for (const std::uint64_t limit : {write_cache_bytes, read_cache_bytes})
        cost.memory_bytes += std::min(cost.log.bytes, limit) - std::min({cost.log.bytes, m.log_bytes, limit});
    return cost;
}

std::string describe(const run_cost& cost, const run_config& config, const std::optional<calibration>& measured,
                     const std::string& no_calibration, const std::filesystem::path& out, const disk_room& room) {
    const run_length& length = cost.length;
    std::string basis;
    if (measured && measured->steps != 0)
        basis = fmt::format("estimates, from its first {} on this computer",
                            measured->steps == 1 ? std::string("step") : fmt::format("{} steps", measured->steps));
    else if (measured)
        basis = fmt::format("estimates, from {:.0f} % of its first step on this computer", 100 * measured->part_of_step);
    else
        basis = fmt::format("estimates; no time and memory: {}", no_calibration);
    std::string text = fmt::format("What a run will cost ({})\n", basis);
    row(text, "steps", fmt::format("{}", length.steps), length.test_rows ? fmt::format("then {} rows are evaluated", length.test_rows) : "");
    row(text, "cycles", "about " + cycles_text(cost.cycles),
        measured && measured->step_cycles ? fmt::format("{} a step", cycles_text(measured->step_cycles))
                                          : "as the plan predicts, without contention");
    if (measured) {
        std::string parts = fmt::format("start {}, a step {}", duration_text(cost.start_seconds), duration_text(cost.step_seconds));
        if (cost.logged_seconds > 0)
            parts += fmt::format(", logged steps {} more", duration_text(cost.logged_seconds));
        if (cost.evaluation_seconds > 0)
            parts += fmt::format(", evaluation {}", duration_text(cost.evaluation_seconds));
        row(text, "wall time", "about " + duration_text(cost.wall_seconds()), parts + fmt::format(", files {}", duration_text(cost.end_seconds)));
        row(text, "memory", "about " + bytes_text(cost.memory_bytes), "of the simulator, at its peak");
    }
    if (config.log.events) {
        const std::uint64_t logged = tile_steps(config, length);
        row(text, "event log", "about " + bytes_text(cost.disk.log),
            logged ? fmt::format("of them {} for {} instruction by instruction (log.steps)", bytes_text(cost.disk.log_tiles),
                                 logged == 1 ? std::string("one step") : fmt::format("{} steps", logged))
                   : "commands only (log.steps)");
        if (cost.files.timeline_max)
            row(text, "timeline.json", "about " + bytes_text(cost.disk.timeline),
                fmt::format("at most {} (--timeline-max)", bytes_text(*cost.files.timeline_max)));
    } else {
        row(text, "event log", "none", "log.events is false");
    }
    row(text, "other files", "about " + bytes_text(cost.disk.other), "report.html, summary.json, steps.csv");
    const std::uint64_t limit = cost.files.waves ? cost.files.waves->max_bytes : wave_settings{}.max_bytes;
    const std::string waves = bytes_text(std::min(cost.wave_bytes, limit));
    if (!cost.files.waves)
        row(text, "waves", "none", fmt::format("with --waves about {} more (all engines; --wave-max: {}); the run takes several times as long", waves, bytes_text(limit)));
    else if (cost.files.waves->all)
        row(text, "waves", "about " + waves, fmt::format("at most {} (--wave-max); the run takes several times as long", bytes_text(limit)));
    else
        row(text, "waves", "at most " + bytes_text(limit), "--wave-max");
    row(text, "disk", "about " + bytes_text(cost.disk.total()),
        fmt::format("of {} that are free where {} lies{}", bytes_text(room.available()), out.string(),
                    room.replaced ? ", with what the earlier run there leaves" : ""));
    return text;
}

} // namespace retrace
