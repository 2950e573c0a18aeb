// The real firmware on the real core: order, overlap, dependencies, faults, traps.
#include <gtest/gtest.h>

#include "tests/unit/control/test_host.h"

namespace retrace {
namespace {

using status = spec::command_status;
namespace regs = spec::host_block;

status status_of(const spec::completion& c) { return static_cast<status>(c.status); }

struct firmware : testing::Test {
    test_device device{7};
    test_host host{device};

    void TearDown() override {
        for (const auto& each : device.violations()) {
            ADD_FAILURE() << each;
        }
        EXPECT_EQ(host.read(regs::status), regs::status_ready_mask);
    }
};

TEST_F(firmware, runs_a_command_and_reports_it) {
    device.script = [](const engine_run&) { return engine_outcome{500}; };
    host.submit(host.command(3, 8));
    const auto c = host.collect_one();
    EXPECT_EQ(c.sequence, 1u);
    EXPECT_EQ(status_of(c), status::ok);
    EXPECT_EQ(c.fault, 0);
    const command_run* run = device.run_of(1);
    ASSERT_NE(run, nullptr);
    EXPECT_LE(c.start_cycle, run->begin);
    EXPECT_GE(c.start_cycle + 100, run->begin);
    EXPECT_GE(c.end_cycle_low, run->end);
    EXPECT_GE(run->end, run->begin + 500);
    device.run_until(device.now() + 1000); // the entry is visible before the interrupt is raised
    EXPECT_EQ(device.messages(), 1u);
    EXPECT_EQ(host.read(regs::irq_status), regs::irq_status_completion_mask);
}

TEST_F(firmware, a_nop_completes_after_its_waits_and_passes_through_a_context) {
    device.script = [](const engine_run&) { return engine_outcome{5000}; };
    host.put(host.command(1));
    auto nop = host.command(0);
    nop.wait[2] = 1;
    host.submit(nop);
    const auto both = host.collect(2);
    ASSERT_EQ(both.size(), 2u);
    EXPECT_EQ(both[1].sequence, 2u);
    EXPECT_EQ(status_of(both[1]), status::ok);
    EXPECT_GE(device.run_of(2)->begin, device.run_of(1)->end);
}

TEST_F(firmware, a_nop_passes_another_one_that_still_waits) {
    device.script = [](const engine_run&) { return engine_outcome{50'000}; };
    host.put(host.command(1));
    auto waiting = host.command(0);
    waiting.wait[0] = 1;
    host.put(waiting), host.submit(host.command(0));
    std::vector<std::uint32_t> order;
    for (const auto& c : host.collect(3)) {
        EXPECT_EQ(status_of(c), status::ok);
        order.push_back(c.sequence);
    }
    EXPECT_EQ(order, (std::vector<std::uint32_t>{3, 1, 2}));
}

TEST_F(firmware, commands_on_different_engines_run_together_and_complete_as_they_finish) {
    device.script = [](const engine_run& run) {
        return engine_outcome{run.command.sequence == 1 ? 20'000u : 100u};
    };
    auto first = host.command(1), second = host.command(1);
    second.program_engine[0] = 3;
    host.put(first);
    host.submit(second);
    const auto both = host.collect(2);
    ASSERT_EQ(both.size(), 2u);
    EXPECT_EQ(both[0].sequence, 2u);
    EXPECT_EQ(both[1].sequence, 1u);
    EXPECT_LT(device.run_of(2)->end, device.run_of(1)->end);
}

TEST_F(firmware, commands_on_one_engine_run_in_ring_order) {
    for (int i = 0; i < 10; ++i) {
        host.put(host.command(1 + i % 3));
    }
    host.ring();
    const auto all = host.collect(10);
    ASSERT_EQ(all.size(), 10u);
    for (std::uint32_t i = 0; i < 10; ++i) {
        EXPECT_EQ(all[i].sequence, i + 1);
    }
}

TEST_F(firmware, a_younger_command_does_not_pass_an_older_one_that_waits_for_the_same_engine) {
    // 2 waits for 1 and needs engines 0 and 3; 3 needs only engine 3, which is free, but is younger than 2.
    device.script = [](const engine_run&) { return engine_outcome{3000}; };
    auto one = host.command(1), two = host.command(2), three = host.command(1);
    two.program_engine[1] = 3;
    two.wait[0] = 1;
    three.program_engine[0] = 3;
    host.put(one), host.put(two), host.submit(three);
    ASSERT_EQ(host.collect(3).size(), 3u);
    EXPECT_GE(device.run_of(2)->begin, device.run_of(1)->end);
    EXPECT_GE(device.run_of(3)->begin, device.run_of(2)->end);
}

TEST_F(firmware, overlapping_working_sets_never_run_together) {
    device.script = [](const engine_run&) { return engine_outcome{4000}; };
    auto one = host.command(1), two = host.command(1), three = host.command(1), four = host.command(1);
    one.work_base = 0, one.work_bytes = 4096, one.psum_count = 2;
    two.program_engine[0] = 1, two.work_base = 4095, two.work_bytes = 100, two.psum_first = 2,
    two.psum_count = 1;
    three.program_engine[0] = 2, three.work_base = 8192, three.work_bytes = 100, three.psum_first = 1,
    three.psum_count = 1;
    four.program_engine[0] = 3, four.work_base = 16384, four.work_bytes = 100, four.psum_first = 6,
    four.psum_count = 2;
    host.put(one), host.put(two), host.put(three), host.submit(four);
    ASSERT_EQ(host.collect(4).size(), 4u);
    EXPECT_GE(device.run_of(2)->begin, device.run_of(1)->end);
    EXPECT_GE(device.run_of(3)->begin, device.run_of(1)->end);
    EXPECT_LT(device.run_of(4)->begin, device.run_of(1)->end);
}

TEST_F(firmware, at_most_four_contexts_are_open) {
    device.script = [](const engine_run&) { return engine_outcome{5000}; };
    for (unsigned i = 0; i < 6; ++i) {
        auto c = host.command(1);
        c.program_engine[0] = static_cast<std::uint8_t>(i);
        host.put(c);
    }
    host.ring();
    ASSERT_EQ(host.collect(6).size(), 6u);
    EXPECT_LT(device.run_of(4)->begin, device.run_of(1)->end);
    EXPECT_GE(device.run_of(5)->begin, device.run_of(1)->end);
}

TEST_F(firmware, validation_of_later_commands_overlaps_execution) {
    device.script = [](const engine_run&) { return engine_outcome{50'000}; };
    auto bad = host.command(1);
    for (int i = 0; i < 8; ++i) {
        host.put(i == 0 ? bad : host.command(1));
    }
    auto malformed = host.command(1);
    malformed.opcode = 77;
    host.submit(malformed);
    const auto first = host.collect_one();
    EXPECT_EQ(first.sequence, 9u); // refused while the first command still runs
    EXPECT_EQ(status_of(first), status::bad_opcode);
    EXPECT_FALSE(device.run_of(1)->ended);
    EXPECT_EQ(host.collect(8).size(), 8u);
}

TEST_F(firmware, waits_hold_across_many_commands) {
    auto& random = device.random();
    for (int round = 0; round < 40; ++round) {
        for (int i = 0; i < 5; ++i) {
            auto c = host.command(1);
            c.program_engine[0] = static_cast<std::uint8_t>(random() % 7);
            for (auto& wait : c.wait) {
                wait = random() % 3 == 0 || c.sequence == 1
                           ? 0
                           : static_cast<std::uint32_t>(1 + random() % (c.sequence - 1));
                if (random() % 2 == 0 && c.sequence > 3) {
                    wait = c.sequence - 1 - static_cast<std::uint32_t>(random() % 3);
                }
            }
            host.put(c);
        }
        host.ring();
        ASSERT_EQ(host.collect(5).size(), 5u) << round;
    }
    EXPECT_EQ(device.runs().size(), 200u); // the device checks the order itself
}

TEST_F(firmware, a_failed_dependency_fails_what_depends_on_it_and_nothing_else) {
    auto one = host.command(1), two = host.command(1), three = host.command(1), four = host.command(1);
    one.program_engine[0] = 99;
    two.wait[0] = 1;
    three.wait[3] = 2;
    three.wait[0] = 1;
    host.put(one), host.put(two), host.put(three), host.submit(four);
    std::map<std::uint32_t, status> seen;
    for (const auto& c : host.collect(4)) {
        seen[c.sequence] = status_of(c);
    }
    EXPECT_EQ(seen[1], status::bad_engine);
    EXPECT_EQ(seen[2], status::dependency_failed);
    EXPECT_EQ(seen[3], status::dependency_failed);
    EXPECT_EQ(seen[4], status::ok);
    EXPECT_EQ(device.run_of(3), nullptr);
}

TEST_F(firmware, an_old_failure_is_remembered_exactly) {
    auto bad = host.command(1);
    bad.phase = 200;
    host.submit(bad);
    EXPECT_EQ(status_of(host.collect_one()), status::bad_opcode);
    device.script = [](const engine_run&) { return engine_outcome{10}; };
    for (int i = 0; i < 60; ++i) {
        host.submit(host.command(1));
        EXPECT_EQ(status_of(host.collect_one()), status::ok);
    }
    auto on_failed = host.command(1), on_good = host.command(1);
    on_failed.wait[0] = 1;
    on_good.wait[0] = 2;
    host.submit(on_failed);
    EXPECT_EQ(status_of(host.collect_one()), status::dependency_failed);
    host.submit(on_good);
    EXPECT_EQ(status_of(host.collect_one()), status::ok);
}

TEST_F(firmware, a_forgotten_failure_still_fails_its_dependents_and_later_ones_pass) {
    auto bad = host.command(1);
    bad.phase = 200;
    host.submit(bad);
    host.collect_one();
    device.mover_latency_low = device.mover_latency_high = 1;
    device.register_cycles = 0;
    for (int i = 0; i < 4200 / 8; ++i) { // beyond the history of 4096 commands
        for (int j = 0; j < 8; ++j) {
            host.put(host.command(0));
        }
        host.ring();
        ASSERT_EQ(host.collect(8).size(), 8u);
    }
    auto on_failed = host.command(0), on_good = host.command(0);
    on_failed.wait[0] = 1;
    on_good.wait[0] = 2;
    host.submit(on_failed);
    EXPECT_EQ(status_of(host.collect_one()), status::dependency_failed);
    host.submit(on_good);
    EXPECT_EQ(status_of(host.collect_one()), status::ok);
}

TEST_F(firmware, an_engine_fault_aborts_the_others_and_is_reported) {
    device.script = [](const engine_run& run) {
        if (run.command.sequence == 1 && run.engine == 2) {
            return engine_outcome{700, spec::engine_fault::out_of_bounds, 5, 0xabcd};
        }
        return engine_outcome{1'000'000};
    };
    host.submit(host.command(5));
    const auto c = host.collect_one();
    EXPECT_EQ(status_of(c), status::engine_fault);
    EXPECT_EQ(c.engine, 2);
    EXPECT_EQ(c.fault, static_cast<std::uint8_t>(spec::engine_fault::out_of_bounds));
    EXPECT_EQ(c.pc, 5u);
    EXPECT_EQ(c.detail, 0xabcdu);
    EXPECT_LT(device.now(), 100'000u); // nobody waited for the engines that hang
    EXPECT_EQ(device.run_of(1)->status, status::engine_fault);
    device.script = [](const engine_run&) { return engine_outcome{10}; };
    host.submit(host.command(5));
    EXPECT_EQ(status_of(host.collect_one()), status::ok);
}

TEST_F(firmware, a_fault_leaves_commands_on_other_engines_alone) {
    device.script = [](const engine_run& run) {
        return run.engine == 0 ? engine_outcome{300, spec::engine_fault::bad_slot, 0, 1}
                               : engine_outcome{3000};
    };
    auto one = host.command(2), two = host.command(1);
    two.program_engine[0] = 4;
    host.put(one), host.submit(two);
    const auto both = host.collect(2);
    ASSERT_EQ(both.size(), 2u);
    EXPECT_EQ(status_of(both[0]), status::engine_fault);
    EXPECT_EQ(status_of(both[1]), status::ok);
}

TEST_F(firmware, engines_that_fault_in_the_same_cycle_give_one_completion) {
    device.script = [](const engine_run& run) {
        return engine_outcome{400, spec::engine_fault::bad_shape, run.engine, run.engine};
    };
    host.submit(host.command(4));
    EXPECT_EQ(status_of(host.collect_one()), status::engine_fault);
    EXPECT_TRUE(host.collect(1, 20'000).empty());
}

TEST_F(firmware, load_brings_programs_into_device_dram) {
    constexpr std::uint32_t bytes = 3 * 4096 + 64;
    for (std::uint32_t i = 0; i < bytes; ++i) {
        device.host_memory[i + 100] = static_cast<std::uint8_t>(i * 7 + i / 256);
    }
    auto load = host.command(0, 2);
    load.opcode = static_cast<std::uint8_t>(spec::command_opcode::load);
    std::uint32_t base = 0;
    device.registers().core_read(spec::control_block::program_base, base);
    load.operands[0] = {
        spec::host_window_base + 100, bytes, 0, 0, static_cast<std::uint8_t>(spec::memory_kind::host), 1, 0};
    load.operands[1] = {base + 128, bytes, 0, 0, static_cast<std::uint8_t>(spec::memory_kind::device_dram),
                        2,          0};
    host.put(load);
    auto run = host.command(1);
    run.wait[0] = load.sequence;
    host.submit(run);
    const auto both = host.collect(2);
    ASSERT_EQ(both.size(), 2u);
    EXPECT_EQ(status_of(both[0]), status::ok);
    EXPECT_TRUE(std::equal(device.dram.begin() + base + 128, device.dram.begin() + base + 128 + bytes,
                           device.host_memory.begin() + 100));
    EXPECT_EQ(device.dram[base + 128 + bytes], 0);
    EXPECT_EQ(status_of(both[1]), status::ok);
}

TEST(firmware_trap, is_reported_with_cause_and_address_and_raises_the_error_interrupt) {
    test_device device;
    test_host host(device);
    device.failing_accesses = 1;
    host.submit(host.command(1)); // the event register cannot be read: load access fault
    device.run_until(device.now() + 1000);
    EXPECT_EQ(host.read(regs::status), regs::status_trapped_mask);
    EXPECT_EQ(host.read(regs::trap_cause), 5u);
    EXPECT_GE(host.read(regs::trap_pc), spec::tcm_base);
    EXPECT_EQ(host.read(regs::irq_status) & regs::irq_status_error_mask, regs::irq_status_error_mask);
    host.ring();
    EXPECT_EQ(host.read(regs::ring_error) & 0xff,
              static_cast<std::uint32_t>(spec::ring_error::firmware_trap));
}

TEST(firmware_reset, leaves_a_device_as_new) {
    test_device device;
    {
        test_host host(device);
        device.script = [](const engine_run&) { return engine_outcome{1'000'000}; };
        for (int i = 0; i < 12; ++i) {
            host.put(host.command(2));
        }
        host.ring();
        device.run_until(device.now() + 20'000);
        host.write(regs::control, 0);
    }
    test_host again(device);
    device.script = [](const engine_run&) { return engine_outcome{10}; };
    again.submit(again.command(3, 8));
    const auto c = again.collect_one();
    EXPECT_EQ(c.sequence, 1u);
    EXPECT_EQ(status_of(c), status::ok);
    EXPECT_TRUE(device.violations().empty());
}

TEST(firmware_cost, of_a_typical_command_stays_within_its_budget) {
    test_device device;
    test_host host(device, 64, 64);
    device.script = [](const engine_run& run) { return engine_outcome{3000 + 700 * run.engine}; };
    std::uint64_t before = 0;
    for (int round = 0; round < 3; ++round) {
        before = device.core().retired();
        for (int i = 0; i < 40; ++i) {
            auto c = host.command(5, 8);
            c.work_bytes = 65536;
            c.psum_count = 4;
            c.wait[0] = c.sequence - 1;
            host.put(c);
        }
        host.ring();
        ASSERT_EQ(host.collect(40).size(), 40u);
    }
    const std::uint64_t per_command = (device.core().retired() - before) / 40;
    RecordProperty("instructions_per_command", static_cast<int>(per_command));
    EXPECT_LT(per_command, 1650u); // instructions are exact, so this is no timed test
}

} // namespace
} // namespace retrace
