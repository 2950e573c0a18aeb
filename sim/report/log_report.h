#pragma once
// What a report takes from an event log, as JSON for the page: when which command ran, which bytes were live,
// what took how long. All of it fits a page however long the run was; what is left out is counted beside what
// is there.
#include <cstdint>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "sim/log/log_reader.h"

namespace retrace {

/// How much a page carries; the defaults make less than 2 MB of it.
struct report_limits {
    std::size_t commands = 12'000;     ///< drawn in the schedule, whole steps
    std::size_t memory_points = 1'000; ///< of the whole run, per memory and region
    std::size_t tensor_steps = 6;      ///< training steps with live bytes per tensor
    std::size_t tensor_changes = 20'000;
    std::size_t cost_rows = 400;        ///< per table
    std::size_t training_steps = 1'500; ///< points of the training curve
};

struct logged_command {
    std::uint64_t device = 0, sequence = 0;
    unsigned phase = 0;
    std::uint64_t step = 0, layer = 0, begun = 0;
    std::uint64_t ended = 0; ///< 0: the run ended first
    unsigned status = 0;
};

/// All commands of device 0 in the order in which they began.
std::vector<logged_command> read_commands(log_reader& log);

/// {"phases": [name], "commands": n, "failed": n, "unfinished": n, "stale_reads": n, "devices": n,
/// "steps_in_run": n,
///  "steps": [{"step", "kind": "setup" | "training" | "evaluation" | "work", "first", "last", "commands": n,
///             "begun": [from `first`], "duration": [-1: never ended], "phase": [], "layer": [], "sequence":
///             []}]}
/// A step that alone is beyond the limit is cut; it then has fewer entries than "commands" says.
nlohmann::ordered_json schedule_of(log_reader& log, const std::vector<logged_command>& commands,
                                   const report_limits& limits);

/// {"over_run": {name: {"cycles": [], "live": []}}, "capacities": {name: bytes}, "tensors": [name], "placed": [address in device DRAM],
///  "steps": [{"step", "first", "last", "start": [[tensor, bytes]], "changes": [[from `first`, tensor,
///  bytes]],
///             "occupancy": {name: {"cycles": [from `first`], "live": []}}}]}
/// Bytes are those at the ends of commands, which is when the log samples them; state buffer and PSUM change
/// when commands begin and end.
nlohmann::ordered_json memory_of(log_reader& log, const std::vector<logged_command>& commands,
                                 const report_limits& limits);

/// {"commands": {"rows": [{"phase", "layer", "count", "cycles", "longest"}], "left_out": n},
///  "instructions": {"rows": [{"engine", "opcode", "phase", "layer", "count", "cycles", "waited",
///  "longest"}], "left_out": n, "steps": [n]}}
/// "instructions" only if the log has them; "waited" is what an instruction waits beyond the cycles
/// that issuing takes. Rows by falling cycles.
nlohmann::ordered_json costs_of(log_reader& log, const std::vector<logged_command>& commands,
                                const report_limits& limits);

} // namespace retrace
