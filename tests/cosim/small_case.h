#pragma once
// A small case, written by hand: two uploads, a product of two tiles, its activation, a download.
#include "sim/cosim/test_case.h"

namespace retrace::cosim::test {

enum small_buffers : unsigned { h_in, h_out, s_rows, s_weights, s_result, p_sums };

inline operation copy_of(unsigned engine, unsigned from, std::uint32_t from_offset, unsigned to, std::uint32_t bytes) {
    operation o;
    o.opcode = spec::opcode::copy;
    o.engine = engine;
    o.from.buffer = from;
    o.from.offset = from_offset;
    o.to.buffer = to;
    o.sizes[0] = bytes;
    return o;
}

inline operation load_of(std::uint32_t offset, unsigned k, unsigned n) {
    operation o;
    o.opcode = spec::opcode::load_weights;
    o.engine = spec::engine_pe;
    o.source = spec::number_format::bf16;
    o.rows = k, o.columns = n;
    o.a = {s_weights, offset, n * 2};
    return o;
}

inline operation matmul_of(std::uint32_t offset, unsigned m, unsigned k, unsigned flags) {
    operation o;
    o.opcode = spec::opcode::matmul;
    o.engine = spec::engine_pe;
    o.source = spec::number_format::bf16;
    o.flags = static_cast<std::uint8_t>(flags);
    o.rows = m, o.columns = k;
    o.a = {s_rows, offset, k * 2};
    o.d = {p_sums, 0, 32};
    return o;
}

inline operation relu_of(unsigned rows, unsigned columns) {
    operation o;
    o.opcode = spec::opcode::activate;
    o.engine = spec::engine_activation;
    o.function = static_cast<std::uint8_t>(spec::activation_function::relu);
    o.result = spec::number_format::bf16;
    o.rows = rows, o.columns = columns;
    o.a = {p_sums, 0, 32};
    o.d = {s_result, 0, columns * 2};
    return o;
}

/// 5 x 8 rows times 8 x 8 weights plus 5 x 3 times 3 x 8, relu, back to the host: 8 operations in one command.
inline test_case small_case() {
    test_case c;
    c.seed = 77;
    c.buffers = {{"h_in", spec::memory_kind::host, 0, 1024, 0, 0, value_class::moderate, spec::number_format::bf16, 5},
                 {"h_out", spec::memory_kind::host, 1024, 256},
                 {"rows", spec::memory_kind::state_buffer, 0, 512, 3, 1},
                 {"weights", spec::memory_kind::state_buffer, 4096, 512, 4, 1},
                 {"result", spec::memory_kind::state_buffer, 8192, 256},
                 {"sums", spec::memory_kind::psum, 0, 1024}};
    command k;
    k.operations = {copy_of(spec::engine_dma, h_in, 0, s_rows, 256),
                    copy_of(spec::engine_dma + 1, h_in, 256, s_weights, 512),
                    load_of(0, 8, 8),
                    matmul_of(0, 5, 8, spec::matmul_swap),
                    load_of(128, 3, 8),
                    matmul_of(80, 5, 3, spec::matmul_swap | spec::matmul_accumulate),
                    relu_of(5, 8),
                    copy_of(spec::engine_dma + 2, s_result, 0, h_out, 80)};
    c.commands = {k};
    return c;
}

} // namespace retrace::cosim::test
