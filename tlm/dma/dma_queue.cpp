#include "tlm/dma/dma_queue.h"

#include <fmt/format.h>

#include "tlm/core/seeded_fault.h"
#include "tlm/core/timing/back_pressure.h"

namespace retrace {

using spec::engine_fault;
using spec::memory_kind;

namespace {

constexpr unsigned write_requesters = 40; ///< in the arbitration: reads of all queues, then their writes

stall category_of(memory_kind memory) {
    switch (memory) {
    case memory_kind::host: return stall::link;
    case memory_kind::device_dram: return stall::dram;
    default: return stall::dma;
    }
}

} // namespace

dma_queue::dma_queue(const sc_core::sc_module_name& name, unsigned number, backplane& plane, finished_callback finished)
    : engine(name, number, plane, std::move(finished)), write_requester_(write_requesters + number), write_access_(write_requester_), chunks_probe_(plane.probes.number(block(), "chunks", 8, "level")) {
    for (unsigned i = 0; i < plane.config.dma.outstanding_chunks + RETRACE_FAULT(extra_place); ++i) {
        ring_.push_back(std::make_unique<place>(number));
        ring_.back()->text = plane.probes.text(block(), fmt::format("place{}", i).c_str());
        sc_core::sc_spawn([this, i] { read_chunks(i); }, fmt::format("read{}", i).c_str());
    }
    plane.probes.registry.add_text_source([this](std::uint64_t) { tell_places(); });
    SC_HAS_PROCESS(dma_queue);
    SC_THREAD(write_chunks);
}

bool dma_queue::transport(memory_access& access, memory_kind memory, tlm::tlm_command command, const std::vector<byte_run>& runs, place& p) {
    access.extension.tensor = p.tensor;
    access.extension.origin = origin(p.run, p.fetched.pc);
    access.extension.runs = &runs;
    access.extension.cancelled = &p.run->cancelled;
    access.extension.posted = true;
    access.set(command, runs.front().address, p.data.data(), static_cast<std::uint32_t>(p.data.size()));
    const stall category = category_of(memory);
    plane_.stalls.transfer(plane_.clock.now(), number(), category, +1);
    const bool ok = access.transport(memory == memory_kind::host ? host : memory == memory_kind::device_dram ? dram : buffer);
    plane_.stalls.transfer(plane_.clock.now(), number(), category, -1);
    return ok;
}

void dma_queue::on_cancel() {
    turn_free_ = 0;
    for (const auto& p : ring_) {
        plane_.arbitration.withdraw(p->reader);
        p->free_from = 0;
    }
    plane_.arbitration.withdraw(write_requester_);
    freed_.notify(sc_core::SC_ZERO_TIME);
}

dma_queue::place& dma_queue::claim(const run_handle& run) {
    place& p = *ring_[next_claim_];
    while (p.now != place::state::free) {
        wait(freed_);
        check(run);
    }
    pass_until(run, p.free_from);
    p.run = run;
    return p;
}

void dma_queue::show(place& p, const char* what, memory_kind memory, std::uint64_t address) {
    p.doing = what;
    if (plane_.probes.registry.wanted(p.text))
        plane_.probes.registry.set_text(p.text, plane_.clock.now(),
                                        fmt::format("{} {} B {} {:#x} #{}.{}", what, p.chunk.bytes, spec::name_of(memory), address, p.run->sequence, p.fetched.pc));
}

void dma_queue::tell_places() {
    for (const auto& p : ring_) {
        const bool writes = p->doing == std::string_view("write");
        if (p->now != place::state::free && *p->doing && p->chunk.bytes != 0)
            show(*p, p->doing, writes ? p->destination : p->source, (writes ? p->chunk.destination : p->chunk.source).front().address);
    }
}

void dma_queue::show_level() {
    const std::uint64_t now = plane_.clock.now();
    plane_.probes.registry.set(chunks_probe_, now, taken_);
    if (taken_ != 0)
        utilised().on(now);
    else
        utilised().off(now);
}

void dma_queue::hand_over(place& p, place::state next) {
    begin_flight();
    ++taken_;
    show_level();
    next_claim_ = (next_claim_ + 1) % ring_.size();
    p.now = next;
    p.reader.order = chunks_++;
    p.reader.made = 0;
    (next == place::state::to_read ? p.filled : read_).notify(sc_core::SC_ZERO_TIME);
}

void dma_queue::execute(const fetched_instruction& fetched) {
    const run_handle run = current();
    if (fetched.header().opcode == static_cast<std::uint8_t>(spec::opcode::nop)) {
        place& p = claim(run);
        p.fetched = fetched;
        p.chunk.bytes = 0;
        p.last = true;
        hand_over(p, place::state::to_write);
        return;
    }
    plane_.stalls.busy(plane_.clock.now(), number(), stall::dma);
    dma_transfer transfer(fetched.as<spec::copy_instruction>(), context_of(run), plane_.config.dma.chunk_bytes);
    pass_until(run, plane_.clock.now() + plane_.config.dma.setup_cycles);
    for (std::uint64_t cut = 0; cut < transfer.bytes();) {
        place& p = claim(run);
        transfer.next(p.chunk);
        cut += p.chunk.bytes;
        p.fetched = fetched;
        p.source = transfer.source_memory();
        p.destination = transfer.destination_memory();
        p.source_base = transfer.source_base();
        p.destination_base = transfer.destination_base();
        p.tensor = transfer.tensor();
        p.turn_element_bytes = transfer.transposes() ? transfer.element_bytes() : 0;
        p.last = cut == transfer.bytes();
        p.data.resize(p.chunk.bytes);
        hand_over(p, place::state::to_read);
    }
    plane_.stalls.busy(plane_.clock.now(), number(), stall::command);
}

void dma_queue::read_chunk(place& p) {
    const run_handle run = p.run;
    if (run->cancelled)
        return;
    show(p, "read", p.source, p.chunk.source.front().address);
    if (!transport(p.access, p.source, tlm::TLM_READ_COMMAND, p.chunk.source, p)) {
        fail(run, p.fetched, {engine_fault::bus_error, static_cast<std::uint32_t>(p.source)});
        return;
    }
    if (run->cancelled || p.turn_element_bytes == 0)
        return;
    show(p, "turn", p.source, p.chunk.source.front().address);
    p.turned.resize(p.data.size());
    dma_transfer::turn(p.chunk, p.turn_element_bytes, p.data.data(), p.turned.data());
    p.data.swap(p.turned);
    // There is one transpose unit; chunks pass it one after the other, those that arrive together in their order.
    const unsigned rate = plane_.config.dma.transpose_bytes_per_cycle;
    plane_.stalls.transfer(plane_.clock.now(), number(), stall::dma, +1);
    trace::grant_event told;
    told.what = trace::resource::transposer;
    told.bytes = p.chunk.bytes;
    told.sequence = run->sequence;
    told.pc = p.fetched.pc;
    plane_.arbitration.acquire(p.reader, told, [&](std::uint64_t cycle) {
        return turn_free_ = (RETRACE_FAULT(two_transposers) ? cycle : std::max(turn_free_, cycle)) + (p.chunk.bytes + rate - 1) / rate;
    });
    plane_.stalls.transfer(plane_.clock.now(), number(), stall::dma, -1);
}

void dma_queue::read_chunks(std::size_t index) {
    place& p = *ring_[index];
    for (;;) {
        while (p.now != place::state::to_read)
            sc_core::wait(p.filled);
        read_chunk(p);
        p.now = place::state::to_write;
        read_.notify(sc_core::SC_ZERO_TIME);
    }
}

void dma_queue::write_chunks() {
    for (;;) {
        place& p = *ring_[next_write_];
        while (p.now != place::state::to_write)
            wait(read_);
        const run_handle run = p.run;
        bool ok = true;
        if (RETRACE_FAULT(signal_before_write) && !run->cancelled && p.last && p.chunk.bytes != 0)
            finish(run, p.fetched);
        if (!run->cancelled && p.chunk.bytes != 0) {
            show(p, "write", p.destination, p.chunk.destination.front().address);
            ok = transport(write_access_, p.destination, tlm::TLM_WRITE_COMMAND, p.chunk.destination, p);
            if (ok && !run->cancelled)
                bytes_moved_ += p.chunk.bytes;
        }
        if (!ok) {
            fail(run, p.fetched, {engine_fault::bus_error, static_cast<std::uint32_t>(p.destination)});
        } else if (!run->cancelled && p.last) {
            if (p.chunk.bytes != 0 && logs(run))
                log_copy(p);
            if (!RETRACE_FAULT(signal_before_write) || p.chunk.bytes == 0)
                finish(run, p.fetched);
        }
        if (!run->cancelled && p.chunk.bytes != 0)
            p.free_from = plane_.clock.now() + hold_cycles(plane_.config.stress.seed, place_channel + number() - spec::engine_dma,
                                                           static_cast<std::uint32_t>(p.reader.order), 0, plane_.config.stress.chunk_cycles);
        p.run.reset();
        p.now = place::state::free;
        --taken_;
        show_level();
        p.doing = "";
        plane_.probes.registry.set_text(p.text, plane_.clock.now(), {});
        next_write_ = (next_write_ + 1) % ring_.size();
        freed_.notify(sc_core::SC_ZERO_TIME);
        end_flight(run);
    }
}

void dma_queue::log_copy(const place& p) {
    const auto i = p.fetched.as<spec::copy_instruction>();
    std::array<std::uint32_t, 4> sizes{i.size0, i.size1, i.size2, i.size3};
    log(p.run, p.fetched, false, p.source, p.source_base, sizes, {i.source_stride1, i.source_stride2, i.source_stride3}, p.tensor);
    if (i.flags & spec::copy_transpose)
        sizes = {i.size1 * i.element_bytes, i.size0 / i.element_bytes, 1, 1};
    log(p.run, p.fetched, true, p.destination, p.destination_base, sizes,
        {i.destination_stride1, i.destination_stride2, i.destination_stride3}, p.tensor);
}

void dma_queue::add_own_waits(wait_graph& g, wait_graph::id me, const fetched_instruction* cutting) {
    unsigned reads = 0, writes = 0;
    for (const auto& p : ring_) {
        reads += p->now == place::state::to_read;
        writes += p->now == place::state::to_write;
    }
    if (reads + writes == 0)
        return;
    // Memories and the link always answer: chunks go on by themselves.
    const wait_graph::id places = g.at(wait_kind::port, 16 + number(), label() + "'s chunks");
    g.nodes[places].need = wait_need::nothing;
    g.nodes[places].state = fmt::format("move: {} are read, {} written or about to be", reads, writes);
    if (cutting && ring_[next_claim_]->now != place::state::free)
        g.wait(me, places, fmt::format("waits for one of its {} places with {}", ring_.size(), instruction_text(cutting->pc, cutting->header().opcode)),
               cutting->begin);
    else if (!cutting && current() && coming().empty())
        g.wait(me, places, fmt::format("waits at the end of command {}'s program for its chunks", current()->sequence));
}

std::vector<dma_queue::held_instruction> dma_queue::held(const wait_graph& g) const {
    std::vector<held_instruction> list;
    for (const auto& p : ring_)
        if (p->now != place::state::free && p->last && !p->run->cancelled)
            list.push_back({&p->fetched, g.find(wait_kind::port, 16 + number())});
    return list;
}

} // namespace retrace
