// The register blocks alone, with an environment that only writes down what it is asked.
#include <gtest/gtest.h>

#include <cstring>
#include <map>

#include "tests/unit/control/test_device.h"

namespace retrace {
namespace {

namespace host = spec::host_block;
namespace control = spec::control_block;

struct recorder : control_environment {
    control_block* block = nullptr;
    std::vector<std::string> calls;
    std::vector<std::uint64_t> messages;
    std::vector<std::uint8_t> memory = std::vector<std::uint8_t>(65536);
    std::uint64_t now = 0x1'0000'0005;
    bool interrupt = false;

    std::uint64_t cycle() override { return now; }
    void engine_start(unsigned e, unsigned c, std::uint32_t a, std::uint32_t n) override {
        calls.push_back("start " + std::to_string(e) + " " + std::to_string(c) + " " + std::to_string(a) +
                        " " + std::to_string(n));
    }
    void engine_abort(unsigned e) override {
        calls.push_back("abort " + std::to_string(e));
        block->engine_finished(e, spec::engine_fault::aborted, 9, 0);
    }
    void context_begin(unsigned c, const spec::command& command) override {
        calls.push_back("begin " + std::to_string(c) + " " + std::to_string(command.sequence));
    }
    void context_end(unsigned c, spec::command_status s) override {
        calls.push_back("end " + std::to_string(c) + " " + std::string(spec::name_of(s)));
    }
    void mover_start(std::uint64_t h, std::uint32_t l, std::uint32_t n, bool up) override {
        calls.push_back("move " + std::to_string(h) + " " + std::to_string(l) + " " + std::to_string(n) +
                        (up ? " up" : " down"));
    }
    void send_message(std::uint64_t address, std::uint32_t data) override {
        messages.push_back(address ^ data);
    }
    bool range(std::uint32_t address, std::size_t n) const {
        return address >= spec::tcm_base && address - spec::tcm_base <= memory.size() - n;
    }
    bool read_local(std::uint32_t address, std::span<std::uint8_t> bytes) override {
        if (!range(address, bytes.size())) {
            return false;
        }
        std::memcpy(bytes.data(), memory.data() + (address - spec::tcm_base), bytes.size());
        return true;
    }
    bool write_local(std::uint32_t address, std::span<const std::uint8_t> bytes) override {
        if (!range(address, bytes.size())) {
            return false;
        }
        std::memcpy(memory.data() + (address - spec::tcm_base), bytes.data(), bytes.size());
        return true;
    }
    void core_reset(bool run) override { calls.push_back(run ? "run" : "reset"); }
    void set_core_interrupt(bool level) override { interrupt = level; }
};

struct control_registers : testing::Test {
    recorder device;
    control_block block{test_config(), device};
    control_registers() { device.block = &block; }

