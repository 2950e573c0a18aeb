// Requests of one cycle are granted together, in requester order.
#include <map>

#include "tests/module/device_bench.h"
#include "tlm/arbiter/arbiter.h"
#include "tlm/core/timing/back_pressure.h"

namespace retrace {
namespace {

struct grant {
    std::uint64_t cycle;
    unsigned who;
    bool operator==(const grant&) const = default;
};

/// Requests at given cycles; each grant holds the shared thing for some cycles.
class client : public sc_core::sc_module {
public:
    client(const sc_core::sc_module_name& name, unsigned number, arbiter& a, const clock_domain& clock,
           std::vector<std::uint64_t> cycles, std::uint64_t hold, std::vector<grant>& log,
           std::vector<grant>& resumed)
        : sc_module(name), who_(number), arbiter_(a), clock_(clock), cycles_(std::move(cycles)), hold_(hold),
          log_(log), resumed_(resumed) {
        SC_HAS_PROCESS(client);
        SC_THREAD(run);
    }

private:
    void run() {
        for (const std::uint64_t c : cycles_) {
            clock_.wait_until(c);
            trace::grant_event told;
            const std::uint64_t resume = arbiter_.acquire(who_, told, [this](std::uint64_t cycle) {
                log_.push_back({cycle, who_.id});
                return cycle + hold_;
            });
            EXPECT_EQ(clock_.now(), resume);
            resumed_.push_back({resume, who_.id});
        }
    }
    requester who_;
    arbiter& arbiter_;
    const clock_domain& clock_;
    std::vector<std::uint64_t> cycles_;
    std::uint64_t hold_;
    std::vector<grant>&log_, &resumed_;
};

TEST(arbiter, grants_requests_of_a_cycle_in_requester_order_whatever_the_order_of_processes) {
    // Two equal worlds side by side, their processes created in opposite orders.
    const test::femtoseconds resolution;
    const clock_domain clock(1e9);
    std::vector<grant> log[2], resumed[2];
    std::vector<std::unique_ptr<arbiter>> arbiters;
    std::vector<std::unique_ptr<client>> clients;
    for (unsigned world = 0; world < 2; ++world) {
        arbiters.push_back(std::make_unique<arbiter>(world ? "b" : "a", clock));
        for (unsigned i = 0; i < 6; ++i) {
            const unsigned number = world ? 5 - i : i;
            clients.push_back(std::make_unique<client>(
                sc_core::sc_gen_unique_name("client"), number, *arbiters[world], clock,
                std::vector<std::uint64_t>{10, 10, 13, 20 + number}, number % 3, log[world], resumed[world]));
        }
    }
    sc_core::sc_start();
    ASSERT_EQ(log[0].size(), 24u);
    EXPECT_EQ(log[0], log[1]);
    for (unsigned i = 0; i < 6; ++i)
        EXPECT_EQ(log[0][i], (grant{10, i}));
    for (std::size_t i = 1; i < log[0].size(); ++i)
        EXPECT_TRUE(log[0][i - 1].cycle < log[0][i].cycle ||
                    (log[0][i - 1].cycle == log[0][i].cycle && log[0][i - 1].who < log[0][i].who));
}

TEST(arbiter, a_request_after_the_round_of_its_cycle_comes_in_the_next) {
    const test::femtoseconds resolution;
    const clock_domain clock(1.4e9);
    arbiter a("arbiter", clock);
    std::vector<grant> log, resumed;
    // Held for 0 cycles, the first grant returns within cycle 5, after the round: the second request is of
    // cycle 6.
    client c("client", 3, a, clock, {5, 5, 5}, 0, log, resumed);
    sc_core::sc_start();
    EXPECT_EQ(log, (std::vector<grant>{{5, 3}, {6, 3}, {7, 3}}));
    EXPECT_EQ(resumed, log);
}

TEST(arbiter, a_withdrawn_request_goes_on_at_once_and_keeps_only_what_it_was_granted) {
    const test::femtoseconds resolution;
    const clock_domain clock(1e9);
    arbiter a("arbiter", clock);
    requester who(1), bystander(2);
    std::vector<std::uint64_t> granted, resumed;
    const auto ask = [&](requester& r, std::uint64_t hold) {
        trace::grant_event told;
        const std::uint64_t resume = a.acquire(r, told, [&](std::uint64_t cycle) {
            granted.push_back(cycle);
            return cycle + hold;
        });
        EXPECT_EQ(resume, clock.now());
        resumed.push_back(clock.now());
    };
    sc_core::sc_spawn([&] {
        clock.wait_until(5);
        ask(who, 100); // granted in 5, withdrawn in 20
        clock.wait_until(30);
        ask(who, 100); // withdrawn before the round of 30
        ask(who, 7);   // of the same cycle
    });
    sc_core::sc_spawn([&] {
        a.withdraw(who); // nothing to withdraw
        clock.wait_until(20);
        a.withdraw(who);
        a.withdraw(who);
        clock.wait_until(30);
        sc_core::wait(sc_core::SC_ZERO_TIME);
        a.withdraw(who);
    });
    sc_core::sc_start();
    EXPECT_EQ(granted, (std::vector<std::uint64_t>{5, 30}));
    EXPECT_EQ(resumed, (std::vector<std::uint64_t>{20, 30, 37}));
}

/// Keeps grants only.
struct grant_recorder : trace::event_sink {
    std::vector<trace::grant_event> grants;
    void on(const trace::command_event&) override {}
    void on(const trace::access_event&) override {}
    void on(const trace::tensor_event&) override {}
    void on(const trace::stale_read_event&) override {}
    void on(const trace::occupancy_event&) override {}
    void on(const trace::host_event&) override {}
    void name_tensor(std::uint32_t, std::string_view) override {}
    bool wants_accesses(std::uint32_t) const override { return false; }
    bool wants_timing() const override { return true; }
    void timing(const trace::grant_event& e) override { grants.push_back(e); }
};

TEST(arbiter, under_stress_a_request_takes_part_in_a_later_round_and_the_log_says_when) {
    const test::femtoseconds resolution;
    const clock_domain clock(1e9);
    stress_settings stress;
    stress.seed = 9, stress.request_cycles = 6;
    grant_recorder sink;
    arbiter a("arbiter", clock, stress, 4, &sink);
    std::vector<grant> log, resumed;
    std::vector<std::unique_ptr<client>> clients;
    const std::vector<std::uint64_t> cycles{10, 11, 12, 20, 21, 22, 40, 50, 60, 61, 62, 63};
    for (unsigned i = 5; i-- > 0;)
        clients.push_back(std::make_unique<client>(sc_core::sc_gen_unique_name("client"), i, a, clock, cycles, 2, log, resumed));
    sc_core::sc_start();
    ASSERT_EQ(sink.grants.size(), 60u);
    unsigned held = 0;
    std::map<unsigned, std::uint64_t> number;
    for (std::size_t i = 0; i < sink.grants.size(); ++i) {
        const trace::grant_event& e = sink.grants[i];
        EXPECT_EQ((grant{e.granted, e.requester}), log[i]);
        EXPECT_EQ(e.granted - e.requested, hold_cycles(9, e.requester, 0, number[e.requester]++, 6));
        EXPECT_EQ(e.resumed, e.granted + 2);
        EXPECT_EQ(e.device, 4u);
        held += e.granted != e.requested;
        if (i > 0) {
            EXPECT_LT((std::pair{log[i - 1].cycle, log[i - 1].who}), (std::pair{log[i].cycle, log[i].who}));
        }
    }
    EXPECT_GT(held, 5u);
}

TEST(arbiter, a_request_that_is_held_back_can_be_withdrawn) {
    const test::femtoseconds resolution;
    const clock_domain clock(1e9);
    stress_settings stress;
    stress.request_cycles = 1000;
    std::uint64_t number = 0; // of the first request that is held back for long
    while (hold_cycles(stress.seed, 1, 0, number, 1000) < 100)
        ++number;
    arbiter a("arbiter", clock, stress);
    requester who(1);
    who.made = number;
    std::vector<std::uint64_t> granted, resumed;
    sc_core::sc_spawn([&] {
        clock.wait_until(5);
        trace::grant_event told;
        for (unsigned i = 0; i < 2; ++i) {
            a.acquire(who, told, [&](std::uint64_t cycle) {
                granted.push_back(cycle);
                return cycle;
            });
            resumed.push_back(clock.now());
        }
    });
    sc_core::sc_spawn([&] {
        clock.wait_until(20);
        a.withdraw(who);
    });
    sc_core::sc_start();
    EXPECT_EQ(resumed, (std::vector<std::uint64_t>{20, 20 + hold_cycles(stress.seed, 1, 0, number + 1, 1000)}));
    EXPECT_EQ(granted, (std::vector<std::uint64_t>{resumed[1]}));
}

TEST(clock_domain, a_cycle_beyond_the_end_of_time_is_its_end) {
    const test::femtoseconds resolution;
    const clock_domain clock(1e6);
    EXPECT_EQ(clock.at(~std::uint64_t{0}), clock.at(clock.last()));
    EXPECT_GT(clock.at(std::uint64_t{1} << 40), clock.at(std::uint64_t{1} << 33));
    EXPECT_LE(clock.at(clock.last(), clock_phase::control), sc_core::sc_max_time());
}

TEST(clock_domain, cycles_and_phases_of_an_odd_clock) {
    const test::femtoseconds resolution;
    const clock_domain clock(1.4e9); // 714285.714 fs
    EXPECT_EQ(clock.at(0).value(), 0u);
    EXPECT_EQ(clock.at(1'000'000).value() % 1'000'000, 0u);
    sc_core::sc_start(clock.at(1'000'000));
    EXPECT_EQ(clock.now(), 1'000'000u);
    EXPECT_EQ(clock.until(5), sc_core::SC_ZERO_TIME);
    sc_core::sc_start(clock.until(1'000'000, clock_phase::control));
    EXPECT_EQ(clock.now(), 1'000'000u);
    EXPECT_EQ(clock.until(1'000'001).value(), clock.at(1).value() - 2);
}

} // namespace
} // namespace retrace
