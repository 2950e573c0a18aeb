#include "host/compiler/dense.h"

#include <gtest/gtest.h>

#include "tests/unit/compiler/bench.h"

namespace retrace::compiler {
namespace {

using namespace testing;
using spec::number_format;

std::string text(const forward_shape& s) {
    return std::to_string(s.batch) + "x" + std::to_string(s.inputs) + "x" + std::to_string(s.outputs) + " " +
           std::string(spec::name_of(s.format)) + (s.bias ? " bias" : "") + (s.relu ? " relu" : "") +
           (s.in_place ? " in place" : "");
}

void run_forward(forward_shape s, const device_capabilities& device, std::uint64_t seed) {
    const std::size_t e = bytes_of(s.format);
    if (s.in_place)
        s.input_pitch = s.output_pitch = std::max(s.inputs, s.outputs) * e + 2 * e;
    else
        s.input_pitch = s.inputs * e, s.output_pitch = s.outputs * e + 6;
    kernel_bench bench(device, seed);
    const compiled_kernel kernel = compile_forward(s, device, bench.space());
    expect_sound(kernel);
    const values x = random_values(s.batch, s.inputs, s.format, seed),
                 w = random_values(s.inputs, s.outputs, s.format, seed + 1),
                 bias = random_values(1, s.outputs, number_format::fp32, seed + 2);
    const std::uint64_t in_bytes = kernel.slots[forward_slots::input].bytes,
                        out_bytes = kernel.slots[forward_slots::output].bytes;
    spec::operand input = bench.in_dram(std::max(in_bytes, out_bytes), 3, access_read | access_release);
    input.bytes = static_cast<std::uint32_t>(in_bytes);
    spec::operand output = s.in_place ? input : bench.in_dram(out_bytes, 4, access_write);
    output.bytes = static_cast<std::uint32_t>(out_bytes);
    output.tag = 4;
    output.access = access_write;
    const spec::operand weights = bench.in_dram(s.inputs * s.outputs * e, 5, access_read),
                        row = bench.in_dram(s.outputs * 4, 6, access_read);
    bench.put(input, x, s.format, s.input_pitch);
    bench.put(weights, w, s.format, s.outputs * e);
    bench.put(row, bias, number_format::fp32, s.outputs * 4);
    std::vector<spec::operand> operands{input, output, weights};
    if (s.bias)
        operands.push_back(row);
    ASSERT_NO_FATAL_FAILURE(bench.run(bench.command(kernel, operands)));

    values want = product(x, w, device.rows);
    for (std::size_t r = 0; r < want.rows; ++r)
        for (std::size_t c = 0; c < want.columns; ++c) {
            float& v = want.at(r, c);
            v = s.bias ? std::fma(v, 1.0f, bias.at(0, c)) : v * 1.0f;
            v = rounded(s.relu && !(v > 0.0f) ? 0.0f : v, s.format);
        }
    expect_same_bits(decode(bench.bytes(output), s.batch, s.outputs, s.format, s.output_pitch), want,
                     "IO of " + text(s));
    EXPECT_EQ(bench.machine.dram.live_under_tag(3), 0u) << "the input is released";
    EXPECT_EQ(bench.machine.dram.live_under_tag(4), s.batch * s.outputs * e);
    if (s.in_place) {
        const auto overwritten = bench.machine.overwritten[{3, 4}];
        EXPECT_EQ(overwritten, s.batch * std::min(s.inputs, s.outputs) * e)
            << "written over the input while the layer ran";
        if (s.batch > 1) {
            EXPECT_GT(kernel.passes[0].blocks, 1u);
        }
        EXPECT_EQ(bench.machine.dram.parts()[0].peak - s.inputs * s.outputs * e - s.outputs * 4,
                  s.batch * std::max(s.inputs, s.outputs) * e);
    }
}

TEST(forward, tails_formats_epilogues_and_queues) {
    std::mt19937_64 random(1);
    const std::vector<std::array<std::uint32_t, 3>> shapes{{1, 1, 1},  {2, 3, 1},  {37, 20, 33}, {33, 17, 24},
                                                           {16, 8, 8}, {5, 40, 9}, {64, 9, 5}};
    for (const auto& [batch, inputs, outputs] : shapes)
        for (const number_format f : {number_format::fp32, number_format::bf16})
            for (const bool in_place : {false, true})
                for (int variant = 0; variant < 4; ++variant)
                    ASSERT_NO_FATAL_FAILURE(run_forward(
                        {batch, inputs, outputs, f, variant != 0, variant % 2 == 0, in_place, 0, 0},
                        test_device(8, 4, 1 + static_cast<unsigned>(random() % 4)), random()))
                        << batch << "x" << inputs << "x" << outputs;
}

TEST(forward, in_place_blocks_are_at_least_the_array_deep_where_the_batch_allows) {
    device_capabilities device;
    device.regions = {{spec::region_kind::programs, 0, 4u << 20}};
    const forward_shape s{256, 256, 256, number_format::bf16, true, true, true, 512, 512};
    const compiled_kernel kernel = compile_forward(s, device, whole_state_buffer(device));
    EXPECT_EQ(kernel.passes[0].block_rows, 64u);
    EXPECT_EQ(kernel.passes[0].blocks, 4u);
    EXPECT_TRUE(kernel.passes[0].a_resident);
    EXPECT_EQ(kernel.passes[0].groups, 1u) << "rows are written whole";
}

void run_backward(backward_shape s, const device_capabilities& device, std::uint64_t seed,
                  std::uint64_t work_bytes = 0) {
    const std::size_t e = bytes_of(s.format);
    s.input_pitch = s.inputs * e + 4, s.gradient_pitch = s.outputs * e, s.input_gradient_pitch = s.inputs * e;
    kernel_bench bench(device, seed);
    const work_space space = work_bytes ? work_space{1024, work_bytes} : bench.space();
    const compiled_kernel kernel = compile_backward(s, device, space);
    expect_sound(kernel);
    EXPECT_LE(kernel.work_bytes, space.bytes);
    const values x = random_values(s.batch, s.inputs, s.format, seed),
                 w = random_values(s.inputs, s.outputs, s.format, seed + 1),
                 g = random_values(s.batch, s.outputs, s.format, seed + 2);
    const auto bytes = [&](unsigned slot) { return kernel.slots[slot].bytes; };
    const spec::operand none{};
    const spec::operand input = bench.in_dram(bytes(backward_slots::input), 3, access_read),
                        gradient = bench.in_dram(bytes(backward_slots::gradient), 4, access_read),
                        weights = s.data_gradient
                                      ? bench.in_dram(bytes(backward_slots::weights), 5, access_read)
                                      : none,
                        down = s.data_gradient
                                   ? bench.in_dram(bytes(backward_slots::input_gradient), 6, access_write)
                                   : none,
                        dw = bench.in_host(bytes(backward_slots::weight_gradient), 7, access_write),
                        db = s.bias ? bench.in_host(bytes(backward_slots::bias_gradient), 8, access_write)
                                    : none;
    bench.put(input, x, s.format, s.input_pitch);
    bench.put(gradient, g, s.format, s.gradient_pitch);
    if (s.data_gradient)
        bench.put(weights, w, s.format, s.outputs * e);
    ASSERT_NO_FATAL_FAILURE(bench.run(bench.command(kernel, {input, gradient, weights, down, dw, db})));

    expect_same_bits(decode(bench.bytes(dw), s.inputs, s.outputs, number_format::fp32, s.outputs * 4),
                     product(transposed(x), g, device.rows), "dW");
    if (s.bias) {
        values sums{1, s.outputs, std::vector<float>(s.outputs, 0.0f)};
        for (std::size_t r = 0; r < s.batch; ++r)
            for (std::size_t c = 0; c < s.outputs; ++c)
                sums.at(0, c) = sums.at(0, c) + g.at(r, c);
        expect_same_bits(decode(bench.bytes(db), 1, s.outputs, number_format::fp32, s.outputs * 4), sums,
                         "db");
    }
    if (s.data_gradient) {
        values want = product(g, transposed(w), device.rows);
        for (std::size_t i = 0; i < want.v.size(); ++i) {
            const bool open = !s.mask || x.v[i] > 0.0f;
            want.v[i] = rounded(open ? want.v[i] : 0.0f, s.format);
        }
        expect_same_bits(decode(bench.bytes(down), s.batch, s.inputs, s.format, s.input_gradient_pitch), want,
                         "G");
    }
}

TEST(backward, tails_formats_masks_and_queues) {
    std::mt19937_64 random(3);
    const std::vector<std::array<std::uint32_t, 3>> shapes{{1, 1, 2},  {37, 20, 33}, {33, 17, 24},
                                                           {16, 8, 8}, {5, 40, 9},   {50, 9, 5}};
    for (const auto& [batch, inputs, outputs] : shapes)
        for (const number_format f : {number_format::fp32, number_format::bf16})
            for (unsigned queues = 1; queues <= 4; ++queues)
                for (int variant = 0; variant < 3; ++variant)
                    ASSERT_NO_FATAL_FAILURE(run_backward(
                        {batch, inputs, outputs, f, variant != 1, variant != 2, variant == 0, 0, 0, 0},
                        test_device(8, 4, queues), random()))
                        << batch << "x" << inputs << "x" << outputs << " on " << queues << " queues, variant "
                        << variant;
}

TEST(backward, shrinking_buffers_stay_exact_until_a_clear_refusal) {
    std::mt19937_64 random(4);
    std::uint64_t bytes = 16 << 10;
    unsigned runs = 0;
    for (;; bytes = bytes * 3 / 4) {
        try {
            for (unsigned queues = 1; queues <= 3; ++queues)
                ASSERT_NO_FATAL_FAILURE(
                    run_backward({29, 22, 27, number_format::bf16, true, true, true, 0, 0, 0},
                                 test_device(8, 4, queues), random(), bytes))
                    << bytes << " bytes";
            ++runs;
        } catch (const capacity_error& error) {
            EXPECT_EQ(error.memory(), "state_buffer");
            EXPECT_EQ(error.available_bytes(), 1024 + bytes);
            break;
        }
    }
    EXPECT_GT(runs, 6u);
}

TEST(backward, batches_beyond_what_an_instruction_counts_are_summed_in_several) {
    device_capabilities device = test_device(8, 4);
    device.psum_rows = 512;
    device.state_buffer_bytes = 4 << 20;
    device.dram_bytes = 16 << 20;
    device.regions.back().base = 3 << 20; // behind the tensors
    ASSERT_NO_FATAL_FAILURE(
        run_backward({65536, 1, 2, number_format::bf16, true, true, true, 0, 0, 0}, device, 6));
    device_capabilities large; // as preset large
    large.rows = large.columns = 128;
    large.psum_rows = 512;
    large.state_buffer_bytes = 24u << 20;
    const backward_shape s{65536, 64, 10, number_format::bf16, true, true, true, 128, 20, 128};
    ASSERT_NO_FATAL_FAILURE(expect_sound(compile_backward(s, large, whole_state_buffer(large))));
}

TEST(backward, one_psum_bank_shares_it_behind_a_barrier) {
    std::mt19937_64 random(5);
    for (unsigned queues = 1; queues <= 4; ++queues) {
        device_capabilities device = test_device(8, 4, queues);
        device.psum_banks = 1;
        ASSERT_NO_FATAL_FAILURE(
            run_backward({29, 22, 27, number_format::bf16, true, true, true, 0, 0, 0}, device, random()));
    }
}

} // namespace
} // namespace retrace::compiler
