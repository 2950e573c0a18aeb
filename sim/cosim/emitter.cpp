#include "sim/cosim/emitter.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "hw/spec/counter_random.h"
#include "sim/cosim/machine.h"

namespace retrace::cosim {

using spec::memory_kind;
using spec::opcode;

namespace {

/// The array's streams are a lane of their own, behind the engines.
constexpr unsigned stream_lane = spec::max_engines, lane_count = stream_lane + 1;

unsigned lane_of(const operation& o) { return o.opcode == opcode::matmul ? stream_lane : o.engine; }

using clock_vector = std::array<int, lane_count>; ///< per lane, the last operation known to be complete; -1: none

/// What one operation waits for and signals.
struct links {
    std::vector<unsigned> waits, signals; ///< semaphores
};

class command_emitter {
public:
    command_emitter(const test_case& c, std::size_t index, const std::vector<operation_bytes>& bytes)
        : case_(c), command_(c.commands[index]), bytes_(bytes), index_(index) {}

    emitted_command run() {
        plan();
        emitted_command e;
        e.command = index_;
        slots(e);
        std::map<unsigned, compiler::engine_program> programs;
        for (std::size_t o = 0; o < command_.operations.size(); ++o) {
            const operation& op = command_.operations[o];
            compiler::engine_program& p = programs[op.engine];
            p.engine = op.engine;
            emit(op, static_cast<int>(o), links_[o], p.code, e.origin[op.engine]);
        }
        for (auto& [engine, program] : programs)
            e.programs.push_back(std::move(program));
        e.semaphores = static_cast<unsigned>(semaphores_.size());
        return e;
    }

private:
    /// Semaphore of a lane's tokens for an engine. Numbers are spread over all there are.
    unsigned semaphore(unsigned lane, unsigned engine) {
        const auto [at, added] = semaphores_.try_emplace({lane, engine}, 0);
        if (added) {
            if (semaphores_.size() > spec::semaphores)
                throw case_error(
                    fmt::format("command {}: needs more than the {} semaphores of a context", index_ + 1, spec::semaphores));
            const auto start = static_cast<unsigned>(case_.seed + 7 * index_);
            at->second =
                (start + 5 * static_cast<unsigned>(semaphores_.size())) % spec::semaphores; // 5 and 32 have no common factor
        }
        return at->second;
    }

    bool must_follow(std::size_t later, std::size_t earlier) const {
        const operation &x = command_.operations[later], &y = command_.operations[earlier];
        const operation_bytes &b = bytes_[later], &a = bytes_[earlier];
        if (x.engine == y.engine) // in order by itself, but for a queue that reads what it has not written yet
            return x.engine >= spec::engine_dma && overlap(b.reads, a.writes);
        return overlap(b.reads, a.writes) || overlap(b.writes, a.reads) || overlap(b.writes, a.writes);
    }

    void plan() {
        const std::size_t count = command_.operations.size();
        links_.resize(count);
        std::vector<clock_vector> done(count); // what is complete once the operation is
        std::map<unsigned, clock_vector> known;
        std::array<int, lane_count> last;
        last.fill(-1);
        std::vector<int> first_consumer(count, -1);
        for (std::size_t x = 0; x < count; ++x) {
            const operation& op = command_.operations[x];
            const unsigned lane = lane_of(op);
            clock_vector& mine = known.try_emplace(op.engine, clock_vector{}).first->second;
            if (!started_.count(op.engine)) {
                started_.insert({op.engine, true});
                mine.fill(-1);
            }
            if ((op.engine == spec::engine_activation || op.engine == spec::engine_vector) && last[lane] >= 0)
                mine[lane] = last[lane]; // one at a time
            // The latest operation first: its clock may cover the others.
            for (std::size_t y = x; y-- > 0;)
                if (mine[lane_of(command_.operations[y])] < static_cast<int>(y) && must_follow(x, y)) {
                    std::size_t producer = y;
                    if (command_.operations[y].engine == spec::engine_pe) {
                        if (links_[y].signals.size() == 2)
                            producer = static_cast<std::size_t>(first_consumer[y]);
                        else if (first_consumer[y] < 0)
                            first_consumer[y] = static_cast<int>(x);
                    }
                    const unsigned from = lane_of(command_.operations[producer]), token = semaphore(from, op.engine);
                    links_[producer].signals.push_back(token);
                    links_[x].waits.push_back(token);
                    for (unsigned l = 0; l < lane_count; ++l)
                        mine[l] = std::max(mine[l], done[producer][l]);
                }
            done[x] = mine;
            done[x][lane] = static_cast<int>(x);
            last[lane] = static_cast<int>(x);
        }
    }

