#pragma once
// Host memory between a weakly ordered CPU and a device, as unkind as host/port.h allows. Both see the same bytes, each a little late:
//
// - a store of the CPU reaches the device at the next write barrier at the latest;
// - a write of the device reaches the CPU at the next read barrier at the latest;
// - whenever time passes some of either kind may get through before, at random by granule of 8 bytes: in any order, a structure in pieces,
//   but never half a register.
//
// A doorbell without its barrier shows the device old memory, a completion that is believed without one covers old memory. The CPU sees
// its own stores at once. A byte that both have written and nobody has seen ends as the CPU's, and such a race nobody should have.
//
// Both views are compared as a whole at each barrier and now and then in between: about 0.1 ms per MiB.
#include <cstddef>
#include <cstdint>
#include <span>

#include "tlm/core/memory/zeroed_array.h"

namespace retrace {

class weak_memory {
public:
    /// `device_side`: what the link reads and writes; all zero still.
    weak_memory(std::span<std::byte> device_side, std::uint64_t seed);

    std::span<std::byte> cpu_side() { return {cpu_.get(), device_.size()}; }

    void write_barrier();
    void read_barrier();
    /// The device runs, or has run: some stores and some writes arrive.
    void let_time_pass();

private:
    template <typename Chosen>
    void carry(std::byte* from, std::byte* to, bool over, Chosen&& chosen);
    void carry_some(std::byte* from, std::byte* to, bool over, std::uint32_t channel);

    std::span<std::byte> device_;
    zeroed_array<std::byte> cpu_, agreed_; ///< the CPU's view; what both sides last agreed on, byte by byte
    std::uint64_t seed_, moments_ = 0;
};

} // namespace retrace
