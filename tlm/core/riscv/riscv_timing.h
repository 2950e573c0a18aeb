#pragma once

#include <cstdint>

namespace retrace {

// Cycles per instruction of the control core: the whole timing model of its pipeline. An instruction that
// traps costs `trap_entry` and nothing else; so does taking an interrupt. An access outside private memory
// costs `load` or `store` on top of the cycles its owner lets pass while the bus is busy
// (riscv_core::advance_to). Every value is at least 1.
struct riscv_timing {
    uint32_t alu = 1; // lui, auipc, register and immediate arithmetic
    uint32_t load = 2;
    uint32_t store = 1;
    uint32_t branch_taken = 2;
    uint32_t branch_not_taken = 1;
    uint32_t jump = 2; // jal, jalr
    uint32_t mul = 3;  // mul, mulh, mulhsu, mulhu
    uint32_t div = 34; // div, divu, rem, remu, whatever the operands
    uint32_t csr = 1;
    uint32_t fence = 1;
    uint32_t fence_i = 1;
    uint32_t wfi = 1; // before the core sleeps
    uint32_t mret = 4;
    uint32_t trap_entry = 4;
};

} // namespace retrace