    void slots(emitted_command& e) {
        const auto use = [&](unsigned buffer, spec::operand_access access) {
            const auto found = std::find(e.slots.begin(), e.slots.end(), buffer);
            const auto slot = static_cast<std::size_t>(found - e.slots.begin());
            if (found == e.slots.end()) {
                e.slots.push_back(buffer);
                e.access.push_back(0);
            }
            e.access[slot] |= static_cast<std::uint8_t>(access);
        };
        using access = spec::operand_access;
        for (const operation& o : command_.operations) {
            if (o.opcode == opcode::nop)
                continue;
            if (o.opcode == opcode::copy) {
                use(o.from.buffer, access::read), use(o.to.buffer, access::write);
                continue;
            }
            use(o.a.buffer, access::read);
            if (o.opcode == opcode::binary || (o.opcode == opcode::activate && o.flags & spec::activate_bias))
                use(o.b.buffer, access::read);
            if (o.opcode != opcode::load_weights)
                use(o.d.buffer, access::write);
            if (o.opcode == opcode::reduce_columns && o.flags & spec::reduce_columns_accumulate)
                use(o.d.buffer, access::read);
        }
        for (const unsigned b : command_.release)
            use(b, access::release);
        for (std::size_t s = 0; s < e.slots.size(); ++s)
            slot_of_[e.slots[s]] = static_cast<std::uint8_t>(s);
    }

    compiler::instruction encode(const operation& o, const compiler::sync& s) const {
        const auto place = [&](const matrix_place& p) {
            const std::uint8_t slot = slot_of_.at(p.buffer);
            return spec::memory_operand{slot, slot, 0, p.offset, p.pitch};
        };
        if (o.opcode == opcode::copy) {
            spec::copy_instruction i{};
            i.opcode = static_cast<std::uint8_t>(o.opcode);
            i.flags = o.flags;
            s.fill(i);
            i.source_slot = slot_of_.at(o.from.buffer), i.destination_slot = slot_of_.at(o.to.buffer);
            // Bytes of host memory carry no tag of their own.
            i.tag_slot = case_.buffers[o.to.buffer].memory == memory_kind::host ? i.source_slot : i.destination_slot;
            i.element_bytes = static_cast<std::uint8_t>(o.element_bytes);
            i.source_offset = o.from.offset, i.destination_offset = o.to.offset;
            i.size0 = o.sizes[0], i.size1 = o.sizes[1];
            i.size2 = static_cast<std::uint16_t>(o.sizes[2]), i.size3 = static_cast<std::uint16_t>(o.sizes[3]);
            i.source_stride1 = o.from.strides[0], i.source_stride2 = o.from.strides[1], i.source_stride3 = o.from.strides[2];
            i.destination_stride1 = o.to.strides[0], i.destination_stride2 = o.to.strides[1],
            i.destination_stride3 = o.to.strides[2];
            return compiler::encode(i);
        }
        spec::matrix_instruction i{};
        i.opcode = static_cast<std::uint8_t>(o.opcode);
        s.fill(i);
        if (o.opcode == opcode::nop)
            return compiler::encode(i);
        i.flags = o.flags;
        i.source_format = static_cast<std::uint8_t>(o.source);
        i.rows = static_cast<std::uint16_t>(o.rows), i.columns = static_cast<std::uint16_t>(o.columns);
        i.a = place(o.a);
        if (o.opcode != opcode::load_weights)
            i.d = place(o.d);
        if (o.opcode == opcode::load_weights || o.opcode == opcode::matmul)
            return compiler::encode(i);
        i.result_format = static_cast<std::uint8_t>(o.result);
        i.function = o.function;
        if (o.opcode == opcode::binary) {
            i.b = place(o.b);
            i.second_format = static_cast<std::uint8_t>(o.second);
            i.broadcast = static_cast<std::uint8_t>(o.broadcast);
        }
        if (o.opcode == opcode::activate) {
            i.scale = o.scale;
            if (o.flags & spec::activate_bias) {
                i.b = place(o.b);
                i.second_format = static_cast<std::uint8_t>(o.second);
            }
            if (o.flags & spec::activate_stochastic) {
                i.element_base = o.element_base;
                i.b.pitch = o.element_pitch;
            }
        }
        return compiler::encode(i);
    }

