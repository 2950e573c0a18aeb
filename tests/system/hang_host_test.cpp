// Ways to hang between host and engines: full rings, firmware that does not go on, interrupts that do not come.
#include "tests/system/hang_bench.h"
#include "tests/unit/riscv/riscv_encode.h"

namespace retrace::test {
namespace {

namespace regs = spec::host_block;
namespace control = spec::control_block;

// ---- rings: a host that does not use the driver

/// The firmware runs; what the host does is up to the test.
struct raw_host {
    npu_config config;
    simulated_port door;
    std::uint32_t submissions, completions, tail = 0;

    raw_host(const npu_config& c, std::uint32_t sq, std::uint32_t cq, bool interrupts = true) : config(c), door(config, 0, nullptr), submissions(sq), completions(cq) {
        const std::span<const std::uint8_t> image = control_firmware();
        for (std::uint32_t at = 0; at < image.size(); at += 4) {
            std::uint32_t word = 0;
            std::memcpy(&word, image.data() + at, std::min<std::size_t>(4, image.size() - at));
            door.write_register(static_cast<std::uint32_t>(spec::firmware_window) + at, word);
        }
        start(interrupts);
        while ((door.read_register(regs::status) & regs::status_ready_mask) == 0)
            door.wait_interrupt(500);
    }
    void start(bool interrupts) {
        const port::interrupt_message message = door.message();
        const std::uint64_t sq = door.host_memory_address(), cq = sq + 65536;
        for (const auto& [offset, value] : {std::pair{regs::sq_base_low, static_cast<std::uint32_t>(sq)},
                                            {regs::sq_base_high, static_cast<std::uint32_t>(sq >> 32)},
                                            {regs::sq_entries, submissions},
                                            {regs::cq_base_low, static_cast<std::uint32_t>(cq)},
                                            {regs::cq_base_high, static_cast<std::uint32_t>(cq >> 32)},
                                            {regs::cq_entries, completions},
                                            {regs::msi_address_low, static_cast<std::uint32_t>(message.address)},
                                            {regs::msi_data, message.data},
                                            {regs::irq_enable, interrupts ? 3u : 0u},
                                            {regs::control, 1u}})
            door.write_register(offset, value);
    }
    /// `count` commands that do nothing, behind what is in the ring.
    void submit(std::uint32_t count) {
        for (std::uint32_t i = 0; i < count; ++i) {
            spec::command c;
            c.sequence = ++sequence;
            std::memcpy(door.host_memory().data() + tail % submissions * spec::command_bytes, &c, sizeof c);
            tail = (tail + 1) % (2 * submissions);
        }
        door.write_barrier();
        door.write_register(regs::sq_doorbell, tail);
    }
    std::uint32_t room() { return submissions - ((tail - door.read_register(regs::sq_head)) & (2 * submissions - 1)); }
    void sleep() { door.wait_interrupt(~std::uint64_t{0}); }
    std::uint32_t sequence = 0;
};

TEST(hang, a_completion_ring_that_the_host_does_not_empty) {
    raw_host host(watched(), 16, 4);
    const hang h = hang_of([&] {
        host.submit(7);
        for (;;) { // wakes up, says so, and forgets the ring
            host.sleep();
            host.door.write_register(regs::irq_status, 3);
            host.door.read_register(regs::irq_status);
        }
    });
    EXPECT_EQ(h.cause(), wait_cause::kind::cycle);
    EXPECT_TRUE(h.begins("command 5 waits with its completion for room in the completion ring")) << h.text;
    EXPECT_TRUE(h.begins("which is full (4 of 4 entries) until the host consumes some and writes cq_head (now 0): a cycle")) << h.text;
    EXPECT_TRUE(h.begins("the host waits without limit for an interrupt since cycle ")) << h.text;
    EXPECT_TRUE(h.begins("which command 5 would raise by completing, but command 5 waits")) << h.text;
    EXPECT_TRUE(h.says("command 6")) << h.text;
}

TEST(hang, a_host_that_has_slept_over_a_message) {
    raw_host host(watched(), 4, 4);
    const hang h = hang_of([&] {
        host.submit(1);
        for (;;)
            host.sleep(); // once for the completion; nothing clears its cause
    });
    EXPECT_EQ(h.cause(), wait_cause::kind::cycle);
    EXPECT_TRUE(h.begins("which comes again only after the host has cleared completion in irq_status: its message was sent: a cycle")) << h.text;
}

TEST(hang, a_submission_ring_that_stays_full_behind_it) {
    raw_host host(watched(), 16, 2);
    const hang h = hang_of([&] {
        for (int in_vain = 0; in_vain < 50;) {
            const std::uint32_t room = host.room();
            in_vain = room == 0 ? in_vain + 1 : 0;
            if (room == 0)
                host.door.wait_interrupt(2000);
            else
                host.submit(room);
        }
        host.door.write_register(regs::irq_status, 3);
        host.door.read_register(regs::irq_status);
        host.sleep(); // for a completion, it thinks
    });
    EXPECT_TRUE(h.says("the completion ring: is full (2 of 2 entries) until the host consumes some")) << h.text;
    EXPECT_TRUE(h.says("16 commands in the submission ring: the ring is full: 16 of 16 entries; waits for room in the completion ring, without which no more is "
                       "fetched"))
        << h.text;
    EXPECT_TRUE(h.begins("the host waits without limit for an interrupt")) << h.text;
    EXPECT_TRUE(h.begins("for room in the completion ring since cycle ")) << h.text;
}

// ---- the control core

/// A processor with a few words of firmware.
struct core_bench {
    npu_config config;
    simulated_port door;

