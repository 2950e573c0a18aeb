#pragma once
// The numbers of a processor that its event log cannot be read without: cycles as time, chunks as places of a queue, messages as
// cycles of a wire. They stand in the log's table `machine`, so that the log alone is enough.
#include <array>
#include <cstdint>

#include "tlm/core/npu_config.h"

namespace retrace {

class log_reader;
class sqlite_log;
class tagged_memory;

struct machine_facts {
    std::uint64_t clock_hz = 1'000'000'000;
    std::uint64_t issue_cycles = 0;
    std::uint64_t array_rows = 0, array_columns = 0, fma_depth = 1;
    std::array<std::uint64_t, 5> operand_cycles{1, 1, 1, 1, 1}; ///< by number format
    std::uint64_t dma_chunk = 0, dma_places = 1;
    std::uint64_t dram_channels = 1, dram_burst = 64;
    std::uint64_t link_bytes_per_second = 0, link_payload = 1, link_header = 0, link_latency = 0;
    std::uint64_t late_messages = 0; ///< stress: a message may arrive this much later than the wire's end and the latency say
    bool ideal_memories = false;

    /// Cycles that a message of `payload` bytes occupies a wire of the link (hw/README.md, 9.10); 0 where the log does not say.
    std::uint64_t wire_cycles(std::uint64_t payload) const;
};

/// Writes them to the log, and lets it look at programs in `dram`, which has to outlive the log's last event.
void describe_machine(sqlite_log& log, const npu_config& config, const tagged_memory& dram);
/// Reads them back; what the log lacks keeps its default. Values out of all reason are refused (log_reader_error).
machine_facts read_machine(log_reader& log);

} // namespace retrace
