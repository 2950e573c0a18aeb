// Random stalls of the whole array, injected to find what depends on its steady pace. When they come is a
// pure function of the seed and the cycle, so that everybody who asks about any time, in any order, hears the
// same; nothing is kept.
#pragma once

#include <cstdint>

namespace retrace {

// mean_gap_cycles = 0: no stalls.
struct array_stress {
    std::uint64_t seed = 1;
    std::uint64_t mean_gap_cycles = 0; // between the end of a stall and the next one, on average
    std::uint64_t max_cycles = 8;      // of a stall; lengths are uniform from 1
};

class array_stalls {
public:
    struct pause {
        std::uint64_t start, count; // no register changes in [start, start + count)
    };

    explicit array_stalls(const array_stress& stress);

    bool enabled() const { return slot_cycles_ != 0; }
    // First cycle >= `cycle` in which the array runs.
    std::uint64_t running(std::uint64_t cycle) const { return enabled() ? next_running(cycle) : cycle; }
    // The cycle in which something happens that is due `cycles` cycles of the array after `start`, a cycle in
    // which it runs.
    std::uint64_t after(std::uint64_t start, std::uint64_t cycles) const {
        return enabled() ? delayed(start, cycles) : start + cycles;
    }
    // Time is cut into slots of equal length, a stall in each, which may adjoin the next slot's. Enabled
    // only.
    std::uint64_t slot_of(std::uint64_t cycle) const { return cycle / slot_cycles_; }
    pause in_slot(std::uint64_t slot) const;

private:
    std::uint64_t next_running(std::uint64_t cycle) const;
    std::uint64_t delayed(std::uint64_t start, std::uint64_t cycles) const;

    std::uint64_t seed_, max_cycles_, slot_cycles_ = 0;
};

} // namespace retrace
