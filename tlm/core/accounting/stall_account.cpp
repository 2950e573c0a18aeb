#include "tlm/core/accounting/stall_account.h"

#include <algorithm>
#include <bit>

namespace retrace {

namespace {

constexpr std::array transfer_order{stall::link, stall::dram, stall::dma};
constexpr unsigned pe = spec::engine_pe;

} // namespace

std::string_view name_of(stall category) {
    static constexpr std::string_view names[stall_count] = {"compute", "fill", "drain", "weight_load", "bank_conflict", "dram", "dma",
                                                            "link", "activation", "vector", "semaphore", "command", "host", "other"};
    return names[static_cast<unsigned>(category)];
}

std::string_view report_name_of(spec::phase phase) { return phase == spec::phase::loss_gradient ? "loss" : spec::name_of(phase); }

stall_account::stall_account(unsigned engines)
    : engines_(engines), columns_(stall_count + engines), table_(std::size_t{most_intervals} * columns_) {
    for (agent& a : engines_)
        a.cycles.resize(on_engine + engines);
}

std::uint64_t stall_account::of(stall category) const {
    std::uint64_t sum = 0;
    for (const auto& phase : cycles_)
        sum += phase[static_cast<unsigned>(category)];
    return sum;
}

void stall_account::begin(std::uint64_t cycle) {
    if (begun_)
        return;
    begun_ = true;
    first_ = last_ = cycle;
    for (agent& a : engines_)
        a.since = cycle;
}

void stall_account::restart(std::uint64_t cycle) {
    until(cycle);
    cycles_ = {};
    shift_ = 0;
    std::fill(table_.begin(), table_.end(), 0);
    for (agent& a : engines_) {
        std::fill(a.cycles.begin(), a.cycles.end(), 0);
        a.since = cycle;
    }
    first_ = last_ = cycle;
    array_cycles_ = array_covered_ - std::min(array_covered_, cycle); // tiles that are at work
    begun_ = true;
}

void stall_account::until(std::uint64_t cycle) {
    if (!begun_ || cycle <= last_)
        return;
    widen_intervals(cycle);
    // Agents did not change since last_: what they do and wait for changes only where a tile enters the empty array or the last one leaves it.
    while (last_ < cycle) {
        const auto drop = [this](auto& list, auto end_of) {
            while (!list.empty() && end_of(list.front()) <= last_)
                list.pop_front();
        };
        drop(weights_, [](const interval& i) { return i.to; });
        drop(rows_, [](const interval& i) { return i.to; });
        drop(frozen_, [](const interval& i) { return i.to; });
        drop(flights_, [](const flight& f) { return f.end; });

        std::uint64_t end = cycle;
        stall category{};
        spec::phase phase{};
        bool array_works = false;
        const auto limit = [&end](std::uint64_t at) { end = std::min(end, at); };
        if (!flights_.empty()) {
            const flight& f = flights_.front();
            if (f.from <= last_) {
                category = last_ < f.first_sum ? stall::fill : stall::drain;
                phase = f.phase;
                array_works = true;
                limit(last_ < f.first_sum ? f.first_sum : f.end);
            } else {
                limit(f.from);
            }
        }
        const auto claim = [&](const std::deque<interval>& list, stall claimed) {
            if (list.empty())
                return;
            if (list.front().from <= last_) {
                category = claimed;
                phase = list.front().phase;
                array_works = true;
                limit(list.front().to);
            } else {
                limit(list.front().from);
            }
        };
        claim(weights_, stall::weight_load);
        claim(rows_, stall::compute);
        // Only a frozen array asks: the common case is one test.
        if (!frozen_.empty()) {
            const bool frozen = frozen_.front().from <= last_;
            if (frozen && array_works)
                category = stall::bank_conflict;
            limit(frozen ? frozen_.front().to : frozen_.front().from);
        }
        if (changed_ || array_works != (engines_[pe].in_flight > 0)) {
            engines_[pe].in_flight = array_works;
            counted_ |= 1u << pe;
            work_out();
        }
        if (!array_works) {
            category = reason_;
            phase = reason_phase_;
        }
        cycles_[static_cast<unsigned>(phase)][static_cast<unsigned>(category)] += end - last_;
        spread(table_, static_cast<unsigned>(category), last_, end);
        last_ = end;
    }
}

void stall_account::spread(std::vector<std::uint64_t>& table, unsigned column, std::uint64_t from, std::uint64_t to) const {
    while (from < to) {
        const std::uint64_t row = (from - first_) >> shift_, end = std::min(to, first_ + ((row + 1) << shift_));
        table[row * columns_ + column] += end - from;
        from = end;
    }
}

void stall_account::widen_intervals(std::uint64_t cycle) {
    for (; (cycle - 1 - first_) >> shift_ >= most_intervals; ++shift_) {
        for (unsigned row = 0; row < most_intervals / 2; ++row)
            for (unsigned c = 0; c < columns_; ++c)
                table_[row * columns_ + c] = table_[2 * row * columns_ + c] + table_[(2 * row + 1) * columns_ + c];
        std::fill(table_.begin() + static_cast<std::ptrdiff_t>(most_intervals / 2 * columns_), table_.end(), 0);
    }
}

cycle_attribution stall_account::attribution() const {
    cycle_attribution a;
    a.total = total();
    a.phases = cycles_;
    a.first = first_;
    a.interval = std::uint64_t{1} << shift_;
    std::vector<std::uint64_t> table = table_;
    for (unsigned e = 0; e < engines_.size(); ++e) {
        a.engines.push_back(engines_[e].cycles);
        add_up(e, a.engines.back(), table);
    }
    const std::uint64_t rows = (a.total + a.interval - 1) >> shift_;
    const auto column = [&](unsigned c) {
        std::vector<std::uint64_t> list(rows);
        for (std::uint64_t r = 0; r < rows; ++r)
            list[r] = table[r * columns_ + c];
        return list;
    };
    for (unsigned s = 0; s < stall_count; ++s)
        a.stalls[s] = column(s);
    for (unsigned e = 0; e < engines_.size(); ++e)
        a.busy.push_back(column(stall_count + e));
    return a;
}

void stall_account::add_up(unsigned engine, std::vector<std::uint64_t>& cycles, std::vector<std::uint64_t>& table) const {
    const agent& a = engines_[engine];
    cycles[a.activity] += last_ - a.since;
    if (a.activity == engine_busy)
        spread(table, stall_count + engine, a.since, last_);
}

void stall_account::weights(std::uint64_t from, std::uint64_t to) {
    weights_.push_back({from, to, phase_of(engines_[pe])});
    array_cycles_ += to - std::min(to, std::max(from, array_covered_));
    array_covered_ = std::max(array_covered_, to);
}

void stall_account::rows(std::uint64_t from, std::uint64_t to, std::uint64_t first_sum, std::uint64_t end) {
    rows_.push_back({from, to, phase_of(engines_[pe])});
    flights_.push_back({from, first_sum, end, phase_of(engines_[pe])});
    array_cycles_ += end - std::min(end, std::max(from, array_covered_));
    array_covered_ = std::max(array_covered_, end);
}

void stall_account::frozen(std::uint64_t from, std::uint64_t to) {
    if (from < frozen_until_)
        return;
    frozen_.push_back({from, to, spec::phase::none});
    frozen_until_ = to;
}

// ---- agents

void stall_account::run(std::uint64_t cycle, unsigned engine, unsigned context, std::uint32_t signals) {
    until(cycle);
    changed_ = true;
    agent& a = engines_[engine];
    set_running(engine, false);
    a.waiting = false;
    a.context = context;
    a.signals = signals;
    a.category = stall::command;
    set_running(engine, true);
}

void stall_account::stop(std::uint64_t cycle, unsigned engine) {
    until(cycle);
    changed_ = true;
    set_running(engine, false);
}

void stall_account::set_running(unsigned engine, bool running) {
    agent& a = engines_[engine];
    const std::uint32_t bit = 1u << engine;
    a.running = running;
    running_ = running ? running_ | bit : running_ & ~bit;
    for (std::uint32_t left = a.signals; left != 0; left &= left - 1) {
        std::uint32_t& mask = signallers_[a.context][static_cast<unsigned>(std::countr_zero(left))];
        mask = running ? mask | bit : mask & ~bit;
    }
}

void stall_account::busy(std::uint64_t cycle, unsigned engine, stall category) {
    agent& a = engines_[engine];
    if (!a.waiting && a.category == category)
        return;
    until(cycle);
    changed_ = true;
    a.waiting = false;
    a.category = category;
}

void stall_account::waiting(std::uint64_t cycle, unsigned engine, unsigned semaphore) {
    until(cycle);
    changed_ = true;
    engines_[engine].waiting = true;
    engines_[engine].semaphore = semaphore;
}

void stall_account::array_port_waits(std::uint64_t cycle, int change) {
    until(cycle);
    changed_ = true;
    port_waits_ += change;
}

void stall_account::transfer(std::uint64_t cycle, unsigned engine, stall category, int change) {
    agent& a = engines_[engine];
    int& count = a.transfers[category == stall::link ? 0 : category == stall::dram ? 1 : 2];
    // One more or less of what is there already says nothing new.
    if (count == 0 || count + change == 0) {
        until(cycle);
        changed_ = true;
        counted_ |= 1u << engine;
    }
    count += change;
    a.in_flight += change;
}

void stall_account::context(std::uint64_t cycle, unsigned context, bool active, spec::phase phase) {
    until(cycle);
    changed_ = true;
    active_[context] = active;
    if (active) // firmware may have let anything through
        phases_[context] = static_cast<unsigned>(phase) < spec::phase_count ? phase : spec::phase::none;
}

void stall_account::message(std::uint64_t cycle, int change) {
    until(cycle);
    changed_ = true;
    messages_ += change;
}

void stall_account::host_computes(std::uint64_t cycle, bool computes) {
    until(cycle);
    changed_ = true;
    host_ = computes;
}

// ---- what their states mean

stall stall_account::reason_of(const agent& a) const {
    // What is in flight keeps the engine busy while its sequencer waits already.
    for (unsigned i = 0; i < transfer_order.size(); ++i)
        if (a.transfers[i] > 0)
            return transfer_order[i];
    return a.category;
}

bool stall_account::at_work(unsigned engine) const {
    const agent& a = engines_[engine];
    return a.in_flight > 0 || !a.waiting || (engine == pe && port_waits_ > 0);
}

unsigned stall_account::end_of(unsigned engine, std::uint32_t& visited) const {
    const agent& a = engines_[engine];
    visited |= 1u << engine;
    if (at_work(engine))
        return engine;
    for (std::uint32_t left = signallers_[a.context][a.semaphore] & ~visited; left != 0; left &= (left - 1) & ~visited)
        if (const unsigned end = end_of(static_cast<unsigned>(std::countr_zero(left)), visited); end != nobody)
            return end;
    return nobody;
}

unsigned stall_account::activity_of(unsigned engine) const {
    const agent& a = engines_[engine];
    if (a.in_flight > 0)
        return engine_busy;
    if (!a.running)
        return engine_idle;
    if (engine == pe && port_waits_ > 0)
        return engine_banks;
    if (a.waiting) {
        std::uint32_t visited = 0;
        const unsigned end = end_of(engine, visited);
        return end == nobody ? unsigned{engine_semaphore} : on_engine + end;
    }
    switch (a.category) {
    case stall::command: return engine_issues;
    case stall::dram: return engine_instructions;
    case stall::bank_conflict: return engine_banks;
    default: return engine_busy;
    }
}

void stall_account::work_out() {
    changed_ = false;
    for (std::uint32_t left = running_ | counted_; left != 0; left &= left - 1) {
        const auto e = static_cast<unsigned>(std::countr_zero(left));
        agent& a = engines_[e];
        const unsigned activity = activity_of(e);
        counted_ = activity == engine_idle ? counted_ & ~(1u << e) : counted_ | 1u << e;
        if (activity == a.activity)
            continue;
        add_up(e, a.cycles, table_);
        a.since = last_;
        a.activity = activity;
    }
    find_reason();
}

void stall_account::find_reason() {
    const auto found = [this](stall reason, spec::phase phase) {
        reason_ = reason;
        reason_phase_ = phase;
    };
    const auto end = [this](unsigned e) {
        const unsigned activity = engines_[e].activity;
        return at_work(e) ? e : activity >= on_engine ? activity - on_engine : nobody;
    };
    const agent& array = engines_[pe];
    if (port_waits_ > 0)
        return found(stall::bank_conflict, phase_of(array));
    if (array.running) {
        const unsigned at_end = end(pe);
        return found(at_end == nobody ? stall::semaphore : reason_of(engines_[at_end]), phase_of(array));
    }
    // The array has no program: it waits for the command that runs, that is for a busy engine of it.
    unsigned first = nobody;
    for (std::uint32_t left = running_ & ~(1u << pe); left != 0; left &= left - 1) {
        const auto e = static_cast<unsigned>(std::countr_zero(left));
        first = std::min(first, e);
        if (const unsigned at_end = end(e); at_end != nobody)
            return found(reason_of(engines_[at_end]), phase_of(engines_[e]));
    }
    if (first != nobody)
        return found(stall::semaphore, phase_of(engines_[first]));
    for (unsigned c = 0; c < active_.size(); ++c)
        if (active_[c])
            return found(stall::command, phases_[c]);
    found(host_ ? stall::host : messages_ > 0 ? stall::link : stall::command, spec::phase::none);
}

} // namespace retrace
