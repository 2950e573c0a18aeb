// Speed of the PE array: the kernel's product beside OpenBLAS and oneDNN, tiles as a simulation makes them,
// and the stepped array's clock rate.
//
// The BLAS libraries are opened at run time, not linked. Debian's OpenBLAS misdetects newer processors and
// then runs five times too slow; OPENBLAS_CORETYPE must be set before the library initialises, which dlopen
// allows and linking does not. So the runner needs no environment and no second start. The label says which
// kernel OpenBLAS reports. A host without AVX-512 keeps OpenBLAS's own choice. OPENBLAS_CORETYPE set from
// outside wins.
#include <benchmark/benchmark.h>

#include <cblas.h>
#include <dlfcn.h>
#include <dnnl.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "tlm/core/array/array_timing.h"
#include "tlm/core/array/gemm_reference.h"
#include "tlm/core/array/kernel_array.h"
#include "tlm/core/array/kernel_simd.h"
#include "tlm/core/array/stepped_array.h"
#include "tlm/core/numeric/formats_bulk.h"

namespace retrace {
namespace {

// ---- references
// ----------------------------------------------------------------------------------------------------

struct blas_libraries {
    decltype(&cblas_sgemm) openblas = nullptr;
    decltype(&dnnl_sgemm) onednn = nullptr;
    std::string kernel_name = "none";

    blas_libraries() {
#if defined(__x86_64__)
        if (__builtin_cpu_supports("avx512f")) {
            setenv("OPENBLAS_CORETYPE", "SkylakeX", 0);
        }
#endif
        setenv("OPENBLAS_NUM_THREADS", "1", 1);
        setenv("OMP_NUM_THREADS", "1", 1); // oneDNN's threads, read when its runtime is loaded
        if (void* library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL)) {
            openblas = reinterpret_cast<decltype(openblas)>(dlsym(library, "cblas_sgemm"));
            const auto name = reinterpret_cast<char* (*)()>(dlsym(library, "openblas_get_corename"));
            kernel_name = name != nullptr ? name() : "unknown";
        }
        if (void* library = dlopen("libdnnl.so.2", RTLD_NOW | RTLD_LOCAL)) {
            onednn = reinterpret_cast<decltype(onednn)>(dlsym(library, "dnnl_sgemm"));
        }
    }
};

const blas_libraries& blas() {
    static const blas_libraries libraries;
    return libraries;
}

// ---- data
// ----------------------------------------------------------------------------------------------------------

std::vector<std::uint16_t> random_bf16(std::size_t size, std::uint32_t seed) {
    std::mt19937 engine(seed);
    std::uniform_real_distribution<float> uniform(-1.0f, 1.0f);
    std::vector<std::uint16_t> values(size);
    for (auto& v : values) {
        v = narrow_bf16(std::bit_cast<std::uint32_t>(uniform(engine)));
    }
    return values;
}

std::vector<float> widened(const std::vector<std::uint16_t>& values) {
    std::vector<float> floats(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
        floats[i] = std::bit_cast<float>(widen_bf16(values[i]));
    }
    return floats;
}

matrix_view view_of(const std::vector<std::uint16_t>& values, unsigned rows, unsigned columns) {
    return {reinterpret_cast<const std::byte*>(values.data()), std::size_t{columns} * 2, rows, columns,
            number_format::bf16};
}

template <typename Function>
double seconds_of(Function function) {
    const auto start = std::chrono::steady_clock::now();
    function();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// ---- the whole product, side by side
// -------------------------------------------------------------------------------

// bf16 operands in row-major memory, packing included, against float products of the same values. Every
// iteration times all three in turn; each keeps its best, because timings of a shared machine wander.
void gemm_against_blas(benchmark::State& state) {
    const auto n = static_cast<unsigned>(state.range(0));
    const auto array_rows = static_cast<unsigned>(state.range(1));
    const std::size_t size = std::size_t{n} * n;
    const auto a = random_bf16(size, 1), b = random_bf16(size, 2);
    const auto a_float = widened(a), b_float = widened(b);
    std::vector<std::uint32_t> c(size);
    std::vector<float> c_float(size);

    const blas_libraries& reference = blas();
    if (reference.openblas == nullptr || reference.onednn == nullptr) {
        state.SkipWithError("needs libopenblas0 and libdnnl2");
        return;
    }
    double kernel = std::numeric_limits<double>::infinity(), openblas = kernel, onednn = kernel;
    for (auto _ : state) {
        const double now =
            seconds_of([&] { kernel::gemm(view_of(a, n, n), view_of(b, n, n), array_rows, c.data(), n); });
        kernel = std::min(kernel, now);
        openblas =
            std::min(openblas, seconds_of([&] {
                         reference.openblas(CblasRowMajor, CblasNoTrans, CblasNoTrans, static_cast<int>(n),
                                            static_cast<int>(n), static_cast<int>(n), 1.0f, a_float.data(),
                                            static_cast<int>(n), b_float.data(), static_cast<int>(n), 0.0f,
                                            c_float.data(), static_cast<int>(n));
                     }));
        onednn = std::min(onednn, seconds_of([&] {
                              reference.onednn('N', 'N', n, n, n, 1.0f, a_float.data(), n, b_float.data(), n,
                                               0.0f, c_float.data(), n);
                          }));
        state.SetIterationTime(now);
    }
    for (const gemm_sample& s :
         gemm_reference_sample(view_of(a, n, n), view_of(b, n, n), array_rows, 3, 200)) {
        if (c[std::size_t{s.row} * n + s.column] != s.bits) {
            state.SkipWithError("the product differs from the scalar reference");
            return;
        }
    }
    const double flops = 2.0 * static_cast<double>(n) * n * n * 1e-9;
    state.counters["kernel_gflops"] = flops / kernel;
    state.counters["openblas_gflops"] = flops / openblas;
    state.counters["onednn_gflops"] = flops / onednn;
    state.counters["ratio"] = std::min(openblas, onednn) / kernel;
    state.SetLabel(std::string("kernel ") + kernel::target_name() + ", OpenBLAS " + reference.kernel_name);
}
BENCHMARK(gemm_against_blas)
    ->ArgNames({"n", "array_rows"})
    ->Args({1024, 128})
    ->Args({1024, 32})
    ->Iterations(60)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

// ---- tiles through the array interface
// -----------------------------------------------------------------------------

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
    for (auto _ : state) {
        array.stream(start, operands, true);
        const std::uint64_t reload = timing.earliest_reload(start, weights.format);
        array.load_weights(reload, weights);
        const std::uint64_t next = std::max(timing.next_stream(start, operands.format, m),
                                            timing.load_complete(reload, weights.format));
        while (array.collect(next - 1, sums)) {
            benchmark::DoNotOptimize(sums.bits.data());
        }
        cycles += next - start;
        start = next;
    }
    const double macs = static_cast<double>(m) * config.rows * config.columns;
    state.counters["macs"] = benchmark::Counter(macs, benchmark::Counter::kIsIterationInvariantRate);
    state.counters["array_cycles"] =
        benchmark::Counter(static_cast<double>(cycles), benchmark::Counter::kIsRate);
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
} // namespace retrace
