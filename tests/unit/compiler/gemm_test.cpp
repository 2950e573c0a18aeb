#include "host/compiler/gemm.h"

#include <gtest/gtest.h>

#include "tests/unit/compiler/bench.h"

namespace retrace::compiler {
namespace {

using namespace testing;
using spec::number_format;

values reference(const values& a, const values& b, number_format f, std::size_t tile) {
    if (f != number_format::int8)
        return product(a, b, tile);
    values c{a.rows, b.columns, std::vector<float>(a.rows * b.columns)};
    for (std::size_t m = 0; m < a.rows; ++m)
        for (std::size_t n = 0; n < b.columns; ++n) {
            std::uint32_t sum = 0;
            for (std::size_t k = 0; k < a.columns; ++k)
                sum +=
                    static_cast<std::uint32_t>(static_cast<int>(a.at(m, k)) * static_cast<int>(b.at(k, n)));
            c.at(m, n) = std::bit_cast<float>(sum);
        }
    return c;
}

void run_gemm(const gemm_shape& g, const device_capabilities& device, std::uint64_t seed) {
    kernel_bench bench(device, seed);
    const gemm_program program = compile_gemm(g, device, bench.space());
    for (const compiled_kernel& kernel : program.kernels)
        expect_sound(kernel);
    const values a = random_values(g.m, g.k, g.source, seed), b = random_values(g.k, g.n, g.source, seed + 1);
    const std::size_t e = bytes_of(g.source), out = bytes_of(g.result);
    const spec::operand oa = bench.in_dram(g.m * g.k * e, 3, access_read),
                        ob = bench.in_dram(g.k * g.n * e, 4, access_read),
                        oc = bench.in_dram(g.m * g.n * out, 5, access_write);
    bench.put(oa, a, g.source, g.k * e);
    bench.put(ob, b, g.source, g.n * e);
    for (const gemm_command& c : program.commands) {
        const auto& slots = program.kernels[c.kernel].slots;
        std::vector<spec::operand> operands{oa, ob, oc};
        const std::uint64_t offsets[] = {c.a_offset, c.b_offset, c.c_offset};
        for (std::size_t t = 0; t < 3; ++t) {
            operands[t].base += offsets[t];
            operands[t].bytes = static_cast<std::uint32_t>(slots[2 + t].bytes);
        }
        ASSERT_NO_FATAL_FAILURE(bench.run(bench.command(program.kernels[c.kernel], operands)));
    }
    const values want = reference(a, b, g.source, device.rows);
    expect_same_bits(decode(bench.bytes(oc), g.m, g.n, number_format::fp32, g.n * 4), want,
                     "C of " + std::to_string(g.m) + "x" + std::to_string(g.k) + "x" + std::to_string(g.n));
}

TEST(gemm, every_tail_in_every_format_with_one_to_four_queues) {
    std::mt19937_64 random(1);
    const std::vector<std::array<std::uint32_t, 3>> shapes{{1, 1, 1},  {1, 9, 1},    {17, 1, 5},  {5, 4, 4},
                                                           {16, 8, 8}, {33, 17, 13}, {40, 31, 9}, {7, 30, 40},
                                                           {64, 5, 3}, {3, 64, 21}};
    for (const auto& [m, k, n] : shapes)
        for (const number_format f : {number_format::fp32, number_format::bf16, number_format::int8})
            for (unsigned queues = 1; queues <= 4; ++queues)
                ASSERT_NO_FATAL_FAILURE(run_gemm(
                    {m, k, n, f, f == number_format::int8 ? number_format::int32 : number_format::fp32},
                    test_device(4, 8, queues), random()))
                    << m << "x" << k << "x" << n << " " << spec::name_of(f) << " on " << queues << " queues";
}

TEST(gemm, random_shapes_on_random_small_devices) {
    std::mt19937_64 random(2);
    const auto pick = [&random](std::uint32_t low, std::uint32_t high) {
        return low + static_cast<std::uint32_t>(random() % (high - low + 1));
    };
    for (int i = 0; i < 60; ++i) {
        device_capabilities device = test_device(pick(1, 9), pick(1, 9), pick(1, 6));
        device.psum_rows = pick(1, 20);
        device.psum_banks = pick(1, 5);
        device.state_buffer_bytes = 1024 + (pick(2, 24) << 9); // little: streams chunks of both operands
        device.state_buffer_banks = pick(1, 4);
        device.weight_registers = pick(1, 2);
        const gemm_shape g{pick(1, 50), pick(1, 60), pick(1, 40), number_format::bf16,
                           random() % 2 ? number_format::fp32 : number_format::fp32};
        ASSERT_NO_FATAL_FAILURE(run_gemm(g, device, random()))
            << "case " << i << ": " << g.m << "x" << g.k << "x" << g.n;
    }
}

TEST(gemm, a_small_programs_region_cuts_the_product_into_blocks_that_share_programs) {
    device_capabilities device = test_device(4, 4);
    device.regions.back().bytes = 20 << 10;
    const gemm_shape g{80, 24, 40, number_format::bf16, number_format::fp32};
    const gemm_program program = compile_gemm(g, device, {1024, device.state_buffer_bytes - 1024});
    EXPECT_GT(program.commands.size(), program.kernels.size());
    std::uint64_t bytes = 0;
    for (const compiled_kernel& kernel : program.kernels)
        bytes += kernel.program_bytes();
    EXPECT_LE(bytes, device.regions.back().bytes);
    device.regions.back().bytes = 512 << 10; // the bench does not reuse the space of programs
    const gemm_program whole = compile_gemm(g, device, {1024, device.state_buffer_bytes - 1024});
    EXPECT_EQ(whole.commands.size(), 1u);
    device.regions.back().bytes = 20 << 10;
    device.regions.push_back({spec::region_kind::programs, 512 << 10, 512 << 10});
    ASSERT_NO_FATAL_FAILURE(run_gemm(g, device, 5));
}

TEST(gemm, serial_arrays_take_the_largest_block_psum_allows) {
    device_capabilities device = test_device(8, 8);
    device.weight_registers = 1;
    device.psum_rows = 65535;
    device.state_buffer_bytes = 1 << 20;
    const gemm_program program = compile_gemm({200, 64, 64, number_format::bf16, number_format::fp32}, device,
                                              whole_state_buffer(device));
    ASSERT_EQ(program.kernels.size(), 1u);
    EXPECT_EQ(program.kernels[0].passes[0].blocks, 1u);
}

TEST(gemm, a_state_buffer_that_is_too_small_is_named_with_the_smallest_that_would_do) {
    device_capabilities device = test_device(8, 8);
    const gemm_shape g{64, 64, 64, number_format::fp32, number_format::fp32};
    try {
        compile_gemm(g, device, {4096, 100});
        FAIL() << "100 bytes are not enough";
    } catch (const capacity_error& error) {
        EXPECT_EQ(error.memory(), "state_buffer");
        EXPECT_EQ(error.available_bytes(), 4196u);
        EXPECT_GT(error.needed_bytes(), error.available_bytes());
        EXPECT_NO_THROW(compile_gemm(g, device, {4096, error.smallest_capacity() - 4096}));
        EXPECT_THROW(compile_gemm(g, device, {4096, error.smallest_capacity() - 4097}), capacity_error);
    }
}

TEST(gemm, empty_shapes_are_refused) {
    EXPECT_THROW(
        compile_gemm({0, 1, 1, number_format::bf16, number_format::fp32}, test_device(4, 4), {0, 4096}),
        std::invalid_argument);
}

TEST(gemm, formats_that_the_array_does_not_take_or_give_are_refused) {
    const device_capabilities device = test_device(4, 4);
    for (const auto& [source, result] : {std::pair{number_format::int32, number_format::int32},
                                         std::pair{number_format::bf16, number_format::int32}})
        EXPECT_THROW(compile_gemm({4, 4, 4, source, result}, device, {0, 4096}), std::invalid_argument);
}

TEST(gemm, large_products_compile_to_short_programs_that_hide_weight_loads) {
    device_capabilities device;
    device.regions = {{spec::region_kind::programs, 0, 4u << 20}};
    const gemm_program program = compile_gemm({1024, 1024, 1024, number_format::bf16, number_format::fp32},
                                              device, whole_state_buffer(device));
    for (const compiled_kernel& kernel : program.kernels)
        for (const blocking& cut : kernel.passes)
            EXPECT_GT(cut.block_rows, device.rows);
}

} // namespace
} // namespace retrace::compiler
