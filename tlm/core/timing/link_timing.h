#pragma once
// One direction of the host link: packets one after the other at a given bandwidth, then a latency. All integers. Under stress messages
// arrive late, in the order that the bus asks for (hw/README.md, 9.13).
#include <cstdint>

#include "tlm/core/npu_config.h"

namespace retrace {

/// What a message is to the bus: nothing passes a posted message, all else may be overtaken.
enum class message_kind { posted, request, answer };

class link_direction {
public:
    /// `channel`: of the stress (back_pressure.h).
    link_direction(const link_settings& settings, const stress_settings& stress, unsigned channel, double clock_hz);

    struct slot {
        std::uint64_t start;   ///< first cycle on the wire
        std::uint64_t sent;    ///< the wire is free again
        std::uint64_t arrival; ///< the last byte is on the other side
    };
    /// A message of `payload` bytes (0: header only) granted at `cycle`.
    slot send(std::uint64_t cycle, std::uint64_t payload, message_kind kind);
    /// Cycles that a message occupies the wire.
    std::uint64_t wire_cycles(std::uint64_t payload) const;

private:
    unsigned payload_bytes_, header_bytes_;
    std::uint64_t bytes_per_second_, clock_hz_, latency_;
    stress_settings stress_;
    unsigned channel_;
    std::uint64_t free_ = 0, sent_ = 0;                 ///< the wire; messages so far
    std::uint64_t last_arrival_ = 0, last_posted_ = 0; ///< the latest of all, and of those that are posted
};

} // namespace retrace
