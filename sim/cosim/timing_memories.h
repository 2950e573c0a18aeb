#pragma once
// What is shared, in the most direct form of the manual's formulas (hw/README.md, 9): for the timing checker,
// which has no code in common with the model under tlm/ and is in no hurry.
#include <cstdint>
#include <optional>
#include <vector>

#include "tlm/core/npu_config.h"

namespace retrace::cosim::timing {

/// Contiguous bytes of a memory.
struct piece {
    std::uint64_t address = 0, bytes = 0;
};

/// Consecutive banks; none if count is 0.
struct bank_span {
    unsigned first = 0, count = 0;
};

/// 9.1: nanoseconds as cycles.
std::uint64_t cycles_of(double nanoseconds, double clock_hz);

/// 9.13: how long something is held back.
std::uint64_t hold(std::uint64_t seed, std::uint64_t channel, std::uint64_t order, std::uint64_t number,
                   std::uint64_t longest);

/// 13: the cycles in which an array under `npu.array.stress` stands still.
class freezes {
public:
    explicit freezes(const array_stress& stress);
    bool frozen(std::uint64_t cycle) const;
    /// First cycle >= `cycle` in which the array runs.
    std::uint64_t running(std::uint64_t cycle) const;
    /// The n-th cycle behind `start`, counting those in which the array runs; `start` is one of them.
    std::uint64_t after(std::uint64_t start, std::uint64_t n) const;
    /// First cycle behind `cycles` cycles of the array from `start` on.
    std::uint64_t end_of(std::uint64_t start, std::uint64_t cycles) const {
        return after(start, cycles - 1) + 1;
    }

private:
    std::uint64_t seed_ = 0, slot_ = 0, longest_ = 1;
};

/// 9.7: until when each bank is taken.
class bank_ports {
public:
    explicit bank_ports(unsigned banks) : free_(banks, 0) {}
    /// First cycle >= `cycle` from which they are all free.
    std::uint64_t from(std::uint64_t cycle, bank_span banks) const;
    void take(bank_span banks, std::uint64_t until);

private:
    std::vector<std::uint64_t> free_;
};

/// 9.7: banks of the state buffer, and a DMA access that is granted in `granted`.
class state_buffer_banks {
public:
    explicit state_buffer_banks(const npu_config& config);
    bank_span of(std::uint64_t address, std::uint64_t bytes) const;
    std::uint64_t move(std::uint64_t granted, const std::vector<piece>& pieces);

    bank_ports ports;

private:
    std::uint64_t bank_bytes_, line_bytes_;
};

/// 9.9: device DRAM.
class dram_banks {
public:
    dram_banks(const dram_settings& settings, double clock_hz);
    /// All granted in `granted`; the cycle at which the last burst has finished.
    std::uint64_t access(std::uint64_t granted, const std::vector<piece>& pieces);
    /// The column cycle of the last burst of all, for tests.
    std::uint64_t last_column() const { return last_column_; }

private:
    struct bank {
        std::optional<std::uint64_t> row;
        std::uint64_t idle = 0, epoch = 0;
    };
    std::uint64_t burst(std::uint64_t granted, std::uint64_t number);
    std::uint64_t ref(std::uint64_t cycle) const;
    std::uint64_t interval(std::uint64_t cycle) const { return refi_ ? cycle / refi_ : 0; }

    const dram_settings& settings_;
    std::uint64_t rcd_, rp_, cas_, refi_, rfc_;
    std::vector<std::uint64_t> next_; ///< per channel
    std::vector<bank> banks_;         ///< channel by channel
    std::uint64_t last_column_ = 0;
};

/// 9.10 and 9.13: one direction of the host link.
class wire {
public:
    wire(const npu_config& config, std::uint64_t channel) : config_(config), channel_(channel) {}
    struct message {
        std::uint64_t sent = 0, arrival = 0; ///< the wire is free again; it is on the other side
    };
    message send(std::uint64_t granted, std::uint64_t bytes, bool posted);
    std::uint64_t cycles(std::uint64_t bytes) const;

private:
    const npu_config& config_;
    std::uint64_t channel_, free_ = 0, number_ = 0;
    std::uint64_t latest_ = 0, latest_posted_ = 0; ///< arrivals so far: of all, of what nothing may pass
};

} // namespace retrace::cosim::timing
