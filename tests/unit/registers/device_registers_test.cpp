#include <gtest/gtest.h>

#include "tlm/core/registers/device_registers.h"

namespace retrace {
namespace {

namespace host = spec::host_block;
namespace control = spec::control_block;

npu_config sample() {
    npu_config c;
    c.array.rows = 128, c.array.columns = 64, c.array.fma_depth = 3, c.array.operand_cycles = {4, 1, 2, 3, 5};
    c.psum.banks = 8, c.psum.rows = 512;
    c.device_dram.capacity_bytes = std::uint64_t{6} << 30;
    c.device_dram.regions = {{spec::region_kind::activations, 1u << 20},
                             {spec::region_kind::programs, 3u << 20}};
    c.activation.lanes = 16, c.vector.lanes = 48;
    c.dma.queues = 5;
    return c;
}

TEST(device_registers, show_the_configuration_to_the_host) {
    register_file file(host::registers, host_configuration(sample()));
    EXPECT_EQ(file.get(host::array_shape), 64u << 16 | 128);
    EXPECT_EQ(file.get(host::array_timing), 2u << 8 | 3);
    EXPECT_EQ(file.get(host::operand_cycles), 4u | 1u << 4 | 2u << 8 | 3u << 12 | 5u << 16);
    EXPECT_EQ(file.get(host::psum_shape), 512u << 8 | 8);
    EXPECT_EQ(file.get(host::dram_bytes_low), 0x80000000u);
    EXPECT_EQ(file.get(host::dram_bytes_high), 1u);
    EXPECT_EQ(file.get(host::lanes), 48u << 16 | 16);
    EXPECT_EQ(file.get(host::clock_khz), 1'000'000u);
    EXPECT_EQ(file.get(host::region_count), 2u);
    EXPECT_EQ(file.get(host::region_base + 16), 1u << 20);
    EXPECT_EQ(file.get(host::region_bytes + 16), 3u << 20);
    EXPECT_EQ(file.get(host::region_kind + 16), 3u);
    EXPECT_EQ(file.get(host::region_bytes + 32), 0u);
}

TEST(device_registers, show_the_limits_to_the_control_core) {
    register_file file(control::registers, control_configuration(sample()));
    EXPECT_EQ(file.get(control::engine_count), 8u);
    EXPECT_EQ(file.get(control::psum_bytes), 8u * 512 * 64 * 4);
    EXPECT_EQ(file.get(control::psum_banks), 8u);
    EXPECT_EQ(file.get(control::program_base), 1u << 20);
    EXPECT_EQ(file.get(control::program_bytes), 3u << 20);
}

TEST(device_registers, refuse_a_configuration_that_does_not_fit_and_name_it) {
    const auto message = [](auto&& build) {
        try {
            build();
        } catch (const register_config_error& error) {
            return std::string(error.what());
        }
        return std::string();
    };
    npu_config c = sample();
    c.psum.banks = 300;
    EXPECT_NE(message([&] { host_configuration(c); }).find("psum.banks is 300"), std::string::npos);
    c = sample();
    c.state_buffer.capacity_bytes = std::uint64_t{1} << 33;
    EXPECT_NE(message([&] { host_configuration(c); }).find("state_buffer.capacity_bytes"), std::string::npos);
    c = sample();
    c.dma.queues = 17;
    EXPECT_NE(message([&] { control_configuration(c); }).find("dma.queues"), std::string::npos);
    c = sample();
    c.device_dram.regions.resize(9);
    EXPECT_NE(message([&] { host_configuration(c); }).find("regions"), std::string::npos);
}

} // namespace
} // namespace retrace
