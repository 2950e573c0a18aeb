#pragma once
// Dense layers: IO_k = act(IO_{k-1} W_k + b_k) forward, and one backward command with data gradient, weight
// gradient and bias gradient.
#include "host/compiler/gemm.h"

namespace retrace::compiler {

struct forward_shape {
    std::uint32_t batch = 0, inputs = 0, outputs = 0;
    spec::number_format format{};
    bool bias = true, relu = false;
    bool in_place = false; ///< the output takes the address range of the input; pitches are equal then
    std::uint64_t input_pitch = 0, output_pitch = 0; ///< bytes from row to row
    auto operator<=>(const forward_shape&) const = default;
};

struct forward_slots {
    static constexpr unsigned work = slot_work, psum = slot_psum, input = 2, output = 3, weights = 4,
                              bias = 5, count = 6;
};

compiled_kernel compile_forward(const forward_shape& shape, const device_capabilities& device,
                                const work_space& space);

struct backward_shape {
    std::uint32_t batch = 0, inputs = 0, outputs = 0;
    spec::number_format format{};
    bool bias = true;          ///< db is wanted
    bool data_gradient = true; ///< G_{k-1} is wanted
    bool mask = true;          ///< of layer k-1's ReLU, from IO_{k-1}
    std::uint64_t input_pitch = 0, gradient_pitch = 0,
                  input_gradient_pitch = 0; ///< of IO_{k-1}, G_k, G_{k-1}
    auto operator<=>(const backward_shape&) const = default;
};

/// Reads exactly IO_{k-1}, G_k and (for the data gradient) W_k. dW and db are packed fp32.
struct backward_slots {
    static constexpr unsigned work = slot_work, psum = slot_psum, input = 2, gradient = 3, weights = 4,
                              input_gradient = 5, weight_gradient = 6, bias_gradient = 7, count = 8;
};

compiled_kernel compile_backward(const backward_shape& shape, const device_capabilities& device,
                                 const work_space& space);

} // namespace retrace::compiler
