#pragma once

// The control core: RV32IM + Zicsr + Zifencei, machine mode only, as plain C++.
//
// clang-format off
// Contract
// - The core executes instructions from its private memory only. A data access outside private memory is never
//   executed by the core: run() stops with stop::bus_access, the owner performs the access and calls
//   complete_bus(). An instruction fetch outside private memory is an instruction access fault.
// - Time is the core-local cycle. Each instruction adds its cost from riscv_timing when it finishes; the owner
//   adds the cycles in which the core sleeps or waits for the bus with advance_to(). run(until) starts no
//   instruction at or after `until`; the last instruction may end past it by less than its own cost. How the
//   owner slices time into calls of run() changes nothing the guest can see.
// - Interrupts are taken at instruction boundaries, external before software before timer.
// - Misaligned data accesses trap (causes 4 and 6), in private memory and outside, before any access is made.
// - The instruction cache is modelled: an instruction that was executed once keeps its meaning until fence.i,
//   reset() or a write_memory() to it, whatever the guest stores there. A word not executed since then is
//   always fetched fresh. A program that modifies code and forgets fence.i fails here as it may on silicon.
// - Every guest program is defined behaviour on the host; nothing here throws because of what the guest does.
// clang-format on
//
// Not modelled: user and supervisor mode, PMP, debug triggers (tselect and tdata1 read 0), performance
// counters beyond cycle and instret (read 0), mcountinhibit (reads 0).

