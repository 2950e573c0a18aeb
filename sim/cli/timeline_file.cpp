#include "sim/cli/timeline_file.h"

#include <algorithm>

#include <fmt/format.h>

#include "sim/config/config_error.h"
#include "sim/config/quantity.h"

namespace retrace::cli {

std::optional<timeline_options> timeline_choice(const std::string& steps, const std::string& bytes) {
    timeline_options choice;
    try {
        if (!steps.empty())
            choice.steps = step_set(steps);
    } catch (const value_error& e) {
        throw config_error("--timeline-steps", e.what());
    }
    try {
        choice.max_bytes = parse_bytes(bytes);
    } catch (const value_error& e) {
        throw config_error("--timeline-max", e.what());
    }
    if (choice.max_bytes == 0)
        return std::nullopt;
    if (choice.max_bytes < timeline_options::least_bytes)
        throw config_error("--timeline-max", fmt::format("{} bytes hold no timeline: at least {}, or 0 for none",
                                                         choice.max_bytes, timeline_options::least_bytes));
    return choice;
}

void draw_timeline(const run_folder& folder, sqlite_log* log, const std::optional<timeline_options>& choice) {
    if (log)
        log->close();
    if (!log || !choice)
        return;
    const timeline_result result =
        write_timeline(folder.file("events.sqlite").string(), folder.file("timeline.json").string(), *choice);
    std::string text = result.left_out;
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        fmt::print(stderr, "timeline.json: {}\n", text.substr(0, end));
        text.erase(0, end == std::string::npos ? end : end + 1);
    }
}

bool try_draw_timeline(const run_folder& folder, sqlite_log* log, const std::optional<timeline_options>& choice) {
    try {
        draw_timeline(folder, log, choice);
        return log && choice;
    } catch (const std::exception& e) {
        fmt::print(stderr, "retrace: no timeline.json: {}\n", e.what());
    }
    return false;
}

} // namespace retrace::cli
