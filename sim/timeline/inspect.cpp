#include "sim/timeline/inspect.h"

#include <algorithm>
#include <cctype>
#include <map>

#include "sim/timeline/instruction_text.h"
#include "sim/timeline/machine.h"
#include "sim/timeline/program_book.h"
#include "sim/timeline/text_table.h"
#include "tlm/core/accounting/engine_label.h"

namespace retrace {

namespace {

constexpr const char* questions = R"(Questions
  retrace inspect RUN who-wrote ADDRESS@CYCLE [--memory M]   the last writer of a byte before the cycle
  retrace inspect RUN live-at CYCLE                          tensors that are live then, and where
  retrace inspect RUN waits ENGINE                           the longest waits of pe, activation, vector, dma0, ...: for what, ended by whom
  retrace inspect RUN "SELECT ..."                           anything else; tables and views: retrace help log
)";

std::uint64_t number_of(std::string_view text, const char* what) {
    const bool hex = text.starts_with("0x") || text.starts_with("0X");
    const std::string_view digits = hex ? text.substr(2) : text;
    std::uint64_t value = 0;
    bool good = !digits.empty() && digits.size() <= (hex ? 15 : 18);
    for (const char c : digits) {
        const auto u = static_cast<unsigned char>(c);
        good = good && (hex ? std::isxdigit(u) : std::isdigit(u)) != 0;
        value = value * (hex ? 16 : 10) + static_cast<unsigned>(std::isdigit(u) ? c - '0' : (std::tolower(u) - 'a' + 10) & 15);
    }
    if (!good)
        throw log_reader_error(std::string(what) + ": '" + printable(text) + "' is no number (decimal, or 0x...)");
    return value;
}

std::string hex(std::uint64_t value) {
    std::string out;
    do
        out.insert(out.begin(), "0123456789abcdef"[value % 16]);
    while (value /= 16);
    return "0x" + out;
}

std::string steps_in(log_reader& log) {
    std::string text;
    log_query q(log, "SELECT step FROM logged_step ORDER BY step LIMIT 33");
    for (unsigned n = 0; q.next(); ++n)
        text += n == 32 ? ", ..." : (n ? ", " : "") + std::to_string(q.number(0));
    return text;
}

/// A table's rows, or a fault that says how to get some.
void need_tile_level(log_reader& log, const char* table) {
    log_query q(log, std::string("SELECT 1 FROM ") + table + " LIMIT 1");
    if (q.next())
        return;
    const std::string steps = steps_in(log);
    throw log_reader_error("this log has no tile level" +
                           (steps.empty() ? std::string() : " (steps " + steps + " were to have it)") +
                           ": train with --set 'log.steps=[1,2]' (the steps to look at), or run gemm with --timeline-steps 1");
}

std::string tensor_name(log_reader& log, std::uint64_t tag) {
    log_query q(log, "SELECT name FROM tensor WHERE tag = ?");
    q.bind(tag);
    return q.next() ? printable(q.text(0)) : "tag " + std::to_string(tag);
}

struct command_facts {
    std::string name;        ///< "backward 3, step 1"
    std::uint64_t ended = 0; ///< 0: it has not
};

command_facts facts_of(log_reader& log, std::uint64_t device, std::uint64_t sequence) {
    log_query q(
        log,
        "SELECT phase, layer, step, (SELECT cycle FROM command_moment m WHERE m.device = c.device AND m.sequence = c.sequence AND "
        "m.moment = 'ended') FROM command c WHERE device = ? AND sequence = ?");
    q.bind(device, sequence);
    if (!q.next())
        return {"not in the log", 0};
    return {std::string(spec::name_of(static_cast<spec::phase>(q.number(0)))) + " " + std::to_string(q.number(1)) + ", step " +
                std::to_string(q.number(2)),
            q.number(3)};
}

/// The write as sentences.
std::string describe_write(log_reader& log, const last_write& w, std::uint64_t cycle) {
    log_query q(
        log,
        "SELECT begun, ended, device, engine, sequence, pc, opcode, memory, base, size0, size1, size2, size3, stride1, stride2, "
        "stride3, tag, version FROM access WHERE rowid = ?");
    q.bind(w.access);
    if (!q.next())
        log.refuse("a row of table access has gone");
    const command_facts command = facts_of(log, q.number(2), q.number(4));
    program_book book(log);
    logged_instruction i;
    i.device = q.number(2);
    i.engine = static_cast<unsigned>(q.number(3));
    i.sequence = q.number(4);
    i.pc = q.number(5);
    const program_book::code_bytes* code = book.code(i);
    std::string text = "  written " + std::string(w.exact ? "in" : "at the latest in") + " cycle " + std::to_string(w.cycle) +
                       " by " + engine_label(i.engine) + ", instruction " + std::to_string(i.pc) + ": " +
                       std::string(spec::name_of(static_cast<spec::opcode>(q.number(6)))) +
                       (code ? " " + shape_text(*code) : "") + ", cycles " + std::to_string(q.number(0)) + " to " +
                       std::to_string(q.number(1)) + "\n  command " + std::to_string(i.sequence) + " (" + command.name + ")\n";
    const std::uint64_t tag = q.number(16), version = q.number(17);
    text += tag == 0 ? "  tensor: none (working buffer)\n"
                     : "  tensor " + tensor_name(log, tag) + ", version " + std::to_string(version) + "\n";
    text += "  the instruction wrote " + std::to_string(q.number(9)) + " bytes from " + hex(q.number(8));
    for (int d = 0; d < 3; ++d)
        if (q.number(10 + d) > 1)
            text += ", " + std::to_string(q.number(10 + d)) + " times " + std::to_string(q.number(13 + d)) + " apart";
    text += "\n";
    if (tag != 0) {
        log_query life(
            log,
            "SELECT moment, cycle FROM tensor_life WHERE device = ? AND tag = ? AND version = ? AND memory = ? AND cycle >= ? AND cycle < ? "
            "AND moment IN ('overwritten', 'released') ORDER BY cycle LIMIT 1");
        life.bind(q.number(2), tag, version, q.number(7), w.cycle, cycle);
        if (life.next())
            text += "  since then: the tensor's last byte was " + printable(life.text(0)) + " in cycle " +
                    std::to_string(life.number(1)) + "\n";
    }
    const auto memory = static_cast<spec::memory_kind>(q.number(7));
    if (command.ended != 0 && command.ended < cycle &&
        (memory == spec::memory_kind::state_buffer || memory == spec::memory_kind::psum))
        text += "  since then: the command ended in cycle " + std::to_string(command.ended) +
                "; what its working buffers held was lost\n";
    return text;
}

/// A command that was not logged at tile level and may have written the byte after `since`; empty: none.
std::string unseen_writer(log_reader& log, spec::memory_kind memory, std::uint64_t address, std::uint64_t since,
                          std::uint64_t cycle) {
    log_query q(
        log,
        "SELECT c.device, c.sequence, c.step, c.begun, m.cycle FROM command c JOIN operand o ON o.device = c.device AND o.sequence = c.sequence "
        "LEFT JOIN command_moment m ON m.device = c.device AND m.sequence = c.sequence AND m.moment = 'ended' "
        "WHERE o.memory = ? AND o.base <= ? AND ? - o.base < o.bytes AND (o.access & 2) AND c.begun < ? AND coalesce(m.cycle, ?) > ? "
        "AND c.step NOT IN (SELECT step FROM logged_step) ORDER BY c.begun DESC LIMIT 1");
    q.bind(static_cast<unsigned>(memory), address, address, cycle, cycle, since);
    if (!q.next())
        return {};
    const std::string who = "command " + std::to_string(q.number(1)) + " (" + facts_of(log, q.number(0), q.number(1)).name +
                            "), begun in cycle " + std::to_string(q.number(3));
    if (q.number(2) == 0)
        return "  " + who + ", may have written it since: it loads programs, by the mover\n";
    return "  " + who + ", may have written it since; its step is not in the log at tile level: --set 'log.steps=[" +
           std::to_string(q.number(2)) + "]'\n";
}

} // namespace

