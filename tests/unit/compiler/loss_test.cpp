#include "host/compiler/loss.h"

#include <gtest/gtest.h>

#include "tests/unit/compiler/bench.h"

namespace retrace::compiler {
namespace {

using namespace testing;
using spec::number_format;

void run_loss(const loss_shape& s, const device_capabilities& device, const work_space& space,
              std::uint64_t seed) {
    const std::size_t e = bytes_of(s.format), n = s.classes;
    kernel_bench bench(device, seed);
    const compiled_kernel kernel = compile_loss(s, device, space);
    expect_sound(kernel);
    EXPECT_LE(kernel.work_bytes, space.bytes);
    const values x = random_values(s.batch, n, s.format, seed);
    values t{s.batch, n, std::vector<float>(s.batch * n)};
    std::mt19937_64 random(seed);
    for (std::size_t r = 0; r < s.batch; ++r)
        t.at(r, random() % n) = 1.0f;
    const auto bytes = [&](unsigned slot) { return kernel.slots[slot].bytes; };
    const spec::operand input = bench.in_dram(bytes(loss_slots::input), 3, access_read | access_release),
                        targets = bench.in_host(bytes(loss_slots::targets), 4, access_read),
                        gradient = bench.in_dram(bytes(loss_slots::gradient), 5, access_write),
                        loss = bench.in_host(bytes(loss_slots::loss), 6, access_write),
                        logits = bench.in_host(bytes(loss_slots::logits), 3, access_write);
    bench.put(input, x, s.format, s.input_pitch);
    bench.put(targets, t, s.format, n * e);
    ASSERT_NO_FATAL_FAILURE(bench.run(bench.command(kernel, {input, targets, gradient, loss, logits})));

    values want_g{s.batch, n, std::vector<float>(s.batch * n)},
        want_loss{s.batch, 1, std::vector<float>(s.batch)};
    const float scale = 1.0f / static_cast<float>(s.batch);
    const auto exp = [](float v) { return function(spec::activation_function::exp, v); };
    const auto log = [](float v) { return function(spec::activation_function::log, v); };
    for (std::size_t r = 0; r < s.batch; ++r) {
        float max = x.at(r, 0), sum = 0, dot = 0;
        for (std::size_t c = 1; c < n; ++c)
            max = std::max(max, x.at(r, c));
        for (std::size_t c = 0; c < n; ++c) {
            const float d = x.at(r, c) - max;
            sum = c ? sum + exp(d) : exp(d);
            dot = c ? dot + d * t.at(r, c) : d * t.at(r, c);
        }
        for (std::size_t c = 0; c < n; ++c)
            want_g.at(r, c) = rounded((exp(x.at(r, c) - max) / sum - t.at(r, c)) * scale, s.format);
        want_loss.at(r, 0) = log(sum) - dot;
    }
    expect_same_bits(decode(bench.bytes(gradient), s.batch, n, s.format, s.gradient_pitch), want_g, "G");
    expect_same_bits(decode(bench.bytes(loss), s.batch, 1, number_format::fp32, 4), want_loss, "loss");
    expect_same_bits(decode(bench.bytes(logits), s.batch, n, s.format, n * e), x, "logits");
    EXPECT_EQ(bench.machine.dram.live_under_tag(3), 0u);
}

TEST(loss, matches_the_scalar_definition_for_all_block_sizes_and_queues) {
    std::mt19937_64 random(1);
    for (const std::uint32_t batch : {1u, 2u, 17u, 64u})
        for (const std::uint32_t classes : {2u, 5u, 10u})
            for (const number_format f : {number_format::fp32, number_format::bf16})
                for (unsigned queues = 1; queues <= 4; ++queues) {
                    const device_capabilities device = test_device(8, 8, queues);
                    const std::uint64_t e = bytes_of(f), pitch = classes * e + (random() % 2 ? 8 : 0);
                    const loss_shape s{batch, classes, f, pitch, classes * e};
                    ASSERT_NO_FATAL_FAILURE(run_loss(s, device, {1024, 16 << 10}, random()));
                    ASSERT_NO_FATAL_FAILURE(run_loss(s, device, {1024, 1600}, random()))
                        << "in blocks of few rows";
                }
}

TEST(loss, more_classes_than_an_instruction_counts_are_unsupported) {
    try {
        compile_loss({8, 65536, number_format::bf16, 131072, 131072}, test_device(8, 8), {0, 1u << 30});
        FAIL() << "65536 classes were accepted";
    } catch (const capacity_error& error) {
        FAIL() << "no memory would help: " << error.what();
    } catch (const std::runtime_error& error) {
        EXPECT_NE(std::string(error.what()).find("unsupported"), std::string::npos) << error.what();
    }
    EXPECT_NO_THROW(
        compile_loss({8, 65535, number_format::bf16, 131070, 131070}, test_device(8, 8), {0, 1u << 30}));
}

TEST(loss, too_little_state_buffer_is_refused) {
    EXPECT_THROW(compile_loss({8, 10, number_format::bf16, 20, 20}, test_device(8, 8), {0, 256}),
                 capacity_error);
}

} // namespace
} // namespace retrace::compiler
