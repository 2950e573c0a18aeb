#include "sim/timeline/tile_level.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "sim/log/requesters.h"
#include "sim/timeline/instruction_text.h"
#include "trace/events.h"

namespace retrace {

using spec::opcode;

namespace {

/// Tracks of an engine, from above.
namespace part {
enum : unsigned { work, weights, rows, sums, waits, weights_waits, rows_waits, fetch, first_read = 8, reads = 50, write = 63 };
}

std::string part_name(unsigned p) {
    constexpr const char* names[] = {"", " weights", " rows", " sums", " waits", " weights waits", " rows waits", " fetch"};
    if (p == part::write)
        return " write";
    return p < part::first_read ? names[p] : " read " + std::to_string(p - part::first_read);
}

unsigned order_of(unsigned engine, unsigned p) { return engine * 64 + p; }

std::string requester_name(unsigned requester) {
    const std::string name = requesters::name(requester);
    return name.empty() ? "requester " + std::to_string(requester) : name;
}

std::uint64_t saturating_add(std::uint64_t a, std::uint64_t b) { return a + b < a ? ~std::uint64_t{0} >> 1 : a + b; }

} // namespace

class tile_level::cursor {
public:
    explicit cursor(log_reader& log)
        : instructions(log, logged_instruction::columns),
          grants(
              log,
              "SELECT requested, granted, resumed, arrived, device, chunk, address, bytes, sequence, pc, requester, resource, write FROM grant_ ORDER BY rowid"),
          accesses(log,
                   "SELECT ended, device, engine, sequence, pc, write, memory, base, tag, version FROM access ORDER BY rowid"),
          more_instructions(instructions.next()), more_grants(grants.next()), more_accesses(accesses.next()) {}

    grant next_grant() const {
        const log_query& q = grants;
        grant g{};
        std::uint64_t* const numbers[] = {&g.requested, &g.granted, &g.resumed, &g.arrived, &g.device, &g.chunk, &g.address, &g.bytes, &g.sequence, &g.pc};
        for (int c = 0; c < 10; ++c)
            *numbers[c] = q.number(c);
        g.requester = static_cast<unsigned>(q.number(10));
        g.resource = static_cast<unsigned>(q.number(11));
        g.write = q.number(12) != 0;
        return g;
    }