std::string inspect_overview(log_reader& log) {
    std::string text = std::string(questions) + "\nTables\n";
    text_table table({"  name", "rows"});
    table.is_text(0);
    log_query names(log,
                    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name LIMIT 200");
    while (names.next()) {
        std::string name(names.text(0)), quoted = "\"";
        for (const char c : name)
            quoted += c == '"' ? "\"\"" : std::string(1, c);
        log_query count(log, "SELECT count(*) FROM " + quoted + "\"");
        table.row({"  " + printable(name), count.next() ? std::to_string(count.number(0)) : ""});
    }
    text += table.str();
    const std::string steps = steps_in(log);
    text += "\nTile level: " + (steps.empty() ? "no step (train with --set 'log.steps=[1,2]')" : "steps " + steps) + "\n";
    return text;
}

std::string inspect_sql(log_reader& log, const std::string& sql, std::uint64_t limit) {
    log.allow_only_reading();
    log_query q(log, sql);
    std::vector<std::string> columns;
    for (int c = 0; c < q.columns(); ++c)
        columns.push_back(printable(q.name(c)));
    if (columns.empty())
        log.refuse("this is no SELECT");
    text_table table(columns);
    bool more = false;
    while (q.next()) {
        if (table.rows() == limit) {
            more = true;
            break;
        }
        std::vector<std::string> cells;
        for (int c = 0; c < q.columns(); ++c) {
            if (!q.null(c) && !q.numeric(c))
                table.is_text(static_cast<std::size_t>(c));
            if (!q.blob(c)) {
                cells.push_back(q.null(c) ? "-" : printable(q.text(c)));
                continue;
            }
            std::string bytes;
            for (const std::byte b : q.bytes(c).first(std::min<std::size_t>(q.bytes(c).size(), 64)))
                bytes += {"0123456789abcdef"[static_cast<unsigned>(b) / 16], "0123456789abcdef"[static_cast<unsigned>(b) % 16]};
            cells.push_back(bytes);
        }
        table.row(std::move(cells));
    }
    return table.str() + (more ? "(only the first " + std::to_string(limit) + " rows; --limit prints more)\n" : "");
}

std::string inspect_who_wrote(log_reader& log, std::string_view place, std::string_view memory) {
    const std::size_t at = place.find('@');
    if (at == std::string_view::npos)
        throw log_reader_error("who-wrote asks for ADDRESS@CYCLE, for example 0x4a00@123456, not '" + printable(place) + "'");
    const std::uint64_t address = number_of(place.substr(0, at), "who-wrote, address"),
                        cycle = number_of(place.substr(at + 1), "who-wrote, cycle");
    std::vector<spec::memory_kind> memories;
    for (unsigned m = 1; m < spec::memory_kind_count; ++m)
        if (const auto kind = static_cast<spec::memory_kind>(m); memory.empty() || memory == spec::name_of(kind))
            memories.push_back(kind);
    if (memories.empty())
        throw log_reader_error("--memory: there is no '" + printable(memory) +
                               "'; there are host, device_dram, state_buffer and psum");
    need_tile_level(log, "access");
    std::string text;
    for (const spec::memory_kind kind : memories) {
        const auto found = find_last_write(log, kind, address, cycle);
        const std::string unseen = unseen_writer(log, kind, address, found ? found->cycle : 0, cycle);
        if (!found && unseen.empty() && memories.size() > 1)
            continue;
        text += std::string(spec::name_of(kind)) + " " + hex(address) + ", before cycle " + std::to_string(cycle) + "\n";
        text += found ? describe_write(log, *found, cycle)
                      : "  no write of it is in the log at tile level (steps " + steps_in(log) + ")\n";
        text += unseen;
    }
    if (text.empty())
        text = "no write of " + hex(address) + " before cycle " + std::to_string(cycle) +
               " in any memory, at tile level (steps " + steps_in(log) + ") or by commands\n";
    return text;
}

std::string inspect_live_at(log_reader& log, std::string_view when) {
    const std::uint64_t cycle = number_of(when, "live-at");
    struct key {
        std::uint64_t memory, device, tag, version;
        auto operator<=>(const key&) const = default;
    };
    struct life {
        std::uint64_t since = 0, bytes = 0;
        bool complete = false;
    };
    std::map<key, life> live;
    log_query q(log,
                "SELECT memory, device, tag, version, moment, cycle, bytes FROM tensor_life WHERE cycle <= ? ORDER BY rowid");
    q.bind(cycle);
    while (q.next()) {
        const key k{q.number(0), q.number(1), q.number(2), q.number(3)};
        const std::string_view moment = q.text(4);
        if (moment == "live") {
            live[k] = {q.number(5), 0, false};
        } else if (moment == "complete") {
            if (const auto found = live.find(k); found != live.end()) {
                found->second.bytes = q.number(6);
                found->second.complete = true;
            }
        } else {
            live.erase(k);
        }
    }
    text_table table({"memory", "tensor", "version", "bytes", "live since", ""});
    for (const std::size_t column : {0, 1, 5})
        table.is_text(column);
    bool on_chip = false;
    for (const auto& [k, l] : live) {
        // Of what lies on the chip the device tells when it is there and when it has gone, not when it is whole.
        const auto memory = static_cast<spec::memory_kind>(k.memory);
        const bool untold = !l.complete && (memory == spec::memory_kind::state_buffer || memory == spec::memory_kind::psum);
        on_chip |= untold;
        table.row({std::string(spec::name_of(memory)), tensor_name(log, k.tag), std::to_string(k.version),
                   l.complete ? std::to_string(l.bytes) : untold ? "-" : "?", std::to_string(l.since),
                   l.complete || untold ? "" : "being written"});
    }
    std::string text = "Tensors in cycle " + std::to_string(cycle) + "\n" + table.str();
    if (on_chip)
        text += "Bytes of a tensor in state buffer and PSUM are not tracked; operands of its command: retrace inspect RUN \"SELECT * FROM operand\"\n";
    text += "\n";
    log_query measured(log,
                       "SELECT device, name, live, peak, cycle, sequence FROM occupancy WHERE rowid IN "
                       "(SELECT max(rowid) FROM occupancy WHERE cycle <= ? GROUP BY device, name) ORDER BY rowid LIMIT 1000");
    measured.bind(cycle);
    text_table sums({"memory or region", "live bytes", "peak so far", "cycle", "command"});
    sums.is_text(0);
    while (measured.next())
        sums.row({printable(measured.text(1)), std::to_string(measured.number(2)), std::to_string(measured.number(3)),
                  std::to_string(measured.number(4)), std::to_string(measured.number(5))});
    return text + "Measured when the last command before it ended (programs and buffers without a tensor count, too)\n" +
           sums.str();
}

std::string inspect_waits(log_reader& log, std::string_view engine, std::uint64_t limit) {
    unsigned number = 0;
    while (number < spec::max_engines && engine_label(number) != engine)
        ++number;
    if (number == spec::max_engines)
        throw log_reader_error("waits: there is no engine '" + printable(engine) +
                               "'; there are pe, activation, vector, dma0, dma1, ...");
    need_tile_level(log, "instruction");
    const machine_facts machine = read_machine(log);
    program_book book(log);
    struct long_wait {
        std::uint64_t cycles = 0, issued = 0;
        logged_instruction who;
        std::string shape;
        std::vector<semaphore_wait> waits;
    };
    std::vector<long_wait> longest; // a heap, its shortest on top
    const auto shorter = [](const long_wait& a, const long_wait& b) { return a.cycles > b.cycles; };
    std::uint64_t instructions = 0, waited = 0, cycles = 0;
    log_query q(log, logged_instruction::columns);
    while (q.next()) {
        const logged_instruction i(q);
        if (i.engine == number) {
            ++instructions;
            long_wait w;
            w.issued = i.taken + machine.issue_cycles;
            if (i.begun > w.issued) {
                w.cycles = i.begun - w.issued;
                ++waited;
                cycles += w.cycles;
                if (longest.size() < limit || longest.front().cycles < w.cycles) {
                    w.who = i;
                    w.waits = book.waits(i);
                    if (const auto* code = book.code(i))
                        w.shape = shape_text(*code);
                    longest.push_back(std::move(w));
                    std::push_heap(longest.begin(), longest.end(), shorter);
                    if (longest.size() > limit) {
                        std::pop_heap(longest.begin(), longest.end(), shorter);
                        longest.pop_back();
                    }
                }
            }
        }
        book.ended(i);
    }
    if (instructions == 0)
        return std::string(engine) + " ran no instruction in the steps that are logged at tile level (" + steps_in(log) + ")\n";
    std::stable_sort(longest.begin(), longest.end(), [](const long_wait& a, const long_wait& b) {
        return a.cycles != b.cycles ? a.cycles > b.cycles : a.issued < b.issued;
    });
    text_table table({"cycles", "from", "to", "command", "", "pc", "instruction", "semaphore", "signalled by"});
    for (const std::size_t column : {4, 6, 7, 8})
        table.is_text(column);
    for (const long_wait& w : longest) {
        std::string semaphores, givers;
        for (const semaphore_wait& s : w.waits) {
            semaphores += (semaphores.empty() ? "" : ", ") + std::to_string(s.semaphore) +
                          (s.count > 1 ? " x" + std::to_string(s.count) : "");
            if (s.givers.empty())
                continue;
            const logged_instruction& g = s.givers.back().who;
            givers += (givers.empty() ? "" : ", ") + engine_label(g.engine) + " #" + std::to_string(g.pc) + " " +
                      std::string(spec::name_of(static_cast<spec::opcode>(g.opcode))) + " in " + std::to_string(g.ended);
        }
        table.row({std::to_string(w.cycles), std::to_string(w.issued), std::to_string(w.who.begun),
                   std::to_string(w.who.sequence), facts_of(log, w.who.device, w.who.sequence).name, std::to_string(w.who.pc),
                   std::string(spec::name_of(static_cast<spec::opcode>(w.who.opcode))) + " " + w.shape,
                   semaphores.empty() ? "?" : semaphores, givers});
    }
    return std::string(engine) + ": " + std::to_string(waited) + " of " + std::to_string(instructions) +
           " instructions waited, " + std::to_string(cycles) + " cycles in all (steps " + steps_in(log) + "); the longest:\n" +
           table.str();
}

} // namespace retrace
