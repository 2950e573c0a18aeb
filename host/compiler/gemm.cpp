#include "host/compiler/gemm.h"

#include <algorithm>
#include <map>
#include <stdexcept>

#include "host/arithmetic.h"
#include "host/compiler/gemm_pass.h"
#include "host/compiler/pass_plan.h"

namespace retrace::compiler {

namespace {

compiled_kernel compile_block(const gemm_shape& g, std::uint32_t m, std::uint32_t n,
                              const device_capabilities& device, const work_space& space) {
    pass_shape shape;
    shape.m = m, shape.k = g.k, shape.n = n;
    shape.source = g.source, shape.result = g.result;
    const blocking cut =
        plan_pass(shape, {0, space.bytes, 0, device.psum_banks, g.block_rows}, device, space, "gemm");
    kernel_builder builder;
    pass_operands operands;
    operands.a = {gemm_slots::a, g.a_pitch};
    operands.b = {gemm_slots::b, g.b_pitch};
    operands.result = {gemm_slots::c, g.c_pitch};
    emit_pass(builder, device, shape, cut, operands);

    compiled_kernel kernel;
    kernel.name = "gemm";
    kernel.programs = builder.finish();
    kernel.work_bytes = cut.end;
    kernel.psum_banks = cut.psum_banks;
    kernel.estimated_cycles = cut.estimated_cycles;
    kernel.macs = std::uint64_t{m} * g.k * n;
    kernel.passes = {cut};
    kernel.slots = {work_slot(kernel),
                    psum_slot(kernel, device),
                    {"A", extent(m, g.k * bytes_of(g.source), g.a_pitch), access_read},
                    {"B", extent(g.k, n * bytes_of(g.source), g.b_pitch), access_read},
                    {"C", extent(m, n * bytes_of(g.result), g.c_pitch), access_write}};
    return kernel;
}

/// Program bytes of a product of this size, roughly: with the largest blocks.
std::uint64_t program_estimate(std::uint64_t m, std::uint64_t n, const gemm_shape& g,
                               const device_capabilities& device) {
    const std::uint64_t rows =
        std::min<std::uint64_t>({m, device.psum_rows, g.block_rows ? g.block_rows : m});
    const std::uint64_t blocks = ceil_div(m, rows);
    const std::uint64_t panels = ceil_div(n, device.columns);
    return blocks * panels * (2 * ceil_div(g.k, device.rows) + 6) * spec::instruction_bytes;
}

/// The whole product in blocks of `rows` x `columns`; equal blocks share a kernel.
gemm_program compile_blocks(const gemm_shape& g, std::uint64_t rows, std::uint64_t columns,
                            const device_capabilities& device, const work_space& space) {
    gemm_program program;
    std::map<std::pair<std::uint64_t, std::uint64_t>, std::size_t> known;
    const std::uint64_t e = bytes_of(g.source), out = bytes_of(g.result);
    for (std::uint64_t m = 0; m < g.m; m += rows)
        for (std::uint64_t n = 0; n < g.n; n += columns) {
            const auto height = static_cast<std::uint32_t>(std::min<std::uint64_t>(rows, g.m - m));
            const auto width = static_cast<std::uint32_t>(std::min<std::uint64_t>(columns, g.n - n));
            const auto [at, fresh] = known.try_emplace({height, width}, program.kernels.size());
            if (fresh)
                program.kernels.push_back(compile_block(g, height, width, device, space));
            program.commands.push_back({at->second, m * g.a_pitch, n * e, m * g.c_pitch + n * out});
        }
    return program;
}

} // namespace

work_space whole_state_buffer(const device_capabilities& device) { return {0, device.state_buffer_bytes}; }

gemm_program compile_gemm(const gemm_shape& asked, const device_capabilities& device,
                          const work_space& space) {
    if (!asked.m || !asked.k || !asked.n)
        throw std::invalid_argument("a product needs m, k and n of at least 1");
    if (static_cast<std::size_t>(asked.source) >= device.operand_cycles.size())
        throw std::invalid_argument("a product multiplies fp32, bf16, fp8 or int8, not " +
                                    std::string(spec::name_of(asked.source)));
    if (asked.result == spec::number_format::int32 && asked.source != spec::number_format::int8)
        throw std::invalid_argument("a product of " + std::string(spec::name_of(asked.source)) +
                                    " has no int32 sums");
    gemm_shape g = asked;
    const std::uint64_t e = bytes_of(g.source), out = bytes_of(g.result);
    g.a_pitch = g.a_pitch ? g.a_pitch : g.k * e;
    g.b_pitch = g.b_pitch ? g.b_pitch : g.n * e;
    g.c_pitch = g.c_pitch ? g.c_pitch : g.n * out;

    // Up to four different blocks (the last of a row or column may be smaller) share the programs region.
    const std::uint64_t region = device.region(spec::region_kind::programs).bytes;
    const std::uint64_t rows_unit =
        std::min<std::uint64_t>(g.block_rows ? g.block_rows : device.psum_rows, 65535);
    std::uint64_t rows = g.m, columns = g.n;
    const auto fits = [&] {
        const std::uint64_t kinds =
            (rows < g.m && g.m % rows ? 2 : 1) * (columns < g.n && g.n % columns ? 2 : 1);
        // Operand offsets and limits of an instruction are 32 bits wide.
        const bool reachable = rows * g.a_pitch < (1ull << 32) && g.k * g.b_pitch < (1ull << 32) &&
                               rows * g.c_pitch < (1ull << 32);
        return reachable && kinds * program_estimate(rows, columns, g, device) <= region;
    };
    const auto divisible = [&] { return rows > rows_unit || columns > device.columns; };
    const auto divide = [&] {
        if (rows / rows_unit >= columns / device.columns && rows > rows_unit)
            rows = round_up(ceil_div(rows, 2), rows_unit);
        else
            columns = round_up(ceil_div(columns, 2), device.columns);
    };
    while (!fits() && divisible())
        divide();
    for (;;) { // the estimate does not know how small a full state buffer makes the blocks
        gemm_program program = compile_blocks(g, rows, columns, device, space);
        std::uint64_t bytes = 0;
        for (const compiled_kernel& kernel : program.kernels)
            bytes += kernel.program_bytes();
        if (bytes <= region)
            return program;
        if (!divisible())
            throw capacity_error("programs", bytes, region, bytes, "the programs of the product");
        divide();
    }
}

} // namespace retrace::compiler
