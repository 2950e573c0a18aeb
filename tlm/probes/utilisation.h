#pragma once
// How busy a block is, for an analogue track: the share of the last full interval in which it worked. An interval's share is drawn when the
// interval is over; nothing ticks, the shares are worked out when somebody asks for them.
#include <algorithm>
#include <cstdint>
#include <deque>

#include "trace/probes.h"

namespace retrace {

class utilisation {
public:
    static constexpr std::uint64_t interval = 1000; ///< cycles

    /// Registers itself as a late source of `registry`: stays where it is.
    utilisation(trace::probe_registry& registry, trace::probe_id probe) : registry_(registry), probe_(probe) {
        registry.add_late_source([this](std::uint64_t cycle) { tell(cycle); });
    }
    utilisation(const utilisation&) = delete;
    utilisation& operator=(const utilisation&) = delete;

    /// Busy in [begin, end), which may lie ahead; spans do not overlap.
    void busy(std::uint64_t begin, std::uint64_t end) {
        if (!registry_.wanted(probe_))
            return;
        for (begin = std::max(begin, first_ * interval); begin < end;) {
            const std::uint64_t index = begin / interval, stop = std::min(end, (index + 1) * interval);
            if (counts_.size() <= index - first_)
                counts_.resize(index - first_ + 1);
            counts_[index - first_] += static_cast<std::uint32_t>(stop - begin);
            begin = stop;
        }
    }
    /// Busy from now on, and no more.
    void on(std::uint64_t cycle) {
        if (!on_)
            since_ = cycle;
        on_ = true;
    }
    void off(std::uint64_t cycle) {
        if (on_)
            busy(since_, cycle);
        on_ = false;
    }

private:
    void tell(std::uint64_t cycle) {
        if (!registry_.wanted(probe_))
            return;
        if (on_) {
            busy(since_, cycle);
            since_ = std::max(since_, cycle);
        }
        // Interval i is drawn from its end on.
        for (; (first_ + 1) * interval < cycle; ++first_) {
            if (counts_.empty()) {
                registry_.set_real(probe_, (first_ + 1) * interval, 0.0);
                first_ = std::max(first_, (cycle - 1) / interval - 1);
                continue;
            }
            registry_.set_real(probe_, (first_ + 1) * interval, static_cast<double>(counts_.front()) / interval);
            counts_.pop_front();
        }
    }

    trace::probe_registry& registry_;
    trace::probe_id probe_;
    std::uint64_t first_ = 0; ///< interval of counts_[0]
    std::deque<std::uint32_t> counts_;
    bool on_ = false;
    std::uint64_t since_ = 0;
};

} // namespace retrace
