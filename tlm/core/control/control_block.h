#pragma once
// Both register blocks of a device as one thing, without a simulation kernel: what the driver sees (host
// block and firmware window) and what the control core sees, and all that happens between them.
//
// Rules that the tables do not show
// - Rings. The doorbell checks base (not 0) and entries (a power of two, 2..1024) of both rings, that the
//   tail is below 2 * entries, moves forward only and leaves at most `entries` entries between head and tail.
//   A refused doorbell sets ring_error and the interrupt cause `error` and changes nothing else. The first
//   accepted doorbell after the core left reset takes the ring geometry over; later writes to base and
//   entries count only after the next reset.
// - Interrupt messages. One is sent when irq_status & irq_enable becomes non-zero, and again when a host
//   write to either register leaves it non-zero. A host that clears a cause, reads irq_status back (which
//   flushes the write) and only then looks at the completion ring cannot miss anything: what came before the
//   clear is in the ring, what comes after sends a message. Nothing is sent while the message address is 0.
// - control.run = 0 aborts every running engine, ends open contexts with status engine_fault, and brings
//   everything to its reset values except what the host wrote: ring geometry, interrupt enables, message
//   address and data.
// - The firmware window: private memory from spec::tcm_base on, in words. Writable only while the core is
//   held in reset.
// - A mistake of the firmware (starting a busy or missing engine, beginning a running context or one whose
//   working set lies outside its memory, ending an idle one or one in which an engine still runs, a second
//   copy of the mover, a copy of 0 or more than 4096 bytes) is refused: an access fault of the core.
//
// Not modelled: bus latency (the owner's), accesses other than whole words (the owner refuses them).
#include <array>
#include <cstdint>

#include "tlm/core/control/control_environment.h"
#include "tlm/core/npu_config.h"
#include "tlm/core/registers/register_file.h"

namespace retrace {

class control_block {
public:
    /// Throws register_config_error when the configuration does not fit the registers.
    control_block(const npu_config& config, control_environment& environment);
    control_block(const control_block&) = delete;
    control_block& operator=(const control_block&) = delete;

    /// The host's accesses: byte offset in BAR 0.
    register_status host_read(std::uint32_t offset, std::uint32_t& value);
    register_status host_write(std::uint32_t offset, std::uint32_t value);
    /// The control core's accesses: byte offset from spec::control_base.
    register_status core_read(std::uint32_t offset, std::uint32_t& value) {
        return core_.read(offset, value);
    }
    register_status core_write(std::uint32_t offset, std::uint32_t value) {
        return core_.write(offset, value);
    }

    /// The program that engine_start() began has ended: fault none, or why and where it stopped. Throws
    /// std::logic_error when that engine is not running: a fault of the model.
    void engine_finished(unsigned engine, spec::engine_fault fault, std::uint32_t pc, std::uint32_t detail);
    void mover_finished(bool ok);

    /// For reports and tests: nothing changes.
    const register_file& host_registers() const { return host_; }
    const register_file& core_registers() const { return core_; }
    bool core_running() const { return running_; }
    /// Commands that the host has submitted and whose completions have not reached its ring.
    std::uint32_t commands_owed() const { return owed_; }

private:
    struct ring {
        std::uint64_t base = 0;
        std::uint32_t entries = 0;
    };

    register_status window_access(std::uint32_t offset, bool is_write, std::uint32_t& value);
    register_status on_host(const register_file::access& access);
    register_status on_core(const register_file::access& access);
    register_status on_engine(const register_file::access& access);

    // host side
    void set_run(bool run);
    void stop_everything();
    void ring_doorbell(std::uint32_t tail);
    spec::ring_error check_doorbell(std::uint32_t tail, const ring& submission, const ring& completion) const;
    ring host_ring(std::uint32_t base_low, std::uint32_t base_high, std::uint32_t entries) const;
    void take_over(const ring& submission, const ring& completion);
    void report_ring_error(std::uint32_t word);
    bool message_pending() const;
    void raise_cause(std::uint32_t bits);
    void send_message();
    void latch_cycle(register_file& file, std::uint32_t low, std::uint32_t high);

    // core side
    void raise_event(std::uint32_t bits);
    void update_core_interrupt();
    register_status start_mover(std::uint32_t control);
    std::uint32_t completions_in(std::uint64_t host_address, std::uint32_t bytes) const;
    register_status start_engine(unsigned engine, unsigned context);
    register_status begin_context(std::uint32_t address);
    register_status end_context(std::uint32_t status);
    bool busy(unsigned engine) const;

    control_environment& environment_;
    register_file host_, core_;
    unsigned engines_;
    std::uint32_t tcm_bytes_;
    bool running_ = false;
    bool rings_taken_ = false;
    bool core_interrupt_ = false;
    bool mover_busy_ = false;
    std::array<bool, spec::contexts> context_open_{};
    std::array<std::uint8_t, spec::max_engines> context_of_{}; ///< in which each engine last started
    std::uint32_t owed_ = 0, completions_moving_ = 0;
};

} // namespace retrace
