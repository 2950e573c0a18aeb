#include "sim/cosim/timing_plan.h"

#include <cstring>

namespace retrace::cosim::timing {

using spec::memory_kind;
using spec::opcode;
using trace::resource;

std::string name_of_engine(unsigned e) {
    switch (e) {
    case spec::engine_pe:
        return "pe";
    case spec::engine_activation:
        return "activation";
    case spec::engine_vector:
        return "vector";
    default:
        return fmt::format("dma{}", e - spec::engine_dma);
    }
}

std::string name_of_requester(unsigned r) {
    switch (r) {
    case requesters::weights:
        return "weights of the array";
    case requesters::operands:
        return "operands of the array";
    case requesters::mover:
        return "mover";
    case requesters::registers:
        return "register access of the host";
    case requesters::interrupts:
        return "interrupt message";
    case requesters::answers:
        return "answer to a register read";
    }
    if (r >= requesters::fetches)
        return "fetch of " + name_of_engine(r - requesters::fetches);
    if (r > requesters::writes)
        return "write of " + name_of_engine(r - requesters::writes);
    return (r >= spec::engine_dma ? "read of " : "") + name_of_engine(r);
}

std::string request::name() const {
    std::string s = name_of_requester(requester);
    if (command)
        s += fmt::format(", instruction {} of {}", pc, command->name);
    if (requester >= spec::engine_dma && requester < requesters::weights)
        s += fmt::format(", chunk {}", order);
    if (what == resource::transposer)
        s += fmt::format(", turning {} bytes", bytes);
    else if (what != resource::banks && requester < requesters::fetches)
        s += bytes == 0 ? ", asking the host"
                        : fmt::format(", {} of {} bytes", write ? "write" : "read", bytes);
    else if (requester == requesters::registers)
        s += write ? ", write" : ", read";
    return s;
}

std::string program::name() const { return fmt::format("{}, {}", name_of_engine(engine), command->name); }
std::string program::name(const instruction& i) const {
    return fmt::format("{}, instruction {} ({}) of {}", name_of_engine(engine), i.pc,
                       spec::name_of(static_cast<opcode>(i.code.opcode)), command->name);
}

std::vector<cut> cut_descriptor(const spec::copy_instruction& i, std::uint64_t source,
                                std::uint64_t destination, std::uint64_t chunk_bytes) {
    std::vector<cut> cuts;
    if (i.flags & spec::copy_transpose) {
        const std::uint64_t e = i.element_bytes, columns = i.size0 / e,
                            width = std::min<std::uint64_t>(64, chunk_bytes / e),
                            height = chunk_bytes / (width * e);
        for (std::uint64_t r = 0; r < i.size1; r += height)
            for (std::uint64_t c = 0; c < columns; c += width) {
                cut t;
                const std::uint64_t rows = std::min(height, i.size1 - r), wide = std::min(width, columns - c);
                for (std::uint64_t n = r; n < r + rows; ++n)
                    t.source.push_back({source + n * i.source_stride1 + c * e, wide * e});
                for (std::uint64_t n = c; n < c + wide; ++n)
                    t.destination.push_back({destination + n * i.destination_stride1 + r * e, rows * e});
                t.bytes = rows * wide * e;
                cuts.push_back(std::move(t));
            }
        return cuts;
    }
    struct dimension {
        std::uint64_t count, source, destination;
    };
    std::deque<dimension> outer;
    for (const dimension d : {dimension{i.size1, i.source_stride1, i.destination_stride1},
                              dimension{i.size2, i.source_stride2, i.destination_stride2},
                              dimension{i.size3, i.source_stride3, i.destination_stride3}})
        if (d.count > 1)
            outer.push_back(d);
    std::uint64_t run = i.size0;
    while (!outer.empty() && outer.front().source == run && outer.front().destination == run) {
        run *= outer.front().count;
        outer.pop_front();
    }
    outer.resize(3, {1, 0, 0});
    for (std::uint64_t n3 = 0; n3 < outer[2].count; ++n3)
        for (std::uint64_t n2 = 0; n2 < outer[1].count; ++n2)
            for (std::uint64_t n1 = 0; n1 < outer[0].count; ++n1)
                for (std::uint64_t done = 0; done < run;) {
                    if (cuts.empty() || cuts.back().bytes == chunk_bytes)
                        cuts.emplace_back();
                    cut& c = cuts.back();
                    const std::uint64_t bytes = std::min(run - done, chunk_bytes - c.bytes);
                    c.source.push_back(
                        {source + n1 * outer[0].source + n2 * outer[1].source + n3 * outer[2].source + done,
                         bytes});
                    c.destination.push_back({destination + n1 * outer[0].destination +
                                                 n2 * outer[1].destination + n3 * outer[2].destination + done,
                                             bytes});
                    c.bytes += bytes;
                    done += bytes;
                }
    return cuts;
}

plan::key plan::key_of(unsigned requester, std::uint64_t order, std::uint32_t sequence, std::uint32_t pc) {
    const bool read = requester >= spec::engine_dma && requester < requesters::weights;
    return read ? key{requester, order, 0, 0} : key{requester, 0, sequence, pc};
}

plan::plan(const npu_config& config, const timing_log& log,
           const std::map<std::uint32_t, timed_command>& commands, findings& found)
    : behind(log.grants.size(), nullptr), config_(config), log_(log), commands_(commands), found_(found),
      buffer_(config), host_latency_(cycles_of(config.host_link.host_latency_ns, config.clock_hz)) {
    for (std::size_t g = 0; g < log.grants.size(); ++g) {
        const trace::grant_event& e = log.grants[g];
        unanswered_[key_of(e.requester, e.order, e.sequence, e.pc)].push_back(g);
    }
    for (const trace::program_event& e : log.programs)
        begin(e);
    for (const auto& [sequence, c] : commands)
        for (const auto& [engine, code] : c.programs)
            if (std::none_of(programs.begin(), programs.end(),
                             [number = sequence, unit = engine](const program& p) { return p.sequence == number && p.engine == unit; }))
                found.add(stage::begun, "9.3", log.end,
                          fmt::format("{}: the program of {} never begins", c.name, name_of_engine(engine)));
    match_instructions();
}

void plan::begin(const trace::program_event& e) {
    const auto same = std::find_if(programs.begin(), programs.end(), [&](const program& p) {
        return p.sequence == e.sequence && p.engine == e.engine;
    });
    if (e.what == trace::program_event::moment::ended) {
        if (same == programs.end() || same->ended)
            found_.add(stage::ended, "9.3", e.cycle,
                       fmt::format("{}: a program of sequence {} ends that is not running",
                                   name_of_engine(e.engine), e.sequence));
        else
            same->ended = &e;
        return;
    }
    const auto command = commands_.find(e.sequence);
    if (command == commands_.end() || !command->second.programs.contains(e.engine) ||
        same != programs.end()) {
        found_.add(stage::begun, "9.3", e.cycle,
                   fmt::format("{}: begins a program of sequence {} that {}", name_of_engine(e.engine),
                               e.sequence,
                               same != programs.end() ? "has begun before" : "nobody has launched"));
        return;
    }
    const auto code = command->second.programs.at(e.engine);
    program& p = programs.emplace_back();
    p.engine = e.engine;
    p.sequence = e.sequence;
    p.command = &command->second;
    p.begun = &e;
    for (unsigned n = 0; n < p.command->descriptor->program_count; ++n)
        if (p.command->descriptor->program_engine[n] == e.engine)
            found_.value(
                stage::begun, "9.3", e.cycle, [&] { return p.name(); }, "its program begins at",
                p.command->descriptor->programs[n].address, e.address);
    found_.value(
        stage::begun, "9.3", e.cycle, [&] { return p.name(); }, "its program has instructions:", code.size(),
        e.count);
    for (std::uint32_t pc = 0; pc < code.size(); ++pc) {
        instruction& i = p.instructions.emplace_back();
        i.pc = pc;
        std::memcpy(&i.code, code[pc].data(), sizeof i.code);
    }
    fetch(p);
    for (instruction& i : p.instructions) {
        if (i.is(opcode::copy)) {
            spec::copy_instruction copied;
            std::memcpy(&copied, code[i.pc].data(), sizeof copied);
            copy(p, i, copied);
        } else if (i.is(opcode::nop) && p.engine >= spec::engine_dma) {
            i.chunks.push_back(&chunks.emplace_back(chunk{chunks_of_[p.engine]++, {}, nullptr, {}}));
        } else if (!i.is(opcode::nop)) {
            matrix(p, i);
        }
    }
}

void plan::match_instructions() {
    std::map<std::pair<std::uint32_t, unsigned>, program*> by_engine;
    for (program& p : programs)
        by_engine[{p.sequence, p.engine}] = &p;
    std::uint64_t last = 0;
    for (const trace::instruction_event& e : log_.instructions) {
        const auto found = by_engine.find({e.sequence, e.engine});
        instruction* i = found == by_engine.end() || e.pc >= found->second->instructions.size()
                             ? nullptr
                             : &found->second->instructions[e.pc];
        if (!i || i->event) {
            found_.add(stage::ended, "9.3", e.ended,
                       fmt::format("{}: instruction {} of sequence {} finishes, {}", name_of_engine(e.engine),
                                   e.pc, e.sequence, i ? "for the second time" : "which no program has"));
            continue;
        }
        i->event = &e;
        found_.value(
            stage::ended, "9.3", e.ended, [&] { return found->second->name(*i); }, "its opcode is",
            i->code.opcode, static_cast<std::uint64_t>(e.opcode));
        found_.value(
            stage::ended, "9.3", e.ended, [&] { return found->second->name(*i); }, "its context is",
            found->second->begun->context, e.context);
        if (e.ended < last)
            found_.add(stage::ended, "9.3", e.ended,
                       fmt::format("{}: finishes in cycle {}, after something of cycle {} was told",
                                   found->second->name(*i), e.ended, last));
        last = std::max(last, e.ended);
    }
    for (const program& p : programs) {
        if (!p.ended)
            found_.add(stage::ended, "9.3", log_.end, p.name() + ": the program never ends");
        for (const instruction& i : p.instructions)
            if (!i.event)
                found_.add(stage::ended, "9.3", p.ended ? p.ended->cycle : log_.end,
                           p.name(i) + ": never finishes");
    }
}

request* plan::ask(request r) {
    r.number = made_[{r.requester, r.order}]++;
    request& made = requests.emplace_back(std::move(r));
    const auto found = unanswered_.find(key_of(made.requester, made.order, made.sequence, made.pc));
    if (found == unanswered_.end() || found->second.empty())
        return &made;
    const std::size_t g = found->second.front();
    found->second.pop_front();
    const trace::grant_event& e = log_.grants[g];
    made.grant = &e;
    behind[g] = &made;
    const auto same = [&](std::string_view what, std::uint64_t expected, std::uint64_t got) {
        found_.value(
            stage::requested, made.rule, e.requested, [&] { return made.name(); }, what, expected, got);
    };
    same("resource", static_cast<std::uint64_t>(made.what), static_cast<std::uint64_t>(e.what));
    same("write flag", made.write, e.write);
    same("address", made.address, e.address);
    same("bytes", made.bytes, e.bytes);
    same("sequence", made.sequence, e.sequence);
    same("instruction", made.pc, e.pc);
    return &made;
}

void plan::unasked() {
    for (const auto& [k, grants] : unanswered_)
        for (const std::size_t g : grants) {
            const trace::grant_event& e = log_.grants[g];
            const unsigned r = e.requester;
            const char* rule = r >= requesters::registers                              ? "9.10"
                               : r >= requesters::fetches                              ? "9.3"
                               : r == requesters::mover                                ? "9.11"
                               : r == requesters::weights || r == requesters::operands ? "9.5"
                               : r >= spec::engine_dma                                 ? "9.8"
                                                                                       : "9.6";
            found_.add(stage::requested, rule, e.requested,
                       fmt::format("{}: a grant in cycle {} that nothing asks for ({} bytes, address {:#x}, "
                                   "order {}, sequence {}, instruction {})",
                                   name_of_requester(r), e.granted, e.bytes, e.address, e.order, e.sequence,
                                   e.pc));
        }
}

void plan::fetch(program& p) {
    const std::uint32_t block = config_.sequencer.fetch_block;
    for (std::uint32_t first = 0; first < p.instructions.size(); first += block) {
        request r;
        r.requester = requesters::fetches + p.engine;
        r.rule = "9.3";
        r.what = resource::dram;
        r.address = p.begun->address + std::uint64_t{first} * spec::instruction_bytes;
        r.bytes = std::min<std::uint64_t>(block, p.instructions.size() - first) * spec::instruction_bytes;
        r.sequence = p.sequence;
        r.pc = first;
        r.command = p.command;
        r.pieces = {{r.address, r.bytes}};
        p.fetches.push_back(ask(std::move(r)));
    }
}

std::vector<request*> plan::access(request r, memory_kind memory, std::vector<piece> pieces) {
    r.address = pieces.front().address;
    for (const piece& p : pieces)
        r.bytes += p.bytes;
    if (memory != memory_kind::host || config_.ideal_memories) {
        r.what = memory == memory_kind::host          ? resource::host
                 : memory == memory_kind::device_dram ? resource::dram
                                                      : resource::lines;
        r.pieces = std::move(pieces);
        return {ask(std::move(r))};
    }
    r.what = resource::link_up;
    if (r.write) {
        r.done_when_sent = true;
        return {ask(std::move(r))};
    }
    request answer = r;
    answer.what = resource::link_down;
    r.bytes = 0;
    r.then = host_latency_;
    request* const asked = ask(std::move(r));
    return {asked, ask(std::move(answer))};
}

void plan::copy(program& p, instruction& i, const spec::copy_instruction& code) {
    const auto& slots = p.command->descriptor->operands;
    const spec::operand &from = slots[code.source_slot], &to = slots[code.destination_slot];
    for (cut& c : cut_descriptor(code, from.base + code.source_offset, to.base + code.destination_offset,
                                 config_.dma.chunk_bytes)) {
        chunk& made = chunks.emplace_back();
        made.order = chunks_of_[p.engine]++;
        request r;
        r.rule = "9.8";
        r.sequence = p.sequence;
        r.pc = i.pc;
        r.command = p.command;
        request read = r;
        read.requester = p.engine;
        read.order = made.order;
        made.reads = access(read, static_cast<memory_kind>(from.memory), std::move(c.source));
        if (code.flags & spec::copy_transpose) {
            read.what = resource::transposer;
            read.bytes = c.bytes;
            made.reads.push_back(ask(std::move(read)));
        }
        r.requester = requesters::writes + p.engine;
        r.write = true;
        made.write = access(r, static_cast<memory_kind>(to.memory), std::move(c.destination)).front();
        i.chunks.push_back(&made);
    }
}

bank_span plan::buffer_banks(const program& p, const spec::memory_operand& o, std::uint64_t rows,
                             std::uint64_t row_bytes) const {
    const spec::operand& slot = p.command->descriptor->operands[o.slot];
    if (static_cast<memory_kind>(slot.memory) != memory_kind::state_buffer)
        return {};
    return buffer_.of(slot.base + o.offset, (rows - 1) * o.pitch + row_bytes);
}

void plan::matrix(program& p, instruction& i) {
    constexpr std::array<std::uint64_t, spec::number_format_count> bytes_of{4, 2, 1, 1, 1, 4};
    const spec::matrix_instruction& c = i.code;
    const std::uint64_t rows = c.rows, columns = c.columns, source = bytes_of.at(c.source_format);
    const spec::operand& a = p.command->descriptor->operands[c.a.slot];
    request r;
    r.what = resource::banks;
    r.address = a.base + c.a.offset;
    r.sequence = p.sequence;
    r.pc = i.pc;
    r.command = p.command;
    r.banks.reads = {buffer_banks(p, c.a, rows, columns * source)};
    if (p.engine == spec::engine_pe) {
        r.rule = "9.5";
        r.requester = i.is(opcode::load_weights) ? requesters::weights : requesters::operands;
        const std::uint64_t o = config_.array.operand_cycles.at(c.source_format);
        r.banks.cycles = (i.is(opcode::load_weights) ? config_.array.rows : rows) * o;
        r.banks.of_array = true;
    } else {
        r.rule = "9.6";
        r.requester = p.engine;
        const engine_settings& e = p.engine == spec::engine_activation ? config_.activation : config_.vector;
        r.banks.cycles = rows * ((columns + e.lanes - 1) / e.lanes);
        r.banks.latency = e.latency_cycles;
        if (static_cast<memory_kind>(a.memory) == memory_kind::psum) {
            const std::uint64_t bank = std::uint64_t{config_.psum.rows} * config_.array.columns * 4;
            const std::uint64_t last = r.address + (rows - 1) * c.a.pitch + columns * source - 1;
            r.banks.psum = {static_cast<unsigned>(r.address / bank),
                            static_cast<unsigned>(last / bank - r.address / bank + 1)};
        }
        if (i.is(opcode::activate) && (c.flags & spec::activate_bias))
            r.banks.reads.push_back(buffer_banks(p, c.b, 1, columns * bytes_of.at(c.second_format)));
        if (i.is(opcode::binary)) {
            const auto repeated = static_cast<spec::broadcast>(c.broadcast);
            r.banks.reads.push_back(buffer_banks(p, c.b, repeated == spec::broadcast::row ? 1 : rows,
                                                 (repeated == spec::broadcast::column ? 1 : columns) *
                                                     bytes_of.at(c.second_format)));
        }
        const bool by_rows = i.is(opcode::reduce_rows), by_columns = i.is(opcode::reduce_columns);
        r.banks.writes.push_back(buffer_banks(p, c.d, by_columns ? 1 : rows,
                                              (by_rows ? 1 : columns) * bytes_of.at(c.result_format)));
    }
    i.banks = ask(std::move(r));
}

} // namespace retrace::cosim::timing
