#pragma once
// Access ports of a banked on-chip memory: one access per bank and cycle, whole bursts, first come first served.
#include <algorithm>
#include <cstdint>
#include <vector>

namespace retrace {

/// A contiguous run of banks; count 0 means no bank is needed.
struct bank_range {
    unsigned first = 0, count = 0;
};

class bank_schedule {
public:
    explicit bank_schedule(unsigned banks) : free_(banks, 0) {}

    /// First cycle >= `cycle` from which all banks of the range are free.
    std::uint64_t earliest(std::uint64_t cycle, bank_range banks) const {
        for (unsigned b = 0; b < banks.count; ++b)
            cycle = std::max(cycle, free_[banks.first + b]);
        return cycle;
    }
    /// Occupies all banks of the range for [start, start + cycles).
    void occupy(std::uint64_t start, std::uint64_t cycles, bank_range banks) {
        for (unsigned b = 0; b < banks.count; ++b)
            free_[banks.first + b] = std::max(free_[banks.first + b], start + cycles);
    }
    unsigned banks() const { return static_cast<unsigned>(free_.size()); }

private:
    std::vector<std::uint64_t> free_;
};

} // namespace retrace
