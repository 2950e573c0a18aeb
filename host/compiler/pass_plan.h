#pragma once
// Small helpers that the kernels share: choosing a pass's blocking or saying why there is none, and the
// common slots.
#include <cstdint>

#include "host/compiler/gemm.h"

namespace retrace::compiler {

/// The best blocking within the budget; throws capacity_error naming `culprit` where not even the smallest
/// fits.
blocking plan_pass(const pass_shape& shape, const pass_budget& budget, const device_capabilities& device,
                   const work_space& space, const char* culprit);

/// Bytes from the first to the last of `rows` rows of `row_bytes`, `pitch` apart.
constexpr std::uint64_t extent(std::uint64_t rows, std::uint64_t row_bytes, std::uint64_t pitch) {
    return (rows - 1) * pitch + row_bytes;
}

kernel_slot work_slot(const compiled_kernel& kernel);
kernel_slot psum_slot(const compiled_kernel& kernel, const device_capabilities& device);

} // namespace retrace::compiler
