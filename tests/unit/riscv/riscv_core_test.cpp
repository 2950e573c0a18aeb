#include "tlm/core/riscv/riscv_core.h"

#include "tests/unit/riscv/riscv_encode.h"

#include <gtest/gtest.h>
#include <stdexcept>

namespace {

using namespace retrace;
using namespace retrace::encode;
using namespace retrace::test;
using stop = riscv_core::stop;

constexpr uint32_t mcause = 0x342, mepc = 0x341, mtval = 0x343, mtvec = 0x305, mcycle = 0xb00,
                   minstret = 0xb02;

TEST(riscv_bus, load_stops_before_it_executes_and_takes_what_the_owner_answers) {
    riscv_core core = make_core({lb(5, 1, 3), lbu(6, 1, 3), lh(7, 1, 2), lhu(8, 1, 2), lw(9, 1, 0)});
    core.set_x(1, mmio);
    const struct {
        uint32_t offset, bytes, rd, expected;
    } accesses[] = {{3, 1, 5, 0xffffff85},
                    {3, 1, 6, 0x85},
                    {2, 2, 7, 0xffff8385},
                    {2, 2, 8, 0x8385},
                    {0, 4, 9, 0x12348385}};
    uint64_t start = 0;
    for (const auto& access : accesses) {
        ASSERT_EQ(core.run(1000), stop::bus_access);
        EXPECT_EQ(core.run(1000), stop::bus_access) << "asking again changes nothing";
        EXPECT_EQ(core.cycle(), start) << "the access begins when the instruction does";
        EXPECT_EQ(core.pending_bus().address, mmio + access.offset);
        EXPECT_EQ(core.pending_bus().bytes, access.bytes);
        EXPECT_FALSE(core.pending_bus().is_write);
        core.advance_to(start + 20);
        core.complete_bus(0x12348385, true);
        EXPECT_EQ(core.x(access.rd), access.expected);
        EXPECT_EQ(core.cycle(), start + 22) << "20 cycles on the bus and 2 for a load";
        start = core.cycle();
    }
    EXPECT_EQ(core.retired(), 5u);
}

TEST(riscv_bus, store_hands_out_only_the_bytes_it_writes) {
    riscv_core core = make_core({sb(2, 1, 1), sh(2, 1, 2), sw(2, 1, 4)});
    core.set_x(1, mmio);
    core.set_x(2, 0xa1b2c3d4);
    const struct {
        uint32_t offset, bytes, data;
    } accesses[] = {{1, 1, 0xd4}, {2, 2, 0xc3d4}, {4, 4, 0xa1b2c3d4}};
    for (const auto& access : accesses) {
        ASSERT_EQ(core.run(1000), stop::bus_access);
        EXPECT_EQ(core.pending_bus().address, mmio + access.offset);
        EXPECT_EQ(core.pending_bus().bytes, access.bytes);
        EXPECT_TRUE(core.pending_bus().is_write);
        EXPECT_EQ(core.pending_bus().data, access.data);
        core.complete_bus(0, true);
    }
    EXPECT_EQ(core.cycle(), 3u);
}

TEST(riscv_bus, refused_access_is_an_access_fault_of_the_instruction) {
    for (const bool is_write : {false, true}) {
        riscv_core core = make_core({nop, is_write ? sw(2, 1, 8) : lw(2, 1, 8)});
        core.set_x(1, mmio);
        core.set_x(2, 77);
        ASSERT_EQ(core.run(1000), stop::bus_access);
        core.complete_bus(1234, false);
        EXPECT_EQ(core.csr(mcause), is_write ? 7u : 5u);
        EXPECT_EQ(core.csr(mtval), mmio + 8);
        EXPECT_EQ(core.csr(mepc), ram + 4);
        EXPECT_EQ(core.pc(), 0u);
        EXPECT_EQ(core.x(2), 77u);
        EXPECT_EQ(core.retired(), 1u);
        EXPECT_EQ(core.cycle(), 1u + 4u);
    }
}

TEST(riscv_bus, load_to_x0_is_still_an_access) {
    riscv_core core = make_core({lw(0, 1, 0), addi(2, 0, 0)});
    core.set_x(1, mmio);
    ASSERT_EQ(core.run(1000), stop::bus_access);
    core.complete_bus(99, true);
    core.run(3);
    EXPECT_EQ(core.x(0), 0u);
    EXPECT_EQ(core.x(2), 0u);
}

TEST(riscv_bus, misaligned_access_traps_before_the_bus_sees_it) {
    riscv_core core = make_core({lw(2, 1, 2)});
    core.set_x(1, mmio);
    EXPECT_EQ(core.run(1), stop::cycle_limit);
    EXPECT_EQ(core.csr(mcause), 4u);
    EXPECT_EQ(core.csr(mtval), mmio + 2);
}

TEST(riscv_bus, completing_what_was_not_asked_is_the_owners_error) {
    riscv_core core = make_core({nop});
    EXPECT_THROW(core.complete_bus(0, true), std::logic_error);
}

TEST(riscv_time, run_starts_no_instruction_at_the_limit_and_finishes_the_last_one) {
    riscv_core core = make_core({nop, r_type(1, 4, 3, 1, 2), nop, nop});
    EXPECT_EQ(core.run(0), stop::cycle_limit);
    EXPECT_EQ(core.pc(), ram);
    EXPECT_EQ(core.run(1), stop::cycle_limit);
    EXPECT_EQ(core.pc(), ram + 4);
    EXPECT_EQ(core.run(2), stop::cycle_limit);
    EXPECT_EQ(core.cycle(), 35u) << "the division runs past the limit";
    EXPECT_EQ(core.run(35), stop::cycle_limit);
    EXPECT_EQ(core.pc(), ram + 8);
}

TEST(riscv_time, every_entry_of_the_timing_table_is_charged) {
    riscv_timing timing;
    timing.alu = 10;
    timing.load = 11;
    timing.store = 12;
    timing.branch_taken = 13;
    timing.branch_not_taken = 14;
    timing.jump = 15;
    timing.mul = 16;
    timing.div = 17;
    timing.csr = 18;
    timing.fence = 19;
    timing.fence_i = 20;
    timing.wfi = 21;
    timing.mret = 22;
    timing.trap_entry = 23;
    const struct {
        uint32_t word;
        uint64_t cycles;
    } cases[] = {
        {addi(5, 0, 1), 10},
        {lui(5, 1), 10},
        {auipc(5, 1), 10},
        {r_type(0x20, 0, 5, 1, 2), 10},
        {lw(5, 1, 0), 11},
        {lbu(5, 1, 0), 11},
        {sw(5, 1, 0), 12},
        {b_type(0, 0, 0, 8), 13},
        {b_type(0, 0, 0, -8), 13}, // leaves the range
        {b_type(1, 0, 0, 8), 14},
        {b_type(1, 0, 0, -8), 14},
        {jal(5, 8), 15},
        {jal(5, -8), 15},
        {jalr(5, 1, 0), 15},
        {jalr(5, 0, 0), 15},
        {r_type(1, 0, 5, 1, 2), 16},
        {r_type(1, 3, 5, 1, 2), 16},
        {r_type(1, 4, 5, 1, 2), 17},
        {r_type(1, 7, 5, 1, 2), 17},
        {csrrw(5, 0x340, 1), 18},
        {csrrs(5, 0xf14, 0), 18},
        {0x0000000f, 19},
        {fence_i, 20},
        {wfi, 21},
        {mret, 22},
        {ecall, 23},
        {ebreak, 23},
        {0, 23},
        {lw(5, 1, 1), 23},
        {jalr(5, 1, 2), 23},
        {csrrw(5, 0xf14, 0), 23},
    };
    for (const auto& each : cases) {
        riscv_core core = make_core({each.word, nop, nop}, timing);
        core.set_x(1, ram + 0x100);
        core.run(1);
        EXPECT_EQ(core.cycle(), each.cycles) << std::hex << each.word;
        EXPECT_EQ(core.retired(), each.cycles == 23 ? 0u : 1u) << std::hex << each.word;
        EXPECT_EQ(core.traps(), each.cycles == 23 ? 1u : 0u) << std::hex << each.word;
    }
}

TEST(riscv_time, a_cost_of_zero_is_refused) {
    riscv_timing timing;
    timing.fence_i = 0;
    EXPECT_THROW(make_core({nop}, timing), riscv_config_error);
}

TEST(riscv_time, mcycle_counts_cycles_the_owner_lets_pass) {
    riscv_core core = make_core({nop, nop});
    core.run(1);
    core.advance_to(500);
    core.advance_to(100);
    EXPECT_EQ(core.cycle(), 500u);
    EXPECT_EQ(core.csr(mcycle), 500u);
    EXPECT_EQ(core.csr(minstret), 1u);
    core.set_time_offset(uint64_t{7} << 32);
    EXPECT_EQ(core.csr(0xc01), 500u);
    EXPECT_EQ(core.csr(0xc81), 7u);
}

TEST(riscv_reset, clears_registers_and_counters_and_keeps_memory_and_time) {
    riscv_core core = make_core({addi(5, 0, 7), csrrw(0, mtvec, 5), sw(5, 1, 0), csrrsi(0, 0x300, 8), nop});
    core.set_x(1, ram + 0x100);
    core.run(5);
    EXPECT_EQ(core.csr(0x300), 0x1808u);
    core.reset(ram + 2);
    EXPECT_EQ(core.pc(), ram);
    EXPECT_EQ(core.x(5), 0u);
    EXPECT_EQ(core.csr(mtvec), 0u);
    EXPECT_EQ(core.csr(0x300), 0x1800u);
    EXPECT_EQ(core.csr(mcycle), 0u);
    EXPECT_EQ(core.csr(minstret), 0u);
    EXPECT_EQ(core.cycle(), 5u);
    EXPECT_EQ(get_word(core, ram + 0x100), 7u);
}

TEST(riscv_reset, abandons_a_pending_access) {
    riscv_core core = make_core({lw(5, 0, 0)});
    ASSERT_EQ(core.run(10), stop::bus_access);
    core.reset(ram);
    EXPECT_THROW(core.complete_bus(0, true), std::logic_error);
    EXPECT_EQ(core.run(10), stop::bus_access);
}

TEST(riscv_memory, back_door_writes_are_visible_to_the_next_fetch) {
    riscv_core core = make_core({addi(5, 5, 1), jal(0, -4)});
    core.run(30);
    EXPECT_EQ(core.x(5), 10u);
    put_words(core, ram, {addi(5, 5, 100)});
    core.run(33);
    EXPECT_EQ(core.x(5), 110u);
}

TEST(riscv_memory, guest_stores_to_executed_code_wait_for_fence_i) {
    // x1 points at the first instruction, x2 holds addi x5, x5, 100.
    riscv_core core = make_core({addi(5, 5, 1), sw(2, 1, 0), jal(0, -8)});
    core.set_x(1, ram);
    core.set_x(2, addi(5, 5, 100));
    core.run(4 * 5);
    EXPECT_EQ(core.x(5), 5u);
    put_words(core, ram + 8, {fence_i, jal(0, -12)});
    core.run(core.cycle() + 5 * 3);
    EXPECT_EQ(core.x(5), 5u + 1 + 200);
}

TEST(riscv_memory, accesses_and_jumps_reach_every_range) {
    riscv_config config;
    config.private_memory = {{0x1000, 0x100}, {0x1100, 0x100}, {0xfffff000, 0x1000}};
    riscv_core core(config);
    // Runs over the border of adjacent ranges, then jumps to the last one, whose last word jumps back.
    put_words(core, 0x10f8, {sw(5, 1, 0), lw(6, 1, 0), jalr(7, 1, 0)});
    put_words(core, 0xfffffff8, {addi(8, 0, 3), jal(0, 0x1100)});
    core.reset(0x10f8);
    core.set_x(1, 0xfffffff8);
    core.set_x(5, addi(8, 0, 9));
    core.run(1 + 2 + 2 + 1 + 2);
    EXPECT_EQ(core.x(6), addi(8, 0, 9));
    EXPECT_EQ(core.x(7), 0x1104u);
    EXPECT_EQ(core.x(8), 9u);
    EXPECT_EQ(core.pc(), 0x10fcu);
    std::vector<uint8_t> across(0x200);
    EXPECT_TRUE(core.read_memory(0x1000, across));
    across.push_back(0);
    EXPECT_FALSE(core.read_memory(0x1000, across));
    EXPECT_FALSE(core.write_memory(0xffffffff, std::vector<uint8_t>{1, 2}));
    EXPECT_TRUE(core.write_memory(0xffffffff, std::vector<uint8_t>{1}));
    EXPECT_FALSE(core.zero_memory(0, 1));
    EXPECT_TRUE(core.zero_memory(0xfffff000, 0x1000));
    EXPECT_EQ(get_word(core, 0xfffffff8), 0u);
}

TEST(riscv_memory, private_memory_ends_exactly_at_its_borders) {
    for (const uint32_t word : {lb(5, 1, 0), lbu(5, 1, 0), lh(5, 1, 0), lhu(5, 1, 0), lw(5, 1, 0),
                                sb(5, 1, 0), sh(5, 1, 0), sw(5, 1, 0)}) {
        const uint32_t bytes = 1u << (word >> 12 & 3);
        const struct {
            uint32_t address;
            stop expected;
        } cases[] = {{ram, stop::cycle_limit},
                     {ram - bytes, stop::bus_access},
                     {ram + ram_bytes - bytes, stop::cycle_limit},
                     {ram + ram_bytes, stop::bus_access}};
        for (const auto& each : cases) {
            riscv_core core = make_core({word});
            core.set_x(1, each.address);
            EXPECT_EQ(core.run(1), each.expected) << std::hex << word << " at " << each.address;
            EXPECT_EQ(core.traps(), 0u);
        }
    }
}

TEST(riscv_memory, execution_off_the_end_of_a_range_is_a_fetch_fault) {
    riscv_core core = make_core({jal(0, ram_bytes - 4)});
    put_words(core, ram + ram_bytes - 4, {nop});
    core.run(4);
    EXPECT_EQ(core.csr(mcause), 1u);
    EXPECT_EQ(core.csr(mepc), ram + ram_bytes);
    EXPECT_EQ(core.csr(mtval), ram + ram_bytes);
    EXPECT_EQ(core.retired(), 2u);
}

TEST(riscv_memory, malformed_ranges_are_refused) {
    const std::vector<std::vector<riscv_range>> bad = {
        {{2, 4}},         {{0, 6}},          {{0, 0}}, {{0xfffffffc, 8}}, {{0, uint64_t{1} << 32}},
        {{0, 8}, {4, 8}}, {{4, 4}, {0, 16}},
    };
    for (const auto& ranges : bad) {
        EXPECT_THROW(riscv_core({ranges, {}, 0}), riscv_config_error);
    }
}

TEST(riscv_halt, trap_handler_that_only_traps_locks_the_core_up_and_keeps_the_first_trap) {
    riscv_core core = make_core({csrrw(0, mtvec, 1), ebreak});
    core.set_x(1, ram + 0x400); // zeros: an illegal instruction
    EXPECT_EQ(core.run(1000), stop::halted);
    EXPECT_EQ(core.run(1000), stop::halted);
    EXPECT_EQ(core.csr(mcause), 3u);
    EXPECT_EQ(core.csr(mepc), ram + 4);
    EXPECT_EQ(core.cycle(), 1u + 4u);
    core.reset(ram);
    core.set_x(1, ram + 0x800);
    put_words(core, ram + 0x800, {nop, jal(0, 0)});
    EXPECT_EQ(core.run(1000), stop::cycle_limit) << "reset unlocks it";
}

TEST(riscv_hook, reports_each_retired_instruction_and_only_those) {
    riscv_core core = make_core(
        {addi(5, 0, 3), sw(5, 1, 0), lw(6, 2, 0), addi(0, 0, 9), b_type(0, 0, 0, 8), nop, fence_i, ecall});
    std::vector<riscv_retired> seen;
    core.set_hook([&](const riscv_retired& each) { seen.push_back(each); });
    core.set_x(1, ram + 0x100);
    core.set_x(2, mmio);
    ASSERT_EQ(core.run(100), stop::bus_access);
    EXPECT_EQ(seen.size(), 2u);
    core.complete_bus(0x55, true);
    core.run(core.cycle() + 1 + 2 + 1 + 4);
    const std::vector<riscv_retired> expected = {
        {ram, addi(5, 0, 3), 5, 3, 1},           {ram + 4, sw(5, 1, 0), 0, 0, 2},
        {ram + 8, lw(6, 2, 0), 6, 0x55, 4},      {ram + 12, addi(0, 0, 9), 0, 0, 5},
        {ram + 16, b_type(0, 0, 0, 8), 0, 0, 7}, {ram + 24, fence_i, 0, 0, 8},
    };
    ASSERT_EQ(seen.size(), expected.size());
    for (size_t index = 0; index < seen.size(); ++index) {
        EXPECT_EQ(seen[index].pc, expected[index].pc) << index;
        EXPECT_EQ(seen[index].word, expected[index].word) << index;
        EXPECT_EQ(seen[index].rd, expected[index].rd) << index;
        EXPECT_EQ(seen[index].value, expected[index].value) << index;
        EXPECT_EQ(seen[index].cycle, expected[index].cycle) << index;
    }
    EXPECT_EQ(core.csr(mcause), 11u);
}

} // namespace
