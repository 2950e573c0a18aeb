#include "tests/bench/references.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <ctime>
#include <random>

#include <cblas.h>
#include <dlfcn.h>
#include <dnnl.h>
#include <fmt/format.h>

#include "tlm/core/numeric/formats.h"

namespace retrace::bench {

double cpu_seconds() {
    timespec t{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

reference_products::reference_products() {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f"))
        setenv("OPENBLAS_CORETYPE", "SkylakeX", 0);
#endif
    setenv("OPENBLAS_NUM_THREADS", "1", 1);
    setenv("OMP_NUM_THREADS", "1", 1); // oneDNN's threads, read when its runtime is loaded
    if (void* library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL)) {
        openblas_ = dlsym(library, "cblas_sgemm");
        const auto name = reinterpret_cast<char* (*)()>(dlsym(library, "openblas_get_corename"));
        kernel_ = name != nullptr ? name() : "unknown";
    }
    if (void* library = dlopen("libdnnl.so.2", RTLD_NOW | RTLD_LOCAL))
        onednn_ = dlsym(library, "dnnl_sgemm");
}

const reference_products& reference_products::instance() {
    static const reference_products products;
    return products;
}

void reference_products::openblas(int n, const float* a, const float* b, float* c) const {
    reinterpret_cast<decltype(&cblas_sgemm)>(openblas_)(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, n, n, 1.0f, a,
                                                        n, b, n, 0.0f, c, n);
}

void reference_products::onednn(int n, const float* a, const float* b, float* c) const {
    reinterpret_cast<decltype(&dnnl_sgemm)>(onednn_)('N', 'N', n, n, n, 1.0f, a, n, b, n, 0.0f, c, n);
}

std::vector<std::uint16_t> random_bf16(std::size_t size, std::uint32_t seed) {
    std::mt19937 engine(seed);
    std::uniform_real_distribution<float> uniform(-1.0f, 1.0f);
    std::vector<std::uint16_t> values(size);
    for (auto& v : values)
        v = narrow_bf16(std::bit_cast<std::uint32_t>(uniform(engine)));
    return values;
}

std::vector<float> widened(const std::vector<std::uint16_t>& values) {
    std::vector<float> floats(values.size());
    for (std::size_t i = 0; i < values.size(); ++i)
        floats[i] = std::bit_cast<float>(widen_bf16(values[i]));
    return floats;
}

reference_stopwatch::reference_stopwatch(int n)
    : n_(n), a_(widened(random_bf16(std::size_t(n) * n, 1))), b_(widened(random_bf16(std::size_t(n) * n, 2))),
      c_(std::size_t(n) * n) {}

void reference_stopwatch::run() {
    const reference_products& products = reference_products::instance();
    openblas_ =
        std::min(openblas_, cpu_seconds_of([&] { products.openblas(n_, a_.data(), b_.data(), c_.data()); }));
    onednn_ = std::min(onednn_, cpu_seconds_of([&] { products.onednn(n_, a_.data(), b_.data(), c_.data()); }));
}

std::string reference_stopwatch::describe() const {
    const double flops = 2e-9 * n_ * n_ * n_;
    return fmt::format("OpenBLAS {} {:.0f} GFLOP/s, oneDNN {:.0f} GFLOP/s",
                       reference_products::instance().openblas_kernel(), flops / openblas_, flops / onednn_);
}

} // namespace retrace::bench
