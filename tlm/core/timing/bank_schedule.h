#pragma once
// Access ports of a banked on-chip memory: one access per bank and cycle, whole bursts, first come first served.
#include <algorithm>
#include <cstdint>
#include <vector>

#include "trace/probes.h"

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
    /// Occupies all banks of the range for [start, start + cycles); `who`: number in the arbitration, for waves.
    void occupy(std::uint64_t start, std::uint64_t cycles, bank_range banks, unsigned who = 0) {
        for (unsigned b = banks.first; b < banks.first + banks.count; ++b) {
            if (probes_)
                tell(first_probe_ + b, free_[b], start, start + cycles, who);
            free_[b] = std::max(free_[b], start + cycles);
        }
    }
    /// Who has each bank, as probes <block>.bank0, bank1, ...
    void show(trace::probe_registry& probes, const std::string& block) {
        for (std::size_t b = 0; b < free_.size(); ++b) {
            const trace::probe_id id = probes.add({block + ".bank" + std::to_string(b), trace::probe_kind::bits, 8, "requester"});
            if (b == 0)
                first_probe_ = id;
        }
        probes_ = &probes;
    }
    unsigned banks() const { return static_cast<unsigned>(free_.size()); }

private:
    void tell(trace::probe_id bank, std::uint64_t was_free, std::uint64_t start, std::uint64_t end, unsigned who) {
        probes_->set(bank, start, who);
        if (start < was_free && was_free < end) // an engine that reads and writes the same bank
            probes_->set(bank, was_free, who);
        if (end >= was_free)
            probes_->set(bank, end, 0);
    }

    std::vector<std::uint64_t> free_;
    trace::probe_registry* probes_ = nullptr;
    trace::probe_id first_probe_ = 0;
};

} // namespace retrace
