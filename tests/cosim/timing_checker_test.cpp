// Every cycle of real runs is as the manual says, and the manual's own example is what the rules give.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "sim/cosim/generator.h"
#include "sim/cosim/timing_memories.h"
#include "sim/cosim/worker.h"
#include "tests/cosim/timing_case.h"
#include "tests/cosim/timing_record.h"

namespace retrace::cosim {
namespace {

using test::record;
using test::recorded_run;
using test::told;

void expect_as_in_the_manual(test_case c, const std::string& array = "kernel") {
    const auto r = record(std::move(c), array);
    EXPECT_GT(r->log.grants.size(), 1000u); // the device told what it did
    EXPECT_GT(r->log.instructions.size(), 0u);
    EXPECT_EQ(told(r->check()), "");
}

struct variant {
    const char* name;
    void (*change)(machine_settings& m);
};

class timing_of_a_case : public testing::TestWithParam<variant> {};

TEST_P(timing_of_a_case, is_that_of_the_manual) {
    test_case c = test::timing_case();
    GetParam().change(c.machine);
    expect_as_in_the_manual(c);
}

INSTANTIATE_TEST_SUITE_P(
    machines, timing_of_a_case,
    testing::Values(
        variant{"plain", [](machine_settings&) {}},
        variant{"without_refresh", [](machine_settings& m) { m.refresh = false; }},
        variant{"depth_4", [](machine_settings& m) { m.fma_depth = 4; }},
        variant{"one_weight_register", [](machine_settings& m) { m.weight_registers = 1; }},
        variant{"one_weight_register_depth_4",
                [](machine_settings& m) { m.weight_registers = 1, m.fma_depth = 4; }},
        variant{"slow_operands",
                [](machine_settings& m) {
                    m.operand_cycles = {8, 3, 2, 2, 2};
                }},
        variant{"ideal_memories", [](machine_settings& m) { m.ideal_memories = true; }},
        variant{"one_bank", [](machine_settings& m) { m.state_buffer_banks = 1; }},
        variant{"one_place", [](machine_settings& m) { m.dma_outstanding = 1; }},
        variant{"one_dram_bank", [](machine_settings& m) { m.dram_banks = m.dram_channels = 1; }},
        variant{"frozen_array",
                [](machine_settings& m) { m.stress_seed = 77, m.array_stress = true, m.fma_depth = 4; }},
        variant{"held_requests", [](machine_settings& m) { m.stress_seed = 3, m.request_stress = 40; }},
        variant{"held_places", [](machine_settings& m) { m.stress_seed = 4, m.chunk_stress = 100; }},
        variant{"late_messages", [](machine_settings& m) { m.stress_seed = 5, m.message_stress = 700; }},
        variant{"late_messages_overtaken",
                [](machine_settings& m) { m.stress_seed = 6, m.message_stress = 700, m.reorder = true; }},
        variant{"all_stress",
                [](machine_settings& m) {
                    m.stress_seed = 7, m.array_stress = true, m.request_stress = 7, m.chunk_stress = 16;
                    m.message_stress = 50, m.reorder = true;
                }}),
    [](const auto& info) { return info.param.name; });

class timing_of_a_seed : public testing::TestWithParam<std::uint64_t> {};

TEST_P(timing_of_a_seed, is_that_of_the_manual) { expect_as_in_the_manual(generate(GetParam())); }

INSTANTIATE_TEST_SUITE_P(seeds, timing_of_a_seed, testing::Range<std::uint64_t>(1, 13));

TEST(timing, of_the_stepped_array_is_that_of_the_manual) { expect_as_in_the_manual(generate(5), "stepped"); }

// The first finding of a run that is otherwise good is the verdict; it needs no SystemC to be wrong, only the
// machine's numbers.
TEST(timing, a_finding_names_rule_unit_cycle_and_both_cycles) {
    auto r = record(test::small_case());
    ++r->config.sequencer.issue_cycles;
    const auto found = r->check();
    ASSERT_FALSE(found.empty());
    EXPECT_EQ(found.front().rule, "9.3");
    for (const char* part :
         {", instruction 0 (", ") of command 1: begun in cycle ", ", expected ", "(manual, 9.3)"})
        EXPECT_NE(found.front().sentence.find(part), std::string::npos)
            << part << " is not in " << found.front().sentence;
    EXPECT_LE(check_timing(r->config, r->log, r->commands, 2).size(), 2u);
}

// ---- the worked example of hw/README.md, 9.12: every number below stands there or follows by hand
// ------------------------------------

class worked_example : public testing::Test {
protected:
    worked_example() {
        config_.clock_hz = 1e9;
        config_.array.rows = config_.array.columns = 8;
        config_.state_buffer = {65536, 16};
        config_.psum = {8, 64};
        descriptor_.operand_count = 2;
        descriptor_.operands[0] = {0, 65536, 0, 0, static_cast<std::uint8_t>(spec::memory_kind::state_buffer),
                                   1, 0};
        descriptor_.operands[1] = {0, 8192, 0, 0, static_cast<std::uint8_t>(spec::memory_kind::psum), 2, 0};
        descriptor_.program_count = 1;
        descriptor_.program_engine[0] = spec::engine_pe;
        descriptor_.programs[0] = {4096, 8};
    }

