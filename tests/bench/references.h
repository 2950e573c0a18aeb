#pragma once
// The products that others compute: OpenBLAS and oneDNN, single precision, one thread.
//
// The libraries are opened at run time, not linked. Debian's OpenBLAS misdetects newer processors and then runs
// five times too slow; OPENBLAS_CORETYPE must be set before the library initialises, which dlopen allows and
// linking does not. A host without AVX-512 keeps OpenBLAS's own choice; OPENBLAS_CORETYPE set from outside wins.
#include <cstdint>
#include <string>
#include <vector>

namespace retrace::bench {

/// Seconds of CPU time that this process has used, all threads.
double cpu_seconds();

template <typename Function>
double cpu_seconds_of(Function function) {
    const double start = cpu_seconds();
    function();
    return cpu_seconds() - start;
}

/// c[n x n] = a b, row-major.
class reference_products {
public:
    static const reference_products& instance();

    bool complete() const { return openblas_ != nullptr && onednn_ != nullptr; }
    /// The kernel that OpenBLAS says it uses.
    const std::string& openblas_kernel() const { return kernel_; }
    void openblas(int n, const float* a, const float* b, float* c) const;
    void onednn(int n, const float* a, const float* b, float* c) const;

private:
    reference_products();

    void* openblas_ = nullptr;
    void* onednn_ = nullptr;
    std::string kernel_ = "none";
};

/// Seeded bf16 values in (-1, 1), and the same as floats.
std::vector<std::uint16_t> random_bf16(std::size_t size, std::uint32_t seed);
std::vector<float> widened(const std::vector<std::uint16_t>& values);

/// Times the references beside something else: every call runs each once, best times are kept.
class reference_stopwatch {
public:
    explicit reference_stopwatch(int n);
    void run();
    double openblas_seconds() const { return openblas_; }
    double onednn_seconds() const { return onednn_; }
    double best_seconds() const { return openblas_ < onednn_ ? openblas_ : onednn_; }
    /// "OpenBLAS SkylakeX 135 GFLOP/s, oneDNN 101 GFLOP/s".
    std::string describe() const;

private:
    int n_;
    std::vector<float> a_, b_, c_;
    double openblas_ = 1e30, onednn_ = 1e30;
};

} // namespace retrace::bench
