#pragma once
// A case in which everything that takes time happens: all memories, a transpose, loads ahead of their swaps,
// both element-wise engines, semaphores, more chunks than places, blocks that are fetched late.
#include "tests/cosim/small_case.h"

namespace retrace::cosim::test {

enum timing_buffers : unsigned { t_in, t_out, t_dram, t_rows, t_weights, t_turned, t_result, t_sums };

inline operation strided_copy(unsigned engine, unsigned from, unsigned to, std::array<std::uint32_t, 4> sizes,
                              std::array<std::uint32_t, 3> from_strides,
                              std::array<std::uint32_t, 3> to_strides) {
    operation o = copy_of(engine, from, 0, to, sizes[0]);
    o.sizes = sizes;
    o.from.strides = from_strides;
    o.to.strides = to_strides;
    return o;
}

inline test_case timing_case() {
    using spec::memory_kind;
    test_case c;
    c.seed = 4;
    c.machine.fetch_block = 2;
    c.machine.dma_chunk = 128;
    c.machine.dma_outstanding = 2;
    c.machine.dram_channels = 2;
    c.buffers = {
        {"h_in", memory_kind::host, 0, 2048, 0, 0, value_class::moderate, spec::number_format::bf16, 5},
        {"h_out", memory_kind::host, 4096, 2048},
        {"dram", memory_kind::device_dram, 0, 2048},
        {"rows", memory_kind::state_buffer, 0, 1024},
        {"weights", memory_kind::state_buffer, 1024, 1024},
        {"turned", memory_kind::state_buffer, 4096, 2048},
        {"result", memory_kind::state_buffer, 8192, 512},
        {"sums", memory_kind::psum, 0, 1024}};
    const auto load = [](std::uint32_t offset) {
        operation o = load_of(offset, 8, 8);
        o.a.buffer = t_weights;
        return o;
    };
    const auto matmul = [](std::uint32_t row, unsigned flags) {
        operation o = matmul_of(0, 6, 8, flags);
        o.a.buffer = t_rows;
        o.d = {t_sums, row * 32, 32};
        return o;
    };
    operation activate = relu_of(6, 8);
    activate.a = {t_sums, 0, 32};
    activate.d = {t_result, 0, 16};
    operation add;
    add.opcode = spec::opcode::binary;
    add.engine = spec::engine_vector;
    add.source = add.result = add.second = spec::number_format::bf16;
    add.rows = 6, add.columns = 8;
    add.a = {t_result, 0, 16};
    add.b = {t_rows, 0, 16};
    add.d = {t_result, 256, 16};
    operation turn =
        strided_copy(spec::engine_dma + 1, t_dram, t_turned, {64, 32, 1, 1}, {64, 0, 0}, {64, 0, 0});
    turn.flags = spec::copy_transpose;
    turn.element_bytes = 2;
    command k;
    k.operations = {
        copy_of(spec::engine_dma, t_in, 0, t_dram, 2048),
        copy_of(spec::engine_dma + 1, t_in, 0, t_rows, 1024),
        copy_of(spec::engine_dma + 2, t_in, 1024, t_weights, 1024),
        load(0),
        load(128),
        matmul(0, spec::matmul_swap),
        matmul(8, spec::matmul_swap),
        matmul(16, 0),
        load(256),
        matmul(0, spec::matmul_swap | spec::matmul_accumulate),
        activate,
        add,
        turn,
        strided_copy(spec::engine_dma, t_turned, t_out, {40, 12, 2, 1}, {64, 1024, 0}, {40, 480, 0}),
        copy_of(spec::engine_dma + 2, t_result, 256, t_out, 96)};
    k.operations.back().to.offset = 1024;
    c.commands = {k, k};
    return c;
}

} // namespace retrace::cosim::test
