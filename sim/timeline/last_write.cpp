// Who wrote a byte last: by the accesses of the tile level, and by the grants of a DMA queue's writes, which become visible chunk
// by chunk.
#include <algorithm>
#include <cstring>
#include <vector>

#include "sim/log/requesters.h"
#include "sim/timeline/access_pattern.h"
#include "sim/timeline/inspect.h"
#include "sim/timeline/machine.h"
#include "sim/timeline/program_book.h"
#include "trace/events.h"

namespace retrace {

namespace {

constexpr std::uint64_t tile_columns = 64; ///< of a transpose, in elements (9.8)

struct candidate {
    std::uint64_t begun = 0, ended = 0;
    logged_instruction who;
    access_pattern pattern;
};

/// When each chunk of a descriptor was written, and how many bytes had been with it.
struct written_chunks {
    std::vector<std::uint64_t> cycle, bytes;
};

written_chunks chunks_of(log_reader& log, const candidate& c) {
    written_chunks w;
    log_query q(
        log,
        "SELECT resource, resumed, arrived, bytes FROM grant_ WHERE device = ? AND sequence = ? AND pc = ? AND requester = ? ORDER BY rowid");
    q.bind(c.who.device, c.who.sequence, c.who.pc, c.who.engine + requesters::first_write);
    std::uint64_t sum = 0;
    while (q.next()) {
        // The host has what was sent when it arrives.
        w.cycle.push_back(q.number(static_cast<trace::resource>(q.number(0)) == trace::resource::link_up ? 2 : 1));
        w.bytes.push_back(sum += q.number(3));
    }
    return w;
}

/// The last cycle before `cycle` in which the descriptor wrote the byte; 0: it has not.
last_write when_copied(log_reader& log, program_book& book, const machine_facts& machine, const candidate& c,
                       std::uint64_t address, std::uint64_t cycle) {
    last_write best;
    const written_chunks chunks = chunks_of(log, c);
    const program_book::code_bytes* code = book.code(c.who);
    spec::copy_instruction copy;
    if (code)
        std::memcpy(&copy, code->data(), sizeof copy);
    const bool turns = code && (copy.flags & spec::copy_transpose);
    const std::uint64_t element = std::max<std::uint64_t>(1, copy.element_bytes);
    if (!code || chunks.cycle.empty() || (turns && machine.dma_chunk < element)) {
        best.exact = false;
        best.cycle = c.ended < cycle ? c.ended : 0;
        return best;
    }
    // Of a transpose, tiles are written in the order of the source: bands of source rows, and in a band columns first.
    const std::uint64_t width = std::min<std::uint64_t>(tile_columns, machine.dma_chunk / element),
                        height = std::max<std::uint64_t>(1, machine.dma_chunk / (width * element)),
                        columns = copy.size0 / element, tiles_across = (columns + width - 1) / width;
    const auto& p = c.pattern;
    p.places_of(address, [&](const std::array<std::uint64_t, 4>& at) {
        std::size_t chunk = 0;
        if (turns) {
            chunk = static_cast<std::size_t>(at[0] / element / height * tiles_across + at[1] / width);
        } else {
            const unsigned __int128 position =
                at[0] + static_cast<unsigned __int128>(p.sizes[0]) *
                            (at[1] + static_cast<unsigned __int128>(p.sizes[1]) * (at[2] + p.sizes[2] * at[3]));
            if (position >= chunks.bytes.back())
                return;
            chunk = static_cast<std::size_t>(
                std::upper_bound(chunks.bytes.begin(), chunks.bytes.end(), static_cast<std::uint64_t>(position)) -
                chunks.bytes.begin());
        }
        if (chunk < chunks.cycle.size() && chunks.cycle[chunk] < cycle)
            best.cycle = std::max(best.cycle, chunks.cycle[chunk]);
    });
    return best;
}

} // namespace

std::optional<last_write> find_last_write(log_reader& log, spec::memory_kind memory, std::uint64_t address, std::uint64_t cycle) {
    const machine_facts machine = read_machine(log);
    program_book book(log);
    std::optional<last_write> best;
    // Rows stand in the order in which instructions ended. A byte is written no later than its instruction ends, but for what
    // travels to the host: once an instruction ended before the best write, no earlier one can have come later.
    log_query q(
        log,
        "SELECT rowid, begun, ended, device, engine, sequence, pc, opcode, base, size0, size1, size2, size3, stride1, stride2, stride3 "
        "FROM access WHERE write = 1 AND memory = ? AND begun < ? AND base <= ? ORDER BY rowid DESC");
    q.bind(static_cast<unsigned>(memory), cycle, address);
    while (q.next()) {
        candidate c;
        c.begun = q.number(1);
        c.ended = q.number(2);
        if (best && c.ended <= best->cycle && memory != spec::memory_kind::host)
            break;
        for (int d = 0; d < 4; ++d)
            c.pattern.sizes[static_cast<unsigned>(d)] = std::min<std::uint64_t>(q.number(9 + d), std::uint64_t{1} << 33);
        for (int d = 0; d < 3; ++d)
            c.pattern.strides[static_cast<unsigned>(d)] = std::min<std::uint64_t>(q.number(13 + d), std::uint64_t{1} << 33);
        c.pattern.base = q.number(8);
        bool touches = false;
        if (!c.pattern.places_of(address, [&](const auto&) { touches = true; }))
            log.refuse("row " + std::to_string(q.number(0)) + " of table access overlaps itself a million times");
        if (!touches)
            continue;
        c.who.device = q.number(3);
        c.who.engine = static_cast<unsigned>(q.number(4));
        c.who.sequence = q.number(5);
        c.who.pc = q.number(6);
        last_write w;
        if (static_cast<spec::opcode>(q.number(7)) == spec::opcode::copy)
            w = when_copied(log, book, machine, c, address, cycle);
        else
            w.cycle = c.ended < cycle ? c.ended : 0;
        w.access = q.number(0);
        if (w.cycle != 0 && (!best || w.cycle > best->cycle))
            best = w;
    }
    return best;
}

} // namespace retrace
