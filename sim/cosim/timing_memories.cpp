#include "sim/cosim/timing_memories.h"

#include <algorithm>
#include <cmath>

#include "hw/spec/counter_random.h"

namespace retrace::cosim::timing {

std::uint64_t cycles_of(double nanoseconds, double clock_hz) {
    const double in_1024th = std::round(nanoseconds * clock_hz / 1e9 * 1024);
    return static_cast<std::uint64_t>(std::ceil(in_1024th / 1024));
}

std::uint64_t hold(std::uint64_t seed, std::uint64_t channel, std::uint64_t order, std::uint64_t number,
                   std::uint64_t longest) {
    const auto low = [](std::uint64_t x) { return static_cast<std::uint32_t>(x); };
    const std::uint32_t w = philox4x32_10({low(number), low(number >> 32), low(channel), low(order)},
                                          {low(seed), low(seed >> 32)})[0];
    return longest > 0 && w % 4 == 0 ? 1 + (w / 4) % longest : 0;
}

namespace {

std::uint64_t scramble(std::uint64_t x) { // splitmix64's output function
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

constexpr std::uint64_t increment = 0x9e3779b97f4a7c15u;

} // namespace

freezes::freezes(const array_stress& s)
    : seed_(scramble(s.seed + increment)), longest_(std::max<std::uint64_t>(1, s.max_cycles)) {
    if (s.mean_gap_cycles)
        slot_ = s.mean_gap_cycles + (longest_ + 1) / 2;
}

bool freezes::frozen(std::uint64_t cycle) const {
    if (slot_ == 0)
        return false;
    const std::uint64_t w = scramble(seed_ + cycle / slot_ * increment);
    const std::uint64_t length = std::min(1 + (w >> 32) % longest_, slot_ - 1);
    const std::uint64_t start = (w & 0xffffffffu) % (slot_ - length + 1), place = cycle % slot_;
    return start <= place && place < start + length;
}

std::uint64_t freezes::running(std::uint64_t cycle) const {
    while (frozen(cycle))
        ++cycle;
    return cycle;
}

std::uint64_t freezes::after(std::uint64_t start, std::uint64_t n) const {
    if (slot_ == 0)
        return start + n;
    std::uint64_t cycle = start;
    while (n--)
        cycle = running(cycle + 1);
    return cycle;
}

std::uint64_t bank_ports::from(std::uint64_t cycle, bank_span banks) const {
    for (unsigned b = banks.first; b < banks.first + banks.count; ++b)
        cycle = std::max(cycle, free_.at(b));
    return cycle;
}

void bank_ports::take(bank_span banks, std::uint64_t until) {
    for (unsigned b = banks.first; b < banks.first + banks.count; ++b)
        free_.at(b) = std::max(free_.at(b), until);
}

state_buffer_banks::state_buffer_banks(const npu_config& c)
    : ports(c.state_buffer.banks), bank_bytes_(c.state_buffer.capacity_bytes / c.state_buffer.banks),
      line_bytes_(4u * c.array.rows) {}

bank_span state_buffer_banks::of(std::uint64_t address, std::uint64_t bytes) const {
    const std::uint64_t first = address / bank_bytes_, last = (address + bytes - 1) / bank_bytes_;
    return {static_cast<unsigned>(first), static_cast<unsigned>(last - first + 1)};
}

std::uint64_t state_buffer_banks::move(std::uint64_t granted, const std::vector<piece>& pieces) {
    std::uint64_t at = granted;
    for (const piece& p : pieces)
        for (std::uint64_t from = p.address; from < p.address + p.bytes;) {
            const std::uint64_t to = std::min(p.address + p.bytes, (from / bank_bytes_ + 1) * bank_bytes_);
            const bank_span bank = of(from, to - from);
            at = ports.from(at, bank) + (to - 1) / line_bytes_ - from / line_bytes_ + 1;
            ports.take(bank, at);
            from = to;
        }
    return at;
}

dram_banks::dram_banks(const dram_settings& s, double hz)
    : settings_(s), rcd_(cycles_of(s.t_rcd_ns, hz)), rp_(cycles_of(s.t_rp_ns, hz)),
      cas_(cycles_of(s.t_cas_ns, hz)), refi_(cycles_of(s.t_refi_ns, hz)), rfc_(cycles_of(s.t_rfc_ns, hz)),
      next_(s.channels, 0), banks_(std::size_t{s.channels} * s.banks) {}

std::uint64_t dram_banks::ref(std::uint64_t c) const {
    return interval(c) == 0 ? c : std::max(c, interval(c) * refi_ + rfc_);
}

std::uint64_t dram_banks::burst(std::uint64_t g, std::uint64_t i) {
    const std::uint64_t channel = i % settings_.channels;
    const std::uint64_t page = i / settings_.channels / (settings_.page_bytes / settings_.burst_bytes);
    const std::uint64_t row = page / settings_.banks;
    std::uint64_t& next = next_[channel];
    bank& b = banks_[channel * settings_.banks + page % settings_.banks];

    std::uint64_t column = ref(std::max(g, next));
    const bool open = b.row && b.epoch == interval(column);
    if (!open || *b.row != row) {
        const std::uint64_t activate = ref(std::max(g, b.idle)), early = column;
        column = ref(std::max(early, activate + (open ? rp_ : 0) + rcd_));
        b.row = row;
        if (interval(column) != interval(activate))
            column = std::max(early, interval(column) * refi_ + rfc_ + rcd_);
    }
    b.epoch = interval(column);
    next = b.idle = column + settings_.burst_cycles;
    last_column_ = column;
    return column + cas_ + settings_.burst_cycles;
}

std::uint64_t dram_banks::access(std::uint64_t granted, const std::vector<piece>& pieces) {
    std::uint64_t finish = granted;
    for (const piece& p : pieces)
        for (std::uint64_t i = p.address / settings_.burst_bytes;
             i <= (p.address + p.bytes - 1) / settings_.burst_bytes; ++i)
            finish = std::max(finish, burst(granted, i));
    return finish;
}

std::uint64_t wire::cycles(std::uint64_t bytes) const {
    const link_settings& l = config_.host_link;
    const std::uint64_t packets = bytes == 0 ? 1 : (bytes + l.payload_bytes - 1) / l.payload_bytes;
    const auto whole = [](double rate) { return static_cast<unsigned __int128>(std::llround(rate)); };
    const unsigned __int128 work = (bytes + packets * l.header_bytes) * whole(config_.clock_hz),
                            rate = whole(l.bytes_per_second);
    return static_cast<std::uint64_t>((work + rate - 1) / rate);
}

wire::message wire::send(std::uint64_t granted, std::uint64_t bytes, bool posted) {
    const stress_settings& s = config_.stress;
    free_ = std::max(granted, free_) + cycles(bytes);
    const std::uint64_t own = free_ + cycles_of(config_.host_link.latency_ns, config_.clock_hz) +
                              hold(s.seed, channel_, 0, number_++, s.message_cycles);
    const std::uint64_t arrival = std::max(own, s.reorder ? latest_posted_ : latest_);
    latest_ = std::max(latest_, arrival);
    if (posted)
        latest_posted_ = arrival;
    return {free_, arrival};
}

} // namespace retrace::cosim::timing
