#include "tlm/core/timing/dram_timing.h"

#include <algorithm>
#include <cmath>

#include "tlm/core/seeded_fault.h"

namespace retrace {

std::uint64_t cycles_of_ns(double nanoseconds, double clock_hz) {
    // The product is rounded to 1/1024 cycle first: 14 ns at 1 GHz must not become 15 cycles because of a binary fraction.
    return static_cast<std::uint64_t>(std::ceil(std::round(nanoseconds * clock_hz / 1e9 * 1024) / 1024));
}

dram_timing::dram_timing(const dram_settings& s, double clock_hz)
    : burst_bytes_(s.burst_bytes), bursts_per_page_(s.page_bytes / s.burst_bytes), banks_(s.banks), burst_cycles_(s.burst_cycles),
      t_rcd_(cycles_of_ns(s.t_rcd_ns, clock_hz)), t_rp_(cycles_of_ns(s.t_rp_ns, clock_hz)), t_cas_(cycles_of_ns(s.t_cas_ns, clock_hz)),
      t_refi_(cycles_of_ns(s.t_refi_ns, clock_hz)), t_rfc_(cycles_of_ns(s.t_rfc_ns, clock_hz)) {
    channels_.resize(s.channels);
    bank_states_.resize(std::size_t{s.channels} * s.banks);
    refresh_.length = t_refi_ ? t_refi_ : ~std::uint64_t{0};
}

void dram_timing::find_refresh(std::uint64_t cycle) const {
    if (cycle - refresh_.begin < refresh_.length)
        return;
    refresh_.number = cycle / t_refi_;
    refresh_.begin = refresh_.number * t_refi_;
}

std::uint64_t dram_timing::epoch(std::uint64_t cycle) const {
    find_refresh(cycle);
    return refresh_.number;
}

std::uint64_t dram_timing::after_refresh(std::uint64_t cycle) const {
    if (t_refi_ == 0 || cycle < t_refi_)
        return cycle; // the first refresh is at t_refi
    find_refresh(cycle);
    if (RETRACE_FAULT(dropped_refresh) && refresh_.number % 2 == 0)
        return cycle;
    return std::max(cycle, refresh_.begin + t_rfc_);
}

std::uint64_t dram_timing::burst(std::uint64_t cycle, channel& c, bank& b, std::uint64_t row) {
    std::uint64_t column = after_refresh(std::max(cycle, c.next));
    const bool open = b.row != no_row && (b.epoch == epoch(column) || RETRACE_FAULT(row_open_after_refresh)); // a refresh closes every row
    if (!open || b.row != row) {
        ++row_misses_;
        // A row is opened as soon as the burst is granted and its bank idle, also while other banks use the data bus.
        const std::uint64_t activate = after_refresh(std::max(cycle, b.idle));
        const std::uint64_t early = column;
        column = after_refresh(std::max(early, activate + (open && !RETRACE_FAULT(lost_precharge) ? t_rp_ : 0) + t_rcd_));
        // A refresh between the two closes the row again: it is opened after the refresh.
        if (epoch(column) != epoch(activate))
            column = std::max(early, column / t_refi_ * t_refi_ + t_rfc_ + t_rcd_);
        b.row = row;
    }
    b.epoch = epoch(column);
    c.next = b.idle = column + burst_cycles_;
    ++bursts_;
    return column + t_cas_ + burst_cycles_;
}

std::uint64_t dram_timing::access(std::uint64_t cycle, std::uint64_t address, std::uint64_t bytes) {
    if (bytes == 0)
        return cycle;
    std::uint64_t finish = cycle;
    const std::uint64_t first = address / burst_bytes_, last = (address + bytes - 1) / burst_bytes_;
    // Bursts interleave over the channels, pages over the banks of a channel.
    std::uint64_t channel = first % channels_.size();
    const std::uint64_t line = first / channels_.size(), page = line / bursts_per_page_;
    std::uint64_t in_page = line % bursts_per_page_, bank = page % banks_, row = page / banks_;
    for (std::uint64_t i = first; i <= last; ++i) {
        finish = std::max(finish, burst(cycle, channels_[channel], bank_states_[channel * banks_ + bank], row));
        if (++channel != channels_.size())
            continue;
        channel = 0;
        if (++in_page != bursts_per_page_)
            continue;
        in_page = 0;
        if (++bank == banks_) {
            bank = 0;
            ++row;
        }
    }
    return finish;
}

} // namespace retrace