    explicit core_bench(const std::vector<std::uint32_t>& words, bool ready = true) : config(watched()), door(config, 0, nullptr) {
        using namespace encode;
        std::vector<std::uint32_t> all{lui(10, 0x80000), lui(11, 0x40000), addi(5, 0, ready), sw(5, 11, control::host_status)};
        all.insert(all.end(), words.begin(), words.end());
        for (std::uint32_t i = 0; i < all.size(); ++i)
            door.write_register(static_cast<std::uint32_t>(spec::firmware_window) + 4 * i, all[i]);
        door.write_register(regs::control, 1);
        door.wait_interrupt(2000);
        for (const auto& [offset, value] :
             {std::pair{regs::sq_base_high, 1u}, {regs::cq_base_high, 1u}, {regs::cq_base_low, 4096u}, {regs::sq_entries, 2u}, {regs::cq_entries, 2u}})
            door.write_register(offset, value);
        const port::interrupt_message message = door.message();
        door.write_register(regs::msi_address_low, static_cast<std::uint32_t>(message.address));
        door.write_register(regs::msi_data, message.data);
    }
    hang ring(std::uint32_t enable = 3) {
        door.write_register(regs::irq_enable, enable);
        door.write_register(regs::sq_doorbell, 1);
        return hang_of([&] { door.wait_interrupt(~std::uint64_t{0}); });
    }
};

using namespace encode;
constexpr unsigned x5 = 5, core_regs = 11;

TEST(hang, firmware_in_an_endless_loop) {
    core_bench bench({jal(0, 0)});
    const hang h = bench.ring();
    EXPECT_EQ(h.cause(), wait_cause::kind::stopped);
    EXPECT_TRUE(h.begins("a command in the submission ring waits for the control core to fetch it, but the control core is running, pc 0x80000010: it has not "
                         "slept since cycle "))
        << h.text;
    EXPECT_TRUE(h.begins("so it is in a loop")) << h.text;
    EXPECT_TRUE(h.says("held up by this: the host")) << h.text;
}

TEST(hang, firmware_that_sleeps_with_its_events_off) {
    core_bench bench({encode::wfi, jal(0, -4)});
    const hang h = bench.ring();
    EXPECT_TRUE(h.begins("waits for the control core to fetch it, but the control core is asleep (wfi), pc 0x")) << h.text;
    EXPECT_TRUE(h.begins("; events 0x1 are pending, but event_enable is 0x0")) << h.text;
}

TEST(hang, firmware_that_has_stopped_at_a_trap) {
    // What firmware/common/trap.c does; with the error's message off the host does not hear of it.
    core_bench bench({addi(x5, 0, 2), sw(x5, core_regs, control::trap_cause), addi(x5, 0, 0x123), sw(x5, core_regs, control::trap_pc), addi(x5, 0, 1),
                      sw(x5, core_regs, control::event_enable), csrrw(0, 0x304, x5), lui(x5, 1), addi(x5, x5, -2048), csrrw(0, 0x304, x5), encode::wfi,
                      sw(0, core_regs, control::event_enable), addi(x5, 0, 2), sw(x5, core_regs, control::host_status),
                      sw(x5, core_regs, control::interrupt), encode::wfi, jal(0, -4)});
    const hang h = bench.ring(regs::irq_enable_completion_mask);
    EXPECT_EQ(h.cause(), wait_cause::kind::stopped);
    EXPECT_TRUE(h.says("but the control core has stopped at an unexpected trap: mcause 0x2, mepc 0x00000123; asleep (wfi)")) << h.text;
    EXPECT_TRUE(h.says("which is lost: irq_status holds error, but irq_enable is 0x1, so nothing is sent")) << h.text;
}

TEST(hang, firmware_that_is_locked_up) {
    core_bench bench({addi(x5, 0, 1), sw(x5, core_regs, control::event_enable), lui(x5, 1), addi(x5, x5, -2048), csrrw(0, 0x304, x5), encode::wfi, ebreak});
    const hang h = bench.ring();
    EXPECT_TRUE(h.begins("but the control core is locked up: ")) << h.text;
    EXPECT_TRUE(h.begins("mcause 0x3")) << h.text;
}

TEST(hang, a_core_that_is_held_in_reset) {
    npu_config config = watched();
    raw_host host(config, 4, 4);
    const hang h = hang_of([&] {
        host.submit(1);
        host.door.write_register(regs::control, 0);
        host.sleep();
    });
    EXPECT_EQ(h.cause(), wait_cause::kind::stopped);
    EXPECT_TRUE(h.says("the control core is held in reset (control.run = 0)")) << h.text;
    EXPECT_TRUE(h.says("held up by this: the host")) << h.text;
}

// ---- interrupts

/// A driver that never polls by itself.
struct patient_bench {
    npu_config config = watched();
    simulated_port door{config, 0, nullptr};
    std::unique_ptr<device> driver;