    register_status hw(std::uint32_t offset, std::uint32_t value) { return block.host_write(offset, value); }
    std::uint32_t hr(std::uint32_t offset) {
        std::uint32_t value = 0;
        EXPECT_EQ(block.host_read(offset, value), register_status::ok);
        return value;
    }
    register_status cw(std::uint32_t offset, std::uint32_t value) { return block.core_write(offset, value); }
    std::uint32_t cr(std::uint32_t offset) {
        std::uint32_t value = 0;
        EXPECT_EQ(block.core_read(offset, value), register_status::ok);
        return value;
    }
    void boot(std::uint32_t sq = 8, std::uint32_t cq = 8) {
        hw(host::sq_base_low, 0x10000), hw(host::sq_base_high, 1), hw(host::sq_entries, sq);
        hw(host::cq_base_low, 0x20000), hw(host::cq_base_high, 1), hw(host::cq_entries, cq);
        hw(host::msi_address_low, 0x40), hw(host::irq_enable, 3);
        hw(host::control, 1);
        cw(control::host_status, control::host_status_ready_mask);
        cw(control::event_enable, 7);
        device.calls.clear();
    }
    spec::ring_error ring_error() {
        return static_cast<spec::ring_error>(hr(host::ring_error) & host::ring_error_code_mask);
    }
    /// The doorbell is refused with this code, the error cause is set, and the core hears nothing.
    void expect_refused(std::uint32_t tail, spec::ring_error code) {
        const std::uint32_t before = cr(control::sq_tail);
        hw(host::irq_status, 3);
        cw(control::event, 7);
        hw(host::sq_doorbell, tail);
        EXPECT_EQ(ring_error(), code) << tail;
        EXPECT_EQ(hr(host::ring_error) >> host::ring_error_value_shift, tail & 0xffff);
        EXPECT_EQ(hr(host::irq_status), host::irq_status_error_mask);
        EXPECT_EQ(cr(control::sq_tail), before);
        EXPECT_EQ(cr(control::event), 0u);
    }
};

TEST_F(control_registers, identify_the_device) {
    EXPECT_EQ(hr(host::id), spec::device_id);
    EXPECT_EQ(hr(host::version), spec::spec_version);
}

TEST_F(control_registers, accept_a_doorbell_and_tell_the_core) {
    boot();
    hw(host::sq_doorbell, 3);
    EXPECT_EQ(cr(control::sq_tail), 3u);
    EXPECT_EQ(cr(control::sq_base_low), 0x10000u);
    EXPECT_EQ(cr(control::cq_base_low), 0x20000u);
    EXPECT_EQ(cr(control::cq_entries), 8u);
    EXPECT_EQ(cr(control::event), control::event_doorbell_mask);
    EXPECT_TRUE(device.interrupt);
    cw(control::event, control::event_doorbell_mask);
    EXPECT_FALSE(device.interrupt);
}

TEST_F(control_registers, refuse_doorbells_before_the_firmware_is_ready_and_after_a_trap) {
    expect_refused(1, spec::ring_error::not_ready);
    boot();
    cw(control::host_status, control::host_status_trapped_mask);
    expect_refused(1, spec::ring_error::firmware_trap);
}

TEST_F(control_registers, refuse_missing_bases_and_impossible_entry_counts) {
    boot();
    for (const auto& [low, high] :
         {std::pair{host::sq_base_low, host::sq_base_high}, {host::cq_base_low, host::cq_base_high}}) {
        const std::uint32_t a = hr(low), b = hr(high);
        hw(low, 0), hw(high, 0);
        expect_refused(1, spec::ring_error::bad_base);
        hw(low, a), hw(high, b);
    }
    for (const std::uint32_t reg : {host::sq_entries, host::cq_entries}) {
        for (std::uint32_t entries = 0; entries < 5000; ++entries) {
            const bool good = entries == 2 || entries == 4 || entries == 8 || entries == 16 ||
                              entries == 32 || entries == 64 || entries == 128 || entries == 256 ||
                              entries == 512 || entries == 1024;
            if (!good) {
                hw(reg, entries);
                hw(host::sq_doorbell, 1);
                ASSERT_EQ(ring_error(), spec::ring_error::bad_entries) << entries;
            }
        }
        hw(reg, 8);
    }
    EXPECT_EQ(cr(control::sq_tail), 0u);
    hw(host::sq_doorbell, 1);
    EXPECT_EQ(cr(control::sq_tail), 1u);
}

TEST_F(control_registers, check_the_tail_against_the_head_for_every_state_of_a_small_ring) {
    // All (head, held) of a ring of 4: exactly the tails that keep 0..4 entries and do not move back are
    // good.
    for (std::uint32_t head = 0; head < 8; ++head) {
        for (std::uint32_t held = 0; held <= 4; ++held) {
            for (std::uint32_t tail = 0; tail < 20; ++tail) {
                recorder environment;
                control_block fresh(test_config(), environment);
                environment.block = &fresh;
                fresh.host_write(host::sq_base_high, 1), fresh.host_write(host::cq_base_high, 1);
                fresh.host_write(host::sq_entries, 4), fresh.host_write(host::cq_entries, 4);
                fresh.host_write(host::control, 1);
                fresh.core_write(control::host_status, 1);
                for (std::uint32_t at = 0; at < head; ++at) { // walk there
                    fresh.host_write(host::sq_doorbell, at + 1);
                    fresh.core_write(control::sq_head, at + 1);
                }
                fresh.host_write(host::sq_doorbell, (head + held) % 8);
                std::uint32_t value = 0;
                fresh.host_read(host::ring_error, value);
                ASSERT_EQ(value, 0u);
                fresh.host_write(host::sq_doorbell, tail);
                const std::uint32_t asked = (tail + 8 - head) % 8;
                const bool good = tail < 8 && asked >= held && asked <= 4;
                fresh.host_read(host::ring_error, value);
                ASSERT_EQ(value & 0xff, good ? 0u : static_cast<std::uint32_t>(spec::ring_error::bad_tail))
                    << head << " " << held << " " << tail;
            }
        }
    }
}

TEST_F(control_registers, hold_the_ring_geometry_from_the_first_accepted_doorbell_to_the_next_reset) {
    boot();
    hw(host::sq_doorbell, 1);
    hw(host::sq_entries, 16), hw(host::sq_base_low, 0x40000), hw(host::cq_entries, 3);
    EXPECT_EQ(cr(control::sq_entries), 8u);
    EXPECT_EQ(cr(control::sq_base_low), 0x10000u);
    expect_refused(20, spec::ring_error::bad_tail);
    hw(host::sq_doorbell, 2);
    EXPECT_EQ(cr(control::sq_tail), 2u);
    hw(host::control, 0);
    hw(host::cq_entries, 4);
    hw(host::control, 1);
    cw(control::host_status, 1);
    hw(host::sq_doorbell, 16);
    EXPECT_EQ(cr(control::sq_entries), 16u);
    EXPECT_EQ(cr(control::sq_base_low), 0x40000u);
}

TEST_F(control_registers, send_a_message_when_an_enabled_cause_appears_and_never_lose_one) {
    boot();
    hw(host::msi_data, 0x77);
    cw(control::interrupt, control::interrupt_completion_mask);
    ASSERT_EQ(device.messages.size(), 1u);
    EXPECT_EQ(device.messages[0], 0x40u ^ 0x77u);
    cw(control::interrupt, control::interrupt_completion_mask); // already pending: the host will see both
    cw(control::interrupt, control::interrupt_error_mask);
    EXPECT_EQ(device.messages.size(), 1u);
    hw(host::irq_status, host::irq_status_completion_mask); // the error is left: say so again
    EXPECT_EQ(device.messages.size(), 2u);
    hw(host::irq_status, host::irq_status_error_mask);
    EXPECT_EQ(device.messages.size(), 2u);
    cw(control::interrupt, control::interrupt_completion_mask); // a new edge after the clear
    EXPECT_EQ(device.messages.size(), 3u);
}

TEST_F(control_registers, send_no_message_for_disabled_causes_until_they_are_enabled) {
    boot();
    hw(host::irq_enable, 0);
    cw(control::interrupt, control::interrupt_completion_mask);
    EXPECT_TRUE(device.messages.empty());
    hw(host::irq_enable, host::irq_enable_error_mask);
    EXPECT_TRUE(device.messages.empty());
    hw(host::irq_enable, host::irq_enable_completion_mask);
    EXPECT_EQ(device.messages.size(), 1u);
}

TEST_F(control_registers, send_nothing_to_address_zero) {
    boot();
    hw(host::msi_address_low, 0);
    cw(control::interrupt, 3);
    EXPECT_TRUE(device.messages.empty());
    EXPECT_EQ(hr(host::irq_status), 3u);
}

TEST_F(control_registers, start_finish_and_acknowledge_engines) {
    boot();
    cw(control::context_select, 2);
    ASSERT_EQ(cw(control::context_begin, spec::tcm_base), register_status::ok);
    const std::uint32_t at = 4 * control::engine_program_stride;
    cw(control::engine_program + at, 4096), cw(control::engine_length + at, 17);
    ASSERT_EQ(cw(control::engine_start + at, 2), register_status::ok);
    EXPECT_EQ(device.calls.back(), "start 4 2 4096 17");
    EXPECT_EQ(cr(control::engines_busy), 1u << 4);
    EXPECT_EQ(cr(control::engine_status + at), control::engine_status_busy_mask);
    EXPECT_EQ(cw(control::engine_start + at, 2), register_status::refused); // busy
    block.engine_finished(4, spec::engine_fault::bad_shape, 6, 0x123);
    EXPECT_EQ(cr(control::engines_busy), 0u);
    EXPECT_EQ(cr(control::engines_done), 1u << 4);
    EXPECT_EQ(cr(control::event), control::event_engine_mask);
    EXPECT_EQ(cr(control::engine_status + at), static_cast<std::uint32_t>(spec::engine_fault::bad_shape)
                                                   << 8);
    EXPECT_EQ(cr(control::engine_pc + at), 6u);
    EXPECT_EQ(cr(control::engine_detail + at), 0x123u);
    cw(control::engines_done, 1u << 4);
    EXPECT_EQ(cr(control::engines_done), 0u);
    EXPECT_THROW(block.engine_finished(4, spec::engine_fault::none, 0, 0), std::logic_error);
}

TEST_F(control_registers, abort_only_engines_that_run) {
    boot();
    cw(control::context_begin, spec::tcm_base);
    cw(control::engine_start, 0);
    cw(control::engine_abort + control::engine_abort_stride, 1);
    cw(control::engine_abort, 1);
    EXPECT_EQ(device.calls.back(), "abort 0");
    EXPECT_EQ(std::count(device.calls.begin(), device.calls.end(), "abort 1"), 0);
    EXPECT_EQ(cr(control::engine_status), static_cast<std::uint32_t>(spec::engine_fault::aborted) << 8);
    EXPECT_EQ(cr(control::engine_pc), 9u);
}

TEST_F(control_registers, refuse_mistakes_of_the_firmware) {
    boot();
    EXPECT_EQ(cw(control::engine_start, 0), register_status::refused);       // its context is not open
    EXPECT_EQ(cw(control::context_begin, 0x1000), register_status::refused); // no private memory there
    EXPECT_EQ(cw(control::context_begin, spec::tcm_base + 65536 - 64), register_status::refused);
    ASSERT_EQ(cw(control::context_begin, spec::tcm_base), register_status::ok);
    EXPECT_EQ(cw(control::context_begin, spec::tcm_base), register_status::refused); // open
    EXPECT_EQ(cw(control::engine_start + 7 * control::engine_start_stride, 0),
              register_status::refused); // 7 engines: 0..6
    EXPECT_EQ(cw(control::context_end, spec::command_status_count), register_status::refused);
    EXPECT_EQ(cw(control::context_end, 0), register_status::ok);
    EXPECT_EQ(cw(control::context_end, 0), register_status::refused);
    for (const std::uint32_t bytes : {0u, 4097u, 65535u}) {
        EXPECT_EQ(cw(control::mover_control, bytes), register_status::refused) << bytes;
    }
}

TEST_F(control_registers, refuse_to_end_a_context_in_which_an_engine_runs) {
    boot();
    cw(control::context_begin, spec::tcm_base);
    cw(control::context_select, 1);
    cw(control::context_begin, spec::tcm_base);
    const std::uint32_t at = 2 * control::engine_program_stride;
    ASSERT_EQ(cw(control::engine_start + at, 1), register_status::ok);
    EXPECT_EQ(cw(control::context_end, 0), register_status::refused);
    cw(control::context_select, 0);
    EXPECT_EQ(cw(control::context_end, 0), register_status::ok); // the other one's
    block.engine_finished(2, spec::engine_fault::none, 0, 0);
    cw(control::context_select, 1);
    EXPECT_EQ(cw(control::context_end, 0), register_status::ok);
}

TEST_F(control_registers, count_the_completions_that_the_host_is_owed) {
    boot(8, 8);
    EXPECT_EQ(block.commands_owed(), 0u);
    hw(host::sq_doorbell, 3);
    hw(host::sq_doorbell, 2); // refused
    EXPECT_EQ(block.commands_owed(), 3u);
    const auto move = [&](std::uint32_t low, std::uint32_t control_word, bool ok) {
        cw(control::mover_host_low, low), cw(control::mover_host_high, 1);
        ASSERT_EQ(cw(control::mover_control, control_word), register_status::ok);
        block.mover_finished(ok);
    };
    const std::uint32_t up = control::mover_control_to_host_mask;
    move(0x20000 + 32, 64, true);          // reads the ring
    move(0x20000 + 8 * 32, up | 64, true); // writes behind it
    move(0x20000 + 32, up | 64, false);    // fails
    EXPECT_EQ(block.commands_owed(), 3u);
    move(0x20000 + 32, up | 64, true);
    EXPECT_EQ(block.commands_owed(), 1u);
    move(0x20000, up | 96, true); // more than it owes
    EXPECT_EQ(block.commands_owed(), 0u);
    hw(host::sq_doorbell, 6);
    hw(host::control, 0);
    EXPECT_EQ(block.commands_owed(), 0u);
}

TEST_F(control_registers, refuse_a_context_whose_working_set_lies_outside_its_memory) {
    boot();
    const auto begin = [&](auto change) {
        spec::command c;
        change(c);
        std::memcpy(device.memory.data() + 1024, &c, sizeof c);
        const register_status status = cw(control::context_begin, spec::tcm_base + 1024);
        if (status == register_status::ok) {
            cw(control::context_end, 0);
        }
        return status;
    };
    const std::uint32_t bytes = cr(control::state_buffer_bytes), banks = cr(control::psum_banks);
    EXPECT_EQ(begin([&](auto& c) { c.work_bytes = bytes, c.psum_count = static_cast<std::uint16_t>(banks); }),
              register_status::ok);
    EXPECT_EQ(begin([&](auto& c) { c.work_base = 1, c.work_bytes = bytes; }), register_status::refused);
    EXPECT_EQ(begin([&](auto& c) { c.work_base = 0xffffffff, c.work_bytes = 2; }), register_status::refused);
    EXPECT_EQ(begin([&](auto& c) { c.psum_first = 1, c.psum_count = static_cast<std::uint16_t>(banks); }),
              register_status::refused);
    EXPECT_EQ(begin([&](auto& c) { c.psum_first = c.psum_count = 0xffff; }), register_status::refused);
    EXPECT_EQ(begin([](auto& c) { c.operand_count = spec::max_operands + 1; }), register_status::refused);
}

TEST_F(control_registers, run_one_copy_of_the_mover_at_a_time) {
    boot();
    cw(control::mover_host_low, 0x100), cw(control::mover_host_high, 1),
        cw(control::mover_local, spec::tcm_base + 64);
    ASSERT_EQ(cw(control::mover_control, 4096 | control::mover_control_to_host_mask), register_status::ok);
    EXPECT_EQ(device.calls.back(), "move 4294967552 2147483712 4096 up");
    EXPECT_EQ(cr(control::mover_status), control::mover_status_busy_mask);
    EXPECT_EQ(cw(control::mover_control, 1), register_status::refused);
    block.mover_finished(false);
    EXPECT_EQ(cr(control::mover_status), control::mover_status_failed_mask);
    EXPECT_EQ(cr(control::event), control::event_mover_mask);
    ASSERT_EQ(cw(control::mover_control, 1), register_status::ok);
    block.mover_finished(true);
    EXPECT_EQ(cr(control::mover_status), 0u);
    EXPECT_THROW(block.mover_finished(true), std::logic_error);
}

TEST_F(control_registers, latch_the_cycle_counter_on_both_sides) {
    EXPECT_EQ(hr(host::cycle_low), 5u);
    device.now = 0x9'0000'0000;
    EXPECT_EQ(hr(host::cycle_high), 1u);
    EXPECT_EQ(cr(control::cycle_low), 0u);
    EXPECT_EQ(cr(control::cycle_high), 9u);
}

TEST_F(control_registers, show_private_memory_through_the_window_and_protect_it_while_the_core_runs) {
    EXPECT_EQ(hw(spec::firmware_window + 8, 0x11223344), register_status::ok);
    EXPECT_EQ(device.memory[8], 0x44);
    EXPECT_EQ(hr(spec::firmware_window + 8), 0x11223344u);
    std::uint32_t value = 0;
    EXPECT_EQ(block.host_read(spec::firmware_window + 6, value), register_status::unaligned);
    EXPECT_EQ(block.host_read(spec::firmware_window + spec::firmware_window_bytes, value),
              register_status::bad_offset);
    EXPECT_EQ(hw(0xfffffffc, 1), register_status::bad_offset);
    boot();
    EXPECT_EQ(hw(spec::firmware_window + 8, 0), register_status::refused);
    EXPECT_EQ(hr(spec::firmware_window + 8), 0x11223344u);
}

TEST_F(control_registers, stop_everything_when_the_core_goes_into_reset) {
    boot();
    hw(host::sq_doorbell, 2), cw(control::sq_head, 2), hw(host::cq_head, 1);
    EXPECT_EQ(hr(host::sq_head), 2u);
    cw(control::context_select, 3), cw(control::context_begin, spec::tcm_base);
    cw(control::engine_start + control::engine_start_stride, 3);
    cw(control::mover_control, 64);
    cw(control::interrupt, 3);
    device.calls.clear();
    hw(host::control, 0);
    EXPECT_EQ(device.calls, (std::vector<std::string>{"abort 1", "end 3 engine_fault", "reset"}));
    EXPECT_EQ(hr(host::status), 0u);
    EXPECT_EQ(hr(host::irq_status), 0u);
    EXPECT_EQ(hr(host::sq_head), 0u);
    EXPECT_EQ(hr(host::cq_head), 0u);
    EXPECT_EQ(hr(host::sq_entries), 8u); // the host's own settings stay
    EXPECT_EQ(hr(host::irq_enable), 3u);
    EXPECT_EQ(cr(control::engines_done), 0u);
    EXPECT_EQ(cr(control::mover_status), 0u);
    EXPECT_EQ(cr(control::sq_tail), 0u);
    EXPECT_FALSE(device.interrupt);
    EXPECT_FALSE(block.core_running());
    hw(host::control, 0); // again: nothing more happens
    EXPECT_EQ(device.calls.size(), 3u);
}

} // namespace
} // namespace retrace
