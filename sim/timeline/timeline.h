#pragma once
// timeline.json: a run's event log as a picture of time, in Chrome's trace event format, for Perfetto.
//
//   host         training steps, where commands of several are under way on as many tracks; what the host did (instants); a counter of
//                commands submitted and not yet seen
//   commands     a track per context; arrows along the commands' wait sets
//   engines      what each engine works on, what it waits for, its program fetches
//   DMA queues   per queue: its descriptors, a track per place for reads, one for writes; a counter of chunks in flight
//   memory       DRAM channels; counters of the live bytes of each memory and region
//   host link    the two wires
//
// host, commands and live bytes come from the command level of the whole run; the rest from the tile level of the chosen steps,
// with arrows from whoever gave a semaphore to whoever took it (program_book.h). What each track means exactly: tile_level.h.
#include <cstdint>
#include <optional>
#include <string>

#include "sim/timeline/step_set.h"

namespace retrace {

struct timeline_options {
    static constexpr std::uint64_t default_bytes = 50'000'000, least_bytes = 65'536;
    std::optional<step_set> steps; ///< at tile level; default: all that the log has so
    std::uint64_t max_bytes = default_bytes;
};

struct timeline_result {
    std::uint64_t bytes = 0, events = 0;
    std::uint64_t commands = 0, commands_left_out = 0;
    std::uint64_t instructions = 0, instructions_left_out = 0; ///< of the chosen steps
    std::string left_out; ///< for people, one sentence a line; empty: nothing that was asked for is missing
};

/// Reads the log (which has to be closed) and writes the picture; a file that stands there is replaced. Needs little memory,
/// however long the run. Throws log_reader_error, timeline_error.
timeline_result write_timeline(const std::string& events_sqlite, const std::string& file, const timeline_options& options);

} // namespace retrace
