// Speed of the Verilated RTL: clocks of the array under overlapped bf16 tiles, and operations of the multiply-add
// alone.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <memory>
#include <vector>

#include <fmt/format.h>

#include "hw/verilated/verilated_array.h"
#include "tests/bench/figures.h"
#include "tests/bench/references.h"
#include "tlm/core/array/array_timing.h"

namespace retrace::bench {
namespace {

const figure_handle array_figure({"RTL array, 16x16 bf16, k cycles/s", " k", 20});
const figure_handle fma_figure({"RTL multiply-add alone, k operations/s", " k", 200});

matrix_view view_of(const std::vector<std::uint16_t>& values, unsigned rows, unsigned columns) {
    return {reinterpret_cast<const std::byte*>(values.data()), std::size_t{columns} * 2, rows, columns,
            number_format::bf16};
}

// Tiles back to back, a load and a stream each. Every clock is stepped: nothing is idle.
void rtl_tiles(benchmark::State& state) {
    const auto m = static_cast<unsigned>(state.range(0));
    array_config config;
    config.rows = config.columns = static_cast<unsigned>(state.range(1));
    config.fma_depth = static_cast<unsigned>(state.range(2));
    const array_timing timing(config);
    const auto a = random_bf16(std::size_t{m} * config.rows, 1);
    const auto w = random_bf16(std::size_t{config.rows} * config.columns, 2);
    const matrix_view operands = view_of(a, m, config.rows), weights = view_of(w, config.rows, config.columns);

    std::unique_ptr<rtl_array> array;
    try {
        array = make_rtl_array(config);
    } catch (const rtl_unavailable& e) {
        state.SkipWithError(e.what());
        return;
    }
    column_sums sums;
    array->load_weights(0, weights);
    std::uint64_t start = timing.load_complete(0, weights.format);
    double best = 0; // cycles per second
    for (auto _ : state) {
        const double before = cpu_seconds();
        const std::uint64_t steps = array->cycles_stepped();
        array->stream(start, operands, true);
        const std::uint64_t reload = timing.earliest_reload(start, weights.format);
        array->load_weights(reload, weights);
        start = std::max(timing.next_stream(start, operands.format, m), timing.load_complete(reload, weights.format));
        while (array->collect(start - 1, sums)) {
            benchmark::DoNotOptimize(sums.bits.data());
        }
        best = std::max(best, static_cast<double>(array->cycles_stepped() - steps) / (cpu_seconds() - before));
    }
    state.counters["best_cycles_per_second"] = best;
    if (config.rows == 16 && config.fma_depth == 1) {
        array_figure.measured(best * 1e-3, fmt::format("tiles of {} rows, overlapped", m));
    }
}
BENCHMARK(rtl_tiles)
    ->ArgNames({"m", "array", "depth"})
    ->Args({512, 8, 1})
    ->Args({512, 8, 3})
    ->Args({512, 16, 3})
    ->Args({512, 16, 1})
    ->Unit(benchmark::kMillisecond);

void rtl_fma_alone(benchmark::State& state) {
    constexpr std::size_t count = 20'000;
    const auto values = random_bf16(3 * count, 5);
    std::vector<rtl_fma::triple> triples(count);
    for (std::size_t i = 0; i < count; ++i) {
        triples[i] = {values[3 * i] * 65536u + 1, values[3 * i + 1] * 65536u + 3, values[3 * i + 2] * 65536u};
    }
    std::vector<std::uint32_t> results(count);
    try {
        rtl_fma fma;
        double best = 0;
        for (auto _ : state) {
            const double before = cpu_seconds();
            fma(triples, results);
            benchmark::DoNotOptimize(results.data());
            best = std::max(best, static_cast<double>(count) / (cpu_seconds() - before));
        }
        state.counters["best_operations_per_second"] = best;
        fma_figure.measured(best * 1e-3, "one register, one at a time");
    } catch (const rtl_unavailable& e) {
        state.SkipWithError(e.what());
    }
}
BENCHMARK(rtl_fma_alone)->Unit(benchmark::kMillisecond);

} // namespace
} // namespace retrace::bench
