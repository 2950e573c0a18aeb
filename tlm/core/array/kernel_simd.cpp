#include "tlm/core/array/kernel_simd.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "tlm/core/array/kernel_micro.h"
#include "tlm/core/numeric/formats_bulk.h"

namespace retrace::kernel {

void pack_weights(const matrix_view& w, float* packed) {
    auto* words = reinterpret_cast<std::uint32_t*>(packed);
    // A band of rows passes all panels before the next one: a panel's column of a large matrix alone would be
    // one cache line per row, a stride that no prefetcher follows.
    constexpr unsigned band = 16;
    for (unsigned row = 0; row < w.rows; row += band) {
        const unsigned rows = std::min(band, w.rows - row);
        for (unsigned column = 0; column < w.columns; column += panel_columns) {
            const unsigned now = std::min(panel_columns, w.columns - column);
            std::uint32_t* to = words + std::size_t{column} * w.rows + std::size_t{row} * panel_columns;
            if (now < panel_columns) {
                std::memset(to, 0, std::size_t{rows} * panel_columns * sizeof(float));
            }
            widen_block(w.format, w.data + row * w.row_pitch_bytes + std::size_t{column} * bytes_of(w.format),
                        w.row_pitch_bytes, rows, now, to, panel_columns);
        }
    }
}

namespace {

// Scratch of the calling thread: a simulation makes millions of small tiles.
std::uint32_t* scratch(std::size_t words) {
    thread_local std::vector<std::uint32_t> memory;
    if (memory.size() < words + 16) {
        memory.resize(words + 16);
    }
    const auto address = reinterpret_cast<std::uintptr_t>(memory.data());
    return memory.data() + (((address + 63) & ~std::uintptr_t{63}) - address) / sizeof(std::uint32_t);
}

// Columns [first, first + depth) of the rows [first_row, first_row + rows) as one block.
void widen_operands(const matrix_view& a, unsigned first_row, unsigned rows, unsigned first, unsigned depth,
                    std::uint32_t* block) {
    widen_block(a.format, a.data + first_row * a.row_pitch_bytes + std::size_t{first} * bytes_of(a.format),
                a.row_pitch_bytes, rows, depth, block, block_pitch);
}

// Equal blocks of at most block_rows: a remainder of one or two rows would run at the speed of a latency
// chain.
unsigned even_block(unsigned rows) {
    const unsigned blocks = (rows + block_rows - 1) / block_rows;
    return (rows + blocks - 1) / blocks;
}

} // namespace

void multiply_tile(const matrix_view& a, const float* packed, unsigned n, std::uint32_t* out,
                   std::size_t out_pitch) {
    const bool integer = is_integer(a.format);
    const unsigned chunks = (a.columns + chunk_depth - 1) / chunk_depth;
    const unsigned per_block = even_block(a.rows);
    // Rows widened at a time: all chunks of them stay in the second-level cache while every panel passes.
    const unsigned group = std::max(1u, 16u / chunks) * per_block;
    const std::size_t group_blocks = std::size_t{group / per_block};
    std::uint32_t* blocks = scratch(group_blocks * chunks * block_floats + block_rows * panel_columns);
    std::uint32_t* carry = blocks + group_blocks * chunks * block_floats;
    const auto run = micro_kernel();

    for (unsigned first_row = 0; first_row < a.rows; first_row += group) {
        const unsigned rows = std::min(group, a.rows - first_row);
        for (unsigned row = 0; row < rows; row += per_block) {
            for (unsigned chunk = 0; chunk < chunks; ++chunk) {
                const unsigned k = chunk * chunk_depth;
                widen_operands(a, first_row + row, std::min(per_block, rows - row), k,
                               std::min(chunk_depth, a.columns - k),
                               blocks + (chunk * group_blocks + row / per_block) * block_floats);
            }
        }
        for (unsigned column = 0; column < n; column += panel_columns) {
            const float* panel = packed + std::size_t{column} * a.columns;
            for (unsigned row = 0; row < rows; row += per_block) {
                micro_call call{};
                call.columns = std::min(panel_columns, n - column);
                call.carry_out = carry;
                call.out = out + (first_row + row) * out_pitch + column;
                call.out_pitch = out_pitch;
                for (unsigned chunk = 0; chunk < chunks; ++chunk) {
                    const unsigned k = chunk * chunk_depth;
                    call.a = reinterpret_cast<const float*>(
                        blocks + (chunk * group_blocks + row / per_block) * block_floats);
                    call.b = panel + std::size_t{k} * panel_columns;
                    call.depth = std::min(chunk_depth, a.columns - k);
                    call.next_a = call.next_b = call.a; // a tile's operands and weights are near already
                    if (integer) {
                        call.mode =
                            chunk == 0 ? store_mode::overwrite_integer : store_mode::accumulate_integer;
                    } else {
                        call.carry_in = chunk == 0 ? nullptr : carry;
                        call.mode = chunk + 1 < chunks ? store_mode::carry : store_mode::overwrite;
                    }
                    run(call, std::min(per_block, rows - row));
                }
            }
        }
    }
}

namespace {

void check_gemm(const matrix_view& a, const matrix_view& b, unsigned array_rows) {
    check_operand_view(a, ~0u, ~0u, "gemm: operands");
    check_operand_view(b, ~0u, ~0u, "gemm: weights");
    if (a.columns != b.rows || is_integer(a.format) != is_integer(b.format) || array_rows == 0) {
        throw array_protocol_error(
            "gemm: a is M x K, b is K x N, both of float formats or both int8, rows at least 1");
    }
}

} // namespace

void gemm(const matrix_view& a, const matrix_view& b, unsigned array_rows, std::uint32_t* c,
          std::size_t c_pitch) {
    check_gemm(a, b, array_rows);
    const bool integer = is_integer(a.format);
    // The chain breaks at every array_rows, the widened blocks also at chunk_depth.
    struct chunk {
        unsigned first, depth;
        bool starts_tile, ends_tile;
    };
    std::vector<chunk> chunks;
    for (unsigned tile = 0; tile < a.columns; tile += array_rows) {
        const unsigned end = std::min(a.columns - tile, array_rows) + tile;
        for (unsigned k = tile; k < end; k += chunk_depth) {
            chunks.push_back({k, std::min(chunk_depth, end - k), k == tile, k + chunk_depth >= end});
        }
    }
    const unsigned per_block = even_block(a.rows);
    constexpr std::size_t cache_floats = 200 * 1024; // operands of one group: within a second-level cache
    constexpr std::size_t carry_floats = std::size_t{block_rows} * panel_columns;
    const std::size_t depth_floats = chunks.size() * block_floats;
    const unsigned all_blocks = (a.rows + per_block - 1) / per_block;
    const auto most_blocks =
        static_cast<unsigned>(std::clamp<std::size_t>(cache_floats / depth_floats, 1, 64));
    const unsigned groups = (all_blocks + most_blocks - 1) / most_blocks;
    const unsigned group_blocks = (all_blocks + groups - 1) / groups;
    const unsigned group = group_blocks * per_block;
    const std::size_t weight_floats = packed_floats(b.rows, b.columns);
    std::uint32_t* memory = scratch(weight_floats + group_blocks * (depth_floats + carry_floats));
    auto* packed = reinterpret_cast<float*>(memory);
    pack_weights(b, packed);
    std::uint32_t* blocks = memory + weight_floats;
    std::uint32_t* carries = blocks + group_blocks * depth_floats;
    const auto run = micro_kernel();

    for (unsigned first_row = 0; first_row < a.rows; first_row += group) {
        const unsigned rows = std::min(group, a.rows - first_row);
        for (unsigned row = 0; row < rows; row += per_block) {
            for (std::size_t i = 0; i < chunks.size(); ++i) {
                widen_operands(a, first_row + row, std::min(per_block, rows - row), chunks[i].first,
                               chunks[i].depth, blocks + (i * group_blocks + row / per_block) * block_floats);
            }
        }
        // A panel of weights stays in the first-level cache while the group's rows pass it; the group's 32
        // columns of c stay near while every chunk of k passes them.
        for (unsigned column = 0; column < b.columns; column += panel_columns) {
            const float* panel = packed + std::size_t{column} * b.rows;
            for (std::size_t i = 0; i < chunks.size(); ++i) {
                for (unsigned block = 0; block * per_block < rows; ++block) {
                    const unsigned row = block * per_block;
                    std::uint32_t* carry = carries + block * carry_floats;
                    micro_call call{};
                    call.a =
                        reinterpret_cast<const float*>(blocks + (i * group_blocks + block) * block_floats);
                    call.b = panel + std::size_t{chunks[i].first} * panel_columns;
                    call.depth = chunks[i].depth;
                    call.next_a = call.a + block_floats;
                    call.next_a_step = block_rows;
                    call.next_b_step = (panel_columns + group_blocks - 1) / group_blocks;
                    call.next_b =
                        call.b + std::size_t{call.depth} * (panel_columns + block * call.next_b_step);
                    call.columns = std::min(panel_columns, b.columns - column);
                    call.out = c + (first_row + row) * c_pitch + column;
                    call.out_pitch = c_pitch;
                    if (integer) { // exact per chunk, see the header
                        call.mode = i == 0 ? store_mode::overwrite_integer : store_mode::accumulate_integer;
                    } else {
                        call.carry_in = chunks[i].starts_tile ? nullptr : carry;
                        call.carry_out = carry;
                        call.mode = !chunks[i].ends_tile           ? store_mode::carry
                                    : chunks[i].first < array_rows ? store_mode::overwrite
                                                                   : store_mode::accumulate;
                    }
                    run(call, std::min(per_block, rows - row));
                }
            }
        }
    }
}

} // namespace retrace::kernel
