#pragma once
// What the numbers of some probes mean. Their names for a reader: waves/value_names.
#include <cstdint>

namespace retrace::trace {

/// What a sequencer does. `lands`: all its instructions are issued, some have not finished.
enum class sequencer_state : std::uint8_t { idle, starts, fetches, issues, waits, executes, lands };

/// The control core.
enum class core_state : std::uint8_t { reset, runs, sleeps, halted };

} // namespace retrace::trace
