// Every class of malformed descriptor gets its completion, and the command after it runs.
#include <gtest/gtest.h>

#include "tests/unit/control/test_host.h"

namespace retrace {
namespace {

using status = spec::command_status;
using kind = spec::memory_kind;
namespace regs = spec::host_block;

constexpr std::uint64_t window = spec::host_window_base;

struct bad_command {
    const char* name;
    void (*spoil)(spec::command&);
    status expected;
    std::uint32_t index, detail; ///< completion's pc and detail
};

void PrintTo(const bad_command& bad, std::ostream* out) { *out << bad.name; }

void place(spec::command& c, unsigned slot, kind memory, std::uint64_t base, std::uint32_t bytes) {
    c.operands[slot].memory = static_cast<std::uint8_t>(memory);
    c.operands[slot].base = base;
    c.operands[slot].bytes = bytes;
}

// test_config(): 8 MiB DRAM with region programs at 6 MiB (1 MiB), 2 MiB state buffer, 8 PSUM banks of 256 *
// 32 * 4 bytes, 256 KiB of host memory, 7 engines. The sound command has 3 programs on engines 0..2 and 8
// operands.
constexpr std::uint32_t programs_at = 6u << 20;
const bad_command cases[] = {
    {"opcode", [](spec::command& c) { c.opcode = 3; }, status::bad_opcode, 0, 3},
    {"opcode_255", [](spec::command& c) { c.opcode = 255; }, status::bad_opcode, 0, 255},
    {"phase", [](spec::command& c) { c.phase = 7; }, status::bad_opcode, 1, 7},
    {"reserved_low", [](spec::command& c) { c.reserved = 2; }, status::bad_opcode, 1, 2},
    {"reserved_high", [](spec::command& c) { c.reserved = std::uint64_t{1} << 40; }, status::bad_opcode, 1,
     0},
    {"no_program", [](spec::command& c) { c.program_count = 0; }, status::bad_program, 8, 0},
    {"nop_with_programs", [](spec::command& c) { c.opcode = 0; }, status::bad_program, 8, 3},
    {"too_many_programs", [](spec::command& c) { c.program_count = 9; }, status::bad_program, 8, 9},
    {"program_below_region", [](spec::command& c) { c.programs[1].address = programs_at - 64; },
     status::bad_program, 1, programs_at - 64},
    {"program_behind_region", [](spec::command& c) { c.programs[2].address = 7u << 20; }, status::bad_program,
     2, 7u << 20},
    {"program_unaligned", [](spec::command& c) { c.programs[0].address += 32; }, status::bad_program, 0,
     programs_at + 32},
    {"program_empty", [](spec::command& c) { c.programs[0].count = 0; }, status::bad_program, 0, 0},
    {"program_too_long", [](spec::command& c) { c.programs[0].count = 16385; }, status::bad_program, 0,
     16385},
    {"program_length_overflows", [](spec::command& c) { c.programs[0].count = 0x04000001; },
     status::bad_program, 0, 0x04000001},
    {"program_length_max", [](spec::command& c) { c.programs[0].count = ~0u; }, status::bad_program, 0, ~0u},
    {"engine_missing", [](spec::command& c) { c.program_engine[2] = 7; }, status::bad_engine, 2, 7},
    {"engine_255", [](spec::command& c) { c.program_engine[0] = 255; }, status::bad_engine, 0, 255},
    {"engine_32", [](spec::command& c) { c.program_engine[0] = 32; }, status::bad_engine, 0, 32},
    {"engine_twice", [](spec::command& c) { c.program_engine[2] = 1; }, status::bad_engine, 2, 1},
    {"too_many_operands", [](spec::command& c) { c.operand_count = 17; }, status::bad_operand, 16, 17},
    {"operand_memory", [](spec::command& c) { c.operands[4].memory = 5; }, status::bad_operand, 4, 5},
    {"operand_access", [](spec::command& c) { c.operands[4].access = 8; }, status::bad_operand, 4, 8},
    {"operand_reserved", [](spec::command& c) { c.operands[7].reserved = 0x100; }, status::bad_operand, 7,
     0x100},
    {"operand_without_memory_but_bytes",
     [](spec::command& c) { place(c, 2, kind::none, 0, 4), c.operands[2].access = 0; }, status::bad_operand,
     2, 0},
    {"operand_without_memory_but_access",
     [](spec::command& c) { place(c, 2, kind::none, 0, 0), c.operands[2].access = 1; }, status::bad_operand,
     2, 1},
    {"dram_base", [](spec::command& c) { place(c, 1, kind::device_dram, (8u << 20) + 1, 0); },
     status::bad_operand, 1, (8u << 20) + 1},
    {"dram_end", [](spec::command& c) { place(c, 1, kind::device_dram, (8u << 20) - 16, 17); },
     status::bad_operand, 1, (8u << 20) - 16},
    {"dram_high_half", [](spec::command& c) { place(c, 1, kind::device_dram, std::uint64_t{1} << 32, 16); },
     status::bad_operand, 1, 0},
    {"dram_wraps", [](spec::command& c) { place(c, 1, kind::device_dram, ~std::uint64_t{0} - 3, 8); },
     status::bad_operand, 1, ~3u},
    {"dram_bytes_max", [](spec::command& c) { place(c, 1, kind::device_dram, 16, ~0u); }, status::bad_operand,
     1, 16},
    {"state_buffer_end", [](spec::command& c) { place(c, 2, kind::state_buffer, (2u << 20) - 4, 5); },
     status::bad_operand, 2, (2u << 20) - 4},
    {"psum_end", [](spec::command& c) { place(c, 0, kind::psum, 8 * 256 * 32 * 4, 1); }, status::bad_operand,
     0, 8 * 256 * 32 * 4},
    {"host_below_window", [](spec::command& c) { place(c, 0, kind::host, window - 4, 4); },
     status::bad_operand, 0, ~3u},
    {"host_address_zero", [](spec::command& c) { place(c, 0, kind::host, 0, 4); }, status::bad_operand, 0, 0},
    {"host_end", [](spec::command& c) { place(c, 0, kind::host, window + (256u << 10) - 4, 5); },
     status::bad_operand, 0, (256u << 10) - 4},
    {"host_far", [](spec::command& c) { place(c, 0, kind::host, 2 * window, 4); }, status::bad_operand, 0, 0},
    {"work_base", [](spec::command& c) { c.work_base = (2u << 20) + 1, c.work_bytes = 0; },
     status::bad_working_set, 0, (2u << 20) + 1},
    {"work_end", [](spec::command& c) { c.work_base = 4096, c.work_bytes = 2u << 20; },
     status::bad_working_set, 0, 4096},
    {"work_overflows", [](spec::command& c) { c.work_base = 4096, c.work_bytes = ~0u - 4000; },
     status::bad_working_set, 0, 4096},
    {"psum_banks", [](spec::command& c) { c.psum_first = 5, c.psum_count = 4; }, status::bad_working_set, 1,
     5},
    {"psum_banks_overflow", [](spec::command& c) { c.psum_first = 65535, c.psum_count = 65535; },
     status::bad_working_set, 1, 65535},
    {"wait_for_itself", [](spec::command& c) { c.wait[1] = c.sequence; }, status::bad_wait, 1, 2},
    {"wait_for_a_later_one", [](spec::command& c) { c.wait[3] = ~0u; }, status::bad_wait, 3, ~0u},
    {"load_with_one_operand",
     [](spec::command& c) { c.opcode = 2, c.program_count = 0, c.operand_count = 1; }, status::bad_operand, 0,
     1},
    {"load_from_dram",
     [](spec::command& c) {
         c.opcode = 2, c.program_count = 0, c.operand_count = 2, place(c, 0, kind::device_dram, 0, 64);
     },
     status::bad_operand, 0, 2},
    {"load_outside_programs",
     [](spec::command& c) { c.opcode = 2, c.program_count = 0, c.operand_count = 2; }, status::bad_operand, 1,
     4096},
    {"load_unequal",
     [](spec::command& c) {
         c.opcode = 2, c.program_count = 0, c.operand_count = 2,
         place(c, 1, kind::device_dram, programs_at, 512);
     },
     status::bad_operand, 1, 512},
    {"load_past_region",
     [](spec::command& c) {
         c.opcode = 2, c.program_count = 0, c.operand_count = 2,
         place(c, 1, kind::device_dram, (7u << 20) - 512, 1024);
     },
     status::bad_operand, 1, (7u << 20) - 512},
    {"load_not_writable",
     [](spec::command& c) {
         c.opcode = 2, c.program_count = 0, c.operand_count = 2,
         place(c, 1, kind::device_dram, programs_at, 1024), c.operands[1].access = 1;
     },
     status::bad_operand, 1, 2},
};

struct malformed : testing::TestWithParam<bad_command> {
    test_device device{3};
    test_host host{device};
};

TEST_P(malformed, is_refused_with_a_reason_and_the_device_goes_on) {
    const bad_command& bad = GetParam();
    host.submit(host.command(3, 8));
    ASSERT_EQ(static_cast<status>(host.collect_one().status), status::ok);
    auto spoilt = host.command(3, 8);
    bad.spoil(spoilt);
    host.put(spoilt);
    host.submit(host.command(3, 8));
    const auto both = host.collect(2);
    ASSERT_EQ(both.size(), 2u);
    EXPECT_EQ(both[0].sequence, 2u);
    EXPECT_EQ(static_cast<status>(both[0].status), bad.expected);
    EXPECT_EQ(both[0].pc, bad.index);
    EXPECT_EQ(both[0].detail, bad.detail);
    EXPECT_EQ(both[0].fault, 0);
    EXPECT_EQ(static_cast<status>(both[1].status), status::ok);
    EXPECT_EQ(device.run_of(2), nullptr);
    EXPECT_TRUE(device.violations().empty());
    EXPECT_EQ(host.read(regs::status), regs::status_ready_mask);
}

INSTANTIATE_TEST_SUITE_P(command, malformed, testing::ValuesIn(cases),
                         [](const auto& info) { return info.param.name; });

TEST(accepted, commands_at_the_edges_of_every_limit) {
    test_device device;
    test_host host(device);
    auto c = host.command(1, 16);
    c.programs[0] = {(7u << 20) - 64, 1};
    place(c, 0, kind::host, window + (256u << 10) - 64, 64);
    place(c, 1, kind::device_dram, 0, 8u << 20);
    place(c, 2, kind::state_buffer, 2u << 20, 0);
    place(c, 3, kind::psum, 8 * 256 * 32 * 4 - 4, 4);
    place(c, 4, kind::none, 0, 0);
    c.operands[4].access = 0; // a tag only
    c.operands[5].access = 7;
    c.work_bytes = 2u << 20;
    c.psum_count = 8;
    host.submit(c);
    EXPECT_EQ(static_cast<status>(host.collect_one().status), status::ok);
    auto longest = host.command(1);
    longest.programs[0] = {programs_at, 16384};
    host.submit(longest);
    EXPECT_EQ(static_cast<status>(host.collect_one().status), status::ok);
}

TEST(accepted, device_dram_beyond_four_gibibytes) {
    npu_config config = test_config();
    config.device_dram.capacity_bytes = std::uint64_t{5} << 30;
    test_device device(1, config);
    test_host host(device);
    auto good = host.command(1, 1), crossing = host.command(1, 1), beyond = host.command(1, 1);
    place(good, 0, kind::device_dram, (std::uint64_t{5} << 30) - 16, 16);
    place(crossing, 0, kind::device_dram, (std::uint64_t{4} << 30) - 16, 4096);
    place(beyond, 0, kind::device_dram, (std::uint64_t{5} << 30) - 16, 17);
    host.put(good), host.put(crossing), host.submit(beyond);
    const auto all = host.collect(3);
    ASSERT_EQ(all.size(), 3u);
    for (const auto& each : all) {
        EXPECT_EQ(static_cast<status>(each.status), each.sequence == 3 ? status::bad_operand : status::ok)
            << each.sequence;
    }
}

TEST(sequence, numbers_out_of_order_are_refused_and_do_not_count) {
    test_device device;
    test_host host(device);
    auto one = host.command(1);
    for (const std::uint32_t wrong : {0u, 2u, 77u, ~0u}) {
        auto c = one;
        c.sequence = wrong;
        host.submit(c);
        const auto refused = host.collect_one();
        EXPECT_EQ(static_cast<status>(refused.status), status::bad_sequence);
        EXPECT_EQ(refused.sequence, wrong); // the number it claims
        EXPECT_EQ(refused.detail, 1u);      // the number expected
    }
    host.submit(one);
    EXPECT_EQ(static_cast<status>(host.collect_one().status), status::ok);
    host.submit(one); // again
    EXPECT_EQ(static_cast<status>(host.collect_one().status), status::bad_sequence);
}

} // namespace
} // namespace retrace
