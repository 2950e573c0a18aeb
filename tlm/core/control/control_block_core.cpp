#include <algorithm>
#include <fmt/format.h>
#include <stdexcept>

#include "tlm/core/control/control_block.h"

// What the control core reaches, and the answers of engines and mover.

namespace retrace {

namespace {

namespace host = spec::host_block;
namespace control = spec::control_block;

constexpr std::uint32_t max_move_bytes = 4096; // registers.yaml, mover_control

} // namespace

register_status control_block::on_core(const register_file::access& access) {
    if (access.offset >= control::engine_program) {
        return on_engine(access);
    }
    if (!access.is_write) {
        if (access.offset == control::cycle_low) {
            latch_cycle(core_, control::cycle_low, control::cycle_high);
        }
        return register_status::ok;
    }
    switch (access.offset) {
    case control::event:
    case control::event_enable:
        update_core_interrupt();
        break;
    case control::host_status:
        host_.set(host::status, access.value);
        break;
    case control::sq_head:
        host_.set(host::sq_head, access.value);
        break;
    case control::interrupt:
        raise_cause(access.value);
        break;
    case control::ring_error:
        report_ring_error(access.value);
        break;
    case control::trap_cause:
        host_.set(host::trap_cause, access.value);
        break;
    case control::trap_pc:
        host_.set(host::trap_pc, access.value);
        break;
    case control::mover_control:
        return start_mover(access.value);
    case control::context_begin:
        return begin_context(access.value);
    case control::context_end:
        return end_context(access.value);
    default:
        break;
    }
    return register_status::ok;
}

register_status control_block::on_engine(const register_file::access& access) {
    if (!access.is_write) {
        return register_status::ok;
    }
    if (access.info->offset == control::engine_start) {
        return start_engine(access.index, access.value & control::engine_start_context_mask);
    }
    if (access.info->offset == control::engine_abort && busy(access.index)) {
        environment_.engine_abort(access.index);
    }
    return register_status::ok;
}

// ---- events

void control_block::raise_event(std::uint32_t bits) {
    core_.set(control::event, bits, bits);
    update_core_interrupt();
}

void control_block::update_core_interrupt() {
    const bool level = (core_.get(control::event) & core_.get(control::event_enable)) != 0;
    if (level != core_interrupt_) {
        core_interrupt_ = level;
        environment_.set_core_interrupt(level);
    }
}

// ---- mover

register_status control_block::start_mover(std::uint32_t word) {
    const std::uint32_t bytes = word & control::mover_control_bytes_mask;
    if (mover_busy_ || bytes == 0 || bytes > max_move_bytes) {
        return register_status::refused;
    }
    mover_busy_ = true;
    core_.set(control::mover_status, control::mover_status_busy_mask);
    const std::uint64_t host_address =
        std::uint64_t{core_.get(control::mover_host_high)} << 32 | core_.get(control::mover_host_low);
    const bool to_host = (word & control::mover_control_to_host_mask) != 0;
    completions_moving_ = to_host ? completions_in(host_address, bytes) : 0;
    environment_.mover_start(host_address, core_.get(control::mover_local), bytes, to_host);
    return register_status::ok;
}

std::uint32_t control_block::completions_in(std::uint64_t host_address, std::uint32_t bytes) const {
    const std::uint64_t base =
        std::uint64_t{core_.get(control::cq_base_high)} << 32 | core_.get(control::cq_base_low);
    const std::uint64_t ring_bytes = std::uint64_t{core_.get(control::cq_entries)} * spec::completion_bytes;
    return host_address - base < ring_bytes ? bytes / static_cast<std::uint32_t>(spec::completion_bytes) : 0;
}

void control_block::mover_finished(bool ok) {
    if (!mover_busy_) {
        throw std::logic_error("control block: the mover finished a copy that nobody started");
    }
    mover_busy_ = false;
    owed_ -= ok ? std::min(owed_, completions_moving_) : 0;
    core_.set(control::mover_status, ok ? 0 : control::mover_status_failed_mask);
    raise_event(control::event_mover_mask);
}

// ---- engines

bool control_block::busy(unsigned engine) const {
    return (core_.get(control::engines_busy) >> engine & 1) != 0;
}

register_status control_block::start_engine(unsigned engine, unsigned context) {
    if (engine >= engines_ || busy(engine) || !context_open_[context]) {
        return register_status::refused;
    }
    const std::uint32_t at = engine * control::engine_program_stride;
    context_of_[engine] = static_cast<std::uint8_t>(context);
    core_.set(control::engines_busy, 1u << engine, 1u << engine);
    core_.set(control::engine_status + at, control::engine_status_busy_mask);
    core_.set(control::engine_pc + at, 0);
    core_.set(control::engine_detail + at, 0);
    environment_.engine_start(engine, context, core_.get(control::engine_program + at),
                              core_.get(control::engine_length + at));
    return register_status::ok;
}

void control_block::engine_finished(unsigned engine, spec::engine_fault fault, std::uint32_t pc,
                                    std::uint32_t detail) {
    if (engine >= engines_ || !busy(engine)) {
        throw std::logic_error(
            fmt::format("control block: engine {} finished, but it is not running", engine));
    }
    const std::uint32_t at = engine * control::engine_program_stride;
    core_.set(control::engines_busy, 0, 1u << engine);
    core_.set(control::engine_status + at, static_cast<std::uint32_t>(fault)
                                               << control::engine_status_fault_shift);
    core_.set(control::engine_pc + at, pc);
    core_.set(control::engine_detail + at, detail);
    core_.set(control::engines_done, 1u << engine, 1u << engine);
    raise_event(control::event_engine_mask);
}

// ---- contexts

register_status control_block::begin_context(std::uint32_t address) {
    const std::uint32_t context = core_.get(control::context_select);
    spec::command command;
    const auto bytes = std::span(reinterpret_cast<std::uint8_t*>(&command), sizeof command);
    if (context_open_[context] || !environment_.read_local(address, bytes)) {
        return register_status::refused;
    }
    // The working set is taken over as it stands, so it has to lie inside its memories.
    if (command.operand_count > spec::max_operands ||
        std::uint64_t{command.work_base} + command.work_bytes > core_.get(control::state_buffer_bytes) ||
        std::uint32_t{command.psum_first} + command.psum_count > core_.get(control::psum_banks)) {
        return register_status::refused;
    }
    context_open_[context] = true;
    environment_.context_begin(context, command);
    return register_status::ok;
}

register_status control_block::end_context(std::uint32_t status) {
    const std::uint32_t context = core_.get(control::context_select);
    if (!context_open_[context] || status >= spec::command_status_count) {
        return register_status::refused;
    }
    for (unsigned e = 0; e < engines_; ++e) {
        if (busy(e) && context_of_[e] == context) {
            return register_status::refused;
        }
    }
    context_open_[context] = false;
    environment_.context_end(context, static_cast<spec::command_status>(status));
    return register_status::ok;
}

} // namespace retrace
