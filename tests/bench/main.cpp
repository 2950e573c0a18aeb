// All benchmarks, and at the end the figures that the project promises. Google Benchmark's options apply, for example
// --benchmark_filter=simulation. Run it on a quiet machine; figures are ratios within one run wherever they can be.
#include <benchmark/benchmark.h>

#include "tests/bench/figures.h"

int main(int argc, char** argv) {
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv))
        return 2;
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    retrace::bench::print_figures();
    return 0;
}
