// A case on the device: it passes, bytes that are wrong are told with the right facts, and the same case gives the same result.
#include <gtest/gtest.h>

#include "sim/cosim/generator.h"
#include "sim/cosim/worker.h"
#include "tests/cosim/small_case.h"

namespace retrace::cosim {
namespace {

case_result tampered(const std::function<void(memory_image&)>& how) {
    return run_case(test::small_case(), "stepped", how).result;
}

void flip(std::vector<std::byte>& memory, std::size_t at, unsigned bits) { memory[at] ^= static_cast<std::byte>(bits); }

void expect_in(const std::string& text, std::initializer_list<const char*> parts) {
    for (const char* part : parts)
        EXPECT_NE(text.find(part), text.npos) << "'" << part << "' is not in: " << text;
}

TEST(worker, the_small_case_passes_on_the_kernel) {
    const case_result r = run_case(test::small_case(), "kernel").result;
    EXPECT_TRUE(r.passed()) << r.sentence << "\n" << r.report;
    EXPECT_EQ(r.operations, 8u);
    EXPECT_EQ(r.commands, 1u);
    EXPECT_GT(r.cycles, 1000u);
    EXPECT_EQ(r.checksum.size(), 64u);
}

TEST(worker, a_generated_case_passes_on_the_stepped_array) {
    const case_result r = run_case(generate(3), "stepped").result;
    EXPECT_TRUE(r.passed()) << r.sentence << "\n" << r.report;
}

// Sum of row 2, column 3: byte 2 * 32 + 3 * 4, its lowest bit.
TEST(worker, a_wrong_sum_is_told_with_unit_cycle_place_values_and_operands) {
    const case_result r = tampered([](memory_image& m) { flip(m.psum, 2 * 32 + 3 * 4, 1); });
    EXPECT_EQ(r.what, verdict::mismatch);
    EXPECT_EQ(r.kind, "memory");
    expect_in(r.sentence, {"psum 0x4c (sums+76)", "written last by pe 3 of command 1 in cycle ", "matmul", "row 2 column 3",
                           "expected ", "got ", "1 ulp apart", "1 in psum"});
    EXPECT_EQ(r.sentence.find('\n'), r.sentence.npos);
    // Both tiles have made it: eight steps, then three more that are accumulated.
    expect_in(r.report, {"pe 1: ", "pe 3: ", "accumulated to ", "the last ", "writes psum"});
    std::size_t steps = 0;
    for (std::size_t at = 0; (at = r.report.find(" * w ", at)) != r.report.npos; ++at)
        ++steps;
    EXPECT_EQ(steps, 11u);
    // Nothing that came after the wrong write: the activation has read the sums later.
    EXPECT_EQ(r.report.find("activate       reads"), r.report.npos);
}

TEST(worker, the_first_of_several_wrong_bytes_is_that_of_the_earliest_writer) {
    const case_result r = tampered([](memory_image& m) {
        flip(m.state_buffer, 8192 + 6, 0x80); // the activation's result
        flip(m.host, m.host.size() - 1, 1);   // a stray write
        flip(m.psum, 4 * 32 + 4, 0x40);       // the sum it came from
    });
    expect_in(r.sentence, {"psum 0x84", "row 4 column 1", "1 in host", "1 in state_buffer", "1 in psum"});
}

TEST(worker, a_wrong_narrow_result_is_decoded_in_its_format) {
    const case_result r = tampered([](memory_image& m) { flip(m.state_buffer, 8192 + 16 + 5, 0x40); });
    expect_in(r.sentence,
              {"state_buffer 0x2015 (result+21)", "activation 0 of command 1", "activate", "row 1 column 2", "expected "});
    expect_in(r.report, {"before narrowing"});
}

TEST(worker, a_wrong_byte_of_a_copy_names_its_source) {
    const case_result r = tampered([](memory_image& m) { flip(m.state_buffer, 4096 + 9, 0xff); });
    expect_in(r.sentence, {"state_buffer 0x1009 (weights+9)", "dma1 0 of command 1"});
    expect_in(r.report, {"from host"});
}

TEST(worker, bytes_that_no_instruction_writes_are_compared_too) {
    const case_result r = tampered([](memory_image& m) { flip(m.dram, 1000, 1); });
    expect_in(r.sentence, {"device_dram 0x3e8 (outside of all buffers)", "which no instruction writes", "expected ff, got fe"});
}

TEST(worker, bytes_of_programs_are_compared_too) {
    const case_result r = tampered([](memory_image& m) { flip(m.dram, (128 << 10) + 3, 1); });
    expect_in(r.sentence, {"device_dram 0x20003 (a program)"});
}

TEST(worker, live_bytes_are_compared) {
    const case_result r = tampered([](memory_image& m) { --m.state_buffer_live; });
    EXPECT_EQ(r.kind, "liveness");
    expect_in(r.sentence, {"state_buffer: expected ", "live bytes"});
}

TEST(worker, stale_reads_are_a_mismatch) {
    const case_result r = tampered([](memory_image& m) { m.stale_reads = 2; });
    expect_in(r.sentence, {"2 stale reads"});
}

TEST(worker, a_wrong_cycle_is_a_mismatch_of_timing) {
    const case_result r = run_case(test::small_case(), "kernel", {}, [](timing_log& log) {
                              for (trace::instruction_event& e : log.instructions)
                                  e.ended += e.opcode == spec::opcode::activate;
                          }).result;
    EXPECT_EQ(r.what, verdict::mismatch);
    EXPECT_EQ(r.kind, "timing");
    expect_in(r.sentence, {"cycle ", "activation, instruction 0 (activate) of command 1: finished in cycle ", ", expected ", "9.6"});
    expect_in(r.report, {"what follows from it or comes later:", "activation, command 1: the program ended in cycle ", "the last "});
}

TEST(worker, wrong_bytes_are_told_before_wrong_cycles) {
    const case_result r = run_case(test::small_case(), "kernel", [](memory_image& m) { flip(m.psum, 0, 1); },
                                   [](timing_log& log) { log.instructions.clear(); }).result;
    EXPECT_EQ(r.kind, "memory");
}

// In one process only one simulation can run: the second is the program's own.
TEST(worker, same_case_same_result) {
    const auto folder = std::filesystem::path(testing::TempDir()) / ("cosim_same_" + std::to_string(getpid()));
    const case_result here = work(generate(9), "kernel", folder / "here");
    const std::string command = std::string(RETRACE_PROGRAM) + " cosim --worker --seed 9 --array kernel --out " +
                                (folder / "there").string() + " > /dev/null";
    EXPECT_EQ(std::system(command.c_str()), 0);
    for (const char* file : {case_file, result_file, coverage_file})
        EXPECT_EQ(read_text(folder / "here" / file), read_text(folder / "there" / file)) << file;
    EXPECT_TRUE(here.passed());
    std::filesystem::remove_all(folder);
}

} // namespace
} // namespace retrace::cosim
