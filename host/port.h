#pragma once
// The one door from the host to a device. Everything the driver does goes through it; it would look the same over real silicon.
//
// Ordering, as against silicon: write_register is posted and reaches the device after all earlier writes of host memory by this CPU that
// were followed by write_barrier(); host memory that the device wrote is valid once the completion entry that covers it has been read,
// followed by read_barrier(). An interrupt says only "look at the completion ring".
#include <cstddef>
#include <cstdint>
#include <span>

namespace retrace {

class port {
public:
    virtual ~port() = default;

    /// 32-bit registers of the device's host block (byte offset, multiple of 4).
    virtual std::uint32_t read_register(std::uint32_t offset) = 0;
    virtual void write_register(std::uint32_t offset, std::uint32_t value) = 0;

    /// Host memory that both sides reach, and the bus address of its first byte.
    virtual std::span<std::byte> host_memory() = 0;
    virtual std::uint64_t host_memory_address() const = 0;

    /// Everything written to host memory before is visible to the device before any later register write.
    virtual void write_barrier() = 0;
    /// Nothing read from host memory after is older than what was read before, registers included; nothing written after reaches memory
    /// before it.
    virtual void read_barrier() = 0;

    /// The message that the device must send to interrupt this host: a word written to a bus address.
    struct interrupt_message {
        std::uint64_t address = 0;
        std::uint32_t data = 0;
    };
    virtual interrupt_message message() const = 0;

    /// Waits until the device sends an interrupt message, or has sent one since the last wait; false after `cycles` device cycles.
    virtual bool wait_interrupt(std::uint64_t cycles) = 0;

    /// Device cycles elapsed since power-on, as the platform knows them (for logs and time-outs; not a register).
    virtual std::uint64_t cycles() const = 0;
};

} // namespace retrace
