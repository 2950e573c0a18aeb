#include "sim/timeline/timeline.h"

#include <algorithm>

#include "sim/timeline/command_level.h"
#include "sim/timeline/tile_level.h"

namespace retrace {

namespace {

std::string megabytes(std::uint64_t bytes) {
    const std::uint64_t tenths = bytes / 100'000;
    return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " MB";
}

void read_tensor_names(drawing& d) {
    log_query q(d.log, "SELECT tag, name FROM tensor LIMIT 1000000");
    while (q.next())
        d.tensor_names[q.number(0)] = std::string(q.text(1).substr(0, 64));
}

step_set logged_steps(log_reader& log) {
    step_set steps;
    log_query q(log, "SELECT step FROM logged_step ORDER BY step LIMIT 1000000");
    std::uint64_t first = 0, last = 0;
    bool any = false;
    for (; q.next(); last = q.number(0), any = true) {
        if (any && q.number(0) == last + 1)
            continue;
        if (any)
            steps.add(first, last);
        first = q.number(0);
    }
    if (any)
        steps.add(first, last);
    return steps;
}

void name_processes(drawing& d) {
    d.out.process(drawing::host, "host");
    log_query q(d.log, "SELECT DISTINCT device FROM command ORDER BY device LIMIT 1000");
    while (q.next()) {
        const std::string npu = "npu" + std::to_string(q.number(0)) + " ";
        for (const auto& [process, name] : {std::pair{drawing::commands, "commands"},
                                            {drawing::engines, "engines"},
                                            {drawing::queues, "DMA queues"},
                                            {drawing::memory, "memory"},
                                            {drawing::link, "host link"}})
            d.out.process(drawing::pid(process, q.number(0)), npu + name);
    }
}

} // namespace

timeline_result write_timeline(const std::string& events_sqlite, const std::string& file, const timeline_options& options) {
    log_reader log(events_sqlite);
    const machine_facts machine = read_machine(log);
    const step_set logged = logged_steps(log), wanted = options.steps.value_or(logged);
    trace_writer out(file, options.max_bytes, machine.clock_hz);
    drawing d{log, out, machine, {}};
    read_tensor_names(d);
    name_processes(d);

    // The command level gets half of the room, the tile level what is left, and if that is more than it needs, the command level
    // goes on.
    command_level commands(d);
    tile_level tiles(d, wanted);
    out.limit(options.max_bytes / 2);
    bool all_commands = commands.draw();
    out.limit(options.max_bytes);
    tiles.draw();
    const bool all_tiles = !out.full();
    if (!all_commands && all_tiles)
        all_commands = commands.draw();

    timeline_result result;
    result.commands_left_out = commands.left_out();
    result.commands = commands.commands() + result.commands_left_out;
    result.instructions_left_out = tiles.left_out();
    result.instructions = tiles.instructions() + result.instructions_left_out;
    const std::string limit = "the limit of " + megabytes(options.max_bytes) + " (--timeline-max): ";
    std::string& text = result.left_out;
    std::uint64_t at = 0;
    if (!all_commands) {
        text += "left out to stay under " + limit + "commands from cycle " + std::to_string(commands.stopped_at()) + " on, " +
                std::to_string(result.commands_left_out) + " of " + std::to_string(result.commands) + "\n";
        at = commands.stopped_at();
    }
    if (!all_tiles) {
        text += "left out to stay under " + limit + "instructions, chunks and grants from cycle " +
                std::to_string(tiles.stopped_at()) + " on, " + std::to_string(result.instructions_left_out) + " of " +
                std::to_string(result.instructions) + " instructions (--timeline-steps)\n";
        at = tiles.stopped_at();
    }
    if (const step_set missing = wanted.without(logged); options.steps && !missing.empty())
        text += "not in the log at tile level, and so drawn by commands: steps " + missing.text() + " (--set 'log.steps=[...]')\n";

    out.limit(options.max_bytes + 4096); // of the room kept for the end
    json_members metadata;
    metadata.text("made by", "retrace").number("clock_hz", machine.clock_hz);
    metadata.text("cycles per microsecond",
                  std::to_string(machine.clock_hz / 1'000'000) + "." + std::to_string(machine.clock_hz % 1'000'000 / 100'000));
    metadata.text("time", "ts = cycles / clock, rounded down to ns, + 0.1 ns against truncation");
    metadata.whole_text("steps at tile level", wanted.text()).whole_text("steps at tile level in the log", logged.text());
    metadata.number("commands", result.commands).number("commands left out", result.commands_left_out);
    metadata.number("instructions", result.instructions).number("instructions left out", result.instructions_left_out);
    metadata.text("engine waits", "taken + issue to begun")
        .text("left out", text.empty() ? "nothing" : "see the instant events of track `left out`");
    for (std::size_t from = 0; from < text.size();) {
        const std::size_t end = text.find('\n', from);
        out.instant(out.track(drawing::host, "left out", 0), at, text.substr(from, end - from), "", 'g');
        from = end + 1;
    }
    result.events = out.events();
    out.finish(metadata.str());
    result.bytes = out.bytes();
    return result;
}

} // namespace retrace
