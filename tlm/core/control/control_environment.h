#pragma once
// What the register blocks ask of the rest of the device. Calls come from inside a register access, at that
// access's time; none of them takes time by itself. Answers come back through
// control_block::engine_finished() and mover_finished().
#include <cstdint>
#include <span>

#include "hw/spec/spec.h"

namespace retrace {

class control_environment {
public:
    virtual ~control_environment() = default;

    /// The device's clock, in cycles since power-on.
    virtual std::uint64_t cycle() = 0;

    /// The engine is idle. It fetches `count` instructions from byte `program_address` of device DRAM, runs
    /// them in `context`, and then calls engine_finished() once.
    virtual void engine_start(unsigned engine, unsigned context, std::uint32_t program_address,
                              std::uint32_t count) = 0;
    /// The engine is running: it stops at once and calls engine_finished() with spec::engine_fault::aborted
    /// before this returns. Nothing it had in flight is visible to a later program.
    virtual void engine_abort(unsigned engine) = 0;

    /// Semaphores cleared, operand table and working set taken over. Entries beyond the command's counts are
    /// not valid.
    virtual void context_begin(unsigned context, const spec::command& command) = 0;
    virtual void context_end(unsigned context, spec::command_status status) = 0;

    /// Copies 1..4096 bytes between host memory (bus address) and a local address, then calls
    /// mover_finished() once. Local addresses from spec::tcm_base on are the control core's private memory;
    /// those below spec::control_base are byte addresses of device DRAM: that is how the first engine
    /// programs get there, before any engine can run one. ok = false when any byte lies outside those
    /// memories. A copy to the host is visible there when mover_finished() is called.
    virtual void mover_start(std::uint64_t host_address, std::uint32_t local_address, std::uint32_t bytes,
                             bool to_host) = 0;

    /// The interrupt message: one word written to a bus address chosen by the host.
    virtual void send_message(std::uint64_t address, std::uint32_t data) = 0;

    /// Private memory of the control core, by its address; false when a byte lies outside. No time, no
    /// events.
    virtual bool read_local(std::uint32_t address, std::span<std::uint8_t> bytes) = 0;
    virtual bool write_local(std::uint32_t address, std::span<const std::uint8_t> bytes) = 0;

    /// true: the core leaves reset and starts at spec::tcm_base. false: it is held in reset, and a copy of
    /// the mover that is still in flight is dropped without mover_finished().
    virtual void core_reset(bool run) = 0;
    /// Level of the control core's external interrupt.
    virtual void set_core_interrupt(bool level) = 0;
};

} // namespace retrace
