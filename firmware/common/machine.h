#pragma once
/* Access to registers, CSRs and sleep: the little that firmware needs of the machine. */
#include <stddef.h>
#include <stdint.h>

#include "hw/spec/spec_c.h"

/* A word of memory that holds an object of another type. */
typedef uint32_t __attribute__((may_alias)) aliasing_word;

static inline volatile uint32_t* control_register(uint32_t offset) {
    return (volatile uint32_t*)(uintptr_t)(RT_CONTROL_BASE + offset);
}

static inline uint32_t read_control(uint32_t offset) { return *control_register(offset); }
static inline void write_control(uint32_t offset, uint32_t value) { *control_register(offset) = value; }

#define MIP_EXTERNAL (1u << 11)

static inline void enable_external_wakeup(void) { __asm__ volatile("csrw mie, %0" : : "r"(MIP_EXTERNAL)); }

/* Whether an event waits. A CSR read stays inside the core; reading the event register would cross the bus.
 */
static inline uint32_t external_pending(void) {
    uint32_t mip;
    __asm__ volatile("csrr %0, mip" : "=r"(mip));
    return mip & MIP_EXTERNAL;
}

/* Sleeps until an enabled interrupt is pending; returns at once if one is. The clobber keeps memory accesses
 * in order. */
static inline void wait_for_interrupt(void) { __asm__ volatile("wfi" : : : "memory"); }

/* Everything stored before is in memory when another agent is told (by a register write) to look. */
static inline void memory_fence(void) { __asm__ volatile("fence" : : : "memory"); }

void* memcpy(void* restrict destination, const void* restrict source, size_t bytes);
void* memset(void* destination, int value, size_t bytes);

/* Called by crt0 for an unexpected trap, with mcause and mepc; never returns. */
__attribute__((noreturn)) void firmware_trap(uint32_t cause, uint32_t pc);
