#include "tlm/core/array/windowed_array.h"

#include <algorithm>
#include <string>
#include <utility>

namespace retrace {

windowed_array::windowed_array(const array_config& config,
                               std::vector<std::unique_ptr<array_interface>> arrays,
                               std::vector<array_window> windows)
    : timing_(config), windows_(std::move(windows)) {
    check_array_config(config);
    if (arrays.empty()) {
        throw array_protocol_error("array windows: there is no array for the cycles outside of them");
    }
    std::sort(windows_.begin(), windows_.end(),
              [](const array_window& a, const array_window& b) { return a.start < b.start; });
    for (std::size_t i = 0; i < windows_.size(); ++i) {
        const array_window& w = windows_[i];
        const std::string text = std::to_string(w.start) + ":" + std::to_string(w.stop);
        if (w.start >= w.stop) {
            throw array_protocol_error("array window " + text +
                                       " is empty: its stop must lie after its start");
        }
        if (w.array >= arrays.size()) {
            throw array_protocol_error("array window " + text + " names array " + std::to_string(w.array) +
                                       " of " + std::to_string(arrays.size()));
        }
        if (i != 0 && w.start < windows_[i - 1].stop) {
            throw array_protocol_error("array window " + text + " overlaps the one before, which ends at " +
                                       std::to_string(windows_[i - 1].stop));
        }
    }
    for (auto& a : arrays) {
        members_.push_back({std::move(a), 0, false});
    }
}

const array_window* windowed_array::at(std::uint64_t cycle) const {
    const auto after = std::upper_bound(windows_.begin(), windows_.end(), cycle,
                                        [](std::uint64_t c, const array_window& w) { return c < w.start; });
    return after != windows_.begin() && cycle < (after - 1)->stop ? &*(after - 1) : nullptr;
}

void windowed_array::check_not_past(std::uint64_t cycle, const char* what) const {
    if (cycle < next_cycle_) {
        throw array_protocol_error(std::string("array: ") + what + " at cycle " + std::to_string(cycle) +
                                   " lies in the past, collect() has passed cycle " +
                                   std::to_string(next_cycle_ - 1));
    }
}

void windowed_array::load_weights(std::uint64_t cycle, const matrix_view& w) {
    check_not_past(cycle, "weight load");
    const std::uint64_t own = time_.to_own(cycle);
    if (loaded_) {
        throw array_protocol_error("array: weight load at cycle " + std::to_string(cycle) +
                                   " before a stream with swap took the previous load");
    }
    if (w.format != number_format::int32 && swapped_ && own < timing_.earliest_reload(last_swap_, w.format)) {
        throw array_protocol_error("array: weight load at cycle " + std::to_string(cycle) +
                                   " overwrites shadow registers that the swap has not reached");
    }
    const array_window* const window = at(cycle);
    const unsigned to = window ? window->array : 0;
    members_[to].behind = true;
    members_[to].array->load_weights(cycle, w);
    if (window && window->tiles) {
        ++*window->tiles;
    }
    shadow_ = to;
    loaded_ = true;
}

void windowed_array::stream(std::uint64_t cycle, const matrix_view& a, bool swap) {
    check_not_past(cycle, "stream");
    const std::uint64_t own = time_.to_own(cycle);
    if (own < next_stream_) {
        throw array_protocol_error("array: stream at cycle " + std::to_string(cycle) +
                                   " overlaps the previous stream");
    }
    if (swap && !loaded_) {
        throw array_protocol_error("array: stream at cycle " + std::to_string(cycle) +
                                   " swaps, but no load is waiting");
    }
    const unsigned to = swap ? shadow_ : active_;
    members_[to].behind = true;
    members_[to].array->stream(cycle, a, swap);
    next_stream_ = timing_.next_stream(own, a.format, a.rows);
    if (swap) {
        active_ = shadow_;
        loaded_ = false;
        swapped_ = true;
        last_swap_ = own;
    }
    ++members_[to].streams;
    pending_.push_back(to);
}

void windowed_array::freeze(std::uint64_t cycle, std::uint64_t count) {
    check_not_past(cycle, "freeze");
    time_.freeze(cycle, count);
    for (member& m : members_) {
        m.array->freeze(cycle, count);
        m.behind = true;
    }
}

bool windowed_array::collect(std::uint64_t now, column_sums& out) {
    next_cycle_ = std::max(next_cycle_, now + 1);
    time_.forget_before(~std::uint64_t{0}, next_cycle_);
    // An array with nothing to deliver is told the time only so that it forgets freezes and sees violations.
    for (unsigned i = 0; i < members_.size(); ++i) {
        member& m = members_[i];
        if (m.behind && std::find(pending_.begin(), pending_.end(), i) == pending_.end()) {
            m.array->collect(now, none_);
            m.behind = false;
        }
    }
    if (pending_.empty() || !members_[pending_.front()].array->collect(now, out)) {
        return false;
    }
    collected_ = pending_.front();
    pending_.pop_front();
    return true;
}

void windowed_array::want_stamps(bool wanted) {
    for (member& m : members_) {
        m.array->want_stamps(wanted);
    }
}

void windowed_array::show(const array_probes& probes) {
    for (member& m : members_) {
        m.array->show(probes);
    }
}

void windowed_array::settle(std::uint64_t cycle) {
    for (member& m : members_) {
        m.array->settle(cycle);
    }
}

void windowed_array::accumulate(std::span<std::uint32_t> accumulator, std::span<const std::uint32_t> sums,
                                bool integer) {
    members_[collected_].array->accumulate(accumulator, sums, integer);
}

} // namespace retrace
