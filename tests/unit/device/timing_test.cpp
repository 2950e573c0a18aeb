// DRAM, bank and link timing: closed forms, and the DRAM rules against a model that walks through time cycle
// by cycle.
#include <random>

#include <gtest/gtest.h>

#include "tlm/core/timing/back_pressure.h"
#include "tlm/core/timing/bank_schedule.h"
#include "tlm/core/timing/dram_timing.h"
#include "tlm/core/timing/link_timing.h"

namespace retrace {
namespace {

dram_settings small_dram() {
    dram_settings s;
    s.channels = 2;
    s.banks = 4;
    s.burst_bytes = 64;
    s.page_bytes = 256; // four bursts
    s.burst_cycles = 2;
    s.t_rcd_ns = 10, s.t_rp_ns = 7, s.t_cas_ns = 5;
    s.t_refi_ns = 1000, s.t_rfc_ns = 100;
    return s;
}

constexpr std::uint64_t rcd = 10, rp = 7, cas = 5, burst = 2;

TEST(cycles_of_ns, rounds_up_but_not_for_a_binary_fraction) {
    EXPECT_EQ(cycles_of_ns(14, 1e9), 14u);
    EXPECT_EQ(cycles_of_ns(14.1, 1e9), 15u);
    EXPECT_EQ(cycles_of_ns(0, 1e9), 0u);
    EXPECT_EQ(cycles_of_ns(250, 1.4e9), 350u);
    EXPECT_EQ(cycles_of_ns(0.1, 1e10), 1u);
    EXPECT_EQ(cycles_of_ns(13.75, 1.4e9), 20u);
}

TEST(dram_timing, a_closed_bank_costs_activation_an_open_row_only_the_column_access) {
    dram_timing t(small_dram(), 1e9);
    EXPECT_EQ(t.access(0, 0, 64), rcd + cas + burst);
    EXPECT_EQ(t.access(50, 128, 64), 50 + cas + burst); // same channel, same row: two bursts further
    EXPECT_EQ(t.row_misses(), 1u);
    EXPECT_EQ(t.bursts(), 2u);
}

TEST(dram_timing, another_row_of_the_bank_costs_a_precharge_too) {
    dram_timing t(small_dram(), 1e9);
    t.access(0, 0, 64);
    // page 4 of channel 0 is the next row of bank 0
    EXPECT_EQ(t.access(100, 4 * 2 * 256, 64), 100 + rp + rcd + cas + burst);
    EXPECT_EQ(t.row_misses(), 2u);
}

TEST(dram_timing, consecutive_bursts_go_to_consecutive_channels) {
    dram_timing t(small_dram(), 1e9);
    EXPECT_EQ(t.access(0, 0, 128), rcd + cas + burst); // one each: side by side
    dram_timing u(small_dram(), 1e9);
    EXPECT_EQ(u.access(0, 0, 512), rcd + 3 * burst + cas + burst); // four each: the data bus streams them
    EXPECT_EQ(u.row_misses(), 2u);
}

TEST(dram_timing, rows_of_other_banks_open_while_the_bus_is_busy) {
    dram_timing t(small_dram(), 1e9);
    // Channel 0 gets pages 0 and 1, in banks 0 and 1: both activations begin at the grant.
    const std::uint64_t streamed = t.access(0, 0, 1024);
    EXPECT_EQ(streamed, rcd + 7 * burst + cas + burst);
    EXPECT_EQ(t.row_misses(), 4u);
}

TEST(dram_timing, an_access_counts_every_burst_that_it_touches) {
    dram_timing t(small_dram(), 1e9);
    t.access(0, 63, 2);
    EXPECT_EQ(t.bursts(), 2u);
    t.access(0, 64, 64);
    EXPECT_EQ(t.bursts(), 3u);
    EXPECT_EQ(t.access(77, 0, 0), 77u);
    EXPECT_EQ(t.bursts(), 3u);
}

TEST(dram_timing, refresh_blocks_the_channels_and_closes_every_row) {
    dram_timing t(small_dram(), 1e9);
    t.access(0, 0, 64);
    EXPECT_EQ(t.access(999, 0, 64), 999 + cas + burst);         // the last cycle before it
    EXPECT_EQ(t.access(1000, 0, 64), 1100 + rcd + cas + burst); // no precharge: refresh has closed the row
    EXPECT_EQ(t.access(1300, 0, 64), 1300 + cas + burst);
    EXPECT_EQ(t.access(2050, 128, 64), 2100 + rcd + cas + burst);
    EXPECT_EQ(t.access(50'099, 0, 64), 50'100 + rcd + cas + burst);
}

TEST(dram_timing, a_row_that_a_refresh_interrupts_is_opened_after_it) {
    dram_timing t(small_dram(), 1e9);
    EXPECT_EQ(t.access(995, 0, 64), 1100 + rcd + cas + burst);
    dram_timing u(small_dram(), 1e9);
    u.access(0, 0, 64);
    EXPECT_EQ(u.access(990, 4 * 2 * 256, 64), 1100 + rcd + cas + burst); // the precharge is the refresh's
}

TEST(dram_timing, refresh_can_be_switched_off) {
    dram_settings s = small_dram();
    s.t_refi_ns = 0;
    dram_timing t(s, 1e9);
    t.access(0, 0, 64);
    EXPECT_EQ(t.access(1000, 0, 64), 1000 + cas + burst);
}

/// The same rules, told as a machine that looks at every cycle: per channel a queue, one column access at a
/// time in order; each bank has a state; commands to a bank are issued as soon as that bank allows.
class clocked_dram {
public:
    explicit clocked_dram(const dram_settings& s)
        : s_(s), channels_(s.channels, std::vector<bank>(s.banks)), bus_(s.channels, 0) {}

    std::uint64_t one(std::uint64_t grant, std::uint64_t index) {
        const std::uint64_t c = index % s_.channels,
                            page = index / s_.channels / (s_.page_bytes / s_.burst_bytes);
        bank& b = channels_[c][page % s_.banks];
        const auto row = static_cast<std::int64_t>(page / s_.banks);
        std::uint64_t cycle = std::max(grant, b.idle);
        if (b.known < cycle) { // refreshes since anyone looked
            for (std::uint64_t t = b.known + 1; t <= cycle; ++t)
                if (refreshing(t))
                    b.row = -1;
        }
        std::uint64_t ready = cycle; // column access possible
        const std::uint64_t bus = bus_[c];
        // If this row stays open until the bus is free, nothing is to be done; a refresh on the way closes
        // it.
        for (;; ++cycle) {
            if (refreshing(cycle)) {
                b.row = -1;
                opening_ = -1;
                precharged_ = -1;
                continue;
            }
            if (b.row == row) {
                if (cycle >= ready && cycle >= bus)
                    break;
                continue;
            }
            if (opening_ < 0) {
                // A foreign row needs a precharge first; one that a refresh will close before the bus is free
                // does not.
                opening_ = static_cast<std::int64_t>(cycle + (b.row >= 0 ? s_.t_rp_ns : 0) + s_.t_rcd_ns);
            }
            if (static_cast<std::int64_t>(cycle) >= opening_) {
                b.row = row;
                opening_ = -1;
                ready = cycle;
                --cycle;
            }
        }
        opening_ = -1;
        b.idle = bus_[c] = cycle + s_.burst_cycles;
        b.known = cycle;
        return cycle + static_cast<std::uint64_t>(s_.t_cas_ns) + s_.burst_cycles;
    }

private:
    struct bank {
        std::int64_t row = -1;
        std::uint64_t idle = 0, known = 0;
    };
    bool refreshing(std::uint64_t t) const {
        const auto refi = static_cast<std::uint64_t>(s_.t_refi_ns),
                   rfc = static_cast<std::uint64_t>(s_.t_rfc_ns);
        return t >= refi && t % refi < rfc;
    }
    dram_settings s_;
    std::vector<std::vector<bank>> channels_;
    std::vector<std::uint64_t> bus_;
    std::int64_t opening_ = -1, precharged_ = -1;
};

TEST(dram_timing, agrees_with_a_machine_that_looks_at_every_cycle) {
    for (unsigned seed = 1; seed <= 40; ++seed) {
        std::mt19937 engine(seed);
        dram_settings s = small_dram();
        s.channels = 1 + seed % 3;
        s.banks = 1 + seed % 4;
        s.t_refi_ns = 200 + seed * 10;
        s.t_rfc_ns = 30;
        dram_timing timing(s, 1e9);
        clocked_dram clocked(s);
        std::uint64_t cycle = 0;
        for (unsigned i = 0; i < 600; ++i) {
            cycle += engine() % 3 == 0 ? engine() % 90 : 0;
            const std::uint64_t burst_index = engine() % 96;
            ASSERT_EQ(timing.access(cycle, burst_index * 64 + engine() % 32, 1 + engine() % 32),
                      clocked.one(cycle, burst_index))
                << "seed " << seed << " access " << i << " at cycle " << cycle;
        }
    }
}

TEST(bank_schedule, bursts_own_their_banks_whole) {
    bank_schedule s(4);
    EXPECT_EQ(s.banks(), 4u);
    EXPECT_EQ(s.earliest(5, {0, 4}), 5u);
    s.occupy(5, 10, {1, 2});
    EXPECT_EQ(s.earliest(5, {0, 1}), 5u);
    EXPECT_EQ(s.earliest(5, {1, 1}), 15u);
    EXPECT_EQ(s.earliest(5, {0, 4}), 15u);
    EXPECT_EQ(s.earliest(20, {0, 4}), 20u);
    EXPECT_EQ(s.earliest(7, {}), 7u);
    s.occupy(30, 5, {0, 1}); // later than now: what lies before stays closed too, first come first served
    EXPECT_EQ(s.earliest(16, {0, 2}), 35u);
    s.occupy(16, 1, {0, 1});
    EXPECT_EQ(s.earliest(16, {0, 1}), 35u);
    s.occupy(0, 100, {3, 0});
    EXPECT_EQ(s.earliest(16, {3, 1}), 16u);
}

TEST(link_timing, a_message_takes_its_packets_and_the_latency) {
    link_settings s;
    s.latency_ns = 250, s.bytes_per_second = 16e9, s.payload_bytes = 256, s.header_bytes = 24;
    link_direction d(s, {}, up_channel, 1e9);
    EXPECT_EQ(d.wire_cycles(0), 2u);      // 24 / 16
    EXPECT_EQ(d.wire_cycles(4), 2u);      // 28 / 16
    EXPECT_EQ(d.wire_cycles(256), 18u);   // 280 / 16 = 17.5
    EXPECT_EQ(d.wire_cycles(257), 20u);   // 257 + 48 = 305
    EXPECT_EQ(d.wire_cycles(4096), 280u); // 4096 + 16 * 24 = 4480
    const auto a = d.send(100, 4096, message_kind::posted);
    EXPECT_EQ(a.start, 100u);
    EXPECT_EQ(a.sent, 380u);
    EXPECT_EQ(a.arrival, 630u);
    const auto b = d.send(200, 0, message_kind::request); // waits for the wire
    EXPECT_EQ(b.start, 380u);
    EXPECT_EQ(b.arrival, 632u);
    const auto c = d.send(1000, 0, message_kind::request);
    EXPECT_EQ(c.start, 1000u);
}

TEST(link_timing, no_message_overtakes_another) {
    link_settings s;
    s.bytes_per_second = 7e9;
    link_direction d(s, {}, up_channel, 1.4e9);
    std::mt19937 engine(3);
    std::uint64_t cycle = 0, arrival = 0, bytes = 0, first = ~std::uint64_t{0};
    for (unsigned i = 0; i < 1000; ++i) {
        cycle += engine() % 40;
        const std::uint64_t payload = engine() % 600;
        const auto slot = d.send(cycle, payload, message_kind::posted);
        EXPECT_GE(slot.start, cycle);
        EXPECT_GT(slot.arrival, arrival);
        arrival = slot.arrival;
        bytes += payload;
        first = std::min(first, slot.start);
        EXPECT_LE(static_cast<double>(bytes),
                  static_cast<double>(slot.sent - first) * 5.0); // never above the bandwidth
    }
}

TEST(link_timing, under_stress_messages_are_late_and_overtake_only_what_the_bus_lets_them) {
    link_settings s;
    for (const bool reorder : {false, true}) {
        stress_settings stress;
        stress.seed = 17, stress.message_cycles = 400, stress.reorder = reorder;
        link_direction d(s, stress, down_channel, 1e9), calm(s, {}, down_channel, 1e9);
        std::mt19937 engine(5);
        std::uint64_t cycle = 0, latest = 0, latest_posted = 0;
        unsigned late = 0, overtakes = 0;
        for (unsigned i = 0; i < 2000; ++i) {
            cycle += engine() % 60;
            const auto kind = static_cast<message_kind>(engine() % 3);
            const std::uint64_t payload = engine() % 600;
            const auto slot = d.send(cycle, payload, kind), own = calm.send(cycle, payload, kind);
            EXPECT_EQ(slot.start, own.start); // the wire is as ever
            EXPECT_EQ(slot.sent, own.sent);
            EXPECT_GE(slot.arrival, own.arrival);
            EXPECT_LE(slot.arrival, std::max(own.arrival + 400, latest));
            EXPECT_GE(slot.arrival, reorder ? latest_posted : latest);
            late += slot.arrival > own.arrival;
            overtakes += slot.arrival < latest;
            latest = std::max(latest, slot.arrival);
            if (kind == message_kind::posted)
                latest_posted = slot.arrival;
        }
        EXPECT_GT(late, 500u);
        EXPECT_EQ(overtakes > 100, reorder);
    }
}

TEST(back_pressure, is_a_function_of_what_is_held_back) {
    // Philox4x32-10 of counter {7, 0, 3, 2} and key {42, 0}: by the known-answer-tested generator, the rule by hand.
    const std::uint32_t word = philox4x32_10({7, 0, 3, 2}, {42, 0})[0];
    EXPECT_EQ(hold_cycles(42, 3, 2, 7, 10), word % 4 == 0 ? 1 + word / 4 % 10 : 0);
    unsigned held = 0;
    std::uint64_t longest = 0;
    for (std::uint64_t i = 0; i < 4000; ++i) {
        const std::uint64_t h = hold_cycles(1, 20, 0, i, 8);
        held += h != 0;
        longest = std::max(longest, h);
        EXPECT_EQ(hold_cycles(1, 20, 0, i, 0), 0u);
    }
    EXPECT_EQ(longest, 8u);
    EXPECT_NEAR(held, 1000, 100);
}

} // namespace
} // namespace retrace
