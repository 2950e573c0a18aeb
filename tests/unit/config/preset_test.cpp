#include "tests/unit/config/config_samples.h"

#include "sim/config/checks.h"
#include "sim/config/quantity.h"

namespace retrace {
namespace {

class every_preset : public testing::TestWithParam<std::string> {};

TEST_P(every_preset, is_complete_and_consistent) {
    const npu_config npu = preset_npu(GetParam());
    EXPECT_EQ(npu.preset, GetParam());
    EXPECT_NO_THROW(check_npu(npu, config_places{}));
}

TEST_P(every_preset, feeds_an_array_of_bf16_rows_from_device_memory) {
    const npu_config npu = preset_npu(GetParam());
    const double dram = static_cast<double>(npu.device_dram.channels) * npu.device_dram.burst_bytes /
                        npu.device_dram.burst_cycles;
    EXPECT_GE(dram, 2.0 * npu.array.rows); // bytes per cycle
    EXPECT_LE(dram, 8.0 * npu.array.rows);
}

TEST_P(every_preset, leaves_a_bank_of_sums_longer_than_loading_weights) {
    const npu_config npu = preset_npu(GetParam());
    EXPECT_GE(npu.psum.rows, npu.array.rows + 1); // so that the overlapped form is reached
}

INSTANTIATE_TEST_SUITE_P(presets, every_preset, testing::ValuesIn(preset_names()),
                         [](const auto& info) { return info.param; });

TEST(presets, have_the_published_sizes) {
    EXPECT_EQ(preset_names(), (std::vector<std::string>{"tiny", "small", "large"}));
    EXPECT_EQ(preset_npu("tiny").array.rows, 8u);
    EXPECT_EQ(preset_npu("small").array.columns, 32u);
    const npu_config large = preset_npu("large");
    EXPECT_EQ(large.array.rows, 128u);
    EXPECT_EQ(large.array.columns, 128u);
    EXPECT_EQ(large.state_buffer.capacity_bytes, 24u << 20);
    EXPECT_EQ(std::uint64_t{large.psum.banks} * large.psum.rows * large.array.columns * 4, 2u << 20);
    EXPECT_EQ(large.dma.queues, 16u);
    EXPECT_EQ(large.clock_hz, 1.4e9);
    EXPECT_EQ(large.vector.lanes, 128u);
}

TEST(presets, misspelt_are_reported_with_the_nearest) {
    try {
        preset_npu("lage");
        FAIL();
    } catch (const config_error& error) {
        EXPECT_STREQ(error.what(), "--preset: 'lage' is not a preset (did you mean 'large'?)");
    }
}

TEST(load_npu, takes_overrides_of_the_processor_only) {
    EXPECT_EQ(load_npu("large", {"npu.array.implementation=stepped"}).array.implementation, "stepped");
    EXPECT_EQ(load_npu("large", {"npu.clock=1GHz"}).array.rows, 128u);
    EXPECT_THROW(load_npu("large", {"npu.array.rows=0"}), config_error);
    EXPECT_THROW(load_npu("large", {"npu.state_buffer.capacity=1000001"}), config_error);
    EXPECT_THROW(load_npu("large", {"training.batch=4"}), config_error);
    EXPECT_THROW(load_npu("huge"), config_error);
}

} // namespace
} // namespace retrace
