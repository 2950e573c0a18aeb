#pragma once
// One direction of the host link: packets one after the other at a given bandwidth, then a latency. All integers.
#include <cstdint>

#include "tlm/core/npu_config.h"

namespace retrace {

class link_direction {
public:
    link_direction(const link_settings& settings, double clock_hz);

    struct slot {
        std::uint64_t start;   ///< first cycle on the wire
        std::uint64_t sent;    ///< the wire is free again
        std::uint64_t arrival; ///< the last byte is on the other side
    };
    /// A message of `payload` bytes (0: header only) granted at `cycle`.
    slot send(std::uint64_t cycle, std::uint64_t payload);
    /// Cycles that a message occupies the wire.
    std::uint64_t wire_cycles(std::uint64_t payload) const;

private:
    unsigned payload_bytes_, header_bytes_;
    std::uint64_t bytes_per_second_, clock_hz_, latency_;
    std::uint64_t free_ = 0;
};

} // namespace retrace
