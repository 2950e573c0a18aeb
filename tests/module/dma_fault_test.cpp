// A DMA queue that is stopped: by an error of a memory, by the control core, by itself.
#include "tests/module/device_bench.h"

namespace retrace::test {
namespace {

constexpr unsigned queue = spec::engine_dma;
using spec::engine_fault;
using spec::memory_kind;

TEST(dma_faults, a_source_beyond_its_memory_is_a_bus_error) {
    device_bench bench;
    const auto e = bench.execute(queue, {encode(nop({})), encode(copy({}, beyond_dram, 32, work, 0, 64))});
    EXPECT_EQ(e.fault, engine_fault::bus_error);
    EXPECT_EQ(e.pc, 1u);
    EXPECT_EQ(e.detail, static_cast<std::uint32_t>(memory_kind::device_dram));
}

TEST(dma_faults, a_destination_beyond_its_memory_is_a_bus_error_of_its_instruction) {
    device_bench bench;
    bench.put(bench.buffer_memory, 0, random_bytes(64, 1));
    const auto e = bench.execute(
        queue, {encode(copy({}, work, 0, beyond, 32, 64)), encode(copy({}, work, 0, slot::dram, 0, 64))});
    EXPECT_EQ(e.fault, engine_fault::bus_error);
    EXPECT_EQ(e.pc, 0u);
    EXPECT_EQ(e.detail, static_cast<std::uint32_t>(memory_kind::state_buffer));
    bench.pass(1000);
    EXPECT_TRUE(bench.endings.empty()); // one start, one end
}

TEST(dma_faults, refused_descriptors_stop_the_queue_with_their_reason) {
    device_bench bench;
    const auto fault = [&](auto change) {
        auto i = copy({}, work, 0, slot::dram, 0, 64, 2, 64, 64);
        change(i);
        const auto e = bench.execute(queue, {encode(i)});
        EXPECT_EQ(e.pc, 0u);
        return e.fault;
    };
    EXPECT_EQ(fault([](auto& i) { i.size1 = 0; }), engine_fault::bad_shape);
    EXPECT_EQ(fault([](auto& i) { i.source_slot = 200; }), engine_fault::bad_slot);
    EXPECT_EQ(fault([](auto& i) { i.source_slot = sums; }), engine_fault::bad_slot);
    EXPECT_EQ(fault([](auto& i) { i.source_slot = write_only; }), engine_fault::not_permitted);
    EXPECT_EQ(fault([](auto& i) { i.destination_slot = read_only; }), engine_fault::not_permitted);
    EXPECT_EQ(fault([](auto& i) { i.source_stride1 = 0xffffffff; }), engine_fault::out_of_bounds);
    EXPECT_EQ(fault([](auto& i) { i.reserved = 1; }), engine_fault::reserved_bits);
    EXPECT_EQ(fault([](auto& i) { i.flags = 2; }), engine_fault::reserved_bits);
    EXPECT_EQ(fault([](auto& i) { i.element_bytes = 4; }), engine_fault::bad_format);
    EXPECT_EQ(fault([](auto&) {}), engine_fault::none);
}

TEST(dma_faults, an_abort_in_flight_has_no_later_effect) {
    device_bench bench;
    for (auto& b : bench.link.host_memory())
        b = std::byte{5};
    bench.start(queue, {encode(copy(sync().signal(4), slot::host, 0, work, 0, 32768)),
                        encode(copy(sync().signal(4), work, 0, slot::host, 0, 32768))});
    bench.pass(1300); // some chunks have arrived, one is on the link
    const std::uint64_t live = bench.buffer_memory.live_bytes();
    EXPECT_GT(live, 0u);
    EXPECT_LT(live, 32768u);
    bench.engines[queue]->abort();
    const auto e = bench.one_ending();
    EXPECT_EQ(e.fault, engine_fault::aborted);
    EXPECT_EQ(e.cycle, bench.clock.now());
    EXPECT_FALSE(bench.engines[queue]->running());
    const std::string events = bench.events.text;
    bench.pass(20'000);
    EXPECT_EQ(bench.buffer_memory.live_bytes(), live);
    EXPECT_EQ(bench.events.text, events);
    EXPECT_EQ(bench.contexts[0].semaphore(4), 0u);
    EXPECT_TRUE(bench.endings.empty());
    bench.engines[queue]->abort(); // an idle engine: nothing
    EXPECT_TRUE(bench.endings.empty());
}

TEST(dma_faults, an_abort_during_the_last_write_leaves_no_trace_of_it) {
    device_bench bench;
    bench.put(bench.dram_memory, 4096, random_bytes(4096, 2));
    bench.start(queue, {encode(copy(sync().signal(4), slot::dram, 4096, work, 0, 4096))});
    const std::string before = bench.events.text;
    bench.pass(200); // read after about 140 cycles; the write takes 128
    EXPECT_TRUE(bench.engines[queue]->running());
    bench.engines[queue]->abort();
    bench.pass(1000);
    EXPECT_EQ(bench.one_ending().fault, engine_fault::aborted);
    EXPECT_EQ(bench.events.text, before);
    EXPECT_EQ(bench.buffer_memory.live_bytes(), 0u);
    EXPECT_EQ(bench.contexts[0].semaphore(4), 0u);
}

/// A chunk on its way to the host, aborted `delay` cycles after its descriptor was cut: does it arrive?
bool arrives_when_aborted_after(std::uint64_t delay) {
    device_bench bench;
    const auto data = random_bytes(4096, 3);
    bench.put(bench.buffer_memory, 0, data);
    bench.start(queue, {encode(copy(sync().signal(4), work, 0, slot::host, 0, 4096))});
    while (bench.buffer.banks().earliest(0, {0, 1}) == 0) // until its read has been granted
        bench.pass(1);
    bench.pass(delay);
    bench.engines[queue]->abort();
    EXPECT_EQ(bench.one_ending().fault, engine_fault::aborted);
    bench.pass(1000);
    EXPECT_EQ(bench.contexts[0].semaphore(4), 0u);
    EXPECT_EQ(bench.dma[0]->bytes_moved(), 0u);
    return std::equal(data.begin(), data.end(), bench.link.host_memory().begin());
}

// 128 cycles to read it from the state buffer, then 280 on the wire.
TEST(dma_faults, a_write_that_the_link_has_granted_arrives_aborted_or_not) {
    EXPECT_TRUE(arrives_when_aborted_after(128 + 20));
}
TEST(dma_faults, a_write_that_has_not_been_granted_never_arrives) {
    EXPECT_FALSE(arrives_when_aborted_after(100));
}

TEST(dma_faults, a_program_started_at_the_abort_runs_untouched_by_the_old_one) {
    {
        device_bench bench;
        std::fill(bench.link.host_memory().begin(), bench.link.host_memory().end(), std::byte{5});
        bench.put(bench.dram_memory, 4096, random_bytes(20'000, 2));
        bench.start(queue, {encode(copy(sync().signal(4), slot::host, 0, work, 0, 32768))});
        bench.pass(2500);
        bench.engines[queue]->abort();
        bench.endings.clear();
        bench.start(queue, {encode(copy(sync().signal(5), slot::dram, 4096, work, 0, 20'000)),
                            encode(copy({}, work, 0, slot::dram, 65536, 20'000))});
        EXPECT_TRUE(bench.run());
        EXPECT_EQ(bench.one_ending().fault, engine_fault::none);
        EXPECT_EQ(bench.contexts[0].semaphore(4), 0u);
        EXPECT_EQ(bench.contexts[0].semaphore(5), 1u);
        EXPECT_EQ(bench.get(bench.buffer_memory, 0, 20'000), random_bytes(20'000, 2));
        EXPECT_EQ(bench.get(bench.dram_memory, 65536, 4096).size(), 4096u);
    }
}

TEST(dma_faults, aborts_at_every_moment_leave_the_queue_usable) {
    device_bench bench;
    bench.put(bench.dram_memory, 4096, random_bytes(8192, 2));
    for (unsigned delay = 0; delay < 400; delay += 3) {
        bench.start(queue, {encode(copy({}, slot::dram, 4096, work, 0, 8192)), encode(nop({})),
                            encode(copy({}, work, 0, slot::dram, 65536, 8192))});
        bench.pass(delay);
        if (bench.engines[queue]->running())
            bench.engines[queue]->abort();
        const auto e = bench.one_ending();
        ASSERT_TRUE(e.fault == engine_fault::aborted || e.fault == engine_fault::none);
        if (delay % 2)
            bench.pass(delay % 7);
        const auto data = random_bytes(128, delay);
        bench.put(bench.buffer_memory, 32768, data);
        ASSERT_EQ(bench.execute(queue, {encode(copy({}, work, 32768, slot::dram, 131072, 128))}).fault,
                  engine_fault::none)
            << delay;
        ASSERT_EQ(bench.get(bench.dram_memory, 131072, 128), data) << delay;
    }
}

} // namespace
} // namespace retrace::test
