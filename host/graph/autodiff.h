#pragma once
// Reverse-mode differentiation of a range of layers, as lists of operations with explicit read and write
// sets.
//
//   F_k  reads IO_{k-1}, weights_k, bias_k            writes IO_k
//   LG   reads IO_L, targets                          writes G_L, loss
//   D_k  reads G_k, weights_k (and IO_{k-1}, a mask)  writes G_{k-1}
//   W_k  reads IO_{k-1}, G_k                          writes dW_k, db_k
//   B_k  = D_k and W_k: reads IO_{k-1}, G_k, weights_k and nothing else
//
// G_k is the gradient with respect to layer k's value *before* its activation, so D_k multiplies by the ReLU
// mask of layer k-1, which it takes from IO_{k-1} (positive output = open): B_k never needs layer k's own
// output, which is what lets a recompute schedule drop it. The operations come in dependency order only; when
// each runs, what stays and what is regenerated is a schedule's business.
//
// A range [first, last] is what one pipeline stage owns. IO_{first-1} is delivered from outside; G_last too,
// unless the range ends with the network, where LG makes it. Outward the range owes IO_last and, if its input
// needs a gradient, G_{first-1}: already masked, ready for the stage below.

#include "host/graph/network.h"

#include <compare>
#include <optional>

namespace retrace {

enum class tensor_role : std::uint8_t {
    io,
    gradient,
    weight,
    bias,
    weight_gradient,
    bias_gradient,
    targets,
    loss,
};

// Names one tensor of a network; `layer` is k, and L for targets and loss.
struct tensor_id {
    tensor_role role = tensor_role::io;
    std::size_t layer = 0;

    auto operator<=>(const tensor_id&) const = default;
};

// "IO_3", "G_3", "W_3", "b_3", "dW_3", "db_3", "targets", "loss".
std::string to_string(tensor_id id);

struct tensor_info {
    tensor_id id;
    matrix_shape shape;
    operand_format format = operand_format::fp32;

    std::size_t bytes() const { return shape.elements() * bytes_per_element(format); }
};

enum class operation_kind : std::uint8_t { forward, loss_gradient, data_gradient, weight_gradient };

struct operation {
    operation_kind kind = operation_kind::forward;
    std::size_t layer = 0;
    // forward: layer k's activation; data_gradient: the activation of layer k-1, whose mask is applied.
    activation_kind activation = activation_kind::none;
    // Sorted, without duplicates.
    std::vector<tensor_id> reads;
    std::vector<tensor_id> writes;

    std::string name() const; // "F_3", "LG", "D_3", "W_3"
};

struct backward_operation {
    std::size_t layer = 0;
    std::optional<operation> data_gradient; // absent where the input of the range needs no gradient
    operation weight_gradient;
    // The unions over both parts, sorted, without duplicates.
    std::vector<tensor_id> reads;
    std::vector<tensor_id> writes;

    std::string name() const; // "B_3"
};

struct layer_range {
    std::size_t first = 1;
    std::size_t last = 1;
    // Whether B_first writes G_{first-1}.
    bool input_needs_gradient = false;
};

// All layers; the network's input needs no gradient.
layer_range whole_network(const network& net);
// Layers first..last of a pipeline: the input needs a gradient unless it is the network's.
layer_range pipeline_stage(std::size_t first, std::size_t last);

struct training_graph {
    network net;
    layer_range range;
    std::size_t batch = 0;
    operand_format format = operand_format::fp32;

    std::vector<operation> forward;           // F_first .. F_last
    std::optional<operation> loss_gradient;   // LG, if the range ends with the network
    std::vector<backward_operation> backward; // B_last .. B_first, the order in which they can run
    std::vector<tensor_info> tensors;         // everything some operation reads or writes, sorted by id

    const operation& forward_of(std::size_t k) const;
    const backward_operation& backward_of(std::size_t k) const;
    const tensor_info& tensor(tensor_id id) const;
};

// Validates the network, the range and the batch (1 .. 2^20 examples); throws network_error.
training_graph differentiate(const network& net, const layer_range& range, std::size_t batch,
                             operand_format format);

} // namespace retrace
