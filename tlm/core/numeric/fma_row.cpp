#include "tlm/core/numeric/fma_row.h"

#include <bit>
#include <cmath>
#include <cstddef>
#include <stdexcept>

#include "tlm/core/numeric/formats.h"

// Highway's sets between the baseline and AVX2 have no fused multiply-add: leave them out, the baseline's
// std::fma serves there.
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tlm/core/numeric/fma_row.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace retrace {
namespace HWY_NAMESPACE {
namespace {

// A builtin rather than std::fma: it becomes one instruction where the set has it and a call of fmaf
// elsewhere.
void scale_bias(std::uint32_t* row, std::size_t size, float scale, const std::uint32_t* bias) {
    for (std::size_t i = 0; i < size; ++i) {
        const float sum = __builtin_fmaf(std::bit_cast<float>(row[i]), scale, std::bit_cast<float>(bias[i]));
        row[i] = canonical_fp32(std::bit_cast<std::uint32_t>(sum));
    }
}

void scale_only(std::uint32_t* row, std::size_t size, float scale) {
    for (std::size_t i = 0; i < size; ++i) {
        const float sum = __builtin_fmaf(std::bit_cast<float>(row[i]), scale, 0.0f);
        row[i] = canonical_fp32(std::bit_cast<std::uint32_t>(sum));
    }
}

} // namespace
} // namespace HWY_NAMESPACE
} // namespace retrace
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace retrace {

HWY_EXPORT(scale_bias);
HWY_EXPORT(scale_only);

void scale_bias_row(std::span<std::uint32_t> row, float scale, std::span<const std::uint32_t> bias) {
    if (bias.empty()) {
        HWY_DYNAMIC_DISPATCH(scale_only)(row.data(), row.size(), scale);
        return;
    }
    if (bias.size() != row.size()) {
        throw std::invalid_argument("scale_bias_row: bias and row differ in size");
    }
    HWY_DYNAMIC_DISPATCH(scale_bias)(row.data(), row.size(), scale, bias.data());
}

} // namespace retrace
#endif // HWY_ONCE
