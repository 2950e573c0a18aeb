// Memories on their sockets: the protocol's rules, timing from the arbitration on, effect at the end.
#include "tests/module/probe.h"

namespace retrace::test {
namespace {

using tlm::TLM_READ_COMMAND;
using tlm::TLM_WRITE_COMMAND;

std::vector<std::byte> filled(std::size_t n, unsigned v) {
    return std::vector<std::byte>(n, static_cast<std::byte>(v));
}

TEST(memory_block, refuses_what_it_does_not_model_with_the_status_of_the_standard) {
    device_bench bench;
    probe p("probe", 5, [&](probe& self) {
        auto data = filled(16, 1);
        const std::uint64_t before = bench.clock.now();
        EXPECT_EQ(self.transfer(TLM_WRITE_COMMAND, bench.config.device_dram.capacity_bytes - 15, data),
                  tlm::TLM_ADDRESS_ERROR_RESPONSE);
        EXPECT_EQ(self.transfer(TLM_READ_COMMAND, ~std::uint64_t{0} - 3, data),
                  tlm::TLM_ADDRESS_ERROR_RESPONSE);
        EXPECT_EQ(self.transfer(tlm::TLM_IGNORE_COMMAND, 0, data), tlm::TLM_COMMAND_ERROR_RESPONSE);

        unsigned char enables[16] = {};
        self.access.set(TLM_WRITE_COMMAND, 0, data.data(), 16);
        self.access.payload.set_byte_enable_ptr(enables);
        self.access.payload.set_byte_enable_length(16);
        EXPECT_FALSE(self.access.transport(self.socket));
        EXPECT_EQ(self.access.payload.get_response_status(), tlm::TLM_BYTE_ENABLE_ERROR_RESPONSE);

        self.access.set(TLM_WRITE_COMMAND, 0, data.data(), 16);
        self.access.payload.set_streaming_width(8);
        EXPECT_FALSE(self.access.transport(self.socket));
        EXPECT_EQ(self.access.payload.get_response_status(), tlm::TLM_BURST_ERROR_RESPONSE);

        self.access.set(TLM_WRITE_COMMAND, 0, data.data(), 0);
        EXPECT_FALSE(self.access.transport(self.socket));
        EXPECT_EQ(self.access.payload.get_response_status(), tlm::TLM_BURST_ERROR_RESPONSE);

        // Runs that do not add up to the data, and a run outside after a good one.
        const std::vector<byte_run> runs{{0, 8}, {64, 4}};
        self.access.extension.runs = &runs;
        EXPECT_EQ(self.transfer(TLM_WRITE_COMMAND, 0, data), tlm::TLM_BURST_ERROR_RESPONSE);
        const std::vector<byte_run> outside{{0, 8}, {bench.config.device_dram.capacity_bytes - 4, 8}};
        self.access.extension.runs = &outside;
        EXPECT_EQ(self.transfer(TLM_WRITE_COMMAND, 0, data), tlm::TLM_ADDRESS_ERROR_RESPONSE);
        self.access.extension.runs = nullptr;

        self.access.extension.who = nullptr;
        EXPECT_EQ(self.transfer(TLM_WRITE_COMMAND, 0, data), tlm::TLM_COMMAND_ERROR_RESPONSE);
        self.access.extension.who = &self.who;
        EXPECT_EQ(bench.clock.now(), before); // a refusal takes no time
    });
    p.socket.bind(bench.dram.port);
    bench.pass(100);
    EXPECT_TRUE(p.done);
    EXPECT_EQ(bench.dram_memory.live_bytes(), 0u); // and touches nothing
    EXPECT_TRUE(bench.events.text.empty());
}

TEST(memory_block, debug_access_reads_without_time_or_events_and_never_writes) {
    device_bench bench;
    bench.put(bench.dram_memory, 100, filled(8, 7), {1, 1});
    bench.events.text.clear();
    probe p("probe", 5, [&](probe& self) {
        auto data = filled(16, 0);
        self.access.set(TLM_READ_COMMAND, 96, data.data(), 16);
        EXPECT_EQ(self.socket->transport_dbg(self.access.payload), 16u);
        EXPECT_EQ(data[3], std::byte{0xff}); // never written
        EXPECT_EQ(data[4], std::byte{7});
        self.access.set(TLM_WRITE_COMMAND, 96, data.data(), 16);
        EXPECT_EQ(self.socket->transport_dbg(self.access.payload), 0u);
        self.access.set(TLM_READ_COMMAND, bench.config.device_dram.capacity_bytes - 8, data.data(), 16);
        EXPECT_EQ(self.socket->transport_dbg(self.access.payload), 0u);
        EXPECT_EQ(bench.clock.now(), 0u);
    });
    p.socket.bind(bench.dram.port);
    bench.pass(10);
    EXPECT_TRUE(p.done);
    EXPECT_TRUE(bench.events.text.empty());
}

TEST(memory_block, dram_takes_its_timing_from_the_grant_and_has_its_effect_at_the_end) {
    device_bench bench;
    const dram_settings& d = bench.config.device_dram;
    const auto miss = static_cast<std::uint64_t>(d.t_rcd_ns + d.t_cas_ns) + d.burst_cycles;
    probe p("probe", 5, [&](probe& self) {
        bench.clock.wait_until(50);
        auto data = filled(64, 3);
        self.access.extension.tensor = {4, 2};
        EXPECT_EQ(self.transfer(TLM_WRITE_COMMAND, 0, data), tlm::TLM_OK_RESPONSE);
        EXPECT_EQ(bench.clock.now(), 50 + miss);
        data = filled(64, 0);
        EXPECT_EQ(self.transfer(TLM_READ_COMMAND, 0, data), tlm::TLM_OK_RESPONSE);
        EXPECT_EQ(bench.clock.now(), 50 + miss + static_cast<std::uint64_t>(d.t_cas_ns) + d.burst_cycles);
        EXPECT_EQ(data, filled(64, 3));
    });
    p.socket.bind(bench.dram.port);
    bench.pass(50 + miss - 1);
    EXPECT_EQ(bench.dram_memory.live_bytes(), 0u);
    bench.pass(1);
    sc_core::sc_start(sc_core::SC_ZERO_TIME);
    bench.pass(1);
    EXPECT_EQ(bench.dram_memory.live_bytes(), 64u);
    bench.pass(100);
    EXPECT_TRUE(p.done);
    EXPECT_TRUE(bench.events.stale.empty());
}

TEST(memory_block, the_state_buffer_moves_a_line_per_cycle_and_bank) {
    device_bench bench; // lines of 32 bytes, banks of 8 KiB
    bench.buffer.banks().occupy(0, 100, {1, 1});
    probe p("probe", 5, [&](probe& self) {
        const auto cycles = [&](std::uint64_t address, std::size_t bytes) {
            auto data = filled(bytes, 3);
            const std::uint64_t before = bench.clock.now();
            EXPECT_EQ(self.transfer(TLM_WRITE_COMMAND, address, data), tlm::TLM_OK_RESPONSE);
            return bench.clock.now() - before;
        };
        EXPECT_EQ(cycles(0, 1), 1u);
        EXPECT_EQ(cycles(0, 32), 1u);
        EXPECT_EQ(cycles(16, 32), 2u); // two lines
        EXPECT_EQ(cycles(0, 4096), 128u);
        EXPECT_EQ(bench.clock.now(), 132u);
        EXPECT_EQ(cycles(8192 - 64, 128), 4u); // over the end of a bank; the other one is free by now
        const std::vector<byte_run> runs{{0, 10}, {100, 10}, {8192, 12}};
        self.access.extension.runs = &runs;
        EXPECT_EQ(cycles(0, 32), 3u); // every run is an access of its own
        self.access.extension.runs = nullptr;
        bench.buffer.banks().occupy(bench.clock.now(), 40, {2, 1});
        EXPECT_EQ(cycles(2 * 8192, 64), 42u); // waits for its bank
        EXPECT_EQ(cycles(3 * 8192, 64), 2u);
    });
    p.socket.bind(bench.buffer.port);
    bench.pass(1000);
    EXPECT_TRUE(p.done);
}

TEST(memory_block, a_cancelled_access_ends_without_effect) {
    device_bench bench;
    bool cancelled = false;
    auto out = filled(64, 9);
    probe p("probe", 5, [&](probe& self) {
        auto data = filled(64, 3);
        self.access.extension.cancelled = &cancelled;
        EXPECT_EQ(self.transfer(TLM_WRITE_COMMAND, 0, data), tlm::TLM_OK_RESPONSE);
        EXPECT_EQ(self.transfer(TLM_READ_COMMAND, 0, out), tlm::TLM_OK_RESPONSE);
    });
    p.socket.bind(bench.dram.port);
    bench.pass(10);
    cancelled = true;
    bench.pass(200);
    EXPECT_TRUE(p.done);
    EXPECT_EQ(bench.dram_memory.live_bytes(), 0u);
    EXPECT_EQ(out, filled(64, 9));
}

TEST(memory_block, accesses_of_a_cycle_are_served_in_requester_order) {
    device_bench bench;
    std::vector<std::pair<unsigned, std::uint64_t>> order;
    std::vector<std::unique_ptr<probe>> probes;
    for (const unsigned number : {9u, 2u, 5u}) { // created in another order than their numbers
        probes.push_back(
            std::make_unique<probe>(sc_core::sc_gen_unique_name("probe"), number, [&, number](probe& self) {
                auto data = filled(320, number);
                bench.clock.wait_until(7);
                EXPECT_EQ(self.transfer(TLM_WRITE_COMMAND, 0, data), tlm::TLM_OK_RESPONSE);
                order.emplace_back(number, bench.clock.now());
            }));
        probes.back()->socket.bind(bench.buffer.port);
    }
    bench.pass(100);
    EXPECT_EQ(order, (std::vector<std::pair<unsigned, std::uint64_t>>{{2, 17}, {5, 27}, {9, 37}}));
    EXPECT_EQ(bench.get(bench.buffer_memory, 0, 320), filled(320, 9));
}

} // namespace
} // namespace retrace::test
