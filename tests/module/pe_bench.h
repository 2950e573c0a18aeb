#pragma once
// Two processors that differ in their array only: kernel and stepped must leave the same bits and the same
// events.
#include "tests/module/device_bench.h"

namespace retrace::test {

struct array_pair {
    explicit array_pair(const npu_config& c = bench_config())
        : kernel(c, kernel_factory(), "kernel"), stepped(c, stepped_factory(), "stepped") {}

    template <typename Function>
    void each(Function&& f) {
        f(kernel);
        f(stepped);
    }
    /// Runs both until their programs have ended.
    void run() {
        EXPECT_TRUE(kernel.run()) << kernel.pe.describe();
        EXPECT_TRUE(stepped.run()) << stepped.pe.describe();
    }
    /// Same events, endings, PSUM, account.
    void expect_equal() {
        EXPECT_EQ(sorted_lines(kernel.events.text), sorted_lines(stepped.events.text));
        const auto by_engine = [](auto endings) {
            std::sort(endings.begin(), endings.end(), [](const auto& a, const auto& b) {
                return std::tie(a.cycle, a.engine) < std::tie(b.cycle, b.engine);
            });
            return endings;
        };
        EXPECT_EQ(by_engine(kernel.endings), by_engine(stepped.endings));
        const auto size = kernel.psum_memory.capacity();
        EXPECT_EQ(kernel.get(kernel.psum_memory, 0, size), stepped.get(stepped.psum_memory, 0, size));
        EXPECT_EQ(kernel.pe.macs(), stepped.pe.macs());
        EXPECT_EQ(kernel.stalls.array_cycles(), stepped.stalls.array_cycles());
    }
    device_bench kernel, stepped;
};

/// load_weights + swapping matmul, `count` times on the same operands: A at 0 [m x k], W at 16 KiB [k x n].
inline program tiles(const npu_config& c, number_format f, unsigned m, unsigned k, unsigned n,
                     unsigned count) {
    program p;
    for (unsigned i = 0; i < count; ++i) {
        p.push_back(encode(load_weights({}, f, k, n, 16384, n * bytes_of(f))));
        p.push_back(encode(matmul({}, f, m, k, 0, k * bytes_of(f), 0, c.array.columns, spec::matmul_swap)));
    }
    return p;
}

inline void put_operands(device_bench& b, number_format f, unsigned m, unsigned k, unsigned n,
                         unsigned seed = 1) {
    b.put(b.buffer_memory, 0, random_matrix(f, m * k, seed));
    b.put(b.buffer_memory, 16384, random_matrix(f, k * n, seed + 1));
}

} // namespace retrace::test
