#pragma once
// The network as data: a chain of layers and a loss, with the shapes and byte sizes of every tensor that
// training moves.
//
// Layers count from 1 to L. IO_0 is the network input, IO_k the output of layer k after its activation, G_k
// the gradient with respect to layer k's value before its activation. Every tensor is a row-major matrix:
//
//   IO_k, G_k            [batch, features of layer k]
//   weights, dW          [inputs, outputs], the right-hand operand of IO_{k-1} * W_k
//   bias, db             [1, outputs]
//   targets              [batch, classes], one row per example, 1 at its class and 0 elsewhere
//   loss                 [1, 1], mean over the batch
//
// IO_k, G_k, the device's copy of the weights and the targets are stored in the operand format. Bias, dW, db
// and the loss are fp32: they never enter the multiplier array.

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "hw/spec/spec.h"

namespace retrace {

// What a network description got wrong; the message says which layer and what to change.
class network_error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

enum class operand_format : std::uint8_t { fp32, bf16 };
enum class activation_kind : std::uint8_t { none, relu };
enum class layer_kind : std::uint8_t { dense };
enum class loss_kind : std::uint8_t { softmax_cross_entropy };

const char* to_string(operand_format format);
const char* to_string(activation_kind kind);
spec::number_format number_format_of(operand_format format);
std::size_t bytes_per_element(operand_format format);

struct matrix_shape {
    std::size_t rows = 0;
    std::size_t columns = 0;

    std::size_t elements() const { return rows * columns; }
    bool operator==(const matrix_shape&) const = default;
};

struct layer {
    layer_kind kind = layer_kind::dense;
    std::size_t inputs = 0;
    std::size_t outputs = 0;
    bool bias = true;
    activation_kind activation = activation_kind::none;

    matrix_shape weight_shape() const { return {inputs, outputs}; }
    matrix_shape bias_shape() const { return {1, outputs}; }
};

struct network {
    std::vector<layer> layers;
    loss_kind loss = loss_kind::softmax_cross_entropy;

    std::size_t depth() const { return layers.size(); }
    // Layer k, 1 <= k <= depth(); throws network_error outside.
    const layer& at(std::size_t k) const;
    // Features of IO_k, 0 <= k <= depth().
    std::size_t features(std::size_t k) const;
    // Weights and biases, in elements.
    std::size_t parameter_count() const;
};

// Checks that there is a layer, that no width is 0 or so large that sizes overflow, that each layer's inputs
// are the outputs of the one below, and that the loss has the linear last layer and the two classes it needs.
// Throws network_error for the first fault, counted from the input.
void validate(const network& net);

// A chain of equal-format dense layers over widths {inputs, hidden..., classes}: ReLU between, none at the
// end.
network dense_chain(const std::vector<std::size_t>& widths);

} // namespace retrace
