#include "tlm/core/riscv/riscv_core.h"

#include <algorithm>
#include <fmt/format.h>
#include <stdexcept>

// Everything of the core outside the interpreter's loop: time, traps, interrupts, the bus, the hook.

namespace retrace {

namespace {

void check(const riscv_timing& timing) {
    const uint32_t costs[] = {
        timing.alu,     timing.load, timing.store, timing.branch_taken, timing.branch_not_taken,
        timing.jump,    timing.mul,  timing.div,   timing.csr,          timing.fence,
        timing.fence_i, timing.wfi,  timing.mret,  timing.trap_entry};
    if (std::find(std::begin(costs), std::end(costs), 0u) != std::end(costs)) {
        throw riscv_config_error("control core: every cost of riscv_timing must be at least 1 cycle");
    }
}

constexpr bool writes_register(uint32_t word) {
    switch (word & 0x7f) {
    case 0x63: // branches
    case 0x23: // stores
    case 0x0f: // fences
        return false;
    case 0x73:
        return (word & 0x7000) != 0;
    default:
        return true;
    }
}

} // namespace

riscv_core::riscv_core(const riscv_config& config)
    : timing_(config.timing), memory_(config.private_memory), hart_id_(config.hart_id) {
    check(timing_);
}

void riscv_core::reset(uint32_t pc, uint64_t cycle) {
    cycle_ = cycle;
    x_.fill(0);
    pc_ = pc & ~3u;
    state_ = state::running;
    pending_ = {};
    mstatus_ = mstatus_mpp;
    mie_ = mtvec_ = mscratch_ = mepc_ = mcause_ = mtval_ = 0;
    mcycle_offset_ = 0 - cycle_;
    minstret_offset_ = 0 - retired_;
    memory_.drop_decoded();
}

void riscv_core::set_x(unsigned index, uint32_t value) {
    if (index > 0 && index < 32) {
        x_[index] = value;
    }
}

void riscv_core::advance_to(uint64_t cycle) { cycle_ = std::max(cycle_, cycle); }

riscv_core::stop riscv_core::run(uint64_t until_cycle) {
    return hook_ ? run_traced(until_cycle) : execute(until_cycle);
}

riscv_core::stop riscv_core::execute(uint64_t until_cycle) {
    for (;;) {
        switch (state_) {
        case state::bus:
            return stop::bus_access;
        case state::halted:
            return stop::halted;
        case state::asleep:
            // wfi wakes for an enabled pending interrupt whatever mstatus.MIE says.
            if ((mip_ & mie_) == 0) {
                return stop::wait_for_interrupt;
            }
            state_ = state::running;
            break;
        case state::running:
            break;
        }
        if (cycle_ >= until_cycle) {
            return stop::cycle_limit;
        }
        if (must_interrupt()) {
            take_interrupt();
        } else if (riscv_memory::bank* code = memory_.find(pc_)) {
            interpret(*code, until_cycle);
        } else {
            take_exception(riscv_cause::fetch_access, pc_);
        }
    }
}

// A limit one cycle ahead executes exactly one instruction or takes one trap, because every cost is at
// least 1.
riscv_core::stop riscv_core::run_traced(uint64_t until_cycle) {
    while (cycle_ < until_cycle) {
        const uint32_t pc = pc_;
        const uint64_t retired_before = retired_;
        const stop reason = execute(cycle_ + 1);
        if (retired_ != retired_before) {
            const riscv_memory::bank& code = *memory_.find(pc);
            // fence.i has emptied the cache by now, but it has not changed the word.
            report(pc, code.fetched[(pc - code.base) / 4]);
        }
        if (reason != stop::cycle_limit) {
            return reason;
        }
    }
    return execute(until_cycle);
}

void riscv_core::report(uint32_t pc, uint32_t word) {
    const uint32_t rd = writes_register(word) ? (word >> 7) & 31 : 0;
    hook_({pc, word, rd, x_[rd], cycle_});
}

void riscv_core::finish(uint32_t cycles, uint32_t next_pc) {
    cycle_ += cycles;
    ++retired_;
    pc_ = next_pc;
}

// ---- the bus

void riscv_core::request_bus(uint32_t word, uint32_t address) {
    const bool is_write = (word & 0x7f) == 0x23;
    const uint32_t bytes = 1u << ((word >> 12) & 3);
    const uint32_t mask = bytes == 4 ? ~0u : (1u << (bytes * 8)) - 1;
    pending_ = {address, bytes, is_write, is_write ? x_[(word >> 20) & 31] & mask : 0};
    pending_word_ = word;
    state_ = state::bus;
}

void riscv_core::complete_bus(uint32_t data, bool ok) {
    if (state_ != state::bus) {
        throw std::logic_error("control core: complete_bus() without a pending access");
    }
    state_ = state::running;
    const uint32_t word = pending_word_;
    const uint32_t pc = pc_;
    if (!ok) {
        take_exception(pending_.is_write ? riscv_cause::store_access : riscv_cause::load_access,
                       pending_.address);
        return;
    }
    if (!pending_.is_write) {
        switch ((word >> 12) & 7) {
        case 0:
            data = static_cast<uint32_t>(static_cast<int8_t>(data));
            break;
        case 1:
            data = static_cast<uint32_t>(static_cast<int16_t>(data));
            break;
        case 4:
            data &= 0xff;
            break;
        case 5:
            data &= 0xffff;
            break;
        default:
            break;
        }
        const uint32_t rd = (word >> 7) & 31;
        x_[rd == 0 ? riscv_discard : rd] = data;
    }
    finish(pending_.is_write ? timing_.store : timing_.load, pc + 4);
    if (hook_) {
        report(pc, word);
    }
}

// ---- control flow that leaves the fast path

void riscv_core::branch_far(uint32_t word) {
    const uint32_t a = x_[(word >> 15) & 31];
    const uint32_t b = x_[(word >> 20) & 31];
    const uint32_t funct3 = (word >> 12) & 7;
    bool taken = a == b;
    if ((funct3 & 6) == 4) {
        taken = static_cast<int32_t>(a) < static_cast<int32_t>(b);
    } else if ((funct3 & 6) == 6) {
        taken = a < b;
    }
    if ((funct3 & 1) != 0) {
        taken = !taken;
    }
    const uint32_t target = pc_ + riscv_imm_b(word);
    if (!taken) {
        finish(timing_.branch_not_taken, pc_ + 4);
    } else if ((target & 3) != 0) {
        take_exception(riscv_cause::misaligned_fetch, target);
    } else {
        finish(timing_.branch_taken, target);
    }
}

void riscv_core::execute_mret() {
    const bool previous = (mstatus_ & mstatus_mpie) != 0;
    mstatus_ = mstatus_mpp | mstatus_mpie | (previous ? mstatus_mie : 0);
    finish(timing_.mret, mepc_);
}

// ---- traps

void riscv_core::take_exception(riscv_cause cause, uint32_t value) {
    // A trap of the handler's first instruction finds the same registers again and traps forever, with
    // interrupts disabled: the core is locked up. The CSRs keep the trap that led here. A failed bus access
    // may succeed the next time, so it does not count.
    if (pc_ == trap_base() && cause != riscv_cause::load_access && cause != riscv_cause::store_access) {
        state_ = state::halted;
        return;
    }
    enter_trap(static_cast<uint32_t>(cause), value, trap_base());
}

void riscv_core::take_interrupt() {
    // Privileged spec, "Machine Interrupt Registers": external, software, timer, in this order.
    const uint32_t pending = mip_ & mie_;
    const uint32_t number = (pending & meip) != 0 ? 11 : (pending & msip) != 0 ? 3 : 7;
    const uint32_t target = trap_base() + ((mtvec_ & 1) != 0 ? 4 * number : 0);
    enter_trap(0x80000000u | number, 0, target);
}

void riscv_core::enter_trap(uint32_t cause, uint32_t value, uint32_t target) {
    const bool enabled = (mstatus_ & mstatus_mie) != 0;
    mstatus_ = mstatus_mpp | (enabled ? mstatus_mpie : 0);
    mepc_ = pc_;
    mcause_ = cause;
    mtval_ = value;
    pc_ = target;
    cycle_ += timing_.trap_entry;
    ++traps_;
}

} // namespace retrace
