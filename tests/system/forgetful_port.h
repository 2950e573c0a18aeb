#pragma once
// The platform's port behind a driver that has forgotten a barrier.
#include <cstdint>
#include <span>

#include "hw/spec/spec.h"
#include "sim/platform/platform.h"

namespace retrace::test {

enum class forgotten_barrier {
    none,
    before_the_doorbell,  ///< write: descriptor and payload, then the doorbell
    after_the_valid_word, ///< read: a completion is there, then the rest of it and what it covers
    after_the_causes,     ///< read: the causes were cleared and read back, then the ring is looked at
    after_the_stop,       ///< read: the device has stopped, then its rings are cleared
    all_writes,
    all_reads
};

class forgetful_port : public port {
public:
    forgetful_port(simulated_port& inner, forgotten_barrier forgotten) : inner_(inner), forgotten_(forgotten) {}

    std::uint32_t read_register(std::uint32_t offset) override {
        const std::uint32_t value = inner_.read_register(offset);
        last_read_ = offset;
        return value;
    }
    void write_register(std::uint32_t offset, std::uint32_t value) override {
        // Which write barrier it was shows in what follows.
        if (write_pending_ && offset != spec::host_block::sq_doorbell)
            inner_.write_barrier();
        write_pending_ = false;
        last_read_ = nothing;
        inner_.write_register(offset, value);
    }
    std::span<std::byte> host_memory() override { return inner_.host_memory(); }
    std::uint64_t host_memory_address() const override { return inner_.host_memory_address(); }
    void write_barrier() override {
        if (forgotten_ == forgotten_barrier::before_the_doorbell)
            write_pending_ = true;
        else if (forgotten_ != forgotten_barrier::all_writes)
            inner_.write_barrier();
    }
    void read_barrier() override {
        // Which one it is shows in what came before.
        const forgotten_barrier which = last_read_ == spec::host_block::irq_status ? forgotten_barrier::after_the_causes
                                        : last_read_ == spec::host_block::control  ? forgotten_barrier::after_the_stop
                                                                                   : forgotten_barrier::after_the_valid_word;
        last_read_ = nothing;
        if (forgotten_ != which && forgotten_ != forgotten_barrier::all_reads)
            inner_.read_barrier();
    }
    interrupt_message message() const override { return inner_.message(); }
    bool wait_interrupt(std::uint64_t cycles) override {
        last_read_ = nothing;
        const bool interrupted = inner_.wait_interrupt(cycles);
        slept_in_vain_ += !interrupted && cycles >= patience;
        return interrupted;
    }
    std::uint64_t cycles() const override { return inner_.cycles(); }

    /// Cycles within which whatever the tests wait for happens, many times over.
    static constexpr std::uint64_t patience = 400'000;
    /// Waits for an interrupt that never came, with patience.
    unsigned slept_in_vain() const { return slept_in_vain_; }

private:
    simulated_port& inner_;
    forgotten_barrier forgotten_;
    static constexpr std::uint32_t nothing = ~0u;
    bool write_pending_ = false;
    std::uint32_t last_read_ = nothing; ///< the port's last call was a read of this register
    unsigned slept_in_vain_ = 0;
};

} // namespace retrace::test
