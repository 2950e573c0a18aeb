// The micro kernel of kernel_simd: a block of sums in registers, compiled once per instruction set and chosen
// at run time (Highway). Sets without a fused multiply-add are not compiled; hosts without one use std::fma.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tlm/core/array/kernel_simd.h"

namespace retrace::kernel {

// Operands are widened into blocks of block_rows x chunk_depth floats. The row pitch is a constant so that
// the micro kernel addresses all rows from one pointer; its 16 extra floats keep rows out of each other's
// cache sets.
inline constexpr unsigned block_rows = 14;
inline constexpr unsigned chunk_depth = 128;
inline constexpr unsigned block_pitch = chunk_depth + 16;
inline constexpr std::size_t block_floats = std::size_t{block_rows} * block_pitch;

enum class store_mode { carry, overwrite, accumulate, overwrite_integer, accumulate_integer };

// One call of the micro kernel: `rows` x `columns` (<= 32) sums over `depth` (<= chunk_depth) terms.
struct micro_call {
    const float* a; // block, row-major, block_pitch
    const float* b; // depth x panel_columns
    unsigned depth;
    unsigned columns;
    const std::uint32_t* carry_in; // block_rows x panel_columns words, or null: the chain starts from +0
    std::uint32_t* carry_out;      // for store_mode::carry
    std::uint32_t* out;            // otherwise
    std::size_t out_pitch;
    store_mode mode;
    // What later calls read is fetched a little with every k: the next block of operands, the next panel of
    // weights. Steps in floats per k; a prefetch beyond the end of memory does nothing.
    const float* next_a;
    const float* next_b;
    unsigned next_a_step, next_b_step;
};

// Runs a call over its first `rows` (1 to block_rows) rows.
using micro_function = void (*)(const micro_call& call, unsigned rows);

// The one for this host.
micro_function micro_kernel();

} // namespace retrace::kernel
