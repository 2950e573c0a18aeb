// The host link: registers, DMA, messages; their times and their order. 1 GHz, 16 bytes a cycle, 250 cycles
// one way, host memory 80.
#include "tests/module/probe.h"

namespace retrace::test {
namespace {

constexpr std::uint64_t latency = 250, host_latency = 80;
std::uint64_t wire(std::uint64_t payload) {
    return (payload + std::max<std::uint64_t>(1, (payload + 255) / 256) * 24 + 15) / 16;
}

TEST(host_link, reads_pay_two_ways_and_writes_one) {
    device_bench bench;
    probe p("probe", 5, [&](probe& self) {
        auto data = random_bytes(4096, 1);
        bench.clock.wait_until(10);
        EXPECT_EQ(self.transfer(tlm::TLM_WRITE_COMMAND, spec::host_window_base + 100, data),
                  tlm::TLM_OK_RESPONSE);
        EXPECT_EQ(bench.clock.now(), 10 + wire(4096) + latency);
        EXPECT_TRUE(std::equal(data.begin(), data.end(), bench.link.host_memory().begin() + 100));
        const std::uint64_t before = bench.clock.now();
        std::vector<std::byte> back(4096);
        EXPECT_EQ(self.transfer(tlm::TLM_READ_COMMAND, spec::host_window_base + 100, back),
                  tlm::TLM_OK_RESPONSE);
        EXPECT_EQ(bench.clock.now(), before + wire(0) + latency + host_latency + wire(4096) + latency);
        EXPECT_EQ(back, data);
    });
    p.socket.bind(bench.link.port);
    bench.pass(5000);
    EXPECT_TRUE(p.done);
}

TEST(host_link, refuses_addresses_outside_host_memory_and_broken_payloads) {
    device_bench bench;
    probe p("probe", 5, [&](probe& self) {
        std::vector<std::byte> data(16);
        const std::uint64_t end = spec::host_window_base + bench.config.host_link.host_memory_bytes;
        for (const std::uint64_t address :
             {std::uint64_t{0}, spec::host_window_base - 1, end - 15, end, ~std::uint64_t{0} - 4})
            EXPECT_EQ(self.transfer(tlm::TLM_WRITE_COMMAND, address, data), tlm::TLM_ADDRESS_ERROR_RESPONSE)
                << address;
        EXPECT_EQ(self.transfer(tlm::TLM_IGNORE_COMMAND, spec::host_window_base, data),
                  tlm::TLM_COMMAND_ERROR_RESPONSE);
        const std::vector<byte_run> runs{{spec::host_window_base, 32}}; // more than the data
        self.access.extension.runs = &runs;
        EXPECT_EQ(self.transfer(tlm::TLM_READ_COMMAND, spec::host_window_base, data),
                  tlm::TLM_BURST_ERROR_RESPONSE);
        self.access.extension.runs = nullptr;
        self.access.set(tlm::TLM_READ_COMMAND, spec::host_window_base, data.data(), 16);
        self.access.payload.set_streaming_width(4);
        EXPECT_FALSE(self.access.transport(self.socket));
        EXPECT_EQ(self.access.payload.get_response_status(), tlm::TLM_BURST_ERROR_RESPONSE);
        unsigned char enable = 0xff;
        self.access.set(tlm::TLM_READ_COMMAND, spec::host_window_base, data.data(), 16);
        self.access.payload.set_byte_enable_ptr(&enable);
        EXPECT_FALSE(self.access.transport(self.socket));
        EXPECT_EQ(self.access.payload.get_response_status(), tlm::TLM_BYTE_ENABLE_ERROR_RESPONSE);
        EXPECT_EQ(bench.clock.now(), 0u);
    });
    p.socket.bind(bench.link.port);
    bench.pass(100);
    EXPECT_TRUE(p.done);
}

TEST(host_link, register_accesses_arrive_in_order_after_their_latency) {
    device_bench bench;
    std::vector<std::pair<std::uint32_t, std::uint64_t>> answers;
    bench.pass(100);
    bench.link.post_write(8, 0xabcd);
    const auto answer = [&](std::uint32_t value) { answers.emplace_back(value, bench.clock.now()); };
    bench.link.post_read(8, answer);
    bench.link.post_read(4096, answer); // does not exist
    bench.link.post_write(4096, 1);
    EXPECT_EQ(bench.registers[2], 0u);
    bench.pass(wire(4) + latency - 1);
    EXPECT_EQ(bench.registers[2], 0u);
    bench.pass(2);
    EXPECT_EQ(bench.registers[2], 0xabcdu);
    bench.pass(3000);
    ASSERT_EQ(answers.size(), 2u);
    EXPECT_EQ(answers[0].first, 0xabcdu);
    EXPECT_EQ(answers[1].first, 0xffffffffu); // as a real bus answers
    EXPECT_LT(answers[0].second, answers[1].second);
    EXPECT_GE(answers[0].second, 100 + 2 * latency + wire(0) + wire(4));
}

TEST(host_link, a_read_alone_takes_both_ways) {
    device_bench bench;
    std::uint64_t when = 0;
    bench.pass(100);
    bench.link.post_read(0, [&](std::uint32_t) { when = bench.clock.now(); });
    bench.pass(2000);
    EXPECT_EQ(when, 100 + wire(0) + latency + wire(4) + latency);
}

TEST(host_link, a_message_does_not_overtake_what_was_written_before) {
    device_bench bench;
    std::uint64_t written = 0;
    probe p("probe", 5, [&](probe& self) {
        auto data = random_bytes(64 * 1024, 1);
        self.transfer(tlm::TLM_WRITE_COMMAND, spec::host_window_base, data);
        written = bench.clock.now();
        EXPECT_TRUE(bench.messages.empty());
    });
    p.socket.bind(bench.link.port);
    bench.pass(5);
    bench.link.send_message(0xfee00000, 77); // while the write is on the wire
    bench.link.send_message(0xfee00004, 78);
    bench.pass(20'000);
    ASSERT_EQ(bench.messages.size(), 2u);
    EXPECT_EQ(bench.messages[0], (std::pair<std::uint64_t, std::uint32_t>{0xfee00000, 77}));
    EXPECT_EQ(bench.messages[1], (std::pair<std::uint64_t, std::uint32_t>{0xfee00004, 78}));
    EXPECT_EQ(written, wire(65536) + latency);
    EXPECT_EQ(bench.message_cycles[0], written + wire(4));
    EXPECT_GT(bench.message_cycles[1], bench.message_cycles[0]);
}

TEST(host_link, requesters_share_the_wire_in_order) {
    device_bench bench;
    std::vector<unsigned> order;
    std::vector<std::unique_ptr<probe>> probes;
    for (const unsigned number : {8u, 3u, 6u}) {
        probes.push_back(
            std::make_unique<probe>(sc_core::sc_gen_unique_name("probe"), number, [&, number](probe& self) {
                auto data = random_bytes(256, number);
                self.transfer(tlm::TLM_WRITE_COMMAND, spec::host_window_base, data);
                order.push_back(number);
                EXPECT_EQ(bench.clock.now(), latency + order.size() * wire(256));
            }));
        probes.back()->socket.bind(bench.link.port);
    }
    bench.pass(1000);
    EXPECT_EQ(order, (std::vector<unsigned>{3, 6, 8}));
}

} // namespace
} // namespace retrace::test
