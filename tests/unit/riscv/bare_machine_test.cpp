#include "tlm/core/riscv/bare_machine.h"

#include <gtest/gtest.h>
#include <string>

namespace {

using namespace retrace;

elf_image program(const std::string& name) {
    return elf_image::from_file(GUEST_PROGRAMS "/" + name + ".elf");
}

class riscv_program : public testing::TestWithParam<const char*> {};

TEST_P(riscv_program, passes) {
    bare_machine machine(program(GetParam()));
    const bare_result result = machine.run();
    EXPECT_TRUE(result.passed) << result.message;
    EXPECT_EQ(result.reason, bare_exit::passed);
    EXPECT_EQ(result.failing_test, 0u);
    EXPECT_GE(result.cycles, result.instructions);
}

TEST_P(riscv_program, passes_in_the_traced_loop_with_the_same_cycles) {
    bare_machine plain(program(GetParam()));
    bare_machine traced(program(GetParam()));
    uint64_t seen = 0;
    traced.core().set_hook([&](const riscv_retired&) { ++seen; });
    const bare_result expected = plain.run();
    const bare_result result = traced.run();
    EXPECT_TRUE(result.passed) << result.message;
    EXPECT_EQ(result.cycles, expected.cycles);
    EXPECT_EQ(result.instructions, expected.instructions);
    EXPECT_EQ(seen, result.instructions);
}

INSTANTIATE_TEST_SUITE_P(all, riscv_program,
                         testing::Values("arithmetic", "muldiv", "control_flow", "memory", "access_traps",
                                         "csr", "illegal", "interrupts", "self_modifying", "counters",
                                         "compiled", "signature"),
                         [](const auto& info) { return std::string(info.param); });

bare_result run_end(int end, uint64_t limit = 100000) {
    bare_config config;
    config.instruction_limit = limit;
    return bare_machine(program("ends_" + std::to_string(end)), config).run();
}

TEST(bare_machine, reports_the_number_of_the_failing_test) {
    const bare_result result = run_end(1);
    EXPECT_FALSE(result.passed);
    EXPECT_EQ(result.reason, bare_exit::failed);
    EXPECT_EQ(result.failing_test, 42u);
    EXPECT_NE(result.message.find("42"), std::string::npos);
}

TEST(bare_machine, names_what_it_does_not_support) {
    EXPECT_EQ(run_end(2).reason, bare_exit::host_request);
    EXPECT_NE(run_end(2).message.find("not supported"), std::string::npos);
}

TEST(bare_machine, ends_when_nothing_can_wake_the_core) {
    EXPECT_EQ(run_end(3).reason, bare_exit::asleep);
    EXPECT_EQ(run_end(7).reason, bare_exit::asleep);
}

TEST(bare_machine, ends_when_the_core_locks_up_and_says_why) {
    const bare_result result = run_end(4);
    EXPECT_EQ(result.reason, bare_exit::locked_up);
    EXPECT_NE(result.message.find("mcause 11"), std::string::npos) << result.message;
}

TEST(bare_machine, ends_exactly_at_the_instruction_limit) {
    const bare_result result = run_end(5, 12345);
    EXPECT_EQ(result.reason, bare_exit::instruction_limit);
    EXPECT_EQ(result.instructions, 12345u);
}

TEST(bare_machine, traps_count_against_the_limit) {
    const bare_result result = run_end(6, 1000);
    EXPECT_EQ(result.reason, bare_exit::instruction_limit);
    EXPECT_LT(result.instructions, 100u);
}

TEST(bare_machine, continues_where_the_limit_stopped_it) {
    bare_config config;
    config.instruction_limit = 100;
    bare_machine sliced(program("compiled"), config);
    bare_result result;
    do {
        result = sliced.run();
    } while (result.reason == bare_exit::instruction_limit);
    const bare_result whole = bare_machine(program("compiled")).run();
    EXPECT_TRUE(result.passed);
    EXPECT_EQ(result.instructions, whole.instructions);
    EXPECT_EQ(result.cycles, whole.cycles);
}

TEST(bare_machine, hands_out_the_signature) {
    bare_machine machine(program("signature"));
    EXPECT_EQ(machine.signature(), (std::vector<uint32_t>{0, 0x11111111, 0}));
    ASSERT_TRUE(machine.run().passed);
    EXPECT_EQ(machine.signature(), (std::vector<uint32_t>{0x600df00d, 0x11111111, ~0x600df00du}));
    EXPECT_TRUE(bare_machine(program("memory")).signature().empty());
}

TEST(bare_machine, refuses_a_program_that_does_not_fit) {
    bare_config small;
    small.ram_bytes = 0x100;
    EXPECT_THROW(bare_machine(program("arithmetic"), small), elf_error);
    bare_config elsewhere;
    elsewhere.ram_base = 0x20000000;
    EXPECT_THROW(bare_machine(program("arithmetic"), elsewhere), elf_error);
    bare_config empty;
    empty.ram_bytes = 0;
    EXPECT_THROW(bare_machine(program("arithmetic"), empty), elf_error);
}

} // namespace
