// The arithmetic of the kernel array: products of one tile on the host's vector unit, bit-identical to the
// scalar chain. Every output element is one accumulator that takes its products in ascending k by fused
// multiply-add; lanes are columns, so nothing is ever added across lanes or split in k.
//
// int8 runs on the same code: the products of at most 1024 rows sum to at most 2^24, exact in binary32; every
// chunk converts to int32 and wraps there.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tlm/core/array/array_interface.h"

namespace retrace::kernel {

// Weights in panels of 32 columns: panel p holds rows 0..k-1 of columns 32p..32p+31 as k x 32 floats, columns
// beyond n are zero.
inline constexpr unsigned panel_columns = 32;

constexpr std::size_t packed_floats(unsigned k, unsigned n) {
    return std::size_t{k} * ((n + panel_columns - 1) / panel_columns) * panel_columns;
}

// `packed` has packed_floats(w.rows, w.columns) elements.
void pack_weights(const matrix_view& w, float* packed);

// out[a.rows x n] = the column sums of a on the packed weights (k = a.columns), canonical NaN; pitch in
// words.
void multiply_tile(const matrix_view& a, const float* packed, unsigned n, std::uint32_t* out,
                   std::size_t out_pitch);

// The whole product c[M x N] = a[M x K] b[K x N] as an array of `array_rows` rows makes it: K is cut into
// tiles of array_rows, ascending from 0; the first tile overwrites c, every further tile is added with one
// binary32 add (canonical NaN), or int32 wrap-around. The number of array columns does not show in the bits.
// Pitch of c in words. Formats: both float, or both int8. Throws array_protocol_error for anything else.
void gemm(const matrix_view& a, const matrix_view& b, unsigned array_rows, std::uint32_t* c,
          std::size_t c_pitch);

// Name of the instruction set in use, for reports.
const char* target_name();

} // namespace retrace::kernel
