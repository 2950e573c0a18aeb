#pragma once
// What the activation and the vector engine compute, on rows of bytes: no memory, no time. Arithmetic is binary32 on widened operands,
// results are narrowed to nearest even (or stochastically); reductions run in ascending order, one element after the other.
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "hw/spec/spec.h"
#include "tlm/core/engine/context.h"

namespace retrace {

/// A matrix as the engine sees it: first element and bytes from row to row.
struct operand_bytes {
    const std::byte* data = nullptr;
    std::size_t pitch = 0;
};

/// Sizes that an instruction implies. Throws engine_error for shapes, formats or functions that the engine does not have.
struct elementwise_shape {
    std::uint64_t a_rows, a_row_bytes;
    std::uint64_t b_rows, b_row_bytes; ///< 0 rows: there is no operand b
    std::uint64_t d_rows, d_row_bytes;
    bool reads_destination;            ///< reduce_columns with accumulate continues from d
};
elementwise_shape shape_of(const spec::matrix_instruction& i);

/// Random numbers of stochastic rounding: (seed, training step, operator id) of the result, see hw/spec/counter_random.h.
struct rounding_key {
    std::uint32_t seed = 0, step = 0, operator_id = 0;
};

/// d gets shape_of(i).d_rows rows of d_row_bytes, densely packed.
void compute_elementwise(const spec::matrix_instruction& i, const operand_bytes& a, const operand_bytes& b, const operand_bytes& previous,
                         const rounding_key& key, std::vector<std::byte>& d);

} // namespace retrace
