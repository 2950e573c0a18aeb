#pragma once
// The number under which a tensor travels: tags of instructions, DMA descriptors and the event log.
#include <cstdint>
#include <string>

#include "host/graph/autodiff.h"

namespace retrace {

/// Fixed per tensor, never 0 (working buffers). Layers up to 65,535. What an evaluation computes has tags of
/// its own: it is no version of the training step's tensors.
std::uint32_t tag_of(tensor_id id, bool evaluation = false);

/// The tensor behind a tag, and whether it belongs to an evaluation.
struct tagged_tensor {
    tensor_id id;
    bool evaluation = false;
};
tagged_tensor tensor_of(std::uint32_t tag);

/// "IO_3", "dW_2", "eval_IO_3".
std::string tag_name(std::uint32_t tag);

} // namespace retrace
