#pragma once
// Softmax cross-entropy and its gradient, row by row of the last layer's output x against the targets T:
//
//   m = max(x); d = x - m; e = exp(d); s = sum(e); p = e / s; q = p - T; G = narrow(q * (1/batch)); loss =
//   log(s) - sum(T * d)
//
// all in fp32, every sum over ascending columns. The rows of x go to the host as well: they are the network's
// answer.
#include "host/compiler/gemm.h"

namespace retrace::compiler {

struct loss_shape {
    std::uint32_t batch = 0, classes = 0;
    spec::number_format format{};
    std::uint64_t input_pitch = 0,
                  gradient_pitch = 0; ///< of IO_L and G_L; targets, logits and loss are packed
    auto operator<=>(const loss_shape&) const = default;
};

/// targets, loss (batch fp32 values) and logits live in host memory.
struct loss_slots {
    static constexpr unsigned work = slot_work, psum = slot_psum, input = 2, targets = 3, gradient = 4,
                              loss = 5, logits = 6, count = 7;
};

/// Throws capacity_error (state_buffer), and std::runtime_error for more than 65535 classes.
compiled_kernel compile_loss(const loss_shape& shape, const device_capabilities& device,
                             const work_space& space);

} // namespace retrace::compiler
