#pragma once
// host/port.h over the test device, as unkind as the contract of the port allows:
//
// - What the CPU writes to host memory reaches the device at the next write_barrier() and not before: a
//   driver that forgets the barrier shows the device stale memory.
// - What the device writes to host memory reaches the CPU at the next read_barrier(), except that the last
//   word of each 32-byte entry of the mover is visible at once: a driver that reads a completion, or the
//   payload it covers, without a barrier after seeing the valid word reads stale memory.
// - Register writes are posted: they arrive in order, after a random latency. A read waits for earlier writes
//   and returns later.
// - Interrupt messages can be lost or repeated.
#include <functional>

#include "host/port.h"
#include "tests/unit/control/test_device.h"

namespace retrace {

class test_port : public port {
public:
    explicit test_port(test_device& device);

    std::uint32_t read_register(std::uint32_t offset) override;
    void write_register(std::uint32_t offset, std::uint32_t value) override;
    std::span<std::byte> host_memory() override { return cpu_; }
    std::uint64_t host_memory_address() const override { return spec::host_window_base; }
    void write_barrier() override;
    void read_barrier() override;
    interrupt_message message() const override { return {0xfee00010, 0x41}; }
    bool wait_interrupt(std::uint64_t cycles) override;
    std::uint64_t cycles() const override { return device_.now(); }

    std::uint64_t latency_low = 20, latency_high = 400; ///< of a register access, one way
    bool ignore_write_barriers = false;                 ///< as if the driver had forgotten them
    bool ignore_read_barriers = false;
    /// How often a message arrives: 0 loses it, 2 repeats it.
    std::function<unsigned()> copies = [] { return 1u; };
    /// Sees, and may change, what a register read returns.
    std::function<void(std::uint32_t offset, std::uint32_t& value)> on_read;

    std::uint64_t register_reads = 0, register_writes = 0, sleeps = 0;

private:
    struct device_write {
        std::uint64_t offset;
        std::vector<std::uint8_t> bytes;
    };
    void show(std::uint64_t offset, std::span<const std::uint8_t> bytes);

    test_device& device_;
    std::vector<std::byte> cpu_, synced_; // what the CPU sees; what it saw when both sides last agreed
    std::vector<device_write> unseen_;
    std::uint64_t last_arrival_ = 0;
    unsigned messages_ = 0;
};

} // namespace retrace
