// Bits depend on the operation and on the array's rows, never on schedule, array implementation, engines'
// timing or memories.
#include "tests/system/system_bench.h"

namespace retrace::test {
namespace {

small_run mixed(operand_format operands) {
    small_run run;
    run.widths = {12, 20, 33, 17, 24, 9, 5};
    run.batch = 37;
    run.operands = operands;
    run.steps = 3;
    run.schedule = {schedule_kind::store_all, 1};
    return run;
}

class bit_identity : public testing::TestWithParam<operand_format> {
protected:
    void SetUp() override {
        reference_ = execute(mixed(GetParam()));
        ASSERT_EQ(reference_.error, "");
        ASSERT_EQ(reference_.losses.size(), 3u);
    }
    run_outcome expect_same(const small_run& run, const std::string& what) {
        run_outcome outcome = execute(run);
        EXPECT_EQ(outcome.error, "") << what;
        EXPECT_EQ(outcome.weights, reference_.weights) << what;
        EXPECT_EQ(outcome.losses, reference_.losses) << what;
        EXPECT_EQ(outcome.stale_reads, 0u) << what;
        return outcome;
    }
    run_outcome reference_;
};

TEST_P(bit_identity, over_schedules) {
    for (const schedule_settings& s :
         {schedule_settings{schedule_kind::recompute, 1}, schedule_settings{schedule_kind::interval, 2},
          schedule_settings{schedule_kind::interval, 4},
          schedule_settings{schedule_kind::interval_overwrite, 2},
          schedule_settings{schedule_kind::interval_overwrite, 3}}) {
        small_run run = mixed(GetParam());
        run.schedule = s;
        EXPECT_NE(expect_same(run, std::string(to_string(s.kind)) + " " + std::to_string(s.interval)).cycles,
                  reference_.cycles);
    }
}

TEST_P(bit_identity, over_array_implementations_with_the_same_cycles) {
    for (const schedule_settings& s :
         {schedule_settings{schedule_kind::store_all, 1}, schedule_settings{schedule_kind::recompute, 1}}) {
        small_run run = mixed(GetParam());
        run.schedule = s;
        const run_outcome kernel = expect_same(run, "kernel");
        // lockstep takes the RTL in where this build has it (preset tiny is 8x8).
        for (const char* implementation : {"stepped", "lockstep"}) {
            run.overrides = {std::string("npu.array.implementation=") + implementation};
            EXPECT_EQ(expect_same(run, implementation).cycles, kernel.cycles) << to_string(s.kind);
        }
    }
}

TEST_P(bit_identity, over_processors_with_the_same_array_rows) {
    const std::vector<std::vector<std::string>> processors{
        {"npu.dma.queues=1"},
        {"npu.dma.queues=2"},
        {"npu.dma.queues=8", "npu.dma.outstanding_chunks=2"},
        {"npu.device_dram.channels=4"},
        {"npu.device_dram.t_rcd=40ns", "npu.device_dram.burst_cycles=9"},
        {"npu.array.columns=16"},
        {"npu.array.weight_registers=1"},
        {"npu.psum.banks=2", "npu.psum.rows=16"},
        {"npu.state_buffer.capacity=32KiB", "npu.state_buffer.banks=4"},
        {"npu.vector.lanes=3", "npu.activation.latency_cycles=21"},
        {"npu.host_link.bandwidth=1GB/s", "npu.host_link.latency=3us"},
        {"npu.ideal_memories=true"},
        {"npu.clock=300MHz"}};
    for (const std::vector<std::string>& overrides : processors) {
        small_run run = mixed(GetParam());
        run.schedule = {schedule_kind::recompute, 1};
        run.overrides = overrides;
        expect_same(run, overrides.front());
    }
    small_run run = mixed(GetParam());
    run.preset = "small";
    run.overrides = {"npu.array.rows=8"};
    expect_same(run, "preset small with 8 rows");
    run.preset = "large";
    run.overrides = {"npu.array.rows=8",
                     "npu.device_dram.capacity=64MiB",
                     "npu.device_dram.regions.activations=16MiB",
                     "npu.device_dram.regions.gradients=8MiB",
                     "npu.device_dram.regions.weights=16MiB",
                     "npu.device_dram.regions.programs=8MiB"};
    expect_same(run, "preset large with 8 rows");
}

// The comparison can fail: more rows in the array mean longer chains of fused operations.
TEST(bits, depend_on_the_array_rows_and_the_seed) {
    const run_outcome reference = execute(mixed(operand_format::fp32));
    small_run run = mixed(operand_format::fp32);
    run.overrides = {"npu.array.rows=16"};
    const run_outcome rows = execute(run);
    EXPECT_EQ(rows.error, "");
    EXPECT_NE(rows.weights, reference.weights);
    run.overrides.clear();
    ++run.seed;
    const run_outcome other_seed = execute(run);
    EXPECT_EQ(other_seed.error, "");
    EXPECT_NE(other_seed.weights, reference.weights);
}

INSTANTIATE_TEST_SUITE_P(operands, bit_identity, testing::Values(operand_format::bf16, operand_format::fp32),
                         [](const auto& info) { return std::string(to_string(info.param)); });

} // namespace
} // namespace retrace::test
