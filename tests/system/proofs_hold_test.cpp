// Every claim of sim/proof holds on real runs: all schedules, spacings, shapes and formats.
#include <fstream>

#include "tests/system/system_bench.h"

namespace retrace::test {
namespace {

struct proven_case {
    const char* name;
    schedule_settings schedule;
    std::vector<std::size_t> widths;
    operand_format operands = operand_format::bf16;
    std::size_t batch = 40;
    std::uint64_t executions = 0; ///< of a step; 0: not stated here
    const char* preset = "tiny";
};

void PrintTo(const proven_case& c, std::ostream* out) { *out << c.name; }

constexpr auto store_all = schedule_kind::store_all, recompute = schedule_kind::recompute,
               interval = schedule_kind::interval, interval_overwrite = schedule_kind::interval_overwrite;

const std::vector<std::size_t> six{16, 16, 16, 16, 16, 16, 16},
    twelve(13, 8), widening{8, 10, 12, 17, 24, 33, 40, 7}, narrowing{40, 33, 24, 17, 12, 10, 8, 5},
    mixed{12, 20, 33, 17, 24, 9, 5};

class proofs : public testing::TestWithParam<proven_case> {};

TEST_P(proofs, hold) {
    const proven_case& c = GetParam();
    const scratch_folder folder;
    small_run run;
    run.widths = c.widths;
    run.operands = c.operands;
    run.batch = c.batch;
    run.schedule = c.schedule;
    run.preset = c.preset;
    run.log = folder.file("events.sqlite");
    const run_outcome outcome = execute(run);
    ASSERT_EQ(outcome.error, "");
    for (const auto& [memory, bytes] : outcome.planned)
        EXPECT_EQ(outcome.peaks.at(memory), bytes) << memory << ": measured and planned peak";
    const proof_expectations expectations = expectations_of(run);
    if (c.executions != 0) {
        EXPECT_EQ(expectations.executions, c.executions);
    }
    EXPECT_EQ(failed_checks(run.log, expectations), std::vector<std::string>{});
}

INSTANTIATE_TEST_SUITE_P(
    six_equal_layers, proofs,
    testing::Values(proven_case{"store_all", {store_all, 1}, six, operand_format::bf16, 40, 6},
                    proven_case{"recompute", {recompute, 1}, six, operand_format::bf16, 40, 21},
                    proven_case{"interval", {interval, 2}, six, operand_format::bf16, 40, 8},
                    proven_case{
                        "interval_overwrite", {interval_overwrite, 2}, six, operand_format::bf16, 40, 9}),
    [](const auto& info) { return std::string(info.param.name); });

// L + (L/n - 1)(n - 1) and L + L(n - 1)/2 for L = 12.
INSTANTIATE_TEST_SUITE_P(
    twelve_equal_layers, proofs,
    testing::Values(
        proven_case{"interval_1", {interval, 1}, twelve, operand_format::bf16, 40, 12},
        proven_case{"interval_2", {interval, 2}, twelve, operand_format::bf16, 40, 17},
        proven_case{"interval_3", {interval, 3}, twelve, operand_format::bf16, 40, 18},
        proven_case{"interval_4", {interval, 4}, twelve, operand_format::bf16, 40, 18},
        proven_case{"interval_6", {interval, 6}, twelve, operand_format::bf16, 40, 17},
        proven_case{"interval_12", {interval, 12}, twelve, operand_format::bf16, 40, 12},
        proven_case{"interval_overwrite_1", {interval_overwrite, 1}, twelve, operand_format::bf16, 40, 12},
        proven_case{"interval_overwrite_2", {interval_overwrite, 2}, twelve, operand_format::bf16, 40, 18},
        proven_case{"interval_overwrite_3", {interval_overwrite, 3}, twelve, operand_format::bf16, 40, 24},
        proven_case{"interval_overwrite_4", {interval_overwrite, 4}, twelve, operand_format::bf16, 40, 30},
        proven_case{"interval_overwrite_6", {interval_overwrite, 6}, twelve, operand_format::bf16, 40, 42},
        proven_case{"interval_overwrite_12", {interval_overwrite, 12}, twelve, operand_format::bf16, 40, 78},
        proven_case{"recompute", {recompute, 1}, twelve, operand_format::bf16, 40, 78}),
    [](const auto& info) { return std::string(info.param.name); });

INSTANTIATE_TEST_SUITE_P(
    unequal_layers, proofs,
    testing::Values(
        proven_case{"widening_recompute", {recompute, 1}, widening},
        proven_case{"narrowing_recompute", {recompute, 1}, narrowing},
        proven_case{"mixed_recompute_fp32", {recompute, 1}, mixed, operand_format::fp32, 37},
        proven_case{"widening_interval_3", {interval, 3}, widening},
        proven_case{"narrowing_interval_4", {interval, 4}, narrowing},
        proven_case{"mixed_interval_2_fp32", {interval, 2}, mixed, operand_format::fp32, 37},
        proven_case{"widening_interval_overwrite_3", {interval_overwrite, 3}, widening},
        proven_case{"narrowing_interval_overwrite_2", {interval_overwrite, 2}, narrowing},
        proven_case{
            "mixed_interval_overwrite_4_fp32", {interval_overwrite, 4}, mixed, operand_format::fp32, 37},
        proven_case{"mixed_store_all", {store_all, 1}, mixed},
        proven_case{"mixed_recompute_small", {recompute, 1}, mixed, operand_format::bf16, 128, 0, "small"},
        proven_case{"two_blocks_small", {recompute, 1}, six, operand_format::bf16, 40, 0, "small"},
        proven_case{"two_layers", {recompute, 1}, {16, 16, 10}}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(proofs, the_activations_region_may_be_smaller_than_the_input_and_two_outputs) {
    const scratch_folder folder;
    small_run run;
    run.schedule = {recompute, 1};
    run.overrides = {"npu.device_dram.regions.activations=2560"}; // input and one output of 40 x 16 bf16
    run.log = folder.file("events.sqlite");
    ASSERT_EQ(execute(run).error, "");
    const proof_expectations expectations = expectations_of(run);
    EXPECT_TRUE(expectations.small_activations);
    EXPECT_EQ(failed_checks(run.log, expectations), std::vector<std::string>{});
}

// A check that finds nothing to look at must not pass.
TEST(proofs, a_log_without_tiles_proves_nothing_about_tiles) {
    const scratch_folder folder;
    small_run run;
    run.schedule = {recompute, 1};
    run.tile_steps = {};
    run.log = folder.file("events.sqlite");
    ASSERT_EQ(execute(run).error, "");
    std::vector<std::string> expected;
    for (const proof_check& c : proof_checks())
        if (const std::string name = c.name; name.ends_with("_tiles"))
            expected.push_back(name + ": nothing to check");
    EXPECT_EQ(failed_checks(run.log, expectations_of(run)), expected);
}

TEST(proofs, an_empty_log_proves_nothing) {
    const scratch_folder folder;
    small_run run;
    run.schedule = {recompute, 1};
    { sqlite_log empty(folder.file("events.sqlite"), {}); }
    for (const proof_result& r : prove(folder.file("events.sqlite"), expectations_of(run)))
        EXPECT_TRUE(r.failed() || r.outcome == proof_outcome::does_not_apply ||
                    std::string(r.check->name) == "small_activations")
            << r.check->name;
}

TEST(proofs, a_file_that_is_no_log_is_an_error) {
    const scratch_folder folder;
    EXPECT_THROW(prove(folder.file("missing.sqlite"), {}), proof_error);
    EXPECT_FALSE(std::filesystem::exists(folder.file("missing.sqlite")));
    const proof_expectations none;
    {
        std::ofstream(folder.file("text"))
            << "no database, only text that is longer than a header of SQLite's would be, as it happens";
    }
    EXPECT_THROW(prove(folder.file("text"), none), proof_error);
}

} // namespace
} // namespace retrace::test
