#pragma once
// When bursts of device DRAM finish. Channels interleave by burst; each channel serves bursts in the order they are granted, keeps one
// row (page) open per bank and is refreshed at fixed times. Everything is arithmetic on the cycle of the grant (hw/README.md, "DRAM").
#include <cstdint>
#include <vector>

#include "tlm/core/npu_config.h"

namespace retrace {

class dram_timing {
public:
    dram_timing(const dram_settings& settings, double clock_hz);

    /// Grants every burst that [address, address + bytes) touches at `cycle`, in address order; returns the cycle at which the last
    /// one has crossed the data bus.
    std::uint64_t access(std::uint64_t cycle, std::uint64_t address, std::uint64_t bytes);

    std::uint64_t bursts() const { return bursts_; }
    std::uint64_t row_misses() const { return row_misses_; }

private:
    struct bank {
        std::uint64_t row = no_row;
        std::uint64_t idle = 0; ///< the bank's last column access has finished
        std::uint64_t epoch = 0; ///< refresh interval in which the row was opened
    };
    struct channel {
        std::uint64_t next = 0; ///< the data bus is free for the next column access
    };
    static constexpr std::uint64_t no_row = ~std::uint64_t{0};

    std::uint64_t burst(std::uint64_t cycle, channel& c, bank& b, std::uint64_t row);
    std::uint64_t after_refresh(std::uint64_t cycle) const;
    /// Makes refresh_ the refresh interval in which `cycle` lies.
    void find_refresh(std::uint64_t cycle) const;
    std::uint64_t epoch(std::uint64_t cycle) const;

    unsigned burst_bytes_, bursts_per_page_, banks_, burst_cycles_;
    std::uint64_t t_rcd_, t_rp_, t_cas_, t_refi_, t_rfc_;
    std::vector<channel> channels_;
    std::vector<bank> bank_states_; ///< of channel 0, of channel 1, ...
    /// The interval that was asked for last: bursts come close together, and a division for each would be most of the work.
    mutable struct {
        std::uint64_t number = 0, begin = 0, length = 0;
    } refresh_;
    std::uint64_t bursts_ = 0, row_misses_ = 0;
};

/// Nanoseconds as cycles, rounded up.
std::uint64_t cycles_of_ns(double nanoseconds, double clock_hz);

} // namespace retrace
