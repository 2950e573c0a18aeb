#pragma once

// The core-local interruptor of one hart: software interrupt and timer, laid out as SiFive's CLINT.
//
//   +0x0000  msip      bit 0 raises the software interrupt
//   +0x4000  mtimecmp  64 bits as two words; the timer interrupt is pending while mtime >= mtimecmp
//   +0xbff8  mtime     64 bits as two words; one tick a core cycle; the `time` counter shows it
//
// Aligned words only. The owner calls update() before it lets the core run, and does not let it run past the
// moment that cycles_to_timer() names.

#include "tlm/core/riscv/riscv_core.h"

#include <cstdint>
#include <optional>

namespace retrace {

class clint {
public:
    clint(riscv_core& core, uint32_t base) : core_(core), base_(base) {}

    // msip 0, mtimecmp all ones, mtime the core's cycle.
    void reset();
    // Carries an access out; `data` is what a load reads. False when no register is there.
    bool access(const riscv_bus_access& request, uint32_t& data);

    uint64_t mtime() const { return core_.cycle() + offset_; }
    bool pending() const { return mtime() >= mtimecmp_; }
    void update() { core_.set_timer_interrupt(pending()); }
    // Core cycles until the timer interrupt becomes pending; nothing when it is pending or so far away that
    // nobody waits for it.
    std::optional<uint64_t> cycles_to_timer() const;

private:
    riscv_core& core_;
    uint32_t base_;
    uint64_t offset_ = 0; // mtime = cycle + offset
    uint64_t mtimecmp_ = ~uint64_t{0};
    bool msip_ = false;
};

} // namespace retrace
