// Cycles per phase, per engine and over time: numbers worked out by hand, and random scripts against the manual's rules asked of every cycle.
#include <algorithm>
#include <numeric>
#include <random>

#include <gtest/gtest.h>

#include "tlm/core/accounting/stall_account.h"

namespace retrace {
namespace {

constexpr unsigned pe = 0, activation = 1, vector_engine = 2, dma = 3, dma1 = 4;

std::uint64_t phase_of(const cycle_attribution& a, spec::phase p, stall s) {
    return a.phases[static_cast<unsigned>(p)][static_cast<unsigned>(s)];
}

/// Every sum at every level.
void expect_exact(const stall_account& account, unsigned engines) {
    const cycle_attribution a = account.attribution();
    EXPECT_EQ(a.total, account.total());
    std::uint64_t all = 0;
    for (unsigned s = 0; s < stall_count; ++s) {
        std::uint64_t sum = 0;
        for (const auto& phase : a.phases)
            sum += phase[s];
        EXPECT_EQ(sum, account.of(static_cast<stall>(s))) << name_of(static_cast<stall>(s));
        EXPECT_EQ(std::accumulate(a.stalls[s].begin(), a.stalls[s].end(), std::uint64_t{0}), sum) << name_of(static_cast<stall>(s));
        all += sum;
    }
    EXPECT_EQ(all, a.total);
    ASSERT_EQ(a.engines.size(), engines);
    ASSERT_EQ(a.busy.size(), engines);
    for (unsigned e = 0; e < engines; ++e) {
        EXPECT_EQ(std::accumulate(a.engines[e].begin(), a.engines[e].end(), std::uint64_t{0}), a.total) << "engine " << e;
        EXPECT_EQ(std::accumulate(a.busy[e].begin(), a.busy[e].end(), std::uint64_t{0}), a.engines[e][engine_busy]) << "engine " << e;
        EXPECT_EQ(a.busy[e].size(), a.intervals());
        for (const std::uint64_t cycles : a.busy[e])
            EXPECT_LE(cycles, a.interval);
    }
    EXPECT_LE(a.intervals(), stall_account::most_intervals);
    EXPECT_EQ(a.intervals(), (a.total + a.interval - 1) / a.interval);
    for (std::size_t i = 0; i < a.intervals(); ++i) {
        std::uint64_t sum = 0;
        for (const auto& list : a.stalls)
            sum += list[i];
        EXPECT_EQ(sum, std::min(a.interval, a.total - i * a.interval)) << "interval " << i;
    }
}

TEST(cycle_attribution, a_cycle_belongs_to_the_phase_of_the_command_it_was_spent_on) {
    stall_account a(5);
    a.begin(0);
    a.context(5, 0, true, spec::phase::forward); // 0..4: none, command
    a.run(10, pe, 0, 0);                         // 5..9: forward, command
    a.run(10, dma, 0, 1u << 3);
    a.waiting(10, pe, 3);
    a.busy(10, dma, stall::dma); // 10..19: forward, dma
    a.context(15, 1, true, spec::phase::loss_gradient);
    a.run(15, vector_engine, 1, 0);
    a.busy(15, vector_engine, stall::vector); // the array has a program: it is the forward command's time
    a.busy(20, pe, stall::command);
    a.weights(20, 28); // 20..27: forward, weight_load
    a.rows(28, 31, 35, 41);
    a.until(28);
    a.stop(41, pe); // 28..40: compute 3, fill 4, drain 6
    a.stop(41, dma);
    a.context(45, 0, false); // 41..: the vector engine works for the loss
    a.stop(50, vector_engine);
    a.context(52, 1, false); // 50, 51: its context is open, command
    a.context(60, 2, true, spec::phase::transfer);
    a.run(60, dma1, 2, 0); // 52..59: none
    a.transfer(60, dma1, stall::link, +1);
    a.transfer(70, dma1, stall::link, -1);
    a.until(71); // 70: transfer, command
    const cycle_attribution r = a.attribution();
    using enum spec::phase;
    EXPECT_EQ(phase_of(r, none, stall::command), 5u + 8u);
    EXPECT_EQ(phase_of(r, forward, stall::command), 5u);
    EXPECT_EQ(phase_of(r, forward, stall::dma), 10u);
    EXPECT_EQ(phase_of(r, forward, stall::weight_load), 8u);
    EXPECT_EQ(phase_of(r, forward, stall::compute), 3u);
    EXPECT_EQ(phase_of(r, forward, stall::fill), 4u);
    EXPECT_EQ(phase_of(r, forward, stall::drain), 6u);
    EXPECT_EQ(phase_of(r, loss_gradient, stall::vector), 9u);
    EXPECT_EQ(phase_of(r, loss_gradient, stall::command), 2u);
    EXPECT_EQ(phase_of(r, transfer, stall::link), 10u);
    EXPECT_EQ(phase_of(r, transfer, stall::command), 1u);
    expect_exact(a, 5);
}

TEST(cycle_attribution, an_engine_is_busy_waits_for_somebody_or_is_idle) {
    stall_account a(5);
    a.begin(0);
    a.run(4, pe, 0, 0);
    a.run(4, activation, 0, 1u << 6);
    a.run(4, dma, 0, 1u << 7);
    a.waiting(6, pe, 6);           // pe: 4, 5 issues; then waits
    a.waiting(6, activation, 7);   // behind dma: so does pe
    a.busy(10, dma, stall::dma);   // dma: 4..9 issues, 10..19 set-up
    a.transfer(15, dma, stall::dram, +1);
    a.waiting(20, dma, 9);         // a chunk is still in flight: busy until 29
    a.transfer(30, dma, stall::dram, -1);
    a.busy(35, activation, stall::bank_conflict); // 30..34: nobody is at work
    a.busy(40, activation, stall::activation);
    a.busy(50, activation, stall::dram);
    a.busy(50, pe, stall::command);
    a.array_port_waits(53, +1);
    a.array_port_waits(55, -1);
    a.weights(55, 63);
    a.stop(58, activation);
    a.until(70);
    const cycle_attribution r = a.attribution();
    const auto& p = r.engines[pe];
    EXPECT_EQ(p[engine_idle], 4u);
    EXPECT_EQ(p[engine_issues], 2u + 3u + 7u);           // 4, 5; 50..52; 63..69
    EXPECT_EQ(p[on_engine + dma], 24u);                  // 6..29: the end of the chain, not the activation engine
    EXPECT_EQ(p[engine_semaphore], 5u);                  // 30..34
    EXPECT_EQ(p[on_engine + activation], 15u);           // 35..49
    EXPECT_EQ(p[engine_banks], 2u);                      // 53, 54
    EXPECT_EQ(p[engine_busy], 8u);                       // 55..62
    const auto& act = r.engines[activation];
    EXPECT_EQ(act[engine_idle], 4u + 12u);               // 58..69
    EXPECT_EQ(act[engine_issues], 2u);
    EXPECT_EQ(act[on_engine + dma], 24u);
    EXPECT_EQ(act[engine_semaphore], 5u);
    EXPECT_EQ(act[engine_banks], 5u);
    EXPECT_EQ(act[engine_busy], 10u);
    EXPECT_EQ(act[engine_instructions], 8u);             // 50..57
    const auto& d = r.engines[dma];
    EXPECT_EQ(d[engine_idle], 4u);
    EXPECT_EQ(d[engine_issues], 6u);
    EXPECT_EQ(d[engine_busy], 20u);
    EXPECT_EQ(d[engine_semaphore], 40u);                 // 30..69
    EXPECT_EQ(r.engines[dma1][engine_idle], 70u);
    expect_exact(a, 5);
}

TEST(cycle_attribution, who_waits_for_a_tile_in_the_array_waits_for_the_array) {
    stall_account a(5);
    a.begin(0);
    a.run(0, pe, 0, 1u << 5);
    a.run(0, activation, 0, 1u << 6);
    a.run(0, vector_engine, 0, 0);
    a.run(0, dma, 0, 1u << 7);
    a.busy(0, dma, stall::dma);
    a.waiting(0, activation, 5);
    a.waiting(0, vector_engine, 6); // behind the activation engine
    a.weights(10, 18);
    a.until(15);
    a.rows(18, 21, 25, 31);
    a.waiting(20, pe, 7);          // its tile stays in the array for 20..30, what then comes waits for dma
    a.array_port_waits(40, +1);    // a tile handed over before waits for banks: 40..43
    a.array_port_waits(44, -1);
    a.weights(44, 52);
    a.waiting(48, dma, 9);         // for what nobody signals
    a.until(60);
    const cycle_attribution r = a.attribution();
    for (const unsigned e : {activation, vector_engine}) {
        EXPECT_EQ(r.engines[e][on_engine + pe], 31u + 12u) << e; // 0..30, 40..51
        EXPECT_EQ(r.engines[e][on_engine + dma], 9u) << e;       // 31..39
        EXPECT_EQ(r.engines[e][engine_semaphore], 8u) << e;      // 52..59
    }
    const auto& p = r.engines[pe];
    EXPECT_EQ(p[engine_issues], 10u);
    EXPECT_EQ(p[engine_busy], 21u + 8u);
    EXPECT_EQ(p[on_engine + dma], 9u);
    EXPECT_EQ(p[engine_banks], 4u);
    EXPECT_EQ(p[engine_semaphore], 8u);
    EXPECT_EQ(r.engines[dma][engine_busy], 48u);
    EXPECT_EQ(a.array_cycles(), 29u);
    expect_exact(a, 5);
}

TEST(cycle_attribution, intervals_double_when_they_are_used_up) {
    stall_account a(5);
    a.begin(100);
    a.run(100, vector_engine, 0, 0);
    a.busy(103, vector_engine, stall::vector);
    a.busy(106, vector_engine, stall::command);
    a.until(100 + 1024);
    cycle_attribution r = a.attribution();
    EXPECT_EQ(r.first, 100u);
    EXPECT_EQ(r.interval, 1u);
    ASSERT_EQ(r.intervals(), 1024u);
    for (unsigned i = 0; i < 10; ++i)
        EXPECT_EQ(r.busy[vector_engine][i], i >= 3 && i < 6 ? 1u : 0u) << i;
    a.until(100 + 1025);
    r = a.attribution();
    EXPECT_EQ(r.interval, 2u);
    ASSERT_EQ(r.intervals(), 513u);
    EXPECT_EQ(r.busy[vector_engine][1], 1u); // 103
    EXPECT_EQ(r.busy[vector_engine][2], 2u); // 104, 105
    EXPECT_EQ(r.stalls[static_cast<unsigned>(stall::command)][512], 1u);
    a.busy(100 + 5000, vector_engine, stall::vector);
    a.until(100 + 5010);
    r = a.attribution();
    EXPECT_EQ(r.interval, 8u);
    ASSERT_EQ(r.intervals(), 627u);
    EXPECT_EQ(r.busy[vector_engine][0], 3u);
    EXPECT_EQ(r.busy[vector_engine][625], 8u);
    EXPECT_EQ(r.busy[vector_engine][626], 2u);
    EXPECT_EQ(r.stalls[static_cast<unsigned>(stall::vector)][626], 2u);
    expect_exact(a, 5);
    a.until(100 + (std::uint64_t{1} << 40));
    expect_exact(a, 5);
    EXPECT_EQ(a.attribution().intervals(), 1024u);
    a.restart(a.total() + 100);
    a.until(a.total() + 100 + (std::uint64_t{1} << 40) + 7);
    EXPECT_EQ(a.attribution().interval, 1u);
    EXPECT_EQ(a.attribution().engines[vector_engine][engine_busy], 7u);
}

TEST(cycle_attribution, what_is_not_over_yet_counts_up_to_now) {
    stall_account a(5);
    a.begin(0);
    a.run(0, dma, 0, 0);
    a.transfer(0, dma, stall::link, +1);
    for (const std::uint64_t cycle : {1u, 10u, 100u}) {
        a.until(cycle);
        EXPECT_EQ(a.attribution().engines[dma][engine_busy], cycle); // asking changes nothing
        expect_exact(a, 5);
    }
}

/// The manual's rules, asked of every cycle, with nothing remembered but the agents' states.
class cycle_by_cycle {
public:
    static constexpr unsigned engines = 7;
    struct engine_state {
        bool running = false, waiting = false;
        unsigned context = 0, semaphore = 0;
        std::uint32_t signals = 0;
        stall does = stall::command;
        std::vector<stall> chunks;
    };
    std::array<engine_state, engines> e;
    std::array<bool, 4> open{};
    std::array<spec::phase, 4> phase{};
    int ports = 0, messages = 0;
    bool host = false;
    struct tile {
        std::uint64_t from, rows_end, first_sum, end; ///< of weights: from and end
        spec::phase phase;
    };
    std::vector<tile> weights, rows;

