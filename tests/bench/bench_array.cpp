// Speed of the PE array: the kernel's product beside OpenBLAS and oneDNN, tiles as a simulation makes them,
// and the stepped array's clock rate.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include <fmt/format.h>

#include "tests/bench/figures.h"
#include "tests/bench/references.h"
#include "tlm/core/array/array_timing.h"
#include "tlm/core/array/gemm_reference.h"
#include "tlm/core/array/kernel_array.h"
#include "tlm/core/array/kernel_simd.h"
#include "tlm/core/array/stepped_array.h"

namespace retrace::bench {
namespace {

const figure_handle kernel_figure({"kernel array's 1024^3 bf16 on 128x128 tiles, against sgemm", "", 0.8});
const figure_handle stepped_figure({"stepped array, 32x32 bf16, k cycles/s", " k", 500});

matrix_view view_of(const std::vector<std::uint16_t>& values, unsigned rows, unsigned columns) {
    return {reinterpret_cast<const std::byte*>(values.data()), std::size_t{columns} * 2, rows, columns,
            number_format::bf16};
}

// bf16 operands in row-major memory, packing included, against float products of the same values. Every
// iteration times all three in turn; each keeps its best, because timings of a shared machine wander.
void gemm_against_blas(benchmark::State& state) {
    const auto n = static_cast<unsigned>(state.range(0));
    const auto array_rows = static_cast<unsigned>(state.range(1));
    const std::size_t size = std::size_t{n} * n;
    const auto a = random_bf16(size, 1), b = random_bf16(size, 2);
    std::vector<std::uint32_t> c(size);

    if (!reference_products::instance().complete()) {
        state.SkipWithError("needs libopenblas0 and libdnnl2");
        return;
    }
    reference_stopwatch reference(static_cast<int>(n));
    double kernel = std::numeric_limits<double>::infinity();
    for (auto _ : state) {
        const double now = cpu_seconds_of(
            [&] { kernel::gemm(view_of(a, n, n), view_of(b, n, n), array_rows, c.data(), n); });
        kernel = std::min(kernel, now);
        reference.run();
        state.SetIterationTime(now);
    }
    for (const gemm_sample& s :
         gemm_reference_sample(view_of(a, n, n), view_of(b, n, n), array_rows, 3, 200)) {
        if (c[std::size_t{s.row} * n + s.column] != s.bits) {
            state.SkipWithError("the product differs from the scalar reference");
            return;
        }
    }
    const double flops = 2.0 * static_cast<double>(n) * n * n * 1e-9, ratio = reference.best_seconds() / kernel;
    state.counters["kernel_gflops"] = flops / kernel;
    state.counters["ratio"] = ratio;
    const std::string how =
        fmt::format("kernel {} {:.0f} GFLOP/s; {}", kernel::target_name(), flops / kernel, reference.describe());
    state.SetLabel(how);
    if (n == 1024 && array_rows == 128)
        kernel_figure.measured(ratio, how);
}
BENCHMARK(gemm_against_blas)
    ->ArgNames({"n", "array_rows"})
    ->Args({1024, 128})
    ->Args({1024, 32})
    ->Iterations(60)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

// Overlapped tiles back to back, a load and a stream each, sums collected.
template <typename Array>
void array_tiles(benchmark::State& state) {
    const auto m = static_cast<unsigned>(state.range(0));
    array_config config;
    config.rows = config.columns = static_cast<unsigned>(state.range(1));
    const array_timing timing(config);
    const auto a = random_bf16(std::size_t{m} * config.rows, 1);
    const auto w = random_bf16(std::size_t{config.rows} * config.columns, 2);
    const matrix_view operands = view_of(a, m, config.rows),
                      weights = view_of(w, config.rows, config.columns);

    Array array(config);
    column_sums sums;
    array.load_weights(0, weights);
    std::uint64_t start = timing.load_complete(0, weights.format), cycles = 0;
    double best = 0; // cycles per second
    for (auto _ : state) {
        const double before = cpu_seconds();
        array.stream(start, operands, true);
        const std::uint64_t reload = timing.earliest_reload(start, weights.format);
        array.load_weights(reload, weights);
        const std::uint64_t next = std::max(timing.next_stream(start, operands.format, m),
                                            timing.load_complete(reload, weights.format));
        while (array.collect(next - 1, sums)) {
            benchmark::DoNotOptimize(sums.bits.data());
        }
        best = std::max(best, static_cast<double>(next - start) / (cpu_seconds() - before));
        cycles += next - start;
        start = next;
    }
    const double macs = static_cast<double>(m) * config.rows * config.columns;
    state.counters["macs"] = benchmark::Counter(macs, benchmark::Counter::kIsIterationInvariantRate);
    state.counters["array_cycles"] =
        benchmark::Counter(static_cast<double>(cycles), benchmark::Counter::kIsRate);
    if (std::is_same_v<Array, stepped_array> && config.rows == 32)
        stepped_figure.measured(best * 1e-3, fmt::format("tiles of {} rows, overlapped", m));
}
BENCHMARK(array_tiles<kernel_array>)
    ->ArgNames({"m", "array"})
    ->Args({64, 32})
    ->Args({512, 32})
    ->Args({512, 128});
BENCHMARK(array_tiles<stepped_array>)
    ->ArgNames({"m", "array"})
    ->Args({32, 32})
    ->Args({512, 32})
    ->Args({512, 128});

} // namespace
} // namespace retrace::bench
