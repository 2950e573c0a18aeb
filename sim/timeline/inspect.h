#pragma once
// Questions to the event log of a run, and answers for people. All throw log_reader_error for a broken log or a question that is
// none.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "hw/spec/spec.h"
#include "sim/log/log_reader.h"

namespace retrace {

/// What there is to ask: the ready questions, and the tables with their rows.
std::string inspect_overview(log_reader& log);

/// One SELECT (or WITH ... SELECT), read-only; an aligned table of at most `limit` rows, and a notice if there are more.
std::string inspect_sql(log_reader& log, const std::string& sql, std::uint64_t limit);

/// An instruction's write of a byte: the last one before a cycle.
struct last_write {
    std::uint64_t cycle = 0;  ///< in which the byte was written
    bool exact = true;        ///< false: `cycle` is the instruction's end, the byte may have come earlier
    std::uint64_t access = 0; ///< row of table access
};
/// By the tile level; nothing if it has no write before the cycle. DMA queues write chunk by chunk: the cycle is that of the
/// byte's chunk.
std::optional<last_write> find_last_write(log_reader& log, spec::memory_kind memory, std::uint64_t address, std::uint64_t cycle);

/// "ADDRESS@CYCLE", numbers decimal or 0x...; `memory` by name, empty: every memory that has such a byte written.
std::string inspect_who_wrote(log_reader& log, std::string_view place, std::string_view memory);
/// Tensors that are live in the cycle, by memory, and the last measured live bytes.
std::string inspect_live_at(log_reader& log, std::string_view cycle);
/// The longest waits of an engine ("pe", "dma0", ...) for semaphores, at most `limit`.
std::string inspect_waits(log_reader& log, std::string_view engine, std::uint64_t limit);

} // namespace retrace
