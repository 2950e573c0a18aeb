#pragma once
// Addresses for a schedule's buffers, and the bytes they hold: the part of planning that needs no programs.
#include <map>

#include "host/training/plan.h"

namespace retrace {

/// Bytes of a tensor's row and of all its rows, without padding.
std::uint64_t row_bytes(const training_graph& graph, tensor_id t);
std::uint64_t live_bytes(const training_graph& graph, tensor_id t);

/// Where the buffers of a run stand. Regions are filled from their first byte, buffers in the order of their
/// numbers.
struct placed_run {
    std::vector<placed_buffer> buffers;
    std::map<placement, std::uint64_t> extent; ///< bytes used of each, from its base
    std::map<placement, tensor_id>
        culprit; ///< the first tensor that ends behind its region or the state buffer

    const placed_buffer& at(buffer_id id) const;
    /// Bytes from row to row of a tensor in that buffer.
    std::uint64_t pitch(const training_graph& graph, const tensor_use& use) const;
};

/// Places what the schedule needs, whether it fits or not (culprit says).
placed_run place_run(const training_graph& graph, const schedule& s, const device_capabilities& device);

/// Live bytes while each operation runs, by the rules of plan.h; `after` is what remains when it has
/// completed.
struct live_account {
    struct moment {
        std::uint64_t activations = 0, gradients = 0, state_buffer = 0;
    };
    std::vector<moment> during, after;
};
live_account account(const training_graph& graph, const schedule& s);

} // namespace retrace
