#include "tlm/core/array/frozen_time.h"

#include <algorithm>
#include <string>

#include "tlm/core/array/array_interface.h"

namespace retrace {

void frozen_time::freeze(std::uint64_t cycle, std::uint64_t count) {
    if (cycle < order_limit_) {
        throw array_protocol_error("array: freeze at cycle " + std::to_string(cycle) +
                                   " begins before the previous one ends at " + std::to_string(order_limit_));
    }
    if (count == 0) {
        return;
    }
    const std::uint64_t before = pauses_.empty() ? forgotten_ : pauses_.back().total;
    if (!pauses_.empty() && cycle == order_limit_) {
        pauses_.back().count += count; // adjoining: one longer pause
        pauses_.back().total += count;
    } else {
        pauses_.push_back({cycle, count, cycle - before, before + count});
    }
    order_limit_ = cycle + count;
}

std::uint64_t frozen_time::to_own(std::uint64_t cycle) const {
    const auto after = std::upper_bound(pauses_.begin(), pauses_.end(), cycle,
                                        [](std::uint64_t c, const pause& p) { return c < p.start; });
    if (after == pauses_.begin()) {
        return cycle - forgotten_;
    }
    const pause& last = *(after - 1);
    if (cycle < last.start + last.count) {
        throw array_protocol_error("array: nothing can start in cycle " + std::to_string(cycle) +
                                   ", it is frozen until " + std::to_string(last.start + last.count));
    }
    return cycle - last.total;
}

std::uint64_t frozen_time::to_outer(std::uint64_t own) const {
    const auto after = std::upper_bound(pauses_.begin(), pauses_.end(), own,
                                        [](std::uint64_t o, const pause& p) { return o < p.own; });
    return own + (after == pauses_.begin() ? forgotten_ : (after - 1)->total);
}

void frozen_time::forget_before(std::uint64_t own, std::uint64_t outer) {
    std::size_t count = 0;
    while (count < pauses_.size() && pauses_[count].own <= own &&
           pauses_[count].start + pauses_[count].count <= outer) {
        forgotten_ = pauses_[count].total;
        ++count;
    }
    pauses_.erase(pauses_.begin(), pauses_.begin() + static_cast<std::ptrdiff_t>(count));
}

} // namespace retrace
