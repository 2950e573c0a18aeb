#include "host/compiler/blocking.h"

#include <gtest/gtest.h>

#include "tests/unit/compiler/bench.h"

namespace retrace::compiler {
namespace {

using namespace testing;

TEST(blocking, covers_the_shape_and_stays_inside_its_budget) {
    std::mt19937_64 random(1);
    const auto pick = [&random](std::uint32_t low, std::uint32_t high) {
        return low + static_cast<std::uint32_t>(random() % (high - low + 1));
    };
    for (int i = 0; i < 400; ++i) {
        device_capabilities device = test_device(pick(1, 32), pick(1, 32));
        device.psum_rows = pick(1, 64);
        pass_shape s;
        s.m = pick(1, 200), s.k = pick(1, 200), s.n = pick(1, 200);
        s.source = s.result = spec::number_format::bf16;
        s.in_place = random() % 2;
        s.tail = static_cast<epilogue>(s.in_place ? random() % 4 : random() % 5);
        const pass_budget budget{random() % 3 * 1000, 200 + random() % 30000, 1, pick(1, 4), 0};
        const blocking_choice choice = choose_blocking(s, budget, device);
        EXPECT_EQ(choice.best.has_value(), choice.minimum_bytes <= budget.work_bytes);
        if (!choice.best)
            continue;
        const blocking& b = *choice.best;
        EXPECT_LE(b.end, budget.work_offset + budget.work_bytes);
        EXPECT_LE(b.block_rows, device.psum_rows);
        EXPECT_GE(std::uint64_t{b.blocks} * b.block_rows, s.m);
        EXPECT_LT(std::uint64_t{b.blocks - 1} * b.block_rows, s.m);
        EXPECT_TRUE(b.chunks == 1 || b.chunk % device.rows == 0)
            << "chunks are aligned to the tensor's k tiles";
        EXPECT_LT(std::uint64_t{b.chunks - 1} * b.chunk, s.k);
        EXPECT_LT(std::uint64_t{b.groups - 1} * b.group, b.panels);
        EXPECT_LE(b.psum_banks, budget.psum_banks);
        if (s.in_place) {
            EXPECT_EQ(b.groups, 1u);
            EXPECT_TRUE(b.a_resident);
        }
        // No two buffers share a byte.
        std::vector<std::pair<std::uint64_t, std::uint64_t>> parts;
        const auto add = [&parts](const std::vector<std::uint32_t>& at, std::uint64_t bytes) {
            for (const std::uint32_t a : at)
                parts.emplace_back(a, a + bytes);
        };
        const std::uint64_t columns = std::min<std::uint64_t>(s.n, std::uint64_t{b.group} * b.panel);
        add(b.a_slots, std::uint64_t{b.block_rows} * b.chunk * 2);
        add(b.b_slots, std::uint64_t{b.chunk} * b.panel * 2);
        add(b.result_slots, b.block_rows * columns * 2);
        add(b.mask_slots, b.block_rows * columns * 2);
        if (s.has_bias())
            add({b.bias_at}, 4ull * s.n);
        std::sort(parts.begin(), parts.end());
        for (std::size_t p = 0; p < parts.size(); ++p) {
            EXPECT_GE(parts[p].first, budget.work_offset);
            EXPECT_LE(parts[p].second, b.end);
            if (p) {
                EXPECT_GE(parts[p].first, parts[p - 1].second);
            }
        }
    }
}

TEST(blocking, an_empty_budget_says_what_would_be_enough) {
    pass_shape s;
    s.m = s.k = s.n = 100;
    s.source = s.result = spec::number_format::fp32;
    const device_capabilities device = test_device(16, 16);
    const blocking_choice none = choose_blocking(s, {0, 0, 0, 1, 0}, device);
    ASSERT_FALSE(none.best);
    EXPECT_TRUE(choose_blocking(s, {0, none.minimum_bytes, 0, 1, 0}, device).best);
    EXPECT_FALSE(choose_blocking(s, {0, none.minimum_bytes - 1, 0, 1, 0}, device).best);
}

TEST(blocking, tile_cycles_follow_the_manual) {
    device_capabilities device;
    EXPECT_EQ(tile_cycles(256, spec::number_format::bf16, device), 256u);
    EXPECT_EQ(tile_cycles(8, spec::number_format::bf16, device), 33u) << "the next weights need R + 1 cycles";
    EXPECT_EQ(tile_cycles(64, spec::number_format::fp32, device), 256u);
    device.weight_registers = 1;
    EXPECT_EQ(tile_cycles(100, spec::number_format::bf16, device), 100u + 2 * 32 + 32 - 2);
}

} // namespace
} // namespace retrace::compiler