#include "tlm/core/riscv/riscv_memory.h"
#include "tlm/core/riscv/riscv_timing.h"

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace retrace {

struct riscv_config {
    std::vector<riscv_range> private_memory;
    riscv_timing timing;
    uint32_t hart_id = 0;
};

// One retired instruction as the hook sees it. `rd` is 0 when no register was written.
struct riscv_retired {
    uint32_t pc;
    uint32_t word;
    uint32_t rd;
    uint32_t value;
    uint64_t cycle; // core-local cycle at its end
};

// A data access outside private memory, naturally aligned. `data` holds the value to store in its low bytes.
struct riscv_bus_access {
    uint32_t address = 0;
    uint32_t bytes = 0; // 1, 2 or 4
    bool is_write = false;
    uint32_t data = 0;
};

// mcause values of exceptions (privileged spec, "Machine Cause Register").
enum class riscv_cause : uint32_t {
    misaligned_fetch = 0,
    fetch_access = 1,
    illegal_instruction = 2,
    breakpoint = 3,
    misaligned_load = 4,
    load_access = 5,
    misaligned_store = 6,
    store_access = 7,
    ecall_machine = 11,
};

class riscv_core {
public:
    enum class stop {
        cycle_limit,        // cycle() reached the limit
        bus_access,         // pending_bus() waits for complete_bus()
        wait_for_interrupt, // asleep in wfi until an enabled interrupt is pending
        halted, // locked up until reset(): the first instruction of the trap handler can only trap again
    };

    // Throws riscv_config_error when a range or a timing value is out of bounds.
    explicit riscv_core(const riscv_config& config);

    // Registers, CSRs and counters to their reset values, the decode cache empty, pc = `pc` (its two low bits
    // are ignored). Keeps memory, cycle(), retired() and the interrupt lines, which are the owner's wires.
    void reset(uint32_t pc) { reset(pc, cycle_); }
    // As above, and time is the owner's again: the core may have run ahead of a reset.
    void reset(uint32_t pc, uint64_t cycle);

    stop run(uint64_t until_cycle);

    const riscv_bus_access& pending_bus() const { return pending_; }
    // Ends the pending access: `data` is what a load reads (its low bytes). `ok` false traps with cause 5
    // or 7. Throws std::logic_error when no access is pending.
    void complete_bus(uint32_t data, bool ok);

    uint64_t cycle() const { return cycle_; }
    // Time that passes while the core sleeps or waits for the bus. A cycle before cycle() changes nothing.
    void advance_to(uint64_t cycle);

    void set_external_interrupt(bool level) { set_line(meip, level); }
    void set_timer_interrupt(bool level) { set_line(mtip, level); }
    void set_software_interrupt(bool level) { set_line(msip, level); }

    // The `time` counter reads cycle() + offset: one tick a cycle, offset for a platform whose mtime is
    // writable.
    void set_time_offset(uint64_t offset) { time_offset_ = offset; }

    // Called after each retired instruction. An empty hook costs nothing: the traced loop is a separate one.
    using hook = std::function<void(const riscv_retired&)>;
    void set_hook(hook callback) { hook_ = std::move(callback); }

    // Instructions retired and traps taken (exceptions and interrupts) since construction.
    uint64_t retired() const { return retired_; }
    uint64_t traps() const { return traps_; }

    uint32_t pc() const { return pc_; }
    uint32_t x(unsigned index) const { return index < 32 ? x_[index] : 0; }
    void set_x(unsigned index, uint32_t value);
    // What csrr would read between two instructions; nothing when the CSR does not exist.
    std::optional<uint32_t> csr(uint32_t number) const;

    // Back door to private memory, visible to the next fetch; false, and nothing done, when a byte lies
    // outside.
    bool read_memory(uint32_t address, std::span<uint8_t> bytes) const {
        return memory_.read(address, bytes);
    }
    bool write_memory(uint32_t address, std::span<const uint8_t> bytes) {
        return memory_.write(address, bytes);
    }
    bool zero_memory(uint32_t address, uint64_t bytes) { return memory_.fill_zero(address, bytes); }

private:
    enum class state { running, bus, asleep, halted };
    enum class fate { next, trapped };

    static constexpr uint32_t msip = 1u << 3;
    static constexpr uint32_t mtip = 1u << 7;
    static constexpr uint32_t meip = 1u << 11;
    static constexpr uint32_t mstatus_mie = 1u << 3;
    static constexpr uint32_t mstatus_mpie = 1u << 7;
    static constexpr uint32_t mstatus_mpp = 3u << 11;

    stop execute(uint64_t until_cycle);
    stop run_traced(uint64_t until_cycle);
    void interpret(riscv_memory::bank& code, uint64_t until_cycle);
    void branch_far(uint32_t word);
    void request_bus(uint32_t word, uint32_t address);
    void execute_csr(uint32_t word);
    bool write_csr(uint32_t number, uint32_t value);
    void execute_mret();
    void take_exception(riscv_cause cause, uint32_t value);
    void take_interrupt();
    void enter_trap(uint32_t cause, uint32_t value, uint32_t target);
    void finish(uint32_t cycles, uint32_t next_pc);
    void report(uint32_t pc, uint32_t word);

    void set_line(uint32_t bit, bool level) { mip_ = level ? mip_ | bit : mip_ & ~bit; }
    bool must_interrupt() const { return (mstatus_ & mstatus_mie) != 0 && (mip_ & mie_) != 0; }
    uint32_t trap_base() const { return mtvec_ & ~3u; }

    std::array<uint32_t, 33> x_{}; // x_[riscv_discard] takes the writes to x0
    uint32_t pc_ = 0;
    uint64_t cycle_ = 0;
    uint64_t retired_ = 0;
    uint64_t traps_ = 0;
    state state_ = state::running;
    riscv_timing timing_;
    riscv_memory memory_;

    riscv_bus_access pending_;
    uint32_t pending_word_ = 0; // the load or store that waits for the bus

    uint32_t mstatus_ = mstatus_mpp;
    uint32_t mie_ = 0;
    uint32_t mip_ = 0;
    uint32_t mtvec_ = 0;
    uint32_t mscratch_ = 0;
    uint32_t mepc_ = 0;
    uint32_t mcause_ = 0;
    uint32_t mtval_ = 0;
    uint32_t hart_id_ = 0;
    uint64_t mcycle_offset_ = 0;   // mcycle = cycle_ + offset, modulo 2^64
    uint64_t minstret_offset_ = 0; // minstret = retired_ + offset
    uint64_t time_offset_ = 0;

    hook hook_;
};

} // namespace retrace
