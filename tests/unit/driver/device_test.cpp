// The real driver on the real firmware: open, launch, completion, order of memory, log.
#include <gtest/gtest.h>

#include <cstring>

#include "tests/unit/driver/test_bench.h"

namespace retrace {
namespace {

TEST(device_open, reads_what_the_device_can_do) {
    npu_config config = test_config();
    config.array.rows = 128, config.array.columns = 64, config.array.operand_cycles = {4, 1, 2, 2, 1};
    config.vector.lanes = 16, config.psum.rows = 512, config.dma.queues = 3, config.clock_hz = 1.4e9;
    test_bench bench(1, {}, config);
    const auto& c = bench.driver->capabilities();
    EXPECT_EQ(c.rows, 128u);
    EXPECT_EQ(c.columns, 64u);
    EXPECT_EQ(c.fma_depth, 1u);
    EXPECT_EQ(c.weight_registers, 2u);
    EXPECT_EQ(c.operand_cycles, (std::array<unsigned, 5>{4, 1, 2, 2, 1}));
    EXPECT_EQ(c.psum_banks, 8u);
    EXPECT_EQ(c.psum_rows, 512u);
    EXPECT_EQ(c.activation_lanes, 32u);
    EXPECT_EQ(c.vector_lanes, 16u);
    EXPECT_EQ(c.dma_queues, 3u);
    EXPECT_EQ(c.clock_khz, 1'400'000u);
    EXPECT_EQ(c.state_buffer_bytes, 2u << 20);
    EXPECT_EQ(c.state_buffer_banks, 16u);
    EXPECT_EQ(c.dram_bytes, 8u << 20);
    EXPECT_EQ(c.host_bytes, 256u << 10);
    ASSERT_EQ(c.regions.size(), 4u);
    EXPECT_EQ(c.region(spec::region_kind::weights).base, 3u << 20);
    EXPECT_EQ(c.region(spec::region_kind::weights).bytes, 3u << 20);
}

TEST(device_open, gives_the_device_to_the_next_driver) {
    test_bench bench;
    for (int round = 0; round < 3; ++round) {
        bench.driver.reset();
        bench.driver = std::move(device::open(bench.door, control_firmware())).value();
        const auto handle = bench.driver->launch(bench.command()).value();
        EXPECT_EQ(handle.sequence, 1u);
        EXPECT_TRUE(bench.driver->wait(handle));
    }
}

TEST(device, runs_commands_and_returns_their_completions) {
    test_bench bench;
    const auto first = bench.driver->launch(bench.command({0, 1, 4})).value();
    auto next = bench.command({0});
    next.wait[0] = first.sequence;
    const auto second = bench.driver->launch(next).value();
    const auto b = bench.driver->wait(second).value(), a = bench.driver->wait(first).value();
    EXPECT_EQ(a.sequence, 1u);
    EXPECT_EQ(b.sequence, 2u);
    EXPECT_GE(b.start_cycle, a.end_cycle_low - 500u);
    EXPECT_EQ(bench.driver->in_flight(), 0u);
    EXPECT_EQ(bench.driver->wait(first).error(), driver_error::unknown_command); // once
    EXPECT_TRUE(bench.machine.violations().empty());
}

TEST(device, waits_for_commands_in_any_order_and_tells_which_are_done) {
    test_bench bench;
    bench.machine.script = [](const engine_run& run) {
        return engine_outcome{run.engine == 0 ? 30'000u : 500u};
    };
    const auto slow = bench.driver->launch(bench.command({0})).value(),
               fast = bench.driver->launch(bench.command({3})).value();
    ASSERT_TRUE(bench.driver->wait(fast));
    EXPECT_FALSE(bench.driver->completed(slow).value());
    EXPECT_EQ(bench.driver->in_flight(), 1u);
    ASSERT_TRUE(bench.driver->wait(slow));
}

TEST(device, asking_again_and_again_comes_to_an_end) {
    test_bench bench;
    bench.machine.script = [](const engine_run&) { return engine_outcome{30'000}; };
    const auto handle = bench.driver->launch(bench.command()).value();
    for (int i = 0; i < 10'000 && !bench.driver->completed(handle).value(); ++i) {
    }
    EXPECT_TRUE(bench.driver->completed(handle).value());
    EXPECT_TRUE(bench.driver->completed(handle).value()); // until it is waited for
    ASSERT_TRUE(bench.driver->wait(handle));
    EXPECT_EQ(bench.driver->completed(handle).error(), driver_error::unknown_command);
}

TEST(device, allocates_no_host_memory_that_the_device_cannot_reach) {
    test_device machine;
    test_port door(machine);
    door.on_read = [](std::uint32_t offset, std::uint32_t& value) {
        value = offset == spec::host_block::host_bytes ? 128u << 10 : value;
    };
    const auto driver = device::open(door, control_firmware()).value();
    EXPECT_EQ(driver->host().range().capacity(), 128u << 10);
    EXPECT_EQ(driver->host().allocate(128u << 10).error(), driver_error::out_of_memory);
}

TEST(device, holds_back_when_the_ring_is_full_and_goes_around_many_times) {
    device_options options;
    options.submission_entries = 4, options.completion_entries = 2;
    test_bench bench(5, options);
    std::vector<command_handle> handles;
    for (int i = 0; i < 200; ++i) {
        handles.push_back(bench.driver->launch(bench.command({static_cast<unsigned>(i % 3)})).value());
        EXPECT_LE(bench.driver->in_flight(), 4u);
    }
    for (const auto& handle : handles) {
        EXPECT_TRUE(bench.driver->wait(handle));
    }
    EXPECT_EQ(bench.machine.runs().size(), 200u);
    EXPECT_TRUE(bench.machine.violations().empty());
}

TEST(device, wait_all_takes_everything_and_reports_the_first_failure) {
    test_bench bench;
    for (int i = 0; i < 5; ++i) {
        auto c = bench.command();
        c.phase = i == 2 || i == 3 ? 99 : c.phase;
        bench.driver->launch(c).value();
    }
    const auto done = bench.driver->wait_all();
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error(), driver_error::command_failed);
    EXPECT_EQ(done.failure().completion->sequence, 3u);
    EXPECT_EQ(bench.driver->in_flight(), 0u);
    EXPECT_TRUE(bench.driver->wait_all());
}

/// Engine 3 copies operand 0 (host) to operand 1 (host), inverted.
void inverting_engine(test_device& machine) {
    machine.effect = [&machine](const engine_run& run) {
        const auto& from = run.command.operands[0];
        const auto& to = run.command.operands[1];
        std::vector<std::uint8_t> bytes(from.bytes);
        for (std::uint32_t i = 0; i < from.bytes; ++i) {
            bytes[i] =
                static_cast<std::uint8_t>(~machine.host_memory[from.base - spec::host_window_base + i]);
        }
        machine.write_host(to.base - spec::host_window_base, bytes);
    };
}

/// Sends a payload through the device and back; how many of `rounds` came back right.
int payloads_right(test_bench& bench, int rounds) {
    inverting_engine(bench.machine);
    const auto in = bench.driver->host().allocate(4096).value(),
               out = bench.driver->host().allocate(4096).value();
    int right = 0;
    for (int round = 0; round < rounds; ++round) {
        for (std::size_t i = 0; i < 4096; ++i) {
            in.bytes[i] = static_cast<std::byte>(i * 13 + static_cast<std::size_t>(round) * 7 + 1);
        }
        auto c = bench.command({3});
        c.operand_count = 2;
        c.operands[0] = {
            in.bus_address, 4096, 1, 1, static_cast<std::uint8_t>(spec::memory_kind::host), 1, 0};
        c.operands[1] = {
            out.bus_address, 4096, 2, 1, static_cast<std::uint8_t>(spec::memory_kind::host), 2, 0};
        const auto handle = bench.driver->launch(c);
        if (!handle || !bench.driver->wait(*handle, 200'000)) {
            return right;
        }
        bool same = true;
        for (std::size_t i = 0; i < 4096; ++i) {
            same = same && out.bytes[i] == ~in.bytes[i];
        }
        right += same ? 1 : 0;
    }
    return right;
}

TEST(memory_order, payload_before_doorbell_and_completion_before_payload) {
    test_bench bench;
    EXPECT_EQ(payloads_right(bench, 100), 100);
}

TEST(memory_order, the_port_notices_a_missing_write_barrier) {
    test_bench bench;
    bench.door.ignore_write_barriers = true;
    EXPECT_EQ(payloads_right(bench, 100), 0);
}

TEST(memory_order, the_port_notices_a_missing_read_barrier) {
    test_bench bench;
    bench.door.ignore_read_barriers = true;
    EXPECT_EQ(payloads_right(bench, 100), 0);
}

TEST(device, loads_programs_of_any_size) {
    test_bench bench;
    const auto& region = bench.driver->capabilities().region(spec::region_kind::programs);
    std::vector<std::byte> program(3 * 4096 + 192);
    for (std::size_t i = 0; i < program.size(); ++i) {
        program[i] = static_cast<std::byte>(i * 31 >> 3);
    }
    const auto place = bench.driver->memory().allocate(spec::region_kind::programs, program.size()).value();
    const std::uint64_t free_before = bench.driver->host().range().used();
    ASSERT_TRUE(bench.driver->load_programs(place.address, program));
    EXPECT_EQ(std::memcmp(bench.machine.dram.data() + place.address, program.data(), program.size()), 0);
    EXPECT_EQ(bench.driver->host().range().used(), free_before);
    const auto outside = bench.driver->load_programs(region.base + region.bytes - 64, program);
    EXPECT_EQ(outside.error(), driver_error::command_failed);
    EXPECT_EQ(bench.driver->host().range().used(), free_before);
    // A copy that takes longer than the caller waits: its bytes stay until it has ended, or the device has.
    EXPECT_EQ(bench.driver->load_programs(place.address, program, 1).error(), driver_error::timeout);
    EXPECT_GT(bench.driver->host().range().used(), free_before);
    EXPECT_TRUE(bench.driver->wait_all());
    EXPECT_EQ(bench.driver->host().range().used(), free_before);
    EXPECT_EQ(bench.driver->load_programs(place.address, program, 1).error(), driver_error::timeout);
    ASSERT_TRUE(bench.driver->reset());
    EXPECT_EQ(bench.driver->host().range().used(), free_before);
    EXPECT_EQ(bench.driver->load_programs(region.base, std::vector<std::byte>(1 << 20)).error(),
              driver_error::out_of_memory);
    EXPECT_EQ(bench.driver->load_programs(region.base, {}).error(), driver_error::bad_argument);
}

struct recording_sink : trace::event_sink {
    std::vector<trace::command_event> commands;
    void on(const trace::command_event& e) override { commands.push_back(e); }
    void on(const trace::access_event&) override {}
    void on(const trace::tensor_event&) override {}
    void on(const trace::stale_read_event&) override {}
    void on(const trace::occupancy_event&) override {}
    void on(const trace::host_event&) override {}
    void name_tensor(std::uint32_t, std::string_view) override {}
    bool wants_accesses(std::uint32_t) const override { return false; }
};

TEST(device, logs_what_it_submits_and_sees) {
    recording_sink sink;
    device_options options;
    options.sink = &sink, options.number = 4;
    test_bench bench(1, options);
    auto c = bench.command();
    c.step = 12, c.layer = 3, c.phase = static_cast<std::uint8_t>(spec::phase::recompute);
    const auto first = bench.driver->launch(c).value();
    c.wait[1] = first.sequence;
    c.program_count = 0;
    const auto second = bench.driver->launch(c).value();
    ASSERT_TRUE(bench.driver->wait(first));
    EXPECT_FALSE(bench.driver->wait(second));
    using moment = trace::command_event::moment;
    ASSERT_EQ(sink.commands.size(), 4u);
    std::map<std::pair<std::uint32_t, moment>, trace::command_event> by;
    for (const auto& e : sink.commands) {
        EXPECT_EQ(e.device, 4u);
        EXPECT_EQ(e.step, 12u);
        EXPECT_EQ(e.layer, 3u);
        EXPECT_EQ(e.phase, spec::phase::recompute);
        by[{e.sequence, e.what}] = e;
    }
    ASSERT_EQ(by.size(), 4u);
    EXPECT_EQ((by[{2, moment::submitted}].waits[1]), 1u);
    EXPECT_EQ((by[{2, moment::seen}].status), spec::command_status::bad_program);
    EXPECT_LT((by[{1, moment::submitted}].cycle), (by[{1, moment::seen}].cycle));
}

TEST(device, tells_the_device_clock) {
    test_bench bench;
    const std::uint64_t before = bench.machine.now(), shown = bench.driver->device_cycle();
    EXPECT_GE(shown, before);
    EXPECT_LE(shown, bench.machine.now());
}

} // namespace
} // namespace retrace
