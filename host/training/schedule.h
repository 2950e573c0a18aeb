#pragma once
// What is kept, what is regenerated, and when: a schedule turns a range of layers into a list of operations,
// each with the tensors it reads and writes, where they live, whom it waits for and what it releases.
// Addresses, bytes and programs are the planner's business.
//
// Order of a training step: F_first .. F_last, the loss gradient LG, then per layer from the top: what is
// missing is regenerated (F_k', from the nearest output that is still there), then B_k. With L layers in the
// range and spacing n:
//
//   schedule            outputs                                                 executions of F
//   store_all           every one stays in device DRAM                          L
//   recompute           every one overwrites the one before it, in place in     L + L(L-1)/2
//                       device DRAM
//   interval            every n-th stays in device DRAM; the others of a        L + (ceil(L/n)-1)(n-1)
//                       segment are held in the state buffer, the last segment
//                       still when its backward begins
//   interval_overwrite  every n-th stays in device DRAM; the others overwrite   L + L(n-1)/2 for n | L
//                       each other in one buffer of the state buffer
//
// The range's input IO_{first-1} is delivered from outside and stays until its last reader. The last output
// is never retained: only LG (or, in a range without the loss, its download) reads it. n need not divide L:
// the last segment is then shorter.
//
// A range without the loss is a pipeline stage: its last output goes to the host, and the gradient of it
// comes from there. LG's place in the order is taken by that gradient's arrival.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "host/graph/autodiff.h"

namespace retrace {

enum class schedule_kind : std::uint8_t { store_all, recompute, interval, interval_overwrite };

/// "store_all", ...
const char* to_string(schedule_kind kind);
/// Throws network_error for a name that is none.
schedule_kind schedule_kind_of(const std::string& name);

struct schedule_settings {
    schedule_kind kind = schedule_kind::store_all;
    std::size_t interval = 1; ///< n; of the interval schedules only
};

enum class step_kind : std::uint8_t {
    upload_weights,    ///< U_k: W_k and b_k from the host
    upload_input,      ///< IO_{first-1} from the host
    forward,           ///< F_k
    loss_gradient,     ///< LG
    download_output,   ///< a stage without loss (or an evaluation): IO_last to the host
    upload_gradient,   ///< a stage without loss: G_last from the host
    recompute,         ///< F_k'
    backward,          ///< B_k
    download_gradient, ///< G_{first-1} to the host
};

/// Where a tensor lives.
enum class placement : std::uint8_t { host, activations, gradients, weights, state_buffer };
const char* to_string(placement where);

/// A place that tensors take one after the other.
struct buffer_id {
    placement where = placement::host;
    std::size_t index = 0;
    auto operator<=>(const buffer_id&) const = default;
};

struct tensor_use {
    tensor_id tensor;
    buffer_id buffer;
    bool release = false; ///< its bytes are released when the operation has completed (reads only)
};

struct schedule_operation {
    step_kind kind = step_kind::forward;
    std::size_t layer = 0;
    bool in_place = false;         ///< the first write takes the address range of the first read
    std::vector<tensor_use> reads; ///< IO_{k-1} first
    std::vector<tensor_use>
        writes; ///< one version per training step; a regenerated output is the same version
    /// Operations that must have completed, by index, ascending, at most spec::max_waits: the producers of
    /// what it reads; the operation before it, whose working buffers it takes and whose tensors it may
    /// overwrite; for the first F_k' after each B, LG.
    std::vector<std::size_t> waits;

    std::string name() const; // "U_3", "IN", "F_3", "LG", "OUT", "GIN", "F_3'", "B_3", "GOUT"
};

struct schedule {
    schedule_settings settings;
    layer_range range;
    bool evaluation = false;
    std::vector<schedule_operation> operations;

    /// F and F' together.
    std::size_t forward_executions() const;
};

struct schedule_options {
    bool upload_weights = true; ///< the new weights come down; without, those of the step before are used
    bool uploads_first = false; ///< no layer starts before the last weights have arrived
};

/// Throws network_error for a spacing of 0, and std::logic_error if an operation would wait for more commands
/// than one can.
schedule make_schedule(const training_graph& graph, const schedule_settings& settings,
                       const schedule_options& options = {});

/// Forward only: every output takes the place of the one before it, in place where the training schedule
/// keeps its working outputs (device DRAM or state buffer), and the last one goes to the host. The range must
/// begin the network's or a stage's input, as in training.
schedule make_evaluation(const training_graph& graph, const schedule_settings& settings,
                         const schedule_options& options = {});

} // namespace retrace
