#include <fmt/format.h>

#include "hw/verilated/verilated_array.h"
#include "sim/cli/commands.h"
#include "sim/report/summary.h"
#include "tlm/core/array/fma_check.h"

namespace retrace::cli {

namespace {

/// hw/rtl/fma_f32.sv, if this build has it.
std::vector<named_fma> functions_of_this_build() {
    std::vector<named_fma> functions{kernel_fma(), stepped_fma()};
    if (rtl_sizes().empty()) {
        fmt::print(stderr, "retrace: this build has no RTL (it was made without Verilator): kernel and stepped are checked\n");
        return functions;
    }
    const auto unit = std::make_shared<rtl_fma>();
    functions.push_back({"rtl", [unit](std::span<const std::uint32_t> a, std::span<const std::uint32_t> b, std::span<const std::uint32_t> c,
                                       std::span<std::uint32_t> result) {
                             std::vector<rtl_fma::triple> operands(a.size());
                             for (std::size_t i = 0; i < a.size(); ++i)
                                 operands[i] = {a[i], b[i], c[i]};
                             (*unit)(operands, result);
                         }});
    return functions;
}

} // namespace

int fma(const fma_options& options) {
    const std::vector<named_fma> functions = functions_of_this_build();
    const stopwatch watch;
    const fma_report report = options.file.empty() ? sweep_fma(options.seed, options.sweep, functions) : check_fma_file(options.file, functions);
    const double seconds = watch.wall();
    fmt::print("{}{} vectors in {:.2f} s ({:.0f} a second)\n", describe(report), report.vectors, seconds,
               static_cast<double>(report.vectors) / std::max(seconds, 1e-9));
    if (options.file.empty())
        fmt::print("{} combinations of operand classes, seed {}\n", report.class_combinations, options.seed);
    return report.passed() ? success : model_fault;
}

} // namespace retrace::cli
