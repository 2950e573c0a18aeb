// The fused multiply-add of each implementation, taken out of its array so that it can be checked alone:
// result[i] = fma(a[i], b[i], c[i]) on bits of binary32.
//
// A chain of the array cannot be used for this: it starts from +0, so that a partial sum of -0 or a NaN of
// some payload never stands in front of a PE. These functions run the same code as the arrays do, but put c
// where the partial sum enters:
//   kernel   the micro kernel's call of one term with `carry_in` = c (the way a chain goes on after 128
//   terms).
//            A call is a block of rows x columns; triples lie where row r meets a column of its own.
//   stepped  the multiply pass over one row of PEs, with c in the registers above it.
//   oracle   soft_float.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>

namespace retrace {

// Equal sizes; any number of triples.
using fma_function = std::function<void(std::span<const std::uint32_t> a, std::span<const std::uint32_t> b,
                                        std::span<const std::uint32_t> c, std::span<std::uint32_t> result)>;

struct named_fma {
    std::string name;
    fma_function run;
};

named_fma kernel_fma();
named_fma stepped_fma();
named_fma oracle_fma();

} // namespace retrace