    std::uint64_t by_phase[spec::phase_count][stall_count] = {}, by_engine[engines][on_engine + engines] = {};

    bool in_array(std::uint64_t cycle) const {
        const auto is_in = [cycle](const tile& t) { return t.from <= cycle && cycle < t.end; };
        return std::any_of(weights.begin(), weights.end(), is_in) || std::any_of(rows.begin(), rows.end(), is_in);
    }
    bool works(unsigned n) const { return !e[n].chunks.empty() || !e[n].waiting || (n == pe && (tile_in_ || ports > 0)); }
    stall reason(unsigned n) const {
        for (const stall s : {stall::link, stall::dram, stall::dma})
            if (std::count(e[n].chunks.begin(), e[n].chunks.end(), s))
                return s;
        return e[n].does;
    }
    int end(unsigned n, std::vector<unsigned> path = {}) const {
        if (works(n))
            return static_cast<int>(n);
        path.push_back(n);
        for (unsigned o = 0; o < engines; ++o)
            if (e[o].running && e[o].context == e[n].context && (e[o].signals >> e[n].semaphore & 1) &&
                std::find(path.begin(), path.end(), o) == path.end())
                if (const int found = end(o, path); found >= 0)
                    return found;
        return -1;
    }
    void count(std::uint64_t cycle) {
        tile_in_ = in_array(cycle);
        for (unsigned n = 0; n < engines; ++n) {
            unsigned a = engine_busy;
            if (!e[n].chunks.empty() || (n == pe && tile_in_))
                a = engine_busy;
            else if (!e[n].running)
                a = engine_idle;
            else if (n == pe && ports > 0)
                a = engine_banks;
            else if (e[n].waiting)
                a = end(n) < 0 ? unsigned{engine_semaphore} : on_engine + static_cast<unsigned>(end(n));
            else if (e[n].does == stall::command)
                a = engine_issues;
            else if (e[n].does == stall::dram)
                a = engine_instructions;
            else if (e[n].does == stall::bank_conflict)
                a = engine_banks;
            ++by_engine[n][a];
        }
        const auto [s, p] = array(cycle);
        ++by_phase[static_cast<unsigned>(p)][static_cast<unsigned>(s)];
    }
    std::pair<stall, spec::phase> array(std::uint64_t cycle) const {
        for (const tile& t : rows)
            if (t.from <= cycle && cycle < t.rows_end)
                return {stall::compute, t.phase};
        for (const tile& t : weights)
            if (t.from <= cycle && cycle < t.end)
                return {stall::weight_load, t.phase};
        for (const tile& t : rows) // the oldest first
            if (t.from <= cycle && cycle < t.end)
                return {cycle < t.first_sum ? stall::fill : stall::drain, t.phase};
        if (ports > 0)
            return {stall::bank_conflict, phase[e[pe].context]};
        if (e[pe].running)
            return {end(pe) < 0 ? stall::semaphore : reason(static_cast<unsigned>(end(pe))), phase[e[pe].context]};
        for (unsigned n = 1; n < engines; ++n)
            if (e[n].running && end(n) >= 0)
                return {reason(static_cast<unsigned>(end(n))), phase[e[n].context]};
        for (unsigned n = 1; n < engines; ++n)
            if (e[n].running)
                return {stall::semaphore, phase[e[n].context]};
        for (unsigned c = 0; c < 4; ++c)
            if (open[c])
                return {stall::command, phase[c]};
        return {host ? stall::host : messages > 0 ? stall::link : stall::command, spec::phase::none};
    }

private:
    bool tile_in_ = false;
};

TEST(cycle_attribution, agents_agree_with_rules_that_are_asked_every_cycle) {
    for (unsigned seed = 1; seed <= 60; ++seed) {
        std::mt19937 random(seed);
        const auto pick = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
        stall_account a(cycle_by_cycle::engines);
        cycle_by_cycle model;
        a.begin(0);
        std::uint64_t now = 0;
        for (int act = 0; act < 1500; ++act) {
            for (unsigned gap = pick(3) ? 0 : pick(12); gap > 0; --gap, ++now)
                model.count(now);
            const unsigned n = pick(cycle_by_cycle::engines), c = pick(4);
            auto& s = model.e[n];
            switch (pick(12)) {
            case 0:
                if (s.running || !s.chunks.empty())
                    break;
                s = {true, false, c, 0, static_cast<std::uint32_t>(random() & random()) & 15u, stall::command, {}};
                a.run(now, n, c, s.signals);
                break;
            case 1:
                if (pick(3) == 0 && s.running && s.chunks.empty()) {
                    s.running = false;
                    a.stop(now, n);
                }
                break;
            case 2:
            case 3:
            case 4:
                if (s.running) {
                    s.waiting = true;
                    s.semaphore = pick(4);
                    a.waiting(now, n, s.semaphore);
                }
                break;
            case 5:
                if (s.running && n == pe) {
                    s.waiting = false;
                    s.does = pick(2) ? stall::command : stall::dram;
                    a.busy(now, n, s.does);
                } else if (s.running) {
                    constexpr stall does[] = {stall::command, stall::dram, stall::bank_conflict, stall::vector, stall::dma};
                    s.waiting = false;
                    s.does = does[pick(5)];
                    a.busy(now, n, s.does);
                }
                break;
            case 6: {
                constexpr stall at[] = {stall::link, stall::dram, stall::dma};
                if (n >= dma && !s.chunks.empty() && pick(3)) {
                    a.transfer(now, n, s.chunks.back(), -1);
                    s.chunks.pop_back();
                } else if (n >= dma && s.running) {
                    s.chunks.push_back(at[pick(3)]);
                    a.transfer(now, n, s.chunks.back(), +1);
                }
                break;
            }
            case 7:
                model.open[c] = !model.open[c];
                if (model.open[c])
                    model.phase[c] = static_cast<spec::phase>(pick(spec::phase_count));
                a.context(now, c, model.open[c], model.phase[c]);
                break;
            case 8:
                model.messages = model.messages > 0 ? 0 : 1;
                a.message(now, model.messages ? +1 : -1);
                if (pick(2)) {
                    model.host = !model.host;
                    a.host_computes(now, model.host);
                }
                break;
            case 9:
                // A port has one tile at a time.
                if (model.e[pe].running && (model.weights.empty() || model.weights.back().end <= now)) {
                    const std::uint64_t end = now + 1 + pick(9);
                    model.weights.push_back({now, end, end, end, model.phase[model.e[pe].context]});
                    a.weights(now, end);
                }
                break;
            case 10:
                if (model.e[pe].running && (model.rows.empty() || model.rows.back().rows_end <= now)) {
                    const std::uint64_t rows = 1 + pick(20), latency = 12;
                    model.rows.push_back({now, now + rows, now + latency, now + latency + rows + 2, model.phase[model.e[pe].context]});
                    a.rows(now, now + rows, now + latency, now + latency + rows + 2);
                }
                break;
            default:
                if (model.e[pe].running || model.ports > 0) {
                    model.ports = model.ports > 0 ? 0 : 1;
                    a.array_port_waits(now, model.ports ? +1 : -1);
                }
            }
        }
        a.until(now);
        const cycle_attribution r = a.attribution();
        EXPECT_GT(now, 1000u);
        for (unsigned p = 0; p < spec::phase_count; ++p)
            for (unsigned s = 0; s < stall_count; ++s)
                ASSERT_EQ(r.phases[p][s], model.by_phase[p][s]) << "seed " << seed << " phase " << p << " " << name_of(static_cast<stall>(s));
        for (unsigned e = 0; e < cycle_by_cycle::engines; ++e)
            for (unsigned s = 0; s < on_engine + cycle_by_cycle::engines; ++s)
                ASSERT_EQ(r.engines[e][s], model.by_engine[e][s]) << "seed " << seed << " engine " << e << " activity " << s;
        expect_exact(a, cycle_by_cycle::engines);
    }
}

} // namespace
} // namespace retrace