    /// The operation with its waits and signals, and nops for what does not fit into it.
    void emit(const operation& o, int number, const links& l, std::vector<compiler::instruction>& code,
              std::vector<int>& origin) const {
        const auto add = [&](const operation& what, int whose, const compiler::sync& s) {
            code.push_back(encode(what, s));
            origin.push_back(whose);
        };
        operation nop;
        nop.engine = o.engine;
        nop.opcode = opcode::nop;
        std::size_t w = 0;
        for (; l.waits.size() - w > 2; w += 2)
            add(nop, -1, compiler::sync().wait(l.waits[w], command_.token).wait(l.waits[w + 1], command_.token));
        compiler::sync s;
        for (; w < l.waits.size(); ++w)
            s.wait(l.waits[w], command_.token);
        std::size_t g = 0;
        for (; g < l.signals.size() && g < 2; ++g)
            s.signal(l.signals[g], command_.token);
        add(o, number, s);
        while (g < l.signals.size()) {
            compiler::sync more;
            for (unsigned i = 0; i < 2 && g < l.signals.size(); ++i, ++g)
                more.signal(l.signals[g], command_.token);
            add(nop, -1, more);
        }
    }

    const test_case& case_;
    const command& command_;
    const std::vector<operation_bytes>& bytes_;
    std::size_t index_;
    std::vector<links> links_;
    std::map<std::pair<unsigned, unsigned>, unsigned> semaphores_;
    std::map<unsigned, bool> started_;
    std::map<unsigned, std::uint8_t> slot_of_;
};

/// What a command touches as a whole, its working set apart.
struct command_bytes {
    std::vector<byte_set> reads, writes, work;
};

command_bytes collect(const test_case& c, const command& k, const std::vector<operation_bytes>& operations) {
    command_bytes all;
    const std::uint64_t bank = std::uint64_t{c.machine.psum_rows} * c.machine.size * 4;
    if (k.work_bytes)
        all.work.push_back({memory_kind::state_buffer, {{k.work_base, std::uint64_t{k.work_base} + k.work_bytes}}});
    if (k.psum_count)
        all.work.push_back({memory_kind::psum, {{k.psum_first * bank, (k.psum_first + k.psum_count) * bank}}});
    for (const operation_bytes& o : operations) {
        const auto add = [&](std::vector<byte_set>& to, const std::vector<byte_set>& from) {
            for (const byte_set& s : from)
                if (!overlap({s}, all.work)) // firmware keeps working sets apart
                    to.push_back(s);
        };
        add(all.reads, o.reads);
        add(all.writes, o.writes);
    }
    for (const unsigned b : k.release)
        all.writes.push_back({c.buffers[b].memory, {{c.buffers[b].base, std::uint64_t{c.buffers[b].base} + c.buffers[b].bytes}}});
    return all;
}

bool conflict(const command_bytes& a, const command_bytes& b) {
    return overlap(a.writes, b.reads) || overlap(a.writes, b.writes) || overlap(a.reads, b.writes) || overlap(a.work, b.reads) ||
           overlap(a.work, b.writes) || overlap(a.reads, b.work) || overlap(a.writes, b.work);
}

} // namespace

emitted_case emit(const test_case& c) {
    const auto bytes = bytes_of_operations(c);
    emitted_case e;
    std::vector<command_bytes> touched;
    std::vector<std::size_t> place;        // of the case's commands among the emitted
    std::vector<std::vector<bool>> before; // per emitted command: who has completed when it starts
    const auto add = [&](emitted_command&& k) {
        std::vector<bool> earlier(e.commands.size() + 1);
        for (const std::size_t w : k.waits) {
            earlier[w] = true;
            for (std::size_t i = 0; i < before[w].size(); ++i)
                earlier[i] = earlier[i] || before[w][i];
        }
        before.push_back(std::move(earlier));
        e.commands.push_back(std::move(k));
    };
    for (std::size_t k = 0; k < c.commands.size(); ++k) {
        touched.push_back(collect(c, c.commands[k], bytes[k]));
        emitted_command next = command_emitter(c, k, bytes[k]).run();
        std::vector<bool> implied(e.commands.size() + 1);
        std::vector<std::size_t> waits;
        for (std::size_t i = k; i-- > 0;) { // latest first: it may have waited for the others
            if (implied[place[i]] || !conflict(touched[k], touched[i]))
                continue;
            waits.push_back(place[i]);
            for (std::size_t b = 0; b < before[place[i]].size(); ++b)
                implied[b] = implied[b] || before[place[i]][b];
        }
        while (waits.size() > spec::max_waits) {
            emitted_command collector;
            collector.command = k;
            collector.waits.assign(waits.end() - spec::max_waits, waits.end());
            waits.resize(waits.size() - spec::max_waits);
            waits.push_back(e.commands.size());
            add(std::move(collector));
        }
        next.waits = std::move(waits);
        place.push_back(e.commands.size());
        add(std::move(next));
    }
    return e;
}

spec::command emitted_case::descriptor(const test_case& c, std::size_t index, std::uint64_t host_base) const {
    const emitted_command& e = commands[index];
    spec::command d{};
    d.opcode = static_cast<std::uint8_t>(e.programs.empty() ? spec::command_opcode::nop : spec::command_opcode::run);
    if (e.programs.empty())
        return d;
    const command& k = c.commands[e.command];
    d.step = k.step;
    d.layer = static_cast<std::uint32_t>(e.command);
    d.seed = k.seed;
    d.work_base = k.work_base;
    d.work_bytes = k.work_bytes;
    d.psum_first = static_cast<std::uint16_t>(k.psum_first);
    d.psum_count = static_cast<std::uint16_t>(k.psum_count);
    d.program_count = static_cast<std::uint8_t>(e.programs.size());
    for (std::size_t p = 0; p < e.programs.size(); ++p) {
        d.program_engine[p] = static_cast<std::uint8_t>(e.programs[p].engine);
        d.programs[p].count = static_cast<std::uint32_t>(e.programs[p].code.size());
    }
    d.operand_count = static_cast<std::uint8_t>(e.slots.size());
    for (std::size_t s = 0; s < e.slots.size(); ++s) {
        const buffer& b = c.buffers[e.slots[s]];
        d.operands[s] = {b.memory == memory_kind::host ? host_base + b.base : b.base,
                         b.bytes,
                         b.tag,
                         b.version,
                         static_cast<std::uint8_t>(b.memory),
                         e.access[s],
                         0};
    }
    return d;
}

std::uint64_t emitted_case::program_bytes() const {
    std::uint64_t bytes = 0;
    for (const emitted_command& k : commands)
        for (const compiler::engine_program& p : k.programs)
            bytes += p.code.size() * spec::instruction_bytes;
    return bytes;
}

} // namespace retrace::cosim
