#include "tlm/core/riscv/riscv_core.h"

// Control and status registers (privileged spec 1.12, machine mode).

namespace retrace {

namespace {

constexpr uint32_t low(uint64_t value) { return static_cast<uint32_t>(value); }
constexpr uint32_t high(uint64_t value) { return static_cast<uint32_t>(value >> 32); }
constexpr uint64_t with_low(uint64_t value, uint32_t part) { return (value & 0xffffffff00000000u) | part; }
constexpr uint64_t with_high(uint64_t value, uint32_t part) {
    return (value & 0xffffffffu) | uint64_t{part} << 32;
}

// Counters 3..31, their high halves and event selectors exist and read 0: the spec's smallest legal
// implementation.
constexpr bool is_unused_counter(uint32_t number) {
    return (number >= 0xb03 && number <= 0xb1f) || (number >= 0xb83 && number <= 0xb9f) ||
           (number >= 0x323 && number <= 0x33f);
}

} // namespace

std::optional<uint32_t> riscv_core::csr(uint32_t number) const {
    switch (number) {
    case 0x300:
        return mstatus_;
    case 0x301:
        return 0x40001100; // misa: RV32, I, M
    case 0x304:
        return mie_;
    case 0x305:
        return mtvec_;
    case 0x310:
        return 0; // mstatush
    case 0x320:
        return 0; // mcountinhibit
    case 0x340:
        return mscratch_;
    case 0x341:
        return mepc_;
    case 0x342:
        return mcause_;
    case 0x343:
        return mtval_;
    case 0x344:
        return mip_;
    case 0x7a0:
        return 0; // tselect: no triggers
    case 0x7a1:
        return 0; // tdata1: no trigger at this index
    case 0xb00:
    case 0xc00:
        return low(cycle_ + mcycle_offset_);
    case 0xb80:
    case 0xc80:
        return high(cycle_ + mcycle_offset_);
    case 0xb02:
    case 0xc02:
        return low(retired_ + minstret_offset_);
    case 0xb82:
    case 0xc82:
        return high(retired_ + minstret_offset_);
    case 0xc01:
        return low(cycle_ + time_offset_);
    case 0xc81:
        return high(cycle_ + time_offset_);
    case 0xf11: // mvendorid: not a commercial implementation
    case 0xf12: // marchid: none allocated
    case 0xf13:
        return 0; // mimpid
    case 0xf14:
        return hart_id_;
    case 0xf15:
        return 0; // mconfigptr
    default:
        if (is_unused_counter(number)) {
            return 0;
        }
        return std::nullopt;
    }
}

// False when the register is read-only. The caller has checked that it exists. Counter writes take effect
// after the instruction, which itself is not counted into them: the next instruction reads the value written.
bool riscv_core::write_csr(uint32_t number, uint32_t value) {
    if (number >> 10 == 3) {
        return false;
    }
    const uint64_t cycle_after = cycle_ + timing_.csr;
    const uint64_t retired_after = retired_ + 1;
    switch (number) {
    case 0x300:
        mstatus_ = (value & (mstatus_mie | mstatus_mpie)) | mstatus_mpp;
        break;
    case 0x304:
        mie_ = value & (msip | mtip | meip);
        break;
    case 0x305:
        mtvec_ = value & ~2u; // modes 2 and 3 are reserved: bit 1 is hard-wired to 0
        break;
    case 0x340:
        mscratch_ = value;
        break;
    case 0x341:
        mepc_ = value & ~3u;
        break;
    case 0x342:
        mcause_ = value;
        break;
    case 0x343:
        mtval_ = value;
        break;
    case 0xb00:
        mcycle_offset_ = with_low(cycle_after + mcycle_offset_, value) - cycle_after;
        break;
    case 0xb80:
        mcycle_offset_ = with_high(cycle_after + mcycle_offset_, value) - cycle_after;
        break;
    case 0xb02:
        minstret_offset_ = with_low(retired_after + minstret_offset_, value) - retired_after;
        break;
    case 0xb82:
        minstret_offset_ = with_high(retired_after + minstret_offset_, value) - retired_after;
        break;
    default:
        break; // hard-wired: misa, mip (its bits are wires), mstatush, mcountinhibit, unused counters,
               // triggers
    }
    return true;
}

void riscv_core::execute_csr(uint32_t word) {
    const uint32_t number = word >> 20;
    const uint32_t source = (word >> 15) & 31;
    const uint32_t operand = (word & 0x4000) != 0 ? source : x_[source];
    const uint32_t operation = (word >> 12) & 3; // 1 write, 2 set, 3 clear
    const std::optional<uint32_t> old = csr(number);
    bool legal = old.has_value();
    // csrrs and csrrc with x0 or immediate 0 do not write at all, so they may read a read-only register.
    if (legal && (operation == 1 || source != 0)) {
        const uint32_t value = operation == 1 ? operand : operation == 2 ? *old | operand : *old & ~operand;
        legal = write_csr(number, value);
    }
    if (!legal) {
        take_exception(riscv_cause::illegal_instruction, word);
        return;
    }
    const uint32_t rd = (word >> 7) & 31;
    x_[rd == 0 ? riscv_discard : rd] = *old;
    finish(timing_.csr, pc_ + 4);
}

} // namespace retrace
