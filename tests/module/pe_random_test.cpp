// Random products, tiled as a compiler would, with other engines in the way: kernel and stepped agree in
// every bit and cycle, and both with the scalar reference.
#include <random>

#include "tests/module/pe_bench.h"
#include "tlm/core/array/gemm_reference.h"

namespace retrace::test {
namespace {

constexpr unsigned pe = spec::engine_pe;

struct shape {
    unsigned m, k, n;
    number_format f;
};

/// Random orders and distances of tiles: for every column panel its k tiles ascending, blocks of rows, banks
/// rotating.
program product_program(std::mt19937& engine, const npu_config& c, const shape& s) {
    program p;
    const unsigned R = c.array.rows, C = c.array.columns, bytes = bytes_of(s.f);
    const unsigned block = 1 + engine() % c.psum.rows, panels = (s.n + C - 1) / C,
                   rows_per_panel = (s.m + 7) / 8 * 8;
    for (unsigned panel = 0; panel < panels; ++panel) {
        const unsigned columns = std::min(C, s.n - panel * C);
        for (unsigned k0 = 0; k0 < s.k; k0 += R) {
            const unsigned depth = std::min(R, s.k - k0);
            p.push_back(encode(
                load_weights({}, s.f, depth, columns, 16384 + (k0 * s.n + panel * C) * bytes, s.n * bytes)));
            for (unsigned m0 = 0; m0 < s.m; m0 += block)
                p.push_back(
                    encode(matmul({}, s.f, std::min(block, s.m - m0), depth, (m0 * s.k + k0) * bytes,
                                  s.k * bytes, panel * rows_per_panel + m0, C,
                                  (m0 == 0 ? spec::matmul_swap : 0) | (k0 ? spec::matmul_accumulate : 0))));
            if (engine() % 4 == 0)
                p.push_back(encode(nop({})));
        }
    }
    return p;
}

void random_products(const npu_config& c, unsigned seed) {
    std::mt19937 engine(seed);
    array_pair pair(c);
    const unsigned R = c.array.rows, C = c.array.columns;
    for (unsigned trial = 0; trial < 25; ++trial) {
        shape s;
        s.f = static_cast<number_format>(engine() % 5);
        s.k = 1 + engine() % (3 * R);
        s.n = 1 + engine() % (2 * C);
        s.m = 1 + engine() % 40;
        const auto a = random_matrix(s.f, s.m * s.k, seed + trial),
                   w = random_matrix(s.f, s.k * s.n, seed + trial + 1000);
        const program p = product_program(engine, c, s);
        const unsigned noise = engine() % 3, noise_rows = 1 + engine() % 30;
        pair.each([&](device_bench& b) {
            b.put(b.buffer_memory, 0, a);
            b.put(b.buffer_memory, 16384, w);
            b.put(b.buffer_memory, 32768, std::vector<std::byte>(4096));
            b.start(pe, p);
            // Bank conflicts: a DMA queue and the vector engine use the banks of the operands.
            program copies, sums_of_rows;
            for (unsigned i = 0; i < 12 * noise; ++i) {
                copies.push_back(encode(copy({}, work, (i % 2) * 16384, slot::dram, 0, 2048)));
                auto r = matrix(spec::opcode::reduce_rows, {}, number_format::int8, number_format::fp32,
                                noise_rows, 16);
                r.a = at(work, i % 3 ? 0 : 16384, 16);
                r.d = at(work, 49152, 4);
                sums_of_rows.push_back(encode(r));
            }
            b.start(spec::engine_dma, copies);
            b.start(spec::engine_vector, sums_of_rows);
        });
        pair.run();
        pair.each([](device_bench& b) {
            for (const auto& e : b.endings)
                ASSERT_EQ(e.fault, spec::engine_fault::none);
        });
        pair.expect_equal();
        std::vector<std::uint32_t> expected(s.m * s.n);
        gemm_reference({a.data(), s.k * bytes_of(s.f), s.m, s.k, s.f},
                       {w.data(), s.n * bytes_of(s.f), s.k, s.n, s.f}, R, expected.data(), s.n);
        const unsigned rows_per_panel = (s.m + 7) / 8 * 8;
        for (unsigned i = 0; i < s.m; ++i)
            for (unsigned j = 0; j < s.n; ++j)
                ASSERT_EQ(pair.kernel.words(pair.kernel.psum_memory,
                                            ((j / C * rows_per_panel + i) * C + j % C) * 4, 1)[0],
                          expected[i * s.n + j])
                    << name_of(s.f) << " " << s.m << "x" << s.k << "x" << s.n << " at " << i << "," << j;
        pair.each([](device_bench& b) { b.endings.clear(); });
        if (testing::Test::HasFailure())
            FAIL() << "trial " << trial;
    }
}

TEST(pe_random, products_agree_on_a_square_array) { random_products(bench_config(), 1); }

TEST(pe_random, products_agree_on_a_wide_array_with_a_deep_pipeline) {
    npu_config c = bench_config();
    c.array.rows = 5;
    c.array.columns = 12;
    c.array.fma_depth = 4;
    c.psum.banks = 8;
    c.state_buffer.capacity_bytes = 20u * 8 * 410;
    random_products(c, 2);
}

TEST(pe_random, products_agree_on_a_tall_array_with_one_weight_register) {
    npu_config c = bench_config();
    c.array.rows = 16;
    c.array.columns = 4;
    c.array.weight_registers = 1;
    c.array.operand_cycles = {3, 2, 1, 1, 1};
    random_products(c, 3);
}

TEST(pe_random, products_agree_on_slow_weights_and_ideal_memories) {
    npu_config c = bench_config();
    c.array.fma_depth = 2;
    c.array.operand_cycles = {1, 1, 2, 3, 4};
    c.ideal_memories = true;
    random_products(c, 4);
}

TEST(pe_random, products_agree_while_the_array_is_stalled_at_random) {
    npu_config c = bench_config();
    c.array.stress = {.seed = 5, .mean_gap_cycles = 11, .max_cycles = 9};
    random_products(c, 5);
}

TEST(pe_random, products_agree_in_a_deep_pipeline_that_is_stalled_more_often_than_not) {
    npu_config c = bench_config();
    c.array.fma_depth = 3;
    c.array.operand_cycles = {4, 2, 1, 1, 1};
    c.array.stress = {.seed = 6, .mean_gap_cycles = 2, .max_cycles = 5};
    random_products(c, 6);
}

TEST(pe_random, products_agree_with_one_weight_register_under_rare_long_stalls) {
    npu_config c = bench_config();
    c.array.weight_registers = 1;
    c.array.stress = {.seed = 7, .mean_gap_cycles = 40, .max_cycles = 200};
    random_products(c, 7);
}

} // namespace
} // namespace retrace::test
