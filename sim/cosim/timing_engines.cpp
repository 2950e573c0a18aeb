#include "sim/cosim/timing_engines.h"

namespace retrace::cosim::timing {

using spec::opcode;

engine_rules::engine_rules(const npu_config& config, const timing_log& log, plan& work, findings& found)
    : config_(config), log_(log), plan_(work), found_(found), freezes_(config.array.stress) {}

void engine_rules::requested(const request& r, time expected) {
    if (r.grant)
        found_.cycle(
            stage::requested, r.rule, [&] { return r.name(); }, "requested", expected, r.grant->requested);
    else if (expected && *expected < log_.end)
        found_.add(stage::requested, r.rule, *expected,
                   fmt::format("{}: expected to request in cycle {}, is never granted", r.name(), *expected));
}

void engine_rules::ended(const program& p, const instruction& i, std::string_view rule, time expected) {
    if (i.event)
        found_.cycle(
            stage::ended, rule, [&] { return p.name(i); }, "finished", expected, i.event->ended);
}

void engine_rules::signals() {
    for (const program& p : plan_.programs)
        for (const instruction& i : p.instructions)
            for (const auto& [number, count] :
                 {std::pair{i.code.signal0, i.code.signal0_count}, {i.code.signal1, i.code.signal1_count}}) {
                if (count == 0)
                    continue;
                semaphore& s = semaphores_[{p.sequence, number}];
                s.known &= i.event != nullptr;
                if (i.event)
                    s.given.push_back({i.event->ended, count});
            }
    for (auto& [key, s] : semaphores_)
        std::sort(s.given.begin(), s.given.end());
}

time engine_rules::semaphore_holds(const program& p, const instruction& i, unsigned number, unsigned count,
                                   time from) {
    if (count == 0)
        return from;
    // One engine waits for a semaphore: the counts that it has taken before are gone.
    semaphore& s = semaphores_[{p.sequence, number}];
    s.used += count;
    if (!s.known)
        return {};
    std::uint64_t sum = 0;
    for (const auto& [cycle, given] : s.given)
        if ((sum += given) >= s.used)
            return later(from, cycle);
    found_.add(stage::begun, "9.3", i.event ? i.event->begun : log_.end,
               fmt::format("{}: begins, but semaphore {} never holds the count of {} that it waits for",
                           p.name(i), number, count));
    return {};
}

void engine_rules::check() {
    signals();
    for (program& p : plan_.programs)
        sequence(p);
}

void engine_rules::fetches(const program& p) {
    const std::uint64_t block = config_.sequencer.fetch_block;
    for (std::size_t b = 0; b < p.fetches.size(); ++b) {
        time expected = b == 0 ? time(p.begun->cycle + 1) : p.fetches[b - 1]->resumed();
        // The queue holds no more than one block when all but the last one fetched have been taken.
        if (b >= 2) {
            const trace::instruction_event* last = p.instructions[(b - 1) * block - 1].event;
            expected = later(expected, last ? time(last->taken) : time());
        }
        requested(*p.fetches[b], expected);
    }
}

void engine_rules::sequence(program& p) {
    fetches(p);
    array_ports ports;
    if (p.engine == spec::engine_pe)
        for (const instruction& i : p.instructions) {
            if (i.is(opcode::load_weights))
                ports.loads.push_back(&i);
            if (i.is(opcode::matmul))
                ports.streams.push_back(&i);
            if (i.is(opcode::matmul) && i.code.flags & spec::matmul_swap)
                ports.swaps.push_back(&i);
        }
    time next = p.begun->cycle + 1, over = next;
    for (const instruction& i : p.instructions) {
        const time taken = later(next, p.fetches[i.pc / config_.sequencer.fetch_block]->resumed());
        time begins;
        if (i.event) {
            found_.cycle(
                stage::taken, "9.3", [&] { return p.name(i); }, "taken", taken, i.event->taken);
            begins = i.event->taken + config_.sequencer.issue_cycles;
        }
        begins = semaphore_holds(p, i, i.code.wait0, i.code.wait0_count, begins);
        begins = semaphore_holds(p, i, i.code.wait1, i.code.wait1_count, begins);
        if (i.event)
            found_.cycle(
                stage::begun, "9.3", [&] { return p.name(i); }, "begun", begins, i.event->begun);
        if (p.engine >= spec::engine_dma) {
            next = transfer(p, i);
        } else if (i.is(opcode::nop)) {
            ended(p, i, "9.3", i.begun());
            next = i.begun();
        } else if (p.engine != spec::engine_pe) {
            next = element_wise(p, i);
        } else {
            next = i.is(opcode::load_weights) ? load(p, i, ports) : stream(p, i, ports);
        }
        over = later(later(over, next), i.ended());
    }
    if (p.ended) {
        found_.cycle(
            stage::ended, "9.3", [&] { return p.name(); }, "the program ended", over, p.ended->cycle);
        if (p.ended->fault != spec::engine_fault::none)
            found_.add(stage::ended, "9.3", p.ended->cycle, p.name() + ": ended with a fault");
    }
}

time engine_rules::element_wise(const program& p, const instruction& i) {
    requested(*i.banks, i.begun());
    ended(p, i, "9.6", plus(start_of(i), i.banks->banks.cycles + i.banks->banks.latency));
    return i.ended();
}

engine_rules::moment engine_rules::moment_of(const instruction& i) const {
    return {i.banks->grant->resumed, i.banks->grant->granted == i.banks->grant->resumed};
}

time engine_rules::load(const program& p, const instruction& i, array_ports& ports) {
    const std::size_t n = ports.loaded++;
    // The port takes it when it has finished the one before; the place behind it is free when it has taken
    // that.
    const time handed = n ? later(i.begun(), ports.load_taken) : i.begun();
    const time taken = n ? later(handed, ports.loads[n - 1]->ended()) : handed;
    ports.load_taken = taken;
    ended(p, i, "9.5", end_of(start_of(i), i.banks->banks.cycles));

    time expected;
    const auto known = [](const instruction* s) { return s->banks->grant != nullptr; };
    if (n == 0 && config_.array.weight_registers != 1) {
        expected = taken;
    } else if (taken && (n == 0 || (n <= ports.swaps.size() && known(ports.swaps[n - 1])))) {
        moment may{*taken, false};
        if (n)
            may = std::max(may, moment_of(*ports.swaps[n - 1]));
        std::uint64_t earliest = 0;
        bool all_known = true;
        if (config_.array.weight_registers == 1) {
            // Streams before it in the program have ended, and those that have begun by then end first.
            for (const instruction* s : ports.streams)
                if (s->pc < i.pc && (all_known &= s->event != nullptr))
                    may = std::max(may, moment{s->event->ended, false});
            for (const instruction* s : ports.streams)
                if (known(s) && s->event && moment_of(*s) <= may)
                    earliest = std::max(earliest, s->event->ended);
        } else {
            const std::uint64_t depth = config_.array.fma_depth, o = operand_cycles(i);
            earliest = freezes_.after(ports.swaps[n - 1]->banks->grant->resumed,
                                      (config_.array.rows - 1) * (depth > o ? depth - o : 0));
        }
        if (all_known)
            expected = std::max(earliest, may.cycle + may.granted);
        if (all_known && earliest > may.cycle)
            expected = earliest;
    }
    requested(*i.banks, expected);
    return handed;
}

time engine_rules::stream(const program& p, const instruction& i, array_ports& ports) {
    const std::size_t n = ports.streamed++;
    const time handed = n ? later(i.begun(), ports.stream_taken) : i.begun();
    time taken = handed;
    if (n)
        taken =
            later(taken, end_of(start_of(*ports.streams[n - 1]), ports.streams[n - 1]->banks->banks.cycles));
    ports.stream_taken = taken;
    time expected = taken;
    if (i.code.flags & spec::matmul_swap) {
        const std::size_t swap = ports.swapped++;
        expected = swap < ports.loads.size() ? later(taken, ports.loads[swap]->ended()) : time();
    }
    requested(*i.banks, expected);
    const std::uint64_t o = operand_cycles(i);
    ended(p, i, "9.5",
          end_of(start_of(i), (i.code.rows - 1u) * o + config_.array.columns - 1 +
                                  std::uint64_t{config_.array.rows} * config_.array.fma_depth));
    return handed;
}

time engine_rules::transfer(const program& p, const instruction& i) {
    std::vector<const chunk*>& all = queues_[p.engine];
    const bool nop = i.is(opcode::nop);
    time position = plus(i.begun(), nop ? 0 : config_.dma.setup_cycles), done;
    for (chunk* c : i.chunks) {
        const std::size_t k = all.size();
        if (k >= config_.dma.outstanding_chunks) {
            const chunk& before = *all[k - config_.dma.outstanding_chunks];
            const stress_settings& s = config_.stress;
            const std::uint64_t held = before.write ? hold(s.seed, 300 + p.engine - spec::engine_dma,
                                                           before.order, 0, s.chunk_cycles)
                                                    : 0;
            position = later(position, plus(before.done, held));
        }
        time ready = position;
        for (const request* r : c->reads) {
            requested(*r, ready);
            ready = r->resumed();
        }
        if (!c->reads.empty())
            position = c->reads.front()->requested();
        const time turn = k ? later(ready, all[k - 1]->done) : ready;
        if (c->write)
            requested(*c->write, turn);
        else
            ended(p, i, "9.3", turn);
        c->done = done = c->write ? c->write->resumed() : i.ended();
        all.push_back(c);
    }
    if (!nop)
        ended(p, i, "9.8", done);
    return position;
}

} // namespace retrace::cosim::timing
