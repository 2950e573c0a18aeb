// The control core inside the processor, running programs written here word by word. It runs ahead of the
// kernel; nobody may notice.
#include "tests/module/npu_bench.h"
#include "tests/unit/riscv/riscv_encode.h"

namespace retrace::test {
namespace {

using namespace encode;
namespace control = spec::control_block;

constexpr unsigned x5 = 5, x6 = 6, tcm = 10, regs = 11, timer = 12; // registers of the programs below
constexpr std::uint32_t result = 0x400; // where they leave what they found, in the TCM
constexpr unsigned mstatus = 0x300, mie = 0x304, mtvec = 0x305, time_csr = 0xc01;

/// A processor without firmware.
struct core_bench {
    npu_config config;
    simulated_port door;

    explicit core_bench(const npu_config& c = whole_config()) : config(c), door(config, 0, nullptr) {}
    /// Puts the program behind a start that loads the base registers; `handler` goes to 0x200.
    void load(std::initializer_list<std::uint32_t> words, std::initializer_list<std::uint32_t> handler = {}) {
        std::vector<std::uint32_t> all{lui(tcm, 0x80000), lui(regs, 0x40000), lui(timer, 0x02000)};
        all.insert(all.end(), words);
        for (std::uint32_t i = 0; i < all.size(); ++i)
            door.write_register(static_cast<std::uint32_t>(spec::firmware_window) + 4 * i, all[i]);
        std::uint32_t at = 0x200;
        for (const std::uint32_t word : handler) {
            door.write_register(static_cast<std::uint32_t>(spec::firmware_window) + at, word);
            at += 4;
        }
        pass(1000); // until all of it has arrived
    }
    void run(bool on) { door.write_register(spec::host_block::control, on); }
    void pass(std::uint64_t cycles) { door.wait_interrupt(cycles); }
    std::uint32_t word(std::uint32_t offset = result) {
        return door.read_register(static_cast<std::uint32_t>(spec::firmware_window) + offset);
    }
};

TEST(control_core, the_host_sees_its_memory_as_it_is_and_not_as_it_will_be) {
    core_bench bench;
    bench.load({addi(x5, x5, 1), sw(x5, tcm, result), jal(0, -8)}); // 1 + 1 + 2 cycles
    bench.run(true);
    bench.pass(1000);
    for (const std::uint64_t delay : {1000u, 10u, 777u, 60'000u, 150'000u, 3u}) {
        const std::uint64_t cycle = bench.door.cycles(), rounds = bench.word();
        bench.pass(delay);
        const std::uint64_t cycles = bench.door.cycles() - cycle;
        EXPECT_NEAR(static_cast<double>(4 * (bench.word() - rounds)), static_cast<double>(cycles), 4)
            << delay;
    }
}

TEST(control_core, an_interrupt_reaches_a_busy_program_at_once) {
    core_bench bench;
    bench.load(
        {addi(x5, tcm, 0x200), csrrw(0, mtvec, x5), addi(x5, 0, 1), sw(x5, regs, control::event_enable),
         addi(x5, 0, 0x7ff), addi(x5, x5, 1), csrrw(0, mie, x5), csrrsi(0, mstatus, 8), jal(0, 0)},
        {csrrs(x5, time_csr, 0), sw(x5, tcm, result), addi(x5, 0, 1), sw(x5, regs, control::event), mret});
    bench.run(true);
    std::vector<double> latencies;
    for (const std::uint64_t delay : {1000u, 50u, 5000u, 99'000u, 130'000u, 51u}) {
        bench.pass(delay);
        const std::uint64_t rung = bench.door.cycles();
        bench.door.write_register(spec::host_block::cq_head, 0); // the doorbell's event
        bench.pass(1000);
        latencies.push_back(static_cast<double>(bench.word() - rung));
    }
    for (const double latency : latencies) {
        EXPECT_NEAR(latency, latencies[0], 2); // the instruction that is under way
        EXPECT_LT(latency, 300);
    }
}

TEST(control_core, a_reset_at_any_moment_starts_the_new_program_at_its_arrival) {
    core_bench bench;
    const std::uint32_t note = csrrs(x5, time_csr, 0), keep = sw(x5, tcm, result);
    const std::initializer_list<std::uint32_t> programs[] = {
        // runs far ahead and then touches a register
        {note, keep, lui(x6, 5), addi(x6, x6, -1), b_type(1, x6, 0, -4), lw(x5, regs, control::event),
         jal(0, -16)},
        // is at the registers most of the time
        {note, keep, lw(x5, regs, control::event), sw(x5, regs, control::context_select), jal(0, -8)},
        // divides, 34 cycles each
        {note, keep, r_type(1, 4, x6, x5, x5), jal(0, -4)},
        // sleeps, with the timer to wake it
        {note, keep, lui(x6, 4), r_type(0, 0, x6, x6, timer), sw(0, x6, 4), addi(x5, x5, 700), sw(x5, x6, 0),
         addi(x5, 0, 0x80), csrrw(0, mie, x5), wfi, jal(0, -4)},
        // sleeps for ever
        {note, keep, wfi, jal(0, -4)},
        // is locked up
        {note, keep, ebreak},
    };
    for (const auto& program : programs) {
        bench.run(false);
        bench.load(program);
        std::uint64_t late = 0;
        for (unsigned delay = 0; delay < 400; delay += delay < 60 ? 1 : 37) {
            bench.run(true);
            bench.pass(4 + delay); // the wire is free again
            bench.run(false);
            bench.run(true);
            const std::uint64_t asked = bench.door.cycles();
            bench.pass(1500);
            const std::uint64_t latency = bench.word() - asked;
            ASSERT_LT(latency, 300u) << delay;
            ASSERT_TRUE(late == 0 || latency == late) << delay << ": " << latency << " instead of " << late;
            late = latency;
            bench.run(false);
        }
    }
}

TEST(control_core, the_timer_wakes_it_in_the_cycle_it_is_set_for) {
    core_bench bench;
    bench.load({addi(x5, tcm, 0x200), csrrw(0, mtvec, x5), addi(x5, 0, 0x80), csrrw(0, mie, x5),
                csrrsi(0, mstatus, 8), lui(x6, 4), r_type(0, 0, x6, x6, timer), sw(0, x6, 4),
                csrrs(x5, time_csr, 0), sw(x5, tcm, result + 4), addi(x5, x5, 2000), sw(x5, x6, 0), wfi,
                jal(0, -4)},
               {csrrs(x5, time_csr, 0), sw(x5, tcm, result), jal(0, 0)});
    bench.run(true);
    bench.pass(5000);
    EXPECT_EQ(bench.word() - bench.word(result + 4), 2000u + 4); // entering the trap takes 4
}

TEST(control_core, a_timer_beyond_the_end_of_time_is_not_waited_for) {
    npu_config slow = whole_config();
    slow.clock_hz =
        1e6; // 0x4'4b830000 cycles are 5:07:27 h, where the kernel's 64 bits of femtoseconds have just ended
    core_bench bench(slow);
    bench.load({lui(x6, 4), r_type(0, 0, x6, x6, timer), addi(x5, 0, 4), sw(x5, x6, 4), lui(x5, 0x4b830),
                sw(x5, x6, 0), addi(x5, 0, 0x80), csrrw(0, mie, x5), sw(x5, tcm, result), wfi, jal(0, -4)});
    bench.run(true);
    bench.pass(5000);
    EXPECT_EQ(bench.word(), 0x80u);
    EXPECT_NE(bench.door.device().describe().find("asleep (wfi)"), std::string::npos);
}

TEST(control_core, the_mover_reaches_device_memory_below_the_register_block_only) {
    npu_config c = whole_config();
    c.device_dram.capacity_bytes = std::uint64_t{2} << 30;
    core_bench bench(c);
    const auto status = [&](std::uint32_t local_upper, std::int32_t local_lower, std::int32_t bytes) {
        bench.run(false);
        bench.load({addi(x5, 0, 1), sw(x5, regs, control::mover_host_high), lui(x5, local_upper),
                    addi(x5, x5, local_lower), sw(x5, regs, control::mover_local), addi(x5, 0, bytes),
                    sw(x5, regs, control::mover_control), lw(x5, regs, control::mover_status),
                    sw(x5, tcm, result), jal(0, -8)});
        bench.run(true);
        bench.pass(5000);
        return bench.word();
    };
    EXPECT_EQ(status(0x40000, -64, 64), 0u);
    EXPECT_EQ(status(0x40000, -64, 128), std::uint32_t{control::mover_status_failed_mask});
    EXPECT_EQ(status(0x40000, 0, 64), std::uint32_t{control::mover_status_failed_mask});
    EXPECT_EQ(status(0x7ffff, 0, 64), std::uint32_t{control::mover_status_failed_mask});
    EXPECT_EQ(status(0x80000, 0x600, 64), 0u);
}

TEST(control_core, one_that_is_locked_up_is_a_hang_that_says_so) {
    core_bench bench;
    bench.load({addi(x5, 0, 1), sw(x5, regs, control::host_status), ebreak}); // ready, then no trap handler
    bench.run(true);
    bench.pass(1000);
    namespace host = spec::host_block;
    for (const auto& [offset, value] : {std::pair{host::sq_base_high, 1u},
                                        {host::cq_base_high, 1u},
                                        {host::cq_base_low, 4096u},
                                        {host::sq_entries, 2u},
                                        {host::cq_entries, 2u},
                                        {host::sq_doorbell, 1u}})
        bench.door.write_register(offset, value);
    try {
        bench.pass(10'000'000);
        FAIL() << "it ended";
    } catch (const simulation_hang& e) {
        EXPECT_NE(std::string(e.what()).find("locked up"), std::string::npos) << e.what();
        EXPECT_NE(std::string(e.what()).find("mcause 0x3"), std::string::npos) << e.what();
    }
}

TEST(control_core, a_host_that_rests_while_nothing_is_to_do_is_no_hang) {
    npu_bench bench;
    EXPECT_FALSE(bench.door.wait_interrupt(10'000'000)); // three times what the watchdog allows
    EXPECT_TRUE(bench.execute(bench.command({{3, {encode(nop({}))}}})));
    EXPECT_FALSE(bench.door.wait_interrupt(10'000'000));
    EXPECT_TRUE(bench.execute(bench.command({{3, {encode(nop({}))}}})));
}

} // namespace
} // namespace retrace::test
