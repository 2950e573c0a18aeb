// The activation engine's scale and bias: one binary32 fused multiply-add per element.
#pragma once

#include <cstdint>
#include <span>

namespace retrace {

// row[i] = fma(row[i], scale, bias[i]), NaN canonical; binary32 bits. An empty `bias` stands for +0 in every
// column. Throws std::invalid_argument when a non-empty bias differs from the row in size.
void scale_bias_row(std::span<std::uint32_t> row, float scale, std::span<const std::uint32_t> bias);

} // namespace retrace
