#include "tlm/dma/dma_queue.h"

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
    : engine(name, number, plane, std::move(finished)), ring_(plane.config.dma.outstanding_chunks), write_requester_(write_requesters + number),
      read_access_(requester_), write_access_(write_requester_) {
    SC_HAS_PROCESS(dma_queue);
    SC_THREAD(write_pieces);
}

bool dma_queue::transport(memory_access& access, memory_kind memory, tlm::tlm_command command, const std::vector<byte_run>& runs,
                          std::vector<std::byte>& data, const run_handle& run, std::uint32_t pc, trace::tensor_id tensor) {
    access.extension.tensor = tensor;
    access.extension.origin = origin(run, pc);
    access.extension.runs = &runs;
    access.extension.cancelled = &run->cancelled;
    access.set(command, runs.front().address, data.data(), static_cast<std::uint32_t>(data.size()));
    const stall category = category_of(memory);
    plane_.stalls.transfer(plane_.clock.now(), number(), category, +1);
    const bool ok = access.transport(memory == memory_kind::host ? host : memory == memory_kind::device_dram ? dram : buffer);
    plane_.stalls.transfer(plane_.clock.now(), number(), category, -1);
    return ok;
}

dma_queue::piece& dma_queue::claim_piece(const run_handle& run) {
    while (used_ == ring_.size()) {
        wait(popped_);
        check(run);
    }
    return ring_[(first_ + used_) % ring_.size()];
}

void dma_queue::hand_over() {
    begin_flight();
    ++used_;
    pushed_.notify(sc_core::SC_ZERO_TIME);
}

void dma_queue::execute(const fetched_instruction& fetched) {
    const run_handle run = current();
    if (fetched.header().opcode == static_cast<std::uint8_t>(spec::opcode::nop)) {
        piece& p = claim_piece(run);
        p.run = run;
        p.fetched = fetched;
        p.chunk.bytes = 0;
        p.last = true;
        hand_over();
        return;
    }
    plane_.stalls.busy(plane_.clock.now(), number(), stall::dma);
    const auto i = fetched.as<spec::copy_instruction>();
    dma_transfer transfer(i, context_of(run), plane_.config.dma.chunk_bytes);
    plane_.clock.wait_until(plane_.clock.now() + plane_.config.dma.setup_cycles);
    check(run);
    std::uint64_t moved = 0;
    while (moved < transfer.bytes()) {
        piece& p = claim_piece(run);
        transfer.next(p.chunk);
        moved += p.chunk.bytes;
        p.run = run;
        p.fetched = fetched;
        p.destination = transfer.destination_memory();
        p.tensor = transfer.tensor();
        p.last = moved == transfer.bytes();
        p.data.resize(p.chunk.bytes);
        if (!transport(read_access_, transfer.source_memory(), tlm::TLM_READ_COMMAND, p.chunk.source, p.data, run, fetched.pc, p.tensor))
            throw engine_error{engine_fault::bus_error, static_cast<std::uint32_t>(transfer.source_memory())};
        check(run);
        if (transfer.transposes()) {
            turned_.resize(p.data.size());
            dma_transfer::turn(p.chunk, transfer.element_bytes(), p.data.data(), turned_.data());
            p.data.swap(turned_);
            const unsigned rate = plane_.config.dma.transpose_bytes_per_cycle;
            plane_.clock.wait_until(plane_.clock.now() + (p.chunk.bytes + rate - 1) / rate);
            check(run);
        }
        hand_over();
    }
    plane_.stalls.busy(plane_.clock.now(), number(), stall::command);
}

void dma_queue::write_pieces() {
    for (;;) {
        while (used_ == 0)
            wait(pushed_);
        piece& p = ring_[first_];
        const run_handle run = p.run;
        bool ok = true;
        if (!run->cancelled && p.chunk.bytes != 0) {
            ok = transport(write_access_, p.destination, tlm::TLM_WRITE_COMMAND, p.chunk.destination, p.data, run, p.fetched.pc, p.tensor);
            bytes_moved_ += p.chunk.bytes;
        }
        if (!ok)
            fail(run, p.fetched, {engine_fault::bus_error, static_cast<std::uint32_t>(p.destination)});
        else if (!run->cancelled && p.last) {
            if (p.chunk.bytes != 0 && logs(run))
                log_copy(run, p.fetched);
            finish(run, p.fetched);
        }
        p.run.reset();
        first_ = (first_ + 1) % ring_.size();
        --used_;
        popped_.notify(sc_core::SC_ZERO_TIME);
        end_flight(run);
    }
}

void dma_queue::log_copy(const run_handle& run, const fetched_instruction& fetched) {
    const auto i = fetched.as<spec::copy_instruction>();
    const context_state& context = context_of(run);
    const trace::tensor_id tensor = context.tensor(i.tag_slot);
    const spec::operand& source = context.command().operands[i.source_slot];
    const spec::operand& destination = context.command().operands[i.destination_slot];
    std::array<std::uint32_t, 4> sizes{i.size0, i.size1, i.size2, i.size3};
    log(run, fetched, false, static_cast<memory_kind>(source.memory), source.base + i.source_offset, sizes,
        {i.source_stride1, i.source_stride2, i.source_stride3}, tensor);
    if (i.flags & spec::copy_transpose)
        sizes = {i.size1 * i.element_bytes, i.size0 / i.element_bytes, 1, 1};
    log(run, fetched, true, static_cast<memory_kind>(destination.memory), destination.base + i.destination_offset, sizes,
        {i.destination_stride1, i.destination_stride2, i.destination_stride3}, tensor);
}

} // namespace retrace