    /// Weights in bank 0, operands in bank 1: nothing is in the way.
    void write_program(unsigned m) {
        const compiler::sync none;
        const auto add = [&](const spec::matrix_instruction& i) {
            std::memcpy(code_.emplace_back().data(), &i, sizeof i);
        };
        for (unsigned tile = 0; tile < 4; ++tile) {
            add(compiler::make_load_weights(none, spec::number_format::bf16, 8, 8,
                                            {0, 0, 0, 128 * tile, 16}));
            add(compiler::make_matmul(none, {spec::number_format::bf16}, m, 8, {0, 0, 0, 4096, 16},
                                      {1, 1, 0, 0, 32}, false));
        }
        command_ = {"the example", &descriptor_, {{spec::engine_pe, code_}}};
    }

    void began_and_ended(std::uint64_t start, std::uint64_t end) {
        trace::program_event e;
        e.what = trace::program_event::moment::begun;
        e.cycle = start;
        e.sequence = 1;
        e.address = 4096;
        e.count = 8;
        log_.programs.push_back(e);
        e.what = trace::program_event::moment::ended;
        e.cycle = end;
        log_.programs.push_back(e);
    }

    void granted(unsigned requester, trace::resource what, std::uint32_t pc, std::uint64_t address,
                 std::uint64_t bytes, std::uint64_t cycle, std::uint64_t resumed) {
        trace::grant_event e;
        e.requested = e.granted = cycle;
        e.resumed = resumed;
        e.requester = requester;
        e.what = what;
        e.address = address;
        e.bytes = bytes;
        e.sequence = 1;
        e.pc = pc;
        log_.grants.push_back(e);
    }

    void finished(std::uint32_t pc, std::uint64_t taken, std::uint64_t ended) {
        trace::instruction_event e;
        e.taken = taken;
        e.begun = taken + 2;
        e.ended = ended;
        e.sequence = 1;
        e.pc = pc;
        e.opcode = pc % 2 ? spec::opcode::matmul : spec::opcode::load_weights;
        log_.instructions.push_back(e);
    }

    npu_config config_;
    spec::command descriptor_;
    std::vector<compiler::instruction> code_;
    timed_command command_;
    timing_log log_;
};

TEST_F(worked_example, fetch_of_eight_instructions_from_a_closed_row) {
    timing::dram_banks dram(config_.device_dram, 1e9);
    EXPECT_EQ(dram.access(1001, {{4096, 128}}), 1015u + 14 + 2); // a burst per channel
    EXPECT_EQ(dram.last_column(), 1015u);
    timing::dram_banks another(config_.device_dram, 1e9);
    EXPECT_EQ(another.access(1001, {{4096, 512}}), 1037u);
    EXPECT_EQ(another.last_column(), 1021u);
}

TEST_F(worked_example, a_log_with_its_numbers_has_no_findings) {
    write_program(8);
    began_and_ended(1000, 1096);
    granted(100, trace::resource::dram, 0, 4096, 512, 1001, 1037);
    const std::uint64_t streams[] = {1047, 1056, 1065, 1074};
    for (std::uint32_t t = 0; t < 4; ++t) {
        const std::uint64_t load = t == 0 ? 1039 : streams[t - 1] + 1;
        granted(20, trace::resource::banks, 2 * t, 128 * t, 0, load, load);
        granted(21, trace::resource::banks, 2 * t + 1, 4096, 0, streams[t], streams[t]);
    }
    // Taken two cycles apart, until both ports have one that they work on and one behind it: the third load
    // waits for the place that the second leaves in 1047, when the first is in, and the third matmul for that
    // of the second, in 1055, when the first has entered.
    const std::uint64_t taken[] = {1037, 1039, 1041, 1043, 1045, 1047, 1055, 1057};
    const std::uint64_t ended[] = {1047, 1069, 1056, 1078, 1065, 1087, 1074, 1096};
    for (const std::uint32_t pc : {0u, 2u, 4u, 1u, 6u, 3u, 5u, 7u})
        finished(pc, taken[pc], ended[pc]);
    EXPECT_EQ(told(check_timing(config_, log_, {{1, command_}})), "");
}

} // namespace
} // namespace retrace::cosim
