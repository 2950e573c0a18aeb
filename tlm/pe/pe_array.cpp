#include "tlm/pe/pe_array.h"

#include "tlm/core/seeded_fault.h"

namespace retrace {

using spec::engine_fault;
using spec::memory_kind;
using spec::opcode;
using spec::operand_access;

namespace {

constexpr unsigned weight_requester = 20, operand_requester = 21; ///< after the engines' own numbers

} // namespace

pe_array::pe_array(const sc_core::sc_module_name& name, backplane& plane, on_chip_memories memories, array_factory make_array,
                   finished_callback finished)
    : engine(name, spec::engine_pe, plane, std::move(finished)), memories_(memories), shape_(shape_of(plane.config.array)), timing_(shape_),
      pauses_(plane.config.array.stress), make_array_(std::move(make_array)), weights_text_(plane.probes.text(block(), "weights")),
      rows_text_(plane.probes.text(block(), "rows")), sums_text_(plane.probes.text(block(), "sums")),
      registers_(plane.probes.registry, plane.probes.device + "." + block(), shape_.rows, shape_.columns), weight_port_(weight_requester),
      operand_port_(operand_requester) {
    fresh_array();
    plane.probes.registry.add_text_source([this](std::uint64_t) {
        show(weights_text_, in_weight_port_);
        show(rows_text_, in_operand_port_);
        show(sums_text_, landing_);
    });
    plane.probes.registry.add_late_source([this](std::uint64_t cycle) {
        // Asked in the middle of its own telling it has nothing to add.
        if (!registers_.wanted() || array_runs_)
            return;
        try {
            run_array([&] { array_->settle(cycle); });
        } catch (const std::exception&) { // collect() says it too: whoever only looks does not fail a run
        }
    });
    load_may_go_ |= swapped_;
    load_may_go_ |= drained_;
    stream_may_go_ |= loaded_;
    stream_may_go_ |= swapped_;
    SC_HAS_PROCESS(pe_array);
    SC_THREAD(load_weights);
    SC_THREAD(stream_rows);
    SC_THREAD(land_sums);
}

void pe_array::fresh_array() {
    array_ = make_array_(shape_);
    array_->show(registers_);
}

unsigned pe_array::columns_of_weights(const fetched_instruction& i) const {
    const auto m = i.as<spec::matrix_instruction>();
    if (m.opcode != static_cast<std::uint8_t>(opcode::matmul))
        return 0;
    return !(m.flags & spec::matmul_swap) ? columns_in_use_ : loaded_columns_.empty() ? 0 : loaded_columns_.front();
}

void pe_array::show(trace::probe_id text, const operation* op) {
    if (plane_.probes.registry.wanted(text))
        plane_.probes.registry.set_text(text, plane_.clock.now(), op && !op->run->cancelled ? probe_text(op->run, op->fetched, op->columns) : std::string());
}

void pe_array::hand_over(std::deque<operation>& queue, sc_core::sc_event& pushed, operation op) {
    // Each port has one instruction waiting behind the one it works on.
    const run_handle run = op.run;
    while (!queue.empty()) {
        wait(popped_);
        check(run);
    }
    begin_flight();
    queue.push_back(std::move(op));
    pushed.notify(sc_core::SC_ZERO_TIME);
}

void pe_array::on_cancel() {
    broken_ = true;
    for (sc_core::sc_event* e : {&popped_, &swapped_, &loaded_, &drained_})
        e->notify(sc_core::SC_ZERO_TIME);
}

void pe_array::recover(const run_handle& run) {
    if (run == last_run_)
        return;
    last_run_ = run;
    loads_issued_ = swaps_issued_ = 0;
    loaded_columns_.clear();
    if (!broken_ && loads_begun_ == swaps_)
        return;
    while (loading_ + streaming_ + loads_.size() + streams_.size() != 0) {
        wait(drained_);
        check(run);
    }
    fresh_array();
    next_pause_ = 0; // the new array has heard of none
    loads_begun_ = loads_complete_ = swaps_ = 0;
    broken_ = false;
}

void pe_array::execute(const fetched_instruction& fetched) {
    recover(current());
    operation op{current(), fetched, fetched.as<spec::matrix_instruction>(), {}, {}, {}, columns_of_weights(fetched)};
    const spec::matrix_instruction& i = op.i;
    if (i.reserved != 0)
        throw engine_error{engine_fault::reserved_bits, i.reserved};
    if (i.source_format >= number_format_count || i.source_format == static_cast<unsigned>(number_format::int32))
        throw engine_error{engine_fault::bad_format, i.source_format};
    op.format = static_cast<number_format>(i.source_format);
    const context_state& context = context_of(op.run);
    op.a = context.resolve(i.a, i.rows, std::uint64_t{i.columns} * bytes_of(op.format), operand_access::read);
    if (op.a.memory != memory_kind::state_buffer)
        throw engine_error{engine_fault::bad_slot, i.a.slot};
    memories_.of(op.a);
    if (i.opcode == static_cast<std::uint8_t>(opcode::load_weights)) {
        if (i.rows > shape_.rows || i.columns > shape_.columns)
            throw engine_error{engine_fault::bad_shape, std::uint32_t{i.rows} << 16 | i.columns};
        // One load in the shadow registers, one in the port, one waiting: a fourth would keep the sequencer from ever reaching the swap.
        if (loads_issued_ - swaps_issued_ == 3)
            throw engine_error{engine_fault::array_protocol, i.opcode};
        ++loads_issued_;
        loaded_columns_.push_back(i.columns);
        op.after = streams_issued_;
        hand_over(loads_, load_pushed_, std::move(op));
        return;
    }
    const unsigned row_bytes = shape_.columns * 4;
    if (i.columns > shape_.rows)
        throw engine_error{engine_fault::bad_shape, i.columns};
    op.d = context.resolve(i.d, i.rows, row_bytes, operand_access::write);
    if (op.d.memory != memory_kind::psum)
        throw engine_error{engine_fault::bad_slot, i.d.slot};
    if (i.d.pitch != row_bytes || op.d.address % row_bytes != 0)
        throw engine_error{engine_fault::bad_shape, i.d.pitch};
    memories_.of(op.d);
    // Weights are those that this program has loaded: never what an earlier command left in the array.
    const bool swap = i.flags & spec::matmul_swap;
    // With one weight register a load that is ahead has replaced the weights that a matmul without swap would want.
    const bool replaced = plane_.config.array.weight_registers == 1 && loads_issued_ != swaps_issued_;
    if (swap ? loads_issued_ == swaps_issued_ : swaps_issued_ == 0 || replaced)
        throw engine_error{engine_fault::array_protocol, i.opcode};
    swaps_issued_ += swap;
    if (swap) {
        columns_in_use_ = loaded_columns_.front();
        loaded_columns_.pop_front();
    }
    hand_over(streams_, stream_pushed_, std::move(op));
    ++streams_issued_;
}

std::uint64_t pe_array::acquire_burst(requester& port, const operation& op, std::uint64_t earliest, std::uint64_t cycles) {
    plane_.clock.wait_until(earliest);
    plane_.stalls.array_port_waits(plane_.clock.now(), +1);
    trace::grant_event told;
    told.what = trace::resource::banks;
    told.address = op.a.address;
    told.sequence = op.run->sequence;
    told.pc = op.fetched.pc;
    const std::uint64_t start = plane_.arbitration.acquire(port, told, [&](std::uint64_t cycle) {
        bank_schedule& banks = memories_.buffer.banks();
        const bank_range range = memories_.buffer.banks_of(op.a);
        const std::uint64_t at = pauses_.running(banks.earliest(cycle, range));
        banks.occupy(at, end_of(at, cycles) - at, range, port.id);
        return at;
    });
    plane_.stalls.array_port_waits(start, -1);
    return start;
}

void pe_array::freeze_before(std::uint64_t end) {
    if (!pauses_.enabled())
        return;
    const std::uint64_t now = plane_.clock.now();
    for (next_pause_ = std::max(next_pause_, pauses_.slot_of(now));; ++next_pause_) {
        const auto [start, count] = pauses_.in_slot(next_pause_);
        if (start >= end)
            return;
        // Before now, and unknown to the array: nothing was under way.
        if (start < now)
            continue;
        array_->freeze(start, count);
        plane_.stalls.frozen(start, start + count);
    }
}

matrix_view pe_array::view(const operation& op) const {
    return {memories_.buffer.memory().data() + op.a.address, op.a.pitch, op.i.rows, op.i.columns, op.format};
}

void pe_array::load_weights() {
    for (;;) {
        while (loads_.empty())
            wait(load_pushed_);
        const operation op = std::move(loads_.front());
        loads_.pop_front();
        ++loading_;
        in_weight_port_ = &op;
        show(weights_text_, &op);
        port_since_[0] = plane_.clock.now();
        popped_.notify(sc_core::SC_ZERO_TIME);
        // The shadow registers must have been taken over; with one weight register the array must be empty.
        const bool serial = plane_.config.array.weight_registers == 1;
        weight_port_waits_ = true;
        while (!op.run->cancelled && (loads_begun_ != swaps_ || (serial && streams_done_ < op.after)))
            wait(load_may_go_);
        weight_port_waits_ = false;
        if (!op.run->cancelled) {
            std::uint64_t earliest = plane_.clock.now();
            if (swaps_ != 0)
                earliest = std::max(earliest, serial ? array_free_ : pauses_.after(last_swap_, RETRACE_FAULT(early_reload) ? 0 : timing_.earliest_reload(0, op.format)));
            const std::uint64_t cycles = timing_.load_cycles(op.format) - RETRACE_FAULT(short_load);
            const std::uint64_t start = acquire_burst(weight_port_, op, earliest, cycles);
            if (!op.run->cancelled) {
                memories_.buffer.memory().check(op.a.address, op.a.rows, op.a.row_bytes, op.a.pitch, op.a.tensor,
                                                origin(op.run, op.fetched.pc));
                ++loads_begun_;
                const std::uint64_t complete = end_of(start, cycles);
                freeze_before(complete);
                array_->load_weights(start, view(op));
                plane_.stalls.weights(start, complete);
                plane_.clock.wait_until(complete);
                ++loads_complete_;
                loaded_.notify(sc_core::SC_ZERO_TIME);
                if (!op.run->cancelled && logs(op.run))
                    log(op.run, op.fetched, false, op.a);
                finish(op.run, op.fetched);
            }
        }
        --loading_;
        in_weight_port_ = nullptr;
        show(weights_text_, nullptr);
        drained_.notify(sc_core::SC_ZERO_TIME);
        end_flight(op.run);
    }
}

void pe_array::stream_rows() {
    for (;;) {
        while (streams_.empty())
            wait(stream_pushed_);
        const operation op = std::move(streams_.front());
        streams_.pop_front();
        ++streaming_;
        in_operand_port_ = &op;
        show(rows_text_, &op);
        port_since_[1] = plane_.clock.now();
        popped_.notify(sc_core::SC_ZERO_TIME);
        const bool swap = op.i.flags & spec::matmul_swap;
        operand_port_waits_ = true;
        while (!op.run->cancelled && swap && loads_complete_ == swaps_)
            wait(stream_may_go_);
        operand_port_waits_ = false;
        const std::uint64_t cycles = timing_.next_stream(0, op.format, op.i.rows);
        bool streamed = false;
        if (!op.run->cancelled) {
            const std::uint64_t start = acquire_burst(operand_port_, op, std::max(plane_.clock.now(), next_stream_), cycles);
            const std::uint64_t sums_end = end_of(start, timing_.last_stamp(0, op.format, op.i.rows) + 1);
            if (!op.run->cancelled) {
                memories_.buffer.memory().check(op.a.address, op.a.rows, op.a.row_bytes, op.a.pitch, op.a.tensor,
                                                origin(op.run, op.fetched.pc));
                freeze_before(sums_end);
                try {
                    array_->stream(start, view(op), swap);
                    streamed = true;
                } catch (const array_protocol_error&) {
                    fail(op.run, op.fetched, {engine_fault::array_protocol, op.i.columns});
                }
            }
            if (streamed) {
                if (swap) {
                    ++swaps_;
                    last_swap_ = start;
                    swapped_.notify(sc_core::SC_ZERO_TIME);
                }
                next_stream_ = end_of(start, cycles) - RETRACE_FAULT(stream_overlap);
                flight f;
                static_cast<operation&>(f) = op;
                f.end = sums_end - RETRACE_FAULT(short_drain);
                array_free_ = f.end;
                plane_.stalls.rows(start, next_stream_, pauses_.after(start, timing_.stamp(0, op.format, 0, 0)), f.end);
                flights_.push_back(std::move(f));
                in_operand_port_ = nullptr; // from here on it is a flight
                flight_pushed_.notify(sc_core::SC_ZERO_TIME);
                utilised().busy(start, next_stream_);
                plane_.clock.wait_until(next_stream_);
            }
        }
        show(rows_text_, nullptr);
        if (!streamed) {
            in_operand_port_ = nullptr;
            --streaming_;
            ++streams_done_;
            drained_.notify(sc_core::SC_ZERO_TIME);
            end_flight(op.run);
        }
    }
}

void pe_array::land_sums() {
    for (;;) {
        while (flights_.empty())
            wait(flight_pushed_);
        const flight f = std::move(flights_.front());
        flights_.pop_front();
        landing_ = &f;
        show(sums_text_, &f);
        plane_.clock.wait_until(f.end);
        // After a fault the array is in no defined state: recover() replaces it.
        if (!f.run->cancelled) {
            // The array must deliver exactly what its timing rules say; anything else is a fault of the model.
            bool there = false;
            run_array([&] { there = array_->collect(f.end - 1, sums_); });
            if (!there || sums_.last_cycle != f.end - 1 || sums_.rows != f.i.rows)
                throw std::logic_error("pe_array: the array did not deliver its sums in cycle " + std::to_string(f.end - 1));
            land(f);
        }
        landing_ = nullptr;
        show(sums_text_, nullptr);
        --streaming_;
        ++streams_done_;
        drained_.notify(sc_core::SC_ZERO_TIME);
        end_flight(f.run);
    }
}

void pe_array::land(const flight& f) {
    const bool accumulate = f.i.flags & spec::matmul_accumulate && !RETRACE_FAULT(psum_overwritten), integer = f.format == number_format::int8;
    const access_origin where = origin(f.run, f.fetched.pc);
    const std::uint64_t row_bytes = std::uint64_t{sums_.columns} * 4;
    tagged_memory& psum = memories_.psum;
    if (accumulate)
        psum.check(f.d.address, f.d.rows, row_bytes, f.d.pitch, f.d.tensor, where);
    // Full rows are one block; a partial tile is added row by row.
    const bool whole = row_bytes == f.d.pitch;
    const std::uint64_t blocks = whole ? 1 : f.d.rows, words = whole ? f.d.rows * sums_.columns : sums_.columns;
    for (std::uint64_t b = 0; b < blocks; ++b) {
        const std::uint64_t address = f.d.address + b * f.d.pitch;
        const std::span<const std::uint32_t> sums(sums_.bits.data() + b * words, words);
        if (accumulate) {
            auto* accumulator = reinterpret_cast<std::uint32_t*>(psum.data() + address);
            array_->accumulate({accumulator, words}, sums, integer);
            psum.claim(address, words * 4, f.d.tensor, where);
        } else {
            psum.write(address, reinterpret_cast<const std::byte*>(sums.data()), words * 4, f.d.tensor, where);
        }
    }
    macs_ += std::uint64_t{f.i.rows} * f.i.columns * sums_.columns;
    if (logs(f.run)) {
        log(f.run, f.fetched, false, f.a);
        resolved_operand d = f.d;
        d.row_bytes = row_bytes;
        if (accumulate)
            log(f.run, f.fetched, false, d);
        log(f.run, f.fetched, true, d);
    }
    finish(f.run, f.fetched);
}

} // namespace retrace
