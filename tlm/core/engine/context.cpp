#include "tlm/core/engine/context.h"

#include "tlm/core/seeded_fault.h"

namespace retrace {

using spec::engine_fault;

const spec::operand& context_state::slot(unsigned index, spec::operand_access access) const {
    if (index >= spec::max_operands || index >= command_.operand_count)
        throw engine_error{engine_fault::bad_slot, index};
    const spec::operand& o = command_.operands[index];
    if ((o.access & static_cast<unsigned>(access)) == 0)
        throw engine_error{engine_fault::not_permitted, index};
    if (o.base > ~std::uint64_t{0} - o.bytes) // its last byte has no address
        throw engine_error{engine_fault::out_of_bounds, index};
    return o;
}

trace::tensor_id context_state::tensor(unsigned index) const {
    if (index >= spec::max_operands || index >= command_.operand_count)
        throw engine_error{engine_fault::bad_slot, index};
    return {command_.operands[index].tag, command_.operands[index].version};
}

resolved_operand context_state::resolve(const spec::memory_operand& m, std::uint64_t rows, std::uint64_t row_bytes,
                                        spec::operand_access access) const {
    const spec::operand& o = slot(m.slot, access);
    if (m.reserved != 0)
        throw engine_error{engine_fault::reserved_bits, m.reserved};
    if (rows == 0 || row_bytes == 0)
        throw engine_error{engine_fault::bad_shape, 0};
    if (rows > 1 && m.pitch < row_bytes)
        throw engine_error{engine_fault::bad_shape, m.pitch};
    const std::uint64_t extent = (rows - 1) * m.pitch + row_bytes; // below 2^16 * 2^32 + 2^18: no overflow
    if (m.offset > o.bytes || extent > o.bytes - m.offset)
        throw engine_error{engine_fault::out_of_bounds, m.offset};
    if (static_cast<spec::memory_kind>(o.memory) == spec::memory_kind::psum && ((o.base + m.offset) % 4 || row_bytes % 4 || (rows > 1 && m.pitch % 4)))
        throw engine_error{engine_fault::bad_shape, m.offset}; // PSUM holds 32-bit words
    return {static_cast<spec::memory_kind>(o.memory), o.base + m.offset, rows, row_bytes, m.pitch, tensor(m.tag_slot), m.slot};
}

bool context_state::try_wait(unsigned engine, unsigned s, unsigned count) {
    if (waiters_[s] != engine && waiters_[s] != nobody)
        throw engine_error{engine_fault::semaphore_shared, s};
    waiters_[s] = engine;
    if (semaphores_[s] < count)
        return false;
    semaphores_[s] -= RETRACE_FAULT(wait_takes_one) ? 1 : count;
    return true;
}

void context_state::signal(unsigned s, unsigned count) {
    if (semaphores_[s] + count > spec::semaphore_max)
        throw engine_error{engine_fault::semaphore_overflow, s};
    semaphores_[s] += count;
}

} // namespace retrace
