#include "tlm/core/riscv/riscv_core.h"

#include "tests/unit/riscv/riscv_encode.h"

#include <gtest/gtest.h>

namespace {

using namespace retrace;
using namespace retrace::encode;
using namespace retrace::test;
using stop = riscv_core::stop;

constexpr uint32_t mstatus = 0x300, mie = 0x304, mip = 0x344, mtvec = 0x305, mcause = 0x342, mepc = 0x341;
constexpr uint32_t handler = ram + 0x400;

// A core past its set-up: mie = enabled, mtvec = handler | mode, mstatus.MIE as asked; pc at `body`, time 4.
constexpr uint32_t body = ram + 12;
riscv_core make_ready(uint32_t enabled, bool globally, uint32_t mode,
                      std::initializer_list<uint32_t> program) {
    riscv_core core = make_core({csrrw(0, mie, 1), csrrw(0, mtvec, 2), csrrsi(0, mstatus, globally ? 8 : 0)});
    put_words(core, body, program);
    put_words(core, handler, {mret});
    core.set_x(1, enabled);
    core.set_x(2, handler | mode);
    core.run(3);
    EXPECT_EQ(core.pc(), body);
    return core;
}

TEST(riscv_interrupt, external_before_software_before_timer) {
    const struct {
        bool external, software, timer;
        uint32_t number;
    } cases[] = {{true, true, true, 11},  {true, false, true, 11}, {false, true, true, 3},
                 {false, false, true, 7}, {true, true, false, 11}, {false, true, false, 3}};
    for (const auto& each : cases) {
        for (const uint32_t mode : {0u, 1u}) {
            riscv_core core = make_ready(0x888, true, mode, {nop, nop});
            core.set_external_interrupt(each.external);
            core.set_software_interrupt(each.software);
            core.set_timer_interrupt(each.timer);
            core.run(core.cycle() + 1);
            EXPECT_EQ(core.csr(mcause), 0x80000000u | each.number);
            EXPECT_EQ(core.csr(mepc), body);
            EXPECT_EQ(core.pc(), handler + (mode == 1 ? 4 * each.number : 0));
            EXPECT_EQ(core.csr(mstatus), 0x1880u);
            EXPECT_EQ(core.cycle(), 3u + 4u);
            EXPECT_EQ(core.retired(), 3u);
        }
    }
}

TEST(riscv_interrupt, only_enabled_ones_are_taken) {
    riscv_core core = make_ready(0x80, true, 0, {nop, nop, nop});
    core.set_external_interrupt(true);
    core.set_software_interrupt(true);
    core.run(5);
    EXPECT_EQ(core.pc(), body + 8);
    EXPECT_EQ(core.csr(mip), 0x808u);
    core.set_timer_interrupt(true);
    core.run(6);
    EXPECT_EQ(core.csr(mcause), 0x80000007u);
}

TEST(riscv_interrupt, lines_are_levels) {
    riscv_core core = make_ready(0x800, true, 0, {nop, nop});
    core.set_external_interrupt(true);
    core.set_external_interrupt(false);
    core.run(5);
    EXPECT_EQ(core.traps(), 0u);
    EXPECT_EQ(core.csr(mip), 0u);
}

TEST(riscv_interrupt, pending_one_is_taken_right_after_the_write_that_enables_it) {
    riscv_core core = make_ready(0x800, false, 0, {nop, csrrsi(0, mstatus, 8), nop});
    core.set_external_interrupt(true);
    core.run(100);
    EXPECT_EQ(core.csr(mepc), body + 8);
    riscv_core by_mie = make_ready(0, true, 0, {csrrs(0, mie, 3), nop});
    by_mie.set_x(3, 0x800);
    by_mie.set_external_interrupt(true);
    by_mie.run(by_mie.cycle() + 2);
    EXPECT_EQ(by_mie.csr(mepc), body + 4);
}

TEST(riscv_interrupt, mret_into_a_pending_one_takes_it_before_the_next_instruction) {
    riscv_core core = make_ready(0x800, true, 0, {addi(5, 5, 1), jal(0, -4)});
    core.set_external_interrupt(true);
    core.run(core.cycle() + 8 * 10); // trap and mret, ten times
    EXPECT_EQ(core.traps(), 10u);
    EXPECT_EQ(core.x(5), 0u);
    EXPECT_EQ(core.csr(mepc), body);
}

TEST(riscv_interrupt, waits_for_the_bus) {
    riscv_core core = make_ready(0x800, true, 0, {lw(5, 0, 0), nop});
    ASSERT_EQ(core.run(100), stop::bus_access);
    core.set_external_interrupt(true);
    EXPECT_EQ(core.run(100), stop::bus_access);
    core.complete_bus(42, true);
    EXPECT_EQ(core.x(5), 42u);
    core.run(core.cycle() + 1);
    EXPECT_EQ(core.csr(mepc), body + 4);
}

TEST(riscv_wfi, sleeps_until_an_enabled_interrupt_is_pending) {
    riscv_core core = make_ready(0x800, true, 0, {wfi, nop});
    EXPECT_EQ(core.run(100), stop::wait_for_interrupt);
    EXPECT_EQ(core.cycle(), 4u);
    EXPECT_EQ(core.retired(), 4u);
    core.set_timer_interrupt(true);
    core.advance_to(50);
    EXPECT_EQ(core.run(100), stop::wait_for_interrupt) << "the timer is not enabled";
    core.set_external_interrupt(true);
    core.advance_to(60);
    EXPECT_EQ(core.run(61), stop::cycle_limit);
    EXPECT_EQ(core.csr(mcause), 0x8000000bu);
    EXPECT_EQ(core.csr(mepc), body + 4);
    EXPECT_EQ(core.cycle(), 64u);
}

TEST(riscv_wfi, wakes_without_a_trap_when_interrupts_are_off) {
    riscv_core core = make_ready(0x800, false, 0, {wfi, addi(5, 0, 1), jal(0, 0)});
    EXPECT_EQ(core.run(100), stop::wait_for_interrupt);
    core.set_external_interrupt(true);
    EXPECT_EQ(core.run(100), stop::cycle_limit);
    EXPECT_EQ(core.x(5), 1u);
    EXPECT_EQ(core.traps(), 0u);
}

TEST(riscv_wfi, does_not_sleep_when_one_is_pending_already) {
    riscv_core core = make_ready(0x88, false, 0, {wfi, jal(0, 0)});
    core.set_software_interrupt(true);
    EXPECT_EQ(core.run(100), stop::cycle_limit);
}

TEST(riscv_wfi, once_awake_stays_awake) {
    riscv_core core = make_ready(0x800, false, 0, {wfi, jal(0, 0)});
    ASSERT_EQ(core.run(100), stop::wait_for_interrupt);
    core.set_external_interrupt(true);
    core.run(core.cycle() + 1);
    core.set_external_interrupt(false);
    EXPECT_EQ(core.run(100), stop::cycle_limit);
}

} // namespace
