// How the stepped array turns operands into the words its PEs work on: binary32 bits for float formats,
// sign-extended 32-bit integers for int8. Written apart from tlm/core/numeric, which the kernel uses.
#pragma once

#include <cstdint>
#include <vector>

#include "tlm/core/array/array_interface.h"

namespace retrace::stepped {

// rows x columns words, row-major without gaps.
std::vector<std::uint32_t> widen_matrix(const matrix_view& view);

} // namespace retrace::stepped
