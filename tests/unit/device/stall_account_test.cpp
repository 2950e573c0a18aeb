// Every cycle has one reason: scripted scenarios, and random ones against a model that asks every cycle.
#include <numeric>
#include <random>

#include <gtest/gtest.h>

#include "tlm/core/accounting/stall_account.h"

namespace retrace {
namespace {

constexpr unsigned pe = 0, activation = 1, dma = 3, dma1 = 4;

std::uint64_t sum_of(const stall_account& a) {
    std::uint64_t sum = 0;
    for (unsigned c = 0; c < stall_count; ++c)
        sum += a.of(static_cast<stall>(c));
    return sum;
}

TEST(stall_account, counts_from_the_first_doorbell) {
    stall_account a(5);
    a.until(100);
    EXPECT_EQ(a.total(), 0u);
    a.begin(150);
    a.begin(170); // only the first counts
    a.until(200);
    EXPECT_EQ(a.total(), 50u);
    EXPECT_EQ(a.of(stall::command), 50u);
    EXPECT_EQ(sum_of(a), 50u);
}

TEST(stall_account, a_tile_alone_is_weights_fill_rows_and_drain) {
    stall_account a(5);
    a.begin(0);
    // R = 8, C = 4, D = 1, M = 3: rows in 8..10, first sum stamp 15, end 21
    a.weights(0, 8);
    a.rows(8, 11, 15, 21);
    a.until(30);
    EXPECT_EQ(a.of(stall::weight_load), 8u);
    EXPECT_EQ(a.of(stall::compute), 3u);
    EXPECT_EQ(a.of(stall::fill), 4u);
    EXPECT_EQ(a.of(stall::drain), 6u);
    EXPECT_EQ(a.of(stall::command), 9u);
    EXPECT_EQ(a.total(), 30u);
    EXPECT_EQ(a.array_cycles(), 21u);
}

TEST(stall_account, a_row_beats_weights_and_weights_beat_fill_and_drain) {
    stall_account a(5);
    a.begin(0);
    a.weights(0, 8);
    a.rows(8, 18, 15, 26);
    a.weights(9, 17); // hidden behind rows
    a.rows(18, 20, 25, 30);
    a.weights(19, 27); // one cycle hidden, then seen: 20..26
    a.until(40);
    EXPECT_EQ(a.of(stall::compute), 12u);
    EXPECT_EQ(a.of(stall::weight_load), 8u + 7u);
    EXPECT_EQ(a.of(stall::drain), 3u); // 27..29
    EXPECT_EQ(a.of(stall::fill), 0u);
    EXPECT_EQ(sum_of(a), 40u);
    EXPECT_EQ(a.array_cycles(), 30u);
}

TEST(stall_account, the_busy_agent_at_the_end_of_the_chain_takes_the_cycle) {
    stall_account a(5);
    a.begin(0);
    a.context(0, 1, true);
    a.run(0, pe, 1, 1u << 5);
    a.run(0, activation, 1, 1u << 6);
    a.run(0, dma, 1, 1u << 7);
    a.waiting(10, pe, 6); // until here: command
    a.waiting(10, activation, 7);
    a.busy(10, dma, stall::dma);
    a.transfer(20, dma, stall::dram, +1);
    a.transfer(50, dma, stall::dram, -1);
    a.waiting(60, dma, 5); // a ring of waits: nobody is busy
    a.busy(75, activation, stall::activation);
    a.until(80);
    EXPECT_EQ(a.of(stall::command), 10u);
    EXPECT_EQ(a.of(stall::dma), 20u);  // 10..19, 50..59
    EXPECT_EQ(a.of(stall::dram), 30u); // 20..49
    EXPECT_EQ(a.of(stall::semaphore), 15u);
    EXPECT_EQ(a.of(stall::activation), 5u);
    EXPECT_EQ(sum_of(a), 80u);
}

TEST(stall_account, signals_of_another_context_do_not_help) {
    stall_account a(5);
    a.begin(0);
    a.run(0, pe, 0, 0);
    a.run(0, dma, 1, 1u << 3);
    a.busy(0, dma, stall::dma);
    a.waiting(0, pe, 3);
    a.until(10);
    EXPECT_EQ(a.of(stall::semaphore), 10u);
    a.run(10, dma1, 0, 1u << 3);
    a.busy(10, dma1, stall::dma);
    a.until(30);
    EXPECT_EQ(a.of(stall::dma), 20u);
    a.stop(30, dma1);
    a.until(40);
    EXPECT_EQ(a.of(stall::semaphore), 20u);
}

TEST(stall_account, a_copy_in_flight_is_its_queues_work_while_the_sequencer_waits_already) {
    stall_account a(5);
    a.begin(0);
    a.run(0, pe, 0, 0);
    a.run(0, dma, 0, 1u << 3);
    a.waiting(0, pe, 3);
    a.transfer(0, dma, stall::dram, +1);
    a.waiting(0, dma, 9); // for what nobody signals
    a.until(40);
    a.transfer(40, dma, stall::dram, -1);
    a.until(50);
    EXPECT_EQ(a.of(stall::dram), 40u);
    EXPECT_EQ(a.of(stall::semaphore), 10u);
}

TEST(stall_account, a_tangle_of_waits_is_looked_through_once) {
    constexpr unsigned engines = spec::max_engines;
    stall_account a(engines);
    a.begin(0);
    for (unsigned e = 0; e < engines; ++e) {
        a.run(0, e, 0, 1u << 3); // everybody signals what everybody waits for
        a.waiting(0, e, 3);
    }
    a.until(10); // as many paths as orders of 18 engines
    EXPECT_EQ(a.of(stall::semaphore), 10u);
    a.busy(10, engines - 1, stall::vector);
    a.until(15);
    EXPECT_EQ(a.of(stall::vector), 5u);
}

TEST(stall_account, a_span_that_begins_anew_counts_the_tiles_at_work) {
    stall_account a(5);
    a.begin(0);
    a.weights(0, 8);
    a.rows(8, 18, 15, 26);
    a.restart(20);
    a.weights(22, 30);
    a.until(40);
    EXPECT_EQ(a.total(), 20u);
    EXPECT_EQ(a.array_cycles(), 10u); // 20 .. 29
    a.restart(100);
    EXPECT_EQ(a.array_cycles(), 0u);
}

TEST(stall_account, the_link_is_further_down_the_chain_than_dram) {
    stall_account a(5);
    a.begin(0);
    a.run(0, dma, 0, 0);
    a.transfer(0, dma, stall::dram, +1);
    a.transfer(5, dma, stall::link, +1);
    a.transfer(9, dma, stall::link, -1);
    a.transfer(12, dma, stall::dram, -1);
    a.until(15);
    EXPECT_EQ(a.of(stall::dram), 5u + 3u);
    EXPECT_EQ(a.of(stall::link), 4u);
    EXPECT_EQ(a.of(stall::command), 3u);
}

TEST(stall_account, a_bank_conflict_of_the_arrays_own_port_comes_first) {
    stall_account a(5);
    a.begin(0);
    a.run(0, pe, 0, 0);
    a.array_port_waits(5, +1);
    a.array_port_waits(7, +1);
    a.array_port_waits(9, -1);
    a.array_port_waits(12, -1);
    a.until(20);
    EXPECT_EQ(a.of(stall::bank_conflict), 7u);
    EXPECT_EQ(a.of(stall::command), 13u);
}

TEST(stall_account, without_engines_it_is_command_host_or_link) {
    stall_account a(5);
    a.begin(0);
    a.message(10, +1);
    a.context(20, 2, true);
    a.context(30, 2, false);
    a.message(40, -1);
    a.host_computes(50, true);
    a.message(55, +1);
    a.message(58, -1);
    a.host_computes(60, false);
    a.until(70);
    EXPECT_EQ(a.of(stall::link), 20u);
    EXPECT_EQ(a.of(stall::host), 10u);
    EXPECT_EQ(a.of(stall::command), 40u);
    EXPECT_EQ(a.of(stall::other), 0u);
    EXPECT_EQ(sum_of(a), 70u);
}

TEST(stall_account, an_engine_that_starts_again_does_not_inherit_its_wait) {
    stall_account a(5);
    a.begin(0);
    a.run(0, pe, 0, 0);
    a.waiting(0, pe, 1);
    a.stop(10, pe);
    a.run(20, pe, 0, 0);
    a.until(30);
    EXPECT_EQ(a.of(stall::semaphore), 10u);
    EXPECT_EQ(a.of(stall::command), 20u);
}

TEST(stall_account, every_category_has_a_name) {
    for (unsigned c = 0; c < stall_count; ++c)
        EXPECT_FALSE(name_of(static_cast<stall>(c)).empty());
    EXPECT_EQ(name_of(stall::other), "other");
    EXPECT_EQ(name_of(stall::weight_load), "weight_load");
}

TEST(stall_account, the_arrays_timeline_agrees_with_a_table_of_cycles) {
    for (unsigned seed = 1; seed <= 30; ++seed) {
        std::mt19937 engine(seed);
        stall_account a(5);
        const std::uint64_t R = 4 + engine() % 8, C = 2 + engine() % 8, D = 1 + engine() % 3;
        constexpr std::uint64_t horizon = 3000;
        std::vector<stall> table(horizon, stall::command);
        std::vector<unsigned char> covered(horizon, 0);
        std::vector<int> rank(horizon, 0); // 1 fill/drain, 2 weights, 3 rows
        std::uint64_t first_flight_end = 0, time = 5, loaded = 0, free = 0;
        a.begin(0);
        while (time + 200 < horizon) {
            // A load, then its stream: perhaps overlapped with the previous stream. All calls at the cycle
            // they begin, as the array does.
            const std::uint64_t load = std::max(time, loaded) + (engine() % 3 ? 0 : engine() % 60);
            a.until(load);
            a.weights(load, load + R);
            loaded = load + R;
            for (std::uint64_t t = load; t < load + R; ++t)
                if (rank[t] < 2)
                    rank[t] = 2, table[t] = stall::weight_load;
            const std::uint64_t start = std::max(loaded, free), rows = 1 + engine() % 20,
                                end = start + rows - 1 + C - 1 + R * D;
            const std::uint64_t first_sum = start + R * D - 1;
            a.until(start);
            a.rows(start, start + rows, first_sum, end);
            free = start + rows;
            for (std::uint64_t t = start; t < end; ++t) {
                if (t < free)
                    rank[t] = 3, table[t] = stall::compute;
                else if (rank[t] < 1)
                    rank[t] = 1,
                    table[t] = t < first_sum && t >= first_flight_end ? stall::fill : stall::drain;
            }
            for (std::uint64_t t = load; t < end; ++t)
                covered[t] = t < loaded || t >= start || covered[t];
            first_flight_end = end;
            time = start + (engine() % 2 ? 0 : rows);
        }
        a.until(horizon);
        for (const stall s : {stall::compute, stall::weight_load, stall::fill, stall::drain, stall::command})
            EXPECT_EQ(a.of(s), static_cast<std::uint64_t>(std::count(table.begin(), table.end(), s)))
                << name_of(s) << " seed " << seed;
        EXPECT_EQ(sum_of(a), horizon);
        EXPECT_EQ(a.array_cycles(),
                  static_cast<std::uint64_t>(std::accumulate(covered.begin(), covered.end(), 0)));
    }
}

} // namespace
} // namespace retrace
