#pragma once
// A device as host code uses it: open, memory, commands. Everything goes through host/port.h, so the same
// driver runs against the model and against silicon. One thread at a time.
//
// Order of memory. launch() writes the descriptor, then write_barrier(), then the doorbell: whatever the
// caller wrote to host memory before launch() is visible to the command. A result of wait() is followed by
// read_barrier(): what the command wrote to host memory is then visible to the caller.
//
// Interrupts. The driver looks at the completion ring first and sleeps only when it finds nothing. After a
// message it clears the cause, reads it back, and looks again, with a read_barrier() in between; a lost or
// repeated message costs time (device_options::poll_cycles), not results.
//
// Errors. A command's own failure comes from wait(). A refused doorbell comes once, from whichever call met
// it. After a firmware trap, lost completions or a protocol error every call fails the same way until
// reset().
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>

#include "host/device_capabilities.h"
#include "host/driver/allocator.h"
#include "host/driver/result.h"
#include "host/driver/rings.h"
#include "host/port.h"
#include "trace/events.h"

namespace retrace {

struct device_options {
    unsigned submission_entries = 64; ///< powers of two, 2..spec::max_ring_entries
    unsigned completion_entries = 64;
    std::uint64_t boot_timeout_cycles = 1'000'000;
    std::uint64_t poll_cycles = 1'000'000; ///< a sleeping driver looks at the ring at least this often
    unsigned number = 0;                   ///< of the device, for the log
    trace::event_sink* sink = nullptr;     ///< gets `submitted` and `seen` of every command
};

/// Names a launched command. `sequence` is what other commands put into their wait lists.
struct command_handle {
    std::uint32_t sequence = 0;
    std::uint32_t generation = 0; ///< of the device; a reset starts a new one
};

class device {
public:
    static constexpr std::uint64_t forever = ~std::uint64_t{0};

    /// Identifies the device, reads what it can do, loads the firmware (private memory from spec::tcm_base
    /// on; the first byte is executed first, the word at spec::firmware_memory_offset tells how much of that
    /// memory it uses) and waits until it takes commands.
    static result<std::unique_ptr<device>> open(port& door, std::span<const std::uint8_t> firmware,
                                                const device_options& options = {});
    ~device();
    device(const device&) = delete;
    device& operator=(const device&) = delete;

    const device_capabilities& capabilities() const { return capabilities_; }
    device_allocator& memory() { return memory_; }
    host_allocator& host() { return host_; }
    port& door() { return door_; }

    /// Submits a command; its `sequence` is filled in here. Waits for room while the ring is full, at most
    /// `timeout_cycles`.
    result<command_handle> launch(spec::command command, std::uint64_t timeout_cycles = forever);
    /// The command's completion, once. Another status than ok is the failure command_failed.
    result<spec::completion> wait(command_handle handle, std::uint64_t timeout_cycles = forever);
    /// Waits for everything that was launched and not yet waited for; the first failed command, if any, after
    /// all have completed. What ends the wait early (a time-out, a trap) is the failure where no command has
    /// failed before, and otherwise added to its text.
    result<void> wait_all(std::uint64_t timeout_cycles = forever);
    /// Whether wait() would return the command's completion at once. Reads a register where it cannot tell
    /// otherwise: time passes on the device, so that asking again and again comes to an end.
    result<bool> completed(command_handle handle);

    /// Copies engine programs to `address` in region `programs`; done when it returns. Command opcode `load`.
    result<void> load_programs(std::uint64_t address, std::span<const std::byte> programs,
                               std::uint64_t timeout_cycles = forever);

    /// Starts the firmware anew. Commands in flight are lost, their handles unknown; device memory and
    /// allocations stay.
    result<void> reset();

    /// Launched and not yet completed.
    std::size_t in_flight() const { return in_flight_.size(); }
    /// The number that the next launched command gets.
    std::uint32_t next_sequence() const { return next_sequence_; }
    /// The device's clock.
    std::uint64_t device_cycle();

private:
    device(port& door, std::span<const std::uint8_t> firmware, const device_options& options);

    // device_boot.cpp
    result<void> check_options() const;
    result<void> identify();
    void read_capabilities();
    result<void> allocate_rings();
    result<void> boot();
    void stop();
    void load_firmware();
    void set_up_rings();
    result<void> wait_ready();
    driver_failure trap_failure();

    // device.cpp
    result<void> collect();
    result<void> sleep(std::uint64_t deadline);
    std::uint32_t read_causes();
    result<void> look_for_errors(std::uint32_t irq_status);
    void take(const spec::completion& completion);
    void give_room();
    driver_failure command_failure(const spec::completion& completion) const;
    bool is_finished(command_handle handle) const;
    bool is_in_flight(command_handle handle) const;
    static driver_failure unknown(command_handle handle);
    result<void> fatal(driver_failure failure);
    std::uint64_t deadline(std::uint64_t timeout) const;
    void log(trace::command_event::moment what, const spec::command& command, spec::command_status status);

    std::uint32_t read(std::uint32_t offset) { return door_.read_register(offset); }
    void write(std::uint32_t offset, std::uint32_t value) { door_.write_register(offset, value); }

    port& door_;
    std::vector<std::uint8_t> firmware_;
    device_options options_;
    device_capabilities capabilities_;
    std::uint32_t tcm_bytes_ = 0;
    device_allocator memory_{{}};
    host_allocator host_{door_, 0};
    std::optional<submission_ring> submission_;
    std::optional<completion_ring> completion_;
    bool identified_ = false; // it is a device: its registers may be written
    std::uint32_t next_sequence_ = 1, generation_ = 0, told_head_ = 0;
    std::map<std::uint32_t, spec::command> in_flight_;   // for the log
    std::map<std::uint32_t, spec::completion> finished_; // nobody waited for them yet
    std::map<std::uint32_t, host_buffer> staged_;        // programs on their way down, by command
    std::optional<driver_failure> broken_;
};

} // namespace retrace