    explicit patient_bench(std::uint64_t poll = device::forever) {
        device_options options;
        options.poll_cycles = poll;
        driver = std::move(device::open(door, control_firmware(), options)).value();
    }
    result<spec::completion> execute() {
        auto handle = driver->launch(spec::command{});
        return handle ? driver->wait(handle.value()) : result<spec::completion>(handle.failure());
    }
    hang lose() {
        return hang_of([&] { static_cast<void>(execute()); });
    }
};

TEST(hang, an_interrupt_whose_message_has_no_address) {
    patient_bench bench;
    ASSERT_TRUE(bench.execute());
    bench.door.write_register(regs::msi_address_low, 0);
    const hang h = bench.lose();
    EXPECT_EQ(h.cause(), wait_cause::kind::stopped);
    EXPECT_TRUE(h.begins("the host waits without limit for an interrupt since cycle ")) << h.text;
    EXPECT_TRUE(h.begins(", which is lost: irq_status holds completion, but the message address (msi_address) is 0, so nothing is sent")) << h.text;
}

TEST(hang, an_interrupt_that_is_not_enabled) {
    patient_bench bench;
    bench.door.write_register(regs::irq_enable, 0);
    const hang h = bench.lose();
    EXPECT_TRUE(h.begins("which is lost: irq_status holds completion, but irq_enable is 0x0, so nothing is sent")) << h.text;
}

TEST(hang, an_interrupt_that_goes_elsewhere) {
    patient_bench bench;
    bench.door.write_register(regs::msi_data, 77);
    const hang h = bench.lose();
    EXPECT_TRUE(h.begins("which is lost: irq_status holds completion, but messages go to 0xfee00000 with data 0x4d, and the host listens at 0xfee00000 for 0x0 "
                         "(1 messages went astray, the last one to 0xfee00000)"))
        << h.text;
}

TEST(hang, a_driver_that_polls_does_without_interrupts) {
    patient_bench bench(500'000); // longer than the watchdog's patience
    bench.door.write_register(regs::msi_address_low, 0);
    for (int i = 0; i < 3; ++i) {
        const auto done = bench.execute();
        EXPECT_TRUE(done) << done.failure().text;
    }
}

TEST(hang, a_host_that_waits_for_ever_for_nothing) {
    patient_bench bench;
    ASSERT_TRUE(bench.execute());
    const hang h = hang_of([&] {
        while (true)
            bench.door.wait_interrupt(device::forever);
    });
    EXPECT_TRUE(h.begins("the host waits without limit for an interrupt")) << h.text;
    EXPECT_TRUE(h.begins("which nobody will send: no command is owed to the host")) << h.text;
}

} // namespace
} // namespace retrace::test
