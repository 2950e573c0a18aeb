#include "tlm/core/accounting/stall_account.h"

#include <algorithm>

namespace retrace {

std::string_view name_of(stall category) {
    static constexpr std::string_view names[stall_count] = {"compute", "fill", "drain", "weight_load", "bank_conflict", "dram", "dma",
                                                            "link", "activation", "vector", "semaphore", "command", "host", "other"};
    return names[static_cast<unsigned>(category)];
}

void stall_account::begin(std::uint64_t cycle) {
    if (begun_)
        return;
    begun_ = true;
    first_ = last_ = cycle;
}

void stall_account::restart(std::uint64_t cycle) {
    until(cycle);
    cycles_.fill(0);
    first_ = last_ = cycle;
    array_cycles_ = array_covered_ - std::min(array_covered_, cycle); // tiles that are at work
    begun_ = true;
}

void stall_account::until(std::uint64_t cycle) {
    if (!begun_)
        return;
    // Agents did not change since last_, so every cycle that the array's own timeline does not claim has the same reason.
    const stall reason = idle_reason();
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
        stall category = reason;
        const auto limit = [&end](std::uint64_t at) { end = std::min(end, at); };
        if (!flights_.empty()) {
            const flight& f = flights_.front();
            if (f.from <= last_) {
                category = last_ < f.first_sum ? stall::fill : stall::drain;
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
                limit(list.front().to);
            } else {
                limit(list.front().from);
            }
        };
        claim(weights_, stall::weight_load);
        claim(rows_, stall::compute);
        // Only a frozen array asks: the common case is one test.
        if (!frozen_.empty()) {
            const bool at_work = (!flights_.empty() && flights_.front().from <= last_) || (!weights_.empty() && weights_.front().from <= last_);
            claim(frozen_, at_work ? stall::bank_conflict : category);
        }
        add(category, end - last_);
        last_ = end;
    }
}

void stall_account::weights(std::uint64_t from, std::uint64_t to) {
    weights_.push_back({from, to});
    array_cycles_ += to - std::min(to, std::max(from, array_covered_));
    array_covered_ = std::max(array_covered_, to);
}

void stall_account::rows(std::uint64_t from, std::uint64_t to, std::uint64_t first_sum, std::uint64_t end) {
    rows_.push_back({from, to});
    flights_.push_back({from, first_sum, end});
    array_cycles_ += end - std::min(end, std::max(from, array_covered_));
    array_covered_ = std::max(array_covered_, end);
}

void stall_account::frozen(std::uint64_t from, std::uint64_t to) {
    if (from < frozen_until_)
        return;
    frozen_.push_back({from, to});
    frozen_until_ = to;
}

void stall_account::run(std::uint64_t cycle, unsigned engine, unsigned context, std::uint32_t signals) {
    until(cycle);
    agent& a = engines_[engine];
    a.running = true;
    a.waiting = false;
    a.context = context;
    a.signals = signals;
    a.category = stall::command;
}

void stall_account::stop(std::uint64_t cycle, unsigned engine) {
    until(cycle);
    engines_[engine].running = false;
}

void stall_account::busy(std::uint64_t cycle, unsigned engine, stall category) {
    agent& a = engines_[engine];
    if (!a.waiting && a.category == category)
        return;
    until(cycle);
    a.waiting = false;
    a.category = category;
}

void stall_account::waiting(std::uint64_t cycle, unsigned engine, unsigned semaphore) {
    until(cycle);
    engines_[engine].waiting = true;
    engines_[engine].semaphore = semaphore;
}

void stall_account::array_port_waits(std::uint64_t cycle, int change) {
    until(cycle);
    port_waits_ += change;
}

void stall_account::transfer(std::uint64_t cycle, unsigned engine, stall category, int change) {
    until(cycle);
    engines_[engine].transfers[static_cast<unsigned>(category)] += change;
}

void stall_account::context(std::uint64_t cycle, unsigned context, bool active) {
    until(cycle);
    active_[context] = active;
}

void stall_account::message(std::uint64_t cycle, int change) {
    until(cycle);
    messages_ += change;
}

void stall_account::host_computes(std::uint64_t cycle, bool computes) {
    until(cycle);
    host_ = computes;
}

stall stall_account::reason_of(unsigned engine, std::uint32_t& visited) const {
    const agent& a = engines_[engine];
    visited |= 1u << engine;
    // What is in flight keeps the engine busy while its sequencer waits already.
    for (const stall c : {stall::link, stall::dram, stall::dma})
        if (a.transfers[static_cast<unsigned>(c)] > 0)
            return c;
    if (!a.waiting)
        return a.category;
    for (unsigned e = 0; e < engines_.size(); ++e) {
        const agent& other = engines_[e];
        if (!other.running || other.context != a.context || (visited >> e & 1u) || !(other.signals >> a.semaphore & 1u))
            continue;
        const stall reason = reason_of(e, visited);
        if (reason != stall::semaphore)
            return reason;
    }
    return stall::semaphore;
}

stall stall_account::idle_reason() const {
    if (port_waits_ > 0)
        return stall::bank_conflict;
    const auto reason = [this](unsigned engine) {
        std::uint32_t visited = 0;
        return reason_of(engine, visited);
    };
    if (engines_[spec::engine_pe].running)
        return reason(spec::engine_pe);
    // The array has no program: it waits for the command that runs, that is for a busy engine of it.
    bool any = false;
    for (unsigned e = 1; e < engines_.size(); ++e) {
        if (!engines_[e].running)
            continue;
        any = true;
        if (const stall found = reason(e); found != stall::semaphore)
            return found;
    }
    if (any)
        return stall::semaphore;
    for (const bool active : active_)
        if (active)
            return stall::command;
    if (host_)
        return stall::host;
    return messages_ > 0 ? stall::link : stall::command;
}

} // namespace retrace
