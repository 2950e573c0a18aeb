// The PE array's engine: closed forms of its time, signals, what lands in PSUM.
#include "tests/module/pe_bench.h"
#include "tlm/core/array/gemm_reference.h"

namespace retrace::test {
namespace {

constexpr unsigned pe = spec::engine_pe, act = spec::engine_activation;
using spec::engine_fault;

npu_config ideal(unsigned registers) {
    npu_config c = bench_config();
    c.ideal_memories = true;
    c.array.weight_registers = registers;
    return c;
}

TEST(pe_array, serial_tiles_take_the_textbook_form) {
    array_pair pair(ideal(1));
    const std::uint64_t R = 8, C = 8;
    std::uint64_t expected = 0;
    for (const auto& [m, count] : {std::pair{1u, 1u}, {5u, 3u}, {8u, 4u}, {32u, 6u}}) {
        pair.each([&, m = m, count = count](device_bench& b) {
            put_operands(b, number_format::bf16, m, 8, 8);
            b.start(pe, tiles(b.config, number_format::bf16, m, 8, 8, count));
        });
        pair.run();
        expected += count * (m + 2 * R + C - 2);
        EXPECT_EQ(pair.kernel.stalls.array_cycles(), expected) << m << " rows, " << count << " tiles";
        pair.expect_equal();
    }
}

TEST(pe_array, does_what_the_manual_works_out) {
    array_pair pair; // hw/README.md, 9.12
    pair.kernel.pass(1000);
    pair.each([](device_bench& b) {
        put_operands(b, number_format::bf16, 8, 8, 8);
        b.start(pe, tiles(b.config, number_format::bf16, 8, 8, 8, 4));
    });
    pair.run();
    EXPECT_EQ(pair.kernel.one_ending().cycle, 1096u);
    EXPECT_EQ(pair.stepped.one_ending().cycle, 1096u);
    for (unsigned t = 0; t < 4; ++t) {
        EXPECT_EQ(pair.kernel.accesses(pe, 2 * t)[0].end, t == 0 ? 1047u : 1039u + t * 9 + 8);
        EXPECT_EQ(pair.kernel.accesses(pe, 2 * t + 1)[0].end, 1047u + 9 * t + 7 + 7 + 8);
    }
}

TEST(pe_array, serial_tiles_in_fp32_take_operand_cycles_per_row) {
    npu_config c = ideal(1);
    c.array.fma_depth = 3;
    array_pair pair(c);
    pair.each([](device_bench& b) {
        put_operands(b, number_format::fp32, 7, 8, 8);
        b.start(pe, tiles(b.config, number_format::fp32, 7, 8, 8, 3));
    });
    pair.run();
    EXPECT_EQ(pair.kernel.stalls.array_cycles(),
              3u * (8 * 4 + 6 * 4 + 7 + 8 * 3)); // R*o + (M-1)*o + (C-1) + R*D
    pair.expect_equal();
}

TEST(pe_array, overlapped_tiles_hide_the_weight_load) {
    array_pair pair(ideal(2));
    const unsigned m = 9; // R + 1: the load of the next tile just fits
    pair.each([&](device_bench& b) {
        put_operands(b, number_format::bf16, m, 8, 8);
        b.start(pe, tiles(b.config, number_format::bf16, m, 8, 8, 10));
    });
    pair.run();
    EXPECT_EQ(pair.kernel.stalls.array_cycles(), m + 2 * 8 + 8 - 2 + 9u * m);
    pair.expect_equal();
}

TEST(pe_array, short_overlapped_tiles_wait_for_their_weights) {
    array_pair pair(ideal(2));
    const unsigned m = 3;
    pair.each([&](device_bench& b) {
        put_operands(b, number_format::bf16, m, 8, 8);
        b.start(pe, tiles(b.config, number_format::bf16, m, 8, 8, 10));
    });
    pair.run();
    EXPECT_EQ(pair.kernel.stalls.array_cycles(), m + 2 * 8 + 8 - 2 + 9u * (8 + 1)); // R + 1 cycles a tile
    pair.expect_equal();
}

TEST(pe_array, signals_fire_when_weights_have_entered_and_when_the_last_sum_is_in_psum) {
    array_pair pair;
    pair.each([](device_bench& b) {
        put_operands(b, number_format::bf16, 6, 8, 8);
        b.start(pe, {encode(load_weights(sync().signal(1), number_format::bf16, 8, 8, 16384, 16)),
                     encode(matmul(sync().signal(2), number_format::bf16, 6, 8, 0, 16, 0, 8,
                                   spec::matmul_swap))});
        b.start(act, {encode(nop(sync().wait(1).signal(3)))});
        auto read =
            matrix(spec::opcode::reduce_rows, sync().wait(2), number_format::fp32, number_format::fp32, 6, 8);
        read.a = at(sums, 0, 32), read.d = at(work, 40'000, 4);
        b.start(spec::engine_vector, {encode(read)});
    });
    pair.run();
    const auto load = pair.kernel.accesses(pe, 0), mm = pair.kernel.accesses(pe, 1);
    ASSERT_EQ(mm.size(), 2u);
    EXPECT_EQ(load[0].end - load[0].begin, 8u); // R rows, one a cycle
    // The stream starts when the load is complete: rows, columns and depth of the array, and one cycle to
    // land.
    EXPECT_EQ(mm[0].end, load[0].end + 5 + 7 + 8);
    for (const auto& e : pair.kernel.endings)
        if (e.engine == act) {
            EXPECT_EQ(e.cycle, load[0].end);
        }
    EXPECT_EQ(pair.kernel.accesses(spec::engine_vector, 0)[0].begin, mm[0].end);
    EXPECT_TRUE(pair.kernel.events.stale.empty());
    pair.expect_equal();
}

TEST(pe_array, operands_are_read_at_the_start_and_psum_is_written_at_the_end) {
    device_bench b;
    put_operands(b, number_format::bf16, 32, 8, 8);
    b.start(pe, tiles(b.config, number_format::bf16, 32, 8, 8, 1));
    b.pass(70); // streaming
    EXPECT_EQ(b.psum_memory.live_bytes(), 0u);
    b.put(b.buffer_memory, 0, random_bytes(512, 77)); // too late to matter
    b.put(b.buffer_memory, 16384, random_bytes(128, 78));
    ASSERT_TRUE(b.run());
    const auto a = random_matrix(number_format::bf16, 256, 1), w = random_matrix(number_format::bf16, 64, 2);
    std::vector<std::uint32_t> c(256);
    gemm_reference({a.data(), 16, 32, 8, number_format::bf16}, {w.data(), 16, 8, 8, number_format::bf16}, 8,
                   c.data(), 8);
    EXPECT_EQ(b.words(b.psum_memory, 0, 256), c);
}

TEST(pe_array, partial_tiles_leave_the_columns_beside_them_alone) {
    array_pair pair;
    pair.each([](device_bench& b) {
        put_operands(b, number_format::fp32, 4, 5, 3);
        b.put(b.psum_memory, 0, random_bytes(128, 4), {7, 1});
        b.start(pe, tiles(b.config, number_format::fp32, 4, 5, 3, 1));
    });
    pair.run();
    pair.expect_equal();
    const auto before = random_bytes(128, 4), after = pair.kernel.get(pair.kernel.psum_memory, 0, 128);
    for (unsigned r = 0; r < 4; ++r)
        EXPECT_TRUE(std::equal(before.begin() + r * 32 + 12, before.begin() + r * 32 + 32,
                               after.begin() + r * 32 + 12));
    EXPECT_EQ(pair.kernel.pe.macs(), 4u * 5 * 3);
    const auto log = pair.kernel.accesses(pe, 1);
    EXPECT_EQ(log[1].sizes[0], 12u);
    EXPECT_EQ(log[1].strides[0], 32u);
}

TEST(pe_array, accumulating_on_what_was_never_written_is_reported) {
    device_bench b;
    put_operands(b, number_format::bf16, 2, 8, 8);
    b.execute(pe, {encode(load_weights({}, number_format::bf16, 8, 8, 16384, 16)),
                   encode(matmul({}, number_format::bf16, 2, 8, 0, 16, 0, 8,
                                 spec::matmul_swap | spec::matmul_accumulate))});
    ASSERT_EQ(b.events.stale.size(), 1u);
    EXPECT_EQ(b.events.stale[0].memory, spec::memory_kind::psum);
    EXPECT_EQ(b.words(b.psum_memory, 0, 1)[0], 0x7fc00000u);
}

TEST(pe_array, a_burst_waits_for_its_bank_and_the_wait_is_a_bank_conflict) {
    array_pair pair;
    pair.each([](device_bench& b) {
        put_operands(b, number_format::bf16, 6, 8, 8);
        b.stalls.begin(0);
        b.buffer.banks().occupy(0, 300, {2, 1}); // where the weights are
        b.start(pe, tiles(b.config, number_format::bf16, 6, 8, 8, 1));
    });
    pair.run();
    pair.expect_equal();
    const auto load = pair.kernel.accesses(pe, 0);
    EXPECT_EQ(load[0].end, 308u);
    pair.kernel.stalls.until(pair.kernel.clock.now());
    EXPECT_EQ(pair.kernel.stalls.of(stall::bank_conflict), 300 - load[0].begin);
    EXPECT_EQ(pair.kernel.stalls.of(stall::compute), 6u);
    EXPECT_EQ(pair.kernel.stalls.of(stall::weight_load), 8u);
    EXPECT_EQ(pair.kernel.stalls.of(stall::fill), 1u);   // rows in 0..5, the first sum's stamp is 7
    EXPECT_EQ(pair.kernel.stalls.of(stall::drain), 13u); // up to the last landing in 20
    std::uint64_t sum = 0;
    for (unsigned s = 0; s < stall_count; ++s)
        sum += pair.kernel.stalls.of(static_cast<stall>(s));
    EXPECT_EQ(sum, pair.kernel.stalls.total());
}

} // namespace
} // namespace retrace::test
