#pragma once
// Emits one product D = epilogue(A B) into a command's programs: DMA loads blocks of A and panels of B, the
// array streams, an engine moves finished sums from PSUM to the state buffer, DMA stores them. Rings of
// buffers with semaphores join the stages.
//
// Buffers, PSUM banks and semaphores of different passes of a command are disjoint, so they overlap freely; a
// pass that must share buffers with the one before it starts behind a barrier.
#include <array>
#include <cstdint>
#include <optional>

#include "host/compiler/blocking.h"
#include "host/compiler/kernel_builder.h"

namespace retrace::compiler {

/// One matrix in memory: operand slot and bytes from row to row (of the matrix as memory holds it, transposed
/// or not).
struct pass_operand {
    unsigned slot = 0;
    std::uint64_t pitch = 0;
};

struct pass_operands {
    pass_operand a, b, result, mask;
    unsigned bias_slot = 0, sums_slot = 0; ///< fp32 rows of n
    stream store_stream = stream::stores;  ///< who carries the result away
};

/// Joins two passes that use the same buffers: the loads of the second wait for the last store of the first.
struct pass_barrier {
    std::array<unsigned, 2> semaphores{}; ///< one per load queue
    unsigned count = 0;
};

/// Semaphores of a barrier, as many as the device has queues for loads.
pass_barrier make_barrier(kernel_builder& builder, const device_capabilities& device);

/// `before`: barrier that this pass starts behind; `after`: barrier that its last store opens.
void emit_pass(kernel_builder& builder, const device_capabilities& device, const pass_shape& shape,
               const blocking& cut, const pass_operands& operands,
               const std::optional<pass_barrier>& before = {}, const std::optional<pass_barrier>& after = {});

} // namespace retrace::compiler
