#include "host/compiler/transfer.h"

#include <gtest/gtest.h>

#include "tests/unit/compiler/bench.h"

namespace retrace::compiler {
namespace {

using namespace testing;
using spec::number_format;

TEST(transfer, moves_rows_with_pitches_both_ways_and_weights_with_their_bias) {
    for (unsigned queues = 1; queues <= 5; ++queues) {
        const device_capabilities device = test_device(8, 8, queues);
        kernel_bench bench(device, queues);
        const auto command = [&](const compiled_kernel& kernel, const std::vector<spec::operand>& operands) {
            expect_sound(kernel);
            for (const slot_limit& slot : limits_of(kernel))
                EXPECT_FALSE(slot.working_buffer);
            spec::command c = bench.command(kernel, {});
            EXPECT_EQ(c.work_bytes, 0u);
            std::copy(operands.begin(), operands.end(), c.operands);
            c.operand_count = static_cast<std::uint8_t>(operands.size());
            return c;
        };
        const values m = random_values(7, 5, number_format::fp32, queues);
        const spec::operand host = bench.in_host(7 * 20, 9, access_read),
                            device_side = bench.in_dram(6 * 32 + 20, 9, access_write),
                            back = bench.in_host(7 * 20, 9, access_write);
        bench.put(host, m, number_format::fp32, 20);
        ASSERT_NO_FATAL_FAILURE(
            bench.run(command(compile_transfer({7, 20, 20, 32}, device), {host, device_side})));
        EXPECT_EQ(bench.machine.dram.live_under_tag(9), 140u);
        spec::operand source = device_side;
        source.access = access_read | access_release;
        ASSERT_NO_FATAL_FAILURE(
            bench.run(command(compile_transfer({7, 20, 32, 20}, device), {source, back})));
        expect_same_bits(decode(bench.bytes(back), 7, 5, number_format::fp32, 20), m, "rows");
        EXPECT_EQ(bench.machine.dram.live_under_tag(9), 0u);

        const values w = random_values(6, 4, number_format::bf16, queues + 9),
                     b = random_values(1, 4, number_format::fp32, queues + 8);
        const spec::operand hw = bench.in_host(48, 10, access_read), dw = bench.in_dram(48, 10, access_write),
                            hb = bench.in_host(16, 11, access_read), db = bench.in_dram(16, 11, access_write);
        bench.put(hw, w, number_format::bf16, 8);
        bench.put(hb, b, number_format::fp32, 16);
        ASSERT_NO_FATAL_FAILURE(
            bench.run(command(compile_weight_upload({48, 16}, device), {hw, dw, hb, db})));
        expect_same_bits(decode(bench.bytes(dw), 6, 4, number_format::bf16, 8), w, "weights");
        expect_same_bits(decode(bench.bytes(db), 1, 4, number_format::fp32, 16), b, "bias");
        EXPECT_EQ(compile_weight_upload({48, 0}, device).slots.size(), 2u);
    }
}

} // namespace
} // namespace retrace::compiler
