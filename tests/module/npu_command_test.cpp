// Commands that go wrong on the whole processor: the completion says what, the device goes on.
#include "tests/module/npu_bench.h"

namespace retrace::test {
namespace {

using spec::command_status;
using spec::engine_fault;

TEST(npu_commands, a_fault_names_engine_instruction_and_reason_and_stops_the_others) {
    npu_bench bench;
    auto bad = copy({}, slot::host, 0, work, 0, 64);
    bad.reserved = 1;
    // The vector engine would wait for ever.
    const auto r = bench.execute(bench.command(
        {{2, {encode(nop(sync().wait(5)))}}, {3, {encode(nop({})), encode(nop({})), encode(bad)}}}));
    ASSERT_FALSE(r);
    EXPECT_EQ(r.error(), driver_error::command_failed);
    ASSERT_TRUE(r.failure().completion);
    const spec::completion& c = *r.failure().completion;
    EXPECT_EQ(c.status, static_cast<std::uint8_t>(command_status::engine_fault));
    EXPECT_EQ(c.engine, 3);
    EXPECT_EQ(c.fault, static_cast<std::uint8_t>(engine_fault::reserved_bits));
    EXPECT_EQ(c.pc, 2u);
    EXPECT_EQ(c.detail, 1u);
    EXPECT_EQ(bench.door.device().commands_running(), 0u);
    EXPECT_EQ(bench.door.device().buffer().live_bytes(), 0u); // its working set is gone
    const auto next = bench.execute(bench.command({{2, {encode(nop({}))}}, {3, {encode(nop({}))}}}));
    EXPECT_TRUE(next) << next.failure().text;
}

TEST(npu_commands, every_engine_can_fault_and_recovers) {
    npu_bench bench;
    for (unsigned engine = 0; engine < 6; ++engine) {
        auto bad = nop({});
        bad.opcode = 0x7f;
        const auto r = bench.execute(bench.command({{engine, {encode(bad)}}}));
        ASSERT_FALSE(r);
        EXPECT_EQ(r.failure().completion->engine, engine);
        EXPECT_EQ(r.failure().completion->fault, static_cast<std::uint8_t>(engine_fault::illegal_opcode));
        EXPECT_TRUE(bench.execute(bench.command({{engine, {encode(nop({}))}}})));
    }
}

TEST(npu_commands, commands_on_different_engines_run_at_the_same_time_in_their_own_contexts) {
    npu_bench bench;
    std::vector<spec::command> commands;
    for (unsigned q = 0; q < 3; ++q) {
        auto c = bench.command(
            {{3 + q,
              {encode(copy(sync().signal(1), slot::host, 0, work, 0, 8192)), encode(nop(sync().wait(1)))}}});
        c.work_base = q * 16384;
        c.work_bytes = 16384;
        c.psum_count = 0;
        c.operand_count = 5;
        c.operands[work].base = q * 16384;
        c.operands[work].bytes = 16384;
        c.operands[sums] = c.operands[work];
        commands.push_back(c);
    }
    std::vector<command_handle> handles;
    for (const auto& c : commands)
        handles.push_back(bench.driver->launch(c).value());
    std::vector<spec::completion> done;
    for (const auto& h : handles)
        done.push_back(bench.driver->wait(h).value());
    for (const auto& c : done)
        EXPECT_LT(c.start_cycle, done[0].end_cycle_low); // before the first had ended
    EXPECT_EQ(bench.door.device().buffer().peak_bytes(), 3u * 16384);
}

TEST(npu_commands, a_wait_that_nobody_ends_is_a_hang_that_names_who_waits_for_what) {
    npu_bench bench;
    const auto c = bench.command({{2, {encode(nop({})), encode(nop(sync().wait(5)))}}});
    try {
        static_cast<void>(bench.execute(c));
        FAIL() << "it ended";
    } catch (const simulation_hang& e) {
        const std::string text = e.what();
        EXPECT_NE(text.find("vector"), std::string::npos) << text;
        EXPECT_NE(text.find("semaphore 5"), std::string::npos) << text;
        EXPECT_NE(text.find("instruction 1 of 2"), std::string::npos) << text;
    }
    EXPECT_LT(bench.door.cycles(), 12'000'000u);
}

TEST(npu_commands, a_reset_in_flight_leaves_nothing_running_and_the_device_usable) {
    npu_bench bench;
    for (const std::uint64_t delay : {500u, 1500u, 2500u, 4000u, 9000u}) {
        auto handle =
            bench.driver->launch(bench.command({{2, {encode(nop(sync().wait(5)))}},
                                                {3,
                                                 {encode(copy({}, slot::host, 0, work, 0, 32768)),
                                                  encode(copy({}, work, 0, slot::host, 0, 32768))}}}));
        ASSERT_TRUE(handle);
        static_cast<void>(bench.door.wait_interrupt(delay));
        const auto reset = bench.driver->reset();
        ASSERT_TRUE(reset) << reset.failure().text;
        EXPECT_EQ(bench.door.device().commands_running(), 0u);
        EXPECT_EQ(bench.door.device().buffer().live_bytes(), 0u);
        const auto pattern = random_bytes(4096, static_cast<unsigned>(delay));
        std::copy(pattern.begin(), pattern.end(), bench.host.bytes.begin());
        const auto r = bench.execute(
            bench.command({{3,
                            {encode(copy(sync().signal(1), slot::host, 0, work, 0, 4096)),
                             encode(copy(sync().wait(1), work, 0, slot::host, 65536, 4096))}}}));
        ASSERT_TRUE(r) << delay << ": " << r.failure().text;
        EXPECT_TRUE(std::equal(pattern.begin(), pattern.end(), bench.host.bytes.begin() + 65536)) << delay;
    }
}

TEST(npu_commands, the_driver_can_sleep_without_an_interrupt_to_come) {
    npu_bench bench;
    const std::uint64_t before = bench.door.cycles();
    EXPECT_FALSE(bench.door.wait_interrupt(10'000));
    EXPECT_EQ(bench.door.cycles(), before + 10'000);
    bench.door.compute(500);
    EXPECT_EQ(bench.door.cycles(), before + 10'500);
    const auto r = bench.driver->wait({}, 1000); // a handle that does not exist
    EXPECT_FALSE(r);
}

TEST(npu_commands, a_command_that_takes_too_long_is_a_timeout_and_can_still_be_waited_for) {
    npu_bench bench;
    const auto handle =
        bench.driver->launch(bench.command({{3, {encode(copy({}, slot::host, 0, work, 0, 32768))}}}));
    ASSERT_TRUE(handle);
    const auto early = bench.driver->wait(handle.value(), 100);
    ASSERT_FALSE(early);
    EXPECT_EQ(early.error(), driver_error::timeout);
    EXPECT_TRUE(bench.driver->wait(handle.value()));
}

} // namespace
} // namespace retrace::test
