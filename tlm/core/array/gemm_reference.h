// The scalar statement of what a matrix product on the machine is, for comparison: one std::fma after the
// other. It shares no code with the kernel, the stepped array or tlm/core/numeric; slow and obvious on
// purpose.
//
// c[i][j]: K is cut into tiles of array_rows, ascending from 0. Each tile is a chain s = +0, s = fma(a, b, s)
// with ascending k. The first tile's sum is the result; every further one is added with one binary32 add.
// int8 multiplies and adds in int32 with wrap-around. NaN results are 0x7fc00000.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "tlm/core/array/array_interface.h"

namespace retrace {

// All of c[M x N] = a[M x K] b[K x N]; pitch in words. Throws array_protocol_error when shapes or formats do
// not match.
void gemm_reference(const matrix_view& a, const matrix_view& b, unsigned array_rows, std::uint32_t* c,
                    std::size_t c_pitch);

struct gemm_sample {
    unsigned row = 0;
    unsigned column = 0;
    std::uint32_t bits = 0;
};

// `count` elements at positions drawn by `seed`; the four corners of c are always among them.
std::vector<gemm_sample> gemm_reference_sample(const matrix_view& a, const matrix_view& b,
                                               unsigned array_rows, std::uint64_t seed, std::size_t count);

} // namespace retrace
