#pragma once
// Transfers between host memory and the device: rows of a tensor in either direction, and a layer's weights
// with its bias.
#include "host/compiler/gemm.h"

namespace retrace::compiler {

/// A tensor of `rows` rows of `row_bytes`, from one place to another.
struct transfer_shape {
    std::uint32_t rows = 0;
    std::uint64_t row_bytes = 0, from_pitch = 0, to_pitch = 0;
    auto operator<=>(const transfer_shape&) const = default;
};
/// No working buffers; slots 0 and 1 are not WORK and PSUM here.
struct transfer_slots {
    static constexpr unsigned from = 0, to = 1, count = 2;
};
compiled_kernel compile_transfer(const transfer_shape& shape, const device_capabilities& device);

/// A layer's packed weights and (bias_bytes > 0) its bias, host to device.
struct weight_upload_shape {
    std::uint64_t weight_bytes = 0, bias_bytes = 0;
    auto operator<=>(const weight_upload_shape&) const = default;
};
struct weight_upload_slots {
    static constexpr unsigned host_weights = 0, weights = 1, host_bias = 2, bias = 3, count = 4;
};
compiled_kernel compile_weight_upload(const weight_upload_shape& shape, const device_capabilities& device);

} // namespace retrace::compiler
