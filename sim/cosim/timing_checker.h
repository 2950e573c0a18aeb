#pragma once
// Derives every cycle of a run again from the manual (hw/README.md, 9): grants, bursts, refreshes, messages,
// chunks, instructions. Each rule is local: it takes the cycles of what came before from the log and says
// what must follow, so that a finding names the first thing that went wrong and not all that follows from it.
// It shares no code with the model under tlm/.
//
// Taken as given: when the control core starts engines and its mover, when the host posts register accesses,
// when the device sends interrupt messages. For runs without faults and aborts; a device whose log begins
// when it was made.
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "host/compiler/program.h"
#include "sim/cosim/timing_log.h"
#include "tlm/core/npu_config.h"

namespace retrace::cosim {

/// A command as the device got it, and its programs; `sequence` of the descriptor does not matter.
struct timed_command {
    std::string name; ///< for findings, "command 3"
    const spec::command* descriptor = nullptr;
    std::map<unsigned, std::span<const compiler::instruction>> programs; ///< by engine
};

struct timing_finding {
    std::string rule; ///< section of the manual, "9.8"
    std::uint64_t cycle = 0;
    std::string sentence; ///< unit, instruction, what was expected and what the log has
};

/// The first `most` things in the order of time that are not as the manual says; empty: all is. `commands`:
/// by the device's sequence numbers, every command that runs programs.
std::vector<timing_finding> check_timing(const npu_config& config, const timing_log& log,
                                         const std::map<std::uint32_t, timed_command>& commands,
                                         std::size_t most = 8);

} // namespace retrace::cosim
