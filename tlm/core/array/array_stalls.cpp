#include "tlm/core/array/array_stalls.h"

#include <algorithm>

namespace retrace {
namespace {

// Finalizer of splitmix64 (Steele, Lea, Flood, OOPSLA 2014).
std::uint64_t mix(std::uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

} // namespace

array_stalls::array_stalls(const array_stress& stress)
    : seed_(mix(stress.seed + 0x9e3779b97f4a7c15u)),
      max_cycles_(std::max<std::uint64_t>(1, stress.max_cycles)) {
    if (stress.mean_gap_cycles != 0) {
        slot_cycles_ = stress.mean_gap_cycles + (max_cycles_ + 1) / 2;
    }
}

array_stalls::pause array_stalls::in_slot(std::uint64_t slot) const {
    const std::uint64_t random = mix(seed_ + slot * 0x9e3779b97f4a7c15u);
    const std::uint64_t count =
        std::min(1 + (random >> 32) % max_cycles_, slot_cycles_ - 1); // some cycle runs
    return {slot * slot_cycles_ + (random & 0xffffffffu) % (slot_cycles_ - count + 1), count};
}

std::uint64_t array_stalls::next_running(std::uint64_t cycle) const {
    for (std::uint64_t slot = slot_of(cycle);; ++slot) {
        const pause p = in_slot(slot);
        if (cycle < p.start) {
            return cycle;
        }
        cycle = std::max(cycle, p.start + p.count);
        if (slot_of(cycle) == slot) {
            return cycle;
        }
    }
}

std::uint64_t array_stalls::delayed(std::uint64_t start, std::uint64_t cycles) const {
    std::uint64_t cycle = start + cycles;
    for (std::uint64_t slot = slot_of(start); slot <= slot_of(cycle); ++slot) {
        const pause p = in_slot(slot);
        if (p.start > start && p.start <= cycle) {
            cycle += p.count;
        }
    }
    return cycle;
}

} // namespace retrace