    log_query instructions, grants, accesses;
    bool more_instructions, more_grants, more_accesses;
};

tile_level::tile_level(drawing& d, const step_set& chosen_steps) : d_(d), book_(d.log) {
    log_query q(d.log,
                "SELECT c.device, c.sequence, c.step, c.layer, c.phase, c.begun, "
                "(SELECT cycle FROM command_moment m WHERE m.device = c.device AND m.sequence = c.sequence AND moment = 'ended') "
                "FROM command c WHERE c.step IN (SELECT step FROM logged_step) ORDER BY c.device, c.step, c.begun");
    std::map<std::pair<std::uint64_t, std::uint64_t>, stretch> steps; // by device and step
    while (q.next()) {
        if (!chosen_steps.contains(q.number(2)))
            continue;
        commands_[{q.number(0), q.number(1)}] = {q.number(2), q.number(3), static_cast<unsigned>(q.number(4))};
        const std::uint64_t begun = q.number(5), end = q.null(6) ? ~std::uint64_t{0} : q.number(6);
        stretch& s = steps.try_emplace({q.number(0), q.number(2)}, stretch{begun, end}).first->second;
        s = {std::min(s.first, begun), std::max(s.last, end)};
    }
    for (const auto& [key, s] : steps)
        times_[key.first].push_back(s);
    for (auto& [device, times] : times_)
        times = joined(std::move(times));
}

std::vector<tile_level::stretch> tile_level::joined(std::vector<stretch> all) {
    std::sort(all.begin(), all.end(), [](const stretch& a, const stretch& b) { return a.first < b.first; });
    std::vector<stretch> apart;
    for (const stretch& s : all)
        if (apart.empty() || s.first > apart.back().last)
            apart.push_back(s);
        else
            apart.back().last = std::max(apart.back().last, s.last);
    return apart;
}

tile_level::~tile_level() = default;

const tile_level::command* tile_level::chosen(std::uint64_t device, std::uint64_t sequence) const {
    const auto found = commands_.find({device, sequence});
    return found == commands_.end() ? nullptr : &found->second;
}

bool tile_level::in_chosen_time(std::uint64_t device, std::uint64_t cycle) const {
    const auto times = times_.find(device);
    if (times == times_.end())
        return false;
    const auto after = std::upper_bound(times->second.begin(), times->second.end(), cycle,
                                        [](std::uint64_t c, const stretch& s) { return c < s.first; });
    return after != times->second.begin() && cycle <= std::prev(after)->last;
}

void tile_level::draw() {
    if (commands_.empty())
        return;
    cursor_ = std::make_unique<cursor>(d_.log);
    cursor& at = *cursor_;
    while (!d_.out.full() && (at.more_instructions || at.more_grants)) {
        // What was granted in a cycle comes before what ended in it: an instruction finds its grants.
        const bool is_grant = at.more_grants && (!at.more_instructions || at.grants.number(1) <= at.instructions.number(2));
        const std::uint64_t now = is_grant ? at.grants.number(1) : at.instructions.number(2);
        flush_written(now);
        if (is_grant) {
            const grant g = at.next_grant();
            if (g.sequence ? chosen(g.device, g.sequence) != nullptr : in_chosen_time(g.device, g.granted))
                draw(g);
        } else {
            const logged_instruction i(at.instructions);
            read_accesses(i);
            if (const command* c = chosen(i.device, i.sequence); c && i.engine < spec::max_engines) {
                draw(i, *c);
                instructions_ += !d_.out.full();
                left_out_ += d_.out.full();
            }
        }
        if (d_.out.full())
            stopped_at_ = now;
        (is_grant ? at.more_grants : at.more_instructions) = (is_grant ? at.grants : at.instructions).next();
    }
    flush_written(~std::uint64_t{0});
    flush_uses();
    if (d_.out.full() && stopped_at_ == 0 && at.more_instructions)
        stopped_at_ = at.instructions.number(2);
    for (; at.more_instructions; at.more_instructions = at.instructions.next())
        left_out_ += chosen(at.instructions.number(3), at.instructions.number(4)) != nullptr;
    cursor_.reset();
}

// ---- instructions

void tile_level::read_accesses(const logged_instruction& i) {
    reads_.clear();
    writes_.clear();
    tensor_.clear();
    cursor& at = *cursor_;
    log_query& q = at.accesses;
    for (; at.more_accesses; at.more_accesses = q.next()) {
        const bool mine = q.number(4) == i.pc && q.number(3) == i.sequence && q.number(2) == i.engine && q.number(1) == i.device;
        if (!mine) {
            // Rows stand right before those of their instruction; an instruction that did not finish has none.
            if (q.number(0) >= i.ended)
                return;
            continue;
        }
        const bool write = q.number(5) != 0;
        std::string& to = write ? writes_ : reads_;
        if (!to.empty())
            to += ", ";
        const std::uint64_t tag = q.number(8);
        if (tag != 0) {
            const std::string name = d_.tensor(tag);
            if (tensor_.empty() || write)
                tensor_ = name;
            to += name;
            to += ' ';
        }
        to += spec::name_of(static_cast<spec::memory_kind>(q.number(6)));
        to += "+0x";
        char digits[24];
        to.append(digits, std::to_chars(digits, digits + sizeof digits, q.number(7), 16).ptr);
    }
}

unsigned tile_level::engine_track(std::uint64_t device, unsigned engine, unsigned part) {
    unsigned& known = devices_[device].engines[engine].tracks[part];
    if (known == trace_writer::no_track)
        known = d_.out.track(drawing::pid(engine >= spec::engine_dma ? drawing::queues : drawing::engines, device),
                             engine_label(engine) + part_name(part), order_of(engine, part));
    return known;
}

unsigned tile_level::chunk_counter(std::uint64_t device, unsigned engine) {
    int& known = devices_[device].engines[engine].counter;
    if (known < 0)
        known = static_cast<int>(
            d_.out.counter(drawing::pid(drawing::queues, device), engine_label(engine) + " chunks in flight", "chunks"));
    return static_cast<unsigned>(known);
}

void tile_level::draw(const logged_instruction& i, const command& c) {
    const program_book::code_bytes* code = book_.code(i);
    const auto waits = book_.waits(i);
    const auto what = static_cast<opcode>(i.opcode);
    name_ = spec::name_of(what);
    arguments_.clear();
    arguments_.number("command", i.sequence).number("pc", i.pc).text("opcode", name_);
    if (code)
        arguments_.text("shape", shape_text(*code));
    arguments_.number("step", c.step).number("layer", c.layer).text("phase", spec::name_of(static_cast<spec::phase>(c.phase)));
    if (!reads_.empty())
        arguments_.text("reads", reads_);
    if (!writes_.empty())
        arguments_.text("writes", writes_);
    arguments_.number("begun", i.begun).number("ended", i.ended);
    if (i.started > i.requested)
        arguments_.number("bank_wait", i.started - i.requested);
    if (!tensor_.empty())
        (name_ += ' ') += tensor_;

    unsigned waits_track = part::waits;
    trace_writer::drawn_slice first, last;
    const std::uint64_t start = std::min(i.ended, i.started != 0 ? i.started : i.begun);
    if (what == opcode::load_weights) {
        first = last = d_.out.slice(engine_track(i.device, i.engine, part::weights), start, i.ended, name_, arguments_.str());
        waits_track = part::weights_waits;
    } else if (what == opcode::matmul) {
        spec::matrix_instruction m;
        if (code)
            std::memcpy(&m, code->data(), sizeof m);
        const std::uint64_t per_row =
            m.source_format < d_.machine.operand_cycles.size() ? d_.machine.operand_cycles[m.source_format] : 1;
        const std::uint64_t rows_end = code ? std::min(i.ended, saturating_add(start, m.rows * per_row)) : i.ended;
        const std::uint64_t first_sum =
            std::min(i.ended, saturating_add(start, d_.machine.array_rows * d_.machine.fma_depth - 1));
        first = d_.out.slice(engine_track(i.device, i.engine, part::rows), start, rows_end, name_, arguments_.str());
        arguments_.clear();
        arguments_.number("command", i.sequence).number("pc", i.pc);
        last = d_.out.slice(engine_track(i.device, i.engine, part::sums), first_sum, i.ended, name_, arguments_.str());
        waits_track = part::rows_waits;
    } else {
        first = last = d_.out.slice(engine_track(i.device, i.engine, part::work), i.begun, i.ended, name_, arguments_.str());
    }
    if (!waits.empty())
        draw_waits(i, waits, waits_track);
    for (const semaphore_wait& w : waits)
        for (const semaphore_wait::giver& g : w.givers)
            d_.out.arrow({g.drawn.track, g.drawn.ns}, first.at(d_.out.ns_of(i.begun)), "semaphore");
    const trace_writer::point end = last.end();
    book_.ended(i, {end.track, end.ns});
}

void tile_level::draw_waits(const logged_instruction& i, const std::vector<semaphore_wait>& waits, unsigned track) {
    const std::uint64_t issued = saturating_add(i.taken, d_.machine.issue_cycles);
    if (i.begun <= issued)
        return;
    arguments_.clear();
    arguments_.number("command", i.sequence).number("pc", i.pc).number("cycles", i.begun - issued);
    for (const semaphore_wait& w : waits) {
        std::string text = "semaphore " + std::to_string(w.semaphore) + " x" + std::to_string(w.count);
        for (const semaphore_wait::giver& g : w.givers)
            text += (&g == &w.givers.front() ? " from " : ", ") + engine_label(g.who.engine) + " #" + std::to_string(g.who.pc);
        arguments_.text(&w == &waits.front() ? "first" : "then", text);
    }
    d_.out.slice(engine_track(i.device, i.engine, track), issued, i.begun,
                 "wait for semaphore " + std::to_string(waits.back().semaphore), arguments_.str());
}

// ---- grants

void tile_level::draw(const grant& g) {
    const unsigned r = g.requester;
    const bool mover = r == requesters::mover;
    if (requesters::reads(r)) {
        draw_chunk(g, r, false);
    } else if (requesters::writes(r)) {
        draw_chunk(g, r - requesters::first_write, true);
    } else if (mover || requesters::fetches(r)) {
        arguments_.clear();
        arguments_.hex("address", g.address).number("bytes", g.bytes);
        if (!mover)
            arguments_.number("command", g.sequence).number("first", g.pc);
        d_.out.slice(mover ? d_.out.track(drawing::pid(drawing::engines, g.device), "mover", order_of(spec::max_engines, 0))
                           : engine_track(g.device, r - requesters::first_fetch, part::fetch),
                     g.requested, g.resumed, mover ? (g.write ? "write" : "read") : "fetch", arguments_.str());
    }
    switch (static_cast<trace::resource>(g.resource)) {
    case trace::resource::dram: draw_dram(g); break;
    case trace::resource::link_up: draw_wire(g, 0); break;
    case trace::resource::link_down: draw_wire(g, 1); break;
    default: break;
    }
}

void tile_level::draw_chunk(const grant& g, unsigned engine, bool writes) {
    engine_state& queue = devices_[g.device].engines[engine];
    const char* name = "host";
    switch (static_cast<trace::resource>(g.resource)) {
    case trace::resource::lines: name = "state buffer"; break;
    case trace::resource::dram: name = "DRAM"; break;
    case trace::resource::link_up: name = writes ? "to host" : "ask host"; break;
    case trace::resource::link_down: name = "from host"; break;
    case trace::resource::transposer: name = "transpose"; break;
    default: break;
    }
    arguments_.clear();
    arguments_.number("command", g.sequence).number("pc", g.pc);
    if (static_cast<trace::resource>(g.resource) != trace::resource::transposer)
        arguments_.hex("address", g.address);
    arguments_.number("bytes", g.bytes);
    if (writes) {
        d_.out.slice(engine_track(g.device, engine, part::write), g.requested, g.resumed, name, arguments_.str());
        if (!queue.open.empty()) { // otherwise its read was not logged
            queue.open.erase(queue.open.begin());
            written_.push({g.resumed, g.device, engine});
        }
        return;
    }
    const std::uint64_t place = g.chunk % d_.machine.dma_places;
    d_.out.slice(engine_track(g.device, engine, part::first_read + static_cast<unsigned>(place % part::reads)), g.requested,
                 g.resumed, name, arguments_.str());
    if (queue.sequence != g.sequence) { // what an aborted program left behind
        queue.sequence = g.sequence;
        queue.open.clear();
    }
    const auto at = std::lower_bound(queue.open.begin(), queue.open.end(), g.chunk);
    if ((at != queue.open.end() && *at == g.chunk) || queue.open.size() > d_.machine.dma_places)
        return;
    queue.open.insert(at, g.chunk);
    d_.out.sample(chunk_counter(g.device, engine), g.granted, ++queue.in_flight);
}

void tile_level::flush_written(std::uint64_t until) {
    for (; !written_.empty() && written_.top().cycle <= until; written_.pop()) {
        const written_chunk& w = written_.top();
        std::uint64_t& in_flight = devices_[w.device].engines[w.engine].in_flight;
        in_flight -= in_flight != 0;
        d_.out.sample(chunk_counter(w.device, w.engine), w.cycle, in_flight);
    }
}

void tile_level::draw_dram(const grant& g) {
    auto& channels = devices_[g.device].channels;
    channels.resize(d_.machine.dram_channels);
    if (g.bytes == 0)
        return;
    const std::uint64_t first = g.address / d_.machine.dram_burst,
                        last = saturating_add(g.address, g.bytes - 1) / d_.machine.dram_burst;
    const std::uint64_t touched = std::min<std::uint64_t>(last - first + 1, channels.size());
    for (std::uint64_t k = 0; k < touched; ++k) {
        const std::uint64_t c = (first + k) % channels.size();
        use(channels[c], {true, g.granted, g.resumed, g.sequence, g.pc, g.address, g.bytes, 1, g.requester, g.write},
            d_.out.track(drawing::pid(drawing::memory, g.device), "DRAM channel " + std::to_string(c), static_cast<unsigned>(c)));
    }
}

void tile_level::draw_wire(const grant& g, unsigned direction) {
    device_state& device = devices_[g.device];
    const std::uint64_t cycles = d_.machine.wire_cycles(g.bytes), before = saturating_add(cycles, d_.machine.link_latency);
    // The wire may have been busy with messages of commands that are not logged: the arrival knows, unless stress has made it
    // late.
    std::uint64_t start = std::max(g.granted, device.wire_free[direction]);
    if (d_.machine.late_messages == 0 && g.arrived > before)
        start = std::max(start, g.arrived - before);
    const std::uint64_t end = saturating_add(start, cycles);
    device.wire_free[direction] = end;
    use(device.wires[direction], {true, start, end, g.sequence, g.pc, g.address, g.bytes, 1, g.requester, g.write},
        d_.out.track(drawing::pid(drawing::link, g.device), direction == 0 ? "link up" : "link down", direction));
}

void tile_level::use(merged_use& last, const merged_use& now, unsigned track) {
    if (last.any && last.sequence == now.sequence && last.pc == now.pc && last.requester == now.requester &&
        last.write == now.write && now.begin <= last.end) {
        last.end = std::max(last.end, now.end);
        last.bytes = saturating_add(last.bytes, now.bytes);
        ++last.count;
        return;
    }
    draw_use(last, track);
    last = now;
}

void tile_level::draw_use(const merged_use& u, unsigned track) {
    if (!u.any)
        return;
    arguments_.clear();
    if (u.sequence != 0)
        arguments_.number("command", u.sequence).number("pc", u.pc);
    arguments_.hex("address", u.address).number("bytes", u.bytes);
    if (u.count > 1)
        arguments_.number("accesses", u.count);
    d_.out.slice(track, u.begin, u.end, requester_name(u.requester), arguments_.str());
}

void tile_level::flush_uses() {
    for (auto& [number, device] : devices_) {
        for (std::size_t c = 0; c < device.channels.size(); ++c)
            if (device.channels[c].any)
                draw_use(device.channels[c], d_.out.track(drawing::pid(drawing::memory, number),
                                                          "DRAM channel " + std::to_string(c), static_cast<unsigned>(c)));
        for (unsigned w = 0; w < device.wires.size(); ++w)
            if (device.wires[w].any)
                draw_use(device.wires[w], d_.out.track(drawing::pid(drawing::link, number), w == 0 ? "link up" : "link down", w));
    }
}

} // namespace retrace
