// Everything that goes wrong comes back as a typed error with a text that says what.
#include <gtest/gtest.h>

#include <cstring>

#include "tests/unit/driver/test_bench.h"

namespace retrace {
namespace {

namespace regs = spec::host_block;

struct open_failure : testing::Test {
    test_device machine;
    test_port door{machine};
    device_options options;
    std::vector<std::uint8_t> image{control_firmware().begin(), control_firmware().end()};

    driver_error error() { return device::open(door, image, options).error(); }
    void show(std::uint32_t reg, std::uint32_t shown) {
        door.on_read = [=](std::uint32_t offset, std::uint32_t& value) {
            value = offset == reg ? shown : value;
        };
    }
};

TEST_F(open_failure, no_device) {
    show(regs::id, ~0u);
    EXPECT_EQ(error(), driver_error::not_a_device);
    EXPECT_EQ(door.register_writes, 0u); // what is no device is not written to
}

TEST_F(open_failure, another_specification) {
    show(regs::version, 2);
    EXPECT_EQ(error(), driver_error::version_mismatch);
}

TEST_F(open_failure, no_firmware_or_too_much) {
    image.clear();
    EXPECT_EQ(error(), driver_error::bad_firmware);
    image.resize(65537);
    EXPECT_EQ(error(), driver_error::bad_firmware);
}

TEST(control_core_memory, is_enough_down_to_what_the_image_tells_and_otherwise_refused) {
    npu_config config = test_config();
    std::uint32_t needed = 0;
    std::memcpy(&needed, control_firmware().data() + spec::firmware_memory_offset, sizeof needed);
    EXPECT_GT(needed, control_firmware().size() + 2048); // with cleared memory and stack
    config.control_core.memory_bytes = needed;
    {
        test_bench bench(1, {}, config); // to the last byte
        for (int i = 0; i < 100; ++i) {
            bench.driver->launch(bench.command({0, 1, 2})).value();
        }
        EXPECT_TRUE(bench.driver->wait_all());
    }
    config.control_core.memory_bytes -= 4;
    test_device machine(1, config);
    test_port door(machine);
    const auto refused = device::open(door, control_firmware());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error(), driver_error::bad_firmware);
    EXPECT_NE(refused.failure().text.find("needs " + std::to_string(needed) + " bytes"), std::string::npos)
        << refused.failure().text;
}

TEST_F(open_failure, firmware_that_never_becomes_ready) {
    image = {0x6f, 0, 0, 0}; // j .
    EXPECT_EQ(error(), driver_error::boot_timeout);
    EXPECT_FALSE(machine.registers().core_running() && machine.now() == 0);
}

TEST_F(open_failure, rings_of_impossible_size) {
    for (const unsigned entries : {0u, 1u, 3u, 100u, 2048u}) {
        options = {};
        options.submission_entries = entries;
        EXPECT_EQ(error(), driver_error::bad_argument);
        options = {};
        options.completion_entries = entries;
        EXPECT_EQ(error(), driver_error::bad_argument);
    }
}

TEST_F(open_failure, rings_that_do_not_fit_host_memory) {
    options.submission_entries = 1024;
    EXPECT_EQ(error(), driver_error::out_of_memory);
}

TEST(command_errors, say_which_command_and_why) {
    test_bench bench;
    auto bad = bench.command();
    bad.program_engine[0] = 42;
    const auto refused = bench.driver->wait(bench.driver->launch(bad).value());
    ASSERT_EQ(refused.error(), driver_error::command_failed);
    EXPECT_EQ(refused.failure().completion->status,
              static_cast<std::uint8_t>(spec::command_status::bad_engine));
    EXPECT_EQ(refused.failure().text, "command 1: bad_engine: entry 0 holds 0x2a");

    bench.machine.script = [](const engine_run&) {
        return engine_outcome{10, spec::engine_fault::out_of_bounds, 17, 0x1000};
    };
    const auto handle = bench.driver->launch(bench.command({1})).value();
    auto dependent = bench.command();
    dependent.wait[0] = handle.sequence;
    const auto after = bench.driver->launch(dependent).value();
    EXPECT_EQ(bench.driver->wait(handle).failure().text,
              "command 2: engine_fault: engine 1 stopped at instruction 17: out_of_bounds (0x1000)");
    EXPECT_EQ(bench.driver->wait(after).failure().text, "command 3: dependency_failed");
    bench.machine.script = [](const engine_run&) { return engine_outcome{10}; };
    EXPECT_TRUE(bench.driver->wait(bench.driver->launch(bench.command()).value()));
}

TEST(command_errors, wait_all_tells_the_failed_command_and_the_time_out_behind_it) {
    test_bench bench;
    bench.machine.script = [](const engine_run&) { return engine_outcome{std::uint64_t{1} << 60}; };
    auto bad = bench.command();
    bad.phase = 99;
    bench.driver->launch(bad).value();
    bench.driver->launch(bench.command()).value();
    const auto done = bench.driver->wait_all(50'000);
    ASSERT_EQ(done.error(), driver_error::command_failed);
    EXPECT_EQ(done.failure().completion->sequence, 1u);
    EXPECT_NE(done.failure().text.find("; then: command 2 did not complete"), std::string::npos)
        << done.failure().text;
}

TEST(command_errors, a_hanging_engine_is_a_timeout_and_a_reset_helps) {
    device_options options;
    options.submission_entries = 4;
    test_bench bench(1, options);
    bench.machine.script = [](const engine_run&) { return engine_outcome{std::uint64_t{1} << 60}; };
    const auto handle = bench.driver->launch(bench.command()).value();
    const std::uint64_t before = bench.machine.now();
    const auto waited = bench.driver->wait(handle, 50'000);
    ASSERT_EQ(waited.error(), driver_error::timeout);
    EXPECT_GE(bench.machine.now(), before + 50'000);
    EXPECT_LE(bench.machine.now(), before + 60'000);
    for (int i = 0; i < 3; ++i) {
        bench.driver->launch(bench.command()).value();
    }
    EXPECT_EQ(bench.driver->launch(bench.command(), 10'000).error(),
              driver_error::timeout); // the ring is full
    EXPECT_EQ(bench.driver->wait_all(10'000).error(), driver_error::timeout);
    ASSERT_TRUE(bench.driver->reset());
    EXPECT_EQ(bench.driver->wait(handle).error(), driver_error::unknown_command);
    EXPECT_EQ(bench.driver->in_flight(), 0u);
    bench.machine.script = [](const engine_run&) { return engine_outcome{10}; };
    const auto fresh = bench.driver->launch(bench.command()).value();
    EXPECT_EQ(fresh.sequence, handle.sequence);
    EXPECT_EQ(bench.driver->wait(handle).error(), driver_error::unknown_command); // same number, other life
    EXPECT_EQ(bench.driver->completed(handle).error(), driver_error::unknown_command);
    EXPECT_TRUE(bench.driver->wait(fresh));
}

TEST(device_errors, a_reset_while_a_completion_is_on_its_way_starts_with_empty_rings) {
    // From before the command is fetched to after its completion has been seen.
    for (std::uint64_t delay = 0; delay < 6000; delay += 40) {
        test_bench bench(delay + 1);
        bench.door.latency_low = bench.door.latency_high = 1500; // the order to stop takes its time
        bench.machine.script = [](const engine_run&) { return engine_outcome{500}; };
        bench.driver->launch(bench.command()).value();
        bench.machine.run_until(bench.machine.now() + delay);
        ASSERT_TRUE(bench.driver->reset());
        bench.machine.script = [](const engine_run&) { return engine_outcome{20'000}; };
        const auto fresh = bench.driver->launch(bench.command()).value();
        const auto done = bench.driver->wait(fresh, 1'000'000);
        ASSERT_TRUE(done) << delay << ": " << done.failure().text;
        EXPECT_GE(done->end_cycle_low, static_cast<std::uint32_t>(done->start_cycle) + 20'000) << delay;
    }
}

TEST(device_errors, a_firmware_trap_is_told_to_a_waiting_host_and_stays_until_reset) {
    test_bench bench;
    bench.machine.script = [&](const engine_run&) {
        bench.machine.at(bench.machine.cycle() + 2900, [&] { bench.machine.failing_accesses = 1; });
        return engine_outcome{3000};
    };
    const auto handle = bench.driver->launch(bench.command()).value();
    const std::uint64_t before = bench.machine.now();
    const auto waited = bench.driver->wait(handle, 10'000'000);
    ASSERT_EQ(waited.error(), driver_error::firmware_trap);
    EXPECT_NE(waited.failure().text.find("cause 5"), std::string::npos) << waited.failure().text;
    EXPECT_LT(bench.machine.now(), before + 20'000); // by the interrupt, not by polling
    EXPECT_EQ(bench.driver->launch(bench.command()).error(), driver_error::firmware_trap);
    EXPECT_EQ(bench.driver->wait_all().error(), driver_error::firmware_trap);
    bench.machine.script = [](const engine_run&) { return engine_outcome{10}; };
    ASSERT_TRUE(bench.driver->reset());
    EXPECT_TRUE(bench.driver->wait(bench.driver->launch(bench.command()).value()));
}

TEST(device_errors, lost_completions_stay_an_error_until_reset) {
    test_bench bench;
    bench.door.write_register(regs::cq_base_high, 7); // nothing is there; the first doorbell takes it over
    const auto handle = bench.driver->launch(bench.command()).value();
    const auto waited = bench.driver->wait(handle, 1'000'000);
    ASSERT_EQ(waited.error(), driver_error::ring_error);
    EXPECT_EQ(waited.failure().text,
              "the device could not write 1 completions to its ring; it needs a reset");
    EXPECT_EQ(bench.driver->launch(bench.command()).error(), driver_error::ring_error);
    EXPECT_EQ(bench.driver->wait_all().error(), driver_error::ring_error);
    ASSERT_TRUE(bench.driver->reset());
    EXPECT_TRUE(bench.driver->wait(bench.driver->launch(bench.command()).value()));
}

TEST(device_errors, a_refused_doorbell_is_reported_once) {
    test_bench bench;
    bench.machine.script = [](const engine_run&) { return engine_outcome{5000}; };
    const auto handle = bench.driver->launch(bench.command()).value();
    bench.door.write_register(regs::sq_doorbell, 0x7777); // someone else's mistake
    const auto first = bench.driver->wait(handle);
    ASSERT_EQ(first.error(), driver_error::ring_error);
    EXPECT_EQ(first.failure().text, "the device refused a doorbell or ring: bad_tail, value 0x7777");
    EXPECT_TRUE(bench.driver->wait(handle));
}

TEST(device_errors, a_completion_that_nobody_asked_for_is_a_protocol_error) {
    test_bench bench;
    const auto handle = bench.driver->launch(bench.command()).value();
    ASSERT_TRUE(bench.driver->wait(handle));
    // A device that posts an entry by itself: the second of the completion ring, which follows the submission
    // ring.
    std::vector<std::uint8_t> entry(32);
    entry[0] = 77, entry[28] = 1;
    bench.machine.write_host(64 * spec::command_bytes + 32, entry);
    bench.door.read_barrier();
    EXPECT_EQ(bench.driver->completed(handle).error(), driver_error::protocol);
    ASSERT_TRUE(bench.driver->reset());
    EXPECT_TRUE(bench.driver->wait(bench.driver->launch(bench.command()).value()));
}

TEST(result, refuses_to_give_the_value_of_a_failure) {
    const result<int> failed = driver_failure{driver_error::timeout, "too late", {}};
    EXPECT_THROW((void)failed.value(), bad_result_access);
    const result<void> nothing = driver_failure{driver_error::timeout, "too late", {}};
    EXPECT_THROW(nothing.value(), bad_result_access);
    EXPECT_EQ(result<int>(5).value(), 5);
}

} // namespace
} // namespace retrace
