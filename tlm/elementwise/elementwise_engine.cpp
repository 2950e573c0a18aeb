#include "tlm/elementwise/elementwise_engine.h"

#include "tlm/core/engine/elementwise.h"
#include "tlm/core/seeded_fault.h"

namespace retrace {

using spec::memory_kind;
using spec::operand_access;

tagged_memory& on_chip_memories::of(const resolved_operand& o) const {
    if (o.memory != memory_kind::state_buffer && o.memory != memory_kind::psum)
        throw engine_error{spec::engine_fault::bad_slot, o.slot};
    tagged_memory& memory = o.memory == memory_kind::psum ? psum : buffer.memory();
    if (!memory.contains(o.address, (o.rows - 1) * o.pitch + o.row_bytes))
        throw engine_error{spec::engine_fault::bus_error, static_cast<std::uint32_t>(o.memory)};
    return memory;
}

bank_range on_chip_memories::psum_banks(const resolved_operand& o) const {
    if (o.memory != memory_kind::psum || psum_ports.banks() == 0)
        return {};
    const auto first = static_cast<unsigned>(o.address / psum_bank_bytes);
    const auto last = static_cast<unsigned>((o.address + (o.rows - 1) * o.pitch + o.row_bytes - 1) / psum_bank_bytes);
    return {first, last - first + 1};
}

elementwise_engine::elementwise_engine(const sc_core::sc_module_name& name, unsigned number, backplane& plane, const engine_settings& settings,
                                       on_chip_memories memories, finished_callback finished)
    : engine(name, number, plane, std::move(finished)), settings_(settings), memories_(memories),
      category_(number == spec::engine_activation ? stall::activation : stall::vector) {}

void elementwise_engine::execute(const fetched_instruction& fetched) {
    const run_handle run = current();
    const auto i = fetched.as<spec::matrix_instruction>();
    const elementwise_shape shape = shape_of(i);
    const context_state& context = context_of(run);
    const resolved_operand a = context.resolve(i.a, shape.a_rows, shape.a_row_bytes, operand_access::read);
    const bool has_b = shape.b_rows != 0;
    const resolved_operand b = has_b ? context.resolve(i.b, shape.b_rows, shape.b_row_bytes, operand_access::read) : resolved_operand{};
    const resolved_operand d = context.resolve(i.d, shape.d_rows, shape.d_row_bytes, operand_access::write);
    // Only the first source may come from PSUM: the other ports lead to the state buffer.
    for (const auto& [port, slot] : {std::pair{&b, i.b.slot}, std::pair{&d, i.d.slot}})
        if (port->memory == memory_kind::psum)
            throw engine_error{spec::engine_fault::bad_slot, slot};
    tagged_memory& a_memory = memories_.of(a);
    tagged_memory& d_memory = memories_.of(d);
    tagged_memory* b_memory = has_b ? &memories_.of(b) : nullptr;

    const unsigned rounding = RETRACE_FAULT(lost_pass) && i.columns > settings_.lanes ? 0 : settings_.lanes - 1;
    const std::uint64_t passes = std::uint64_t{i.rows} * ((i.columns + rounding) / settings_.lanes);
    bank_schedule& banks = memories_.buffer.banks();
    plane_.stalls.busy(plane_.clock.now(), number(), stall::bank_conflict);
    trace::grant_event told;
    told.what = trace::resource::banks;
    told.address = a.address;
    told.sequence = run->sequence;
    told.pc = fetched.pc;
    const std::uint64_t start = plane_.arbitration.acquire(requester_, told, [&](std::uint64_t cycle) {
        const bank_range reads[] = {memories_.buffer.banks_of(a), has_b ? memories_.buffer.banks_of(b) : bank_range{}};
        const bank_range psum = memories_.psum_banks(a), writes = memories_.buffer.banks_of(d);
        std::uint64_t at = cycle;
        for (const bank_range& r : reads)
            at = banks.earliest(at, r);
        at = memories_.psum_ports.earliest(at, psum);
        const std::uint64_t writes_from = banks.earliest(at + settings_.latency_cycles, writes);
        at = writes_from - settings_.latency_cycles; // the pipeline does not stop: reading starts late enough
        for (const bank_range& r : reads)
            banks.occupy(at, passes, r, number());
        if (!RETRACE_FAULT(free_psum_port))
            memories_.psum_ports.occupy(at, passes, psum, number());
        if (!RETRACE_FAULT(free_write_banks))
            banks.occupy(writes_from, passes, writes, number());
        return at;
    });
    check(run);
    plane_.stalls.busy(start, number(), category_);
    utilised().busy(start, start + passes);

    access_origin where = origin(run, fetched.pc);
    a_memory.check(a.address, a.rows, a.row_bytes, a.pitch, a.tensor, where);
    const operand_bytes a_bytes{a_memory.data() + a.address, a.pitch};
    operand_bytes b_bytes, previous;
    if (b_memory) {
        b_memory->check(b.address, b.rows, b.row_bytes, b.pitch, b.tensor, where);
        b_bytes = {b_memory->data() + b.address, b.pitch};
    }
    if (shape.reads_destination) {
        d_memory.check(d.address, d.rows, d.row_bytes, d.pitch, d.tensor, where);
        previous = {d_memory.data() + d.address, d.pitch};
    }
    const spec::command& command = context.command();
    compute_elementwise(i, a_bytes, b_bytes, previous, {command.seed, command.step, d.tensor.tag}, result_);

    pass_until(run, start + passes + settings_.latency_cycles);
    where.cycle = plane_.clock.now();
    for (std::uint64_t r = 0; r < d.rows; ++r)
        d_memory.write(d.address + r * d.pitch, result_.data() + r * d.row_bytes, d.row_bytes, d.tensor, where);
    if (logs(run)) {
        log(run, fetched, false, a);
        if (has_b)
            log(run, fetched, false, b);
        if (shape.reads_destination)
            log(run, fetched, false, d);
        log(run, fetched, true, d);
    }
    plane_.stalls.busy(plane_.clock.now(), number(), stall::command);
    finish(run, fetched);
}

} // namespace retrace
