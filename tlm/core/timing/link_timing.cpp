#include "tlm/core/timing/link_timing.h"

#include <algorithm>
#include <cmath>

#include "tlm/core/seeded_fault.h"
#include "tlm/core/timing/back_pressure.h"
#include "tlm/core/timing/dram_timing.h"

namespace retrace {

link_direction::link_direction(const link_settings& s, const stress_settings& stress, unsigned channel, double clock_hz)
    : payload_bytes_(s.payload_bytes), header_bytes_(s.header_bytes),
      bytes_per_second_(static_cast<std::uint64_t>(std::llround(s.bytes_per_second))),
      clock_hz_(static_cast<std::uint64_t>(std::llround(clock_hz))), latency_(cycles_of_ns(s.latency_ns, clock_hz)), stress_(stress),
      channel_(channel) {}

std::uint64_t link_direction::wire_cycles(std::uint64_t payload) const {
    const std::uint64_t packets = std::max<std::uint64_t>(1, (payload + payload_bytes_ - 1) / payload_bytes_);
    const unsigned __int128 bytes = payload + (RETRACE_FAULT(lost_headers) ? 1 : packets) * header_bytes_;
    return static_cast<std::uint64_t>((bytes * clock_hz_ + bytes_per_second_ - 1) / bytes_per_second_);
}

link_direction::slot link_direction::send(std::uint64_t cycle, std::uint64_t payload, message_kind kind) {
    const std::uint64_t start = std::max(cycle, free_);
    free_ = start + wire_cycles(payload);
    const std::uint64_t own = free_ + latency_ + hold_cycles(stress_.seed, channel_, 0, sent_++, stress_.message_cycles);
    const std::uint64_t arrival = std::max(own, stress_.reorder ? last_posted_ : last_arrival_);
    last_arrival_ = std::max(last_arrival_, arrival);
    if (kind == message_kind::posted)
        last_posted_ = RETRACE_FAULT(posted_overtakes) ? 0 : arrival;
    return {start, free_, arrival};
}

} // namespace retrace
