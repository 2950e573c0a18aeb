#include "host/graph/network.h"

#include <utility>

#include "host/arithmetic.h"

namespace retrace {

namespace {

// A width past this is a typing error, and products of three such sizes still fit 64 bits.
constexpr std::size_t widest_layer = std::size_t{1} << 20;

std::string label(std::size_t k) { return "layer " + std::to_string(k); }

} // namespace

const char* to_string(operand_format format) { return format == operand_format::fp32 ? "fp32" : "bf16"; }

const char* to_string(activation_kind kind) { return kind == activation_kind::none ? "none" : "relu"; }

spec::number_format number_format_of(operand_format format) {
    return format == operand_format::fp32 ? spec::number_format::fp32 : spec::number_format::bf16;
}

std::size_t bytes_per_element(operand_format format) { return bytes_of(number_format_of(format)); }

const layer& network::at(std::size_t k) const {
    if (k < 1 || k > layers.size())
        throw network_error("there is no " + label(k) + ": layers count from 1 to " +
                            std::to_string(layers.size()));
    return layers[k - 1];
}

std::size_t network::features(std::size_t k) const { return k == 0 ? at(1).inputs : at(k).outputs; }

std::size_t network::parameter_count() const {
    std::size_t total = 0;
    for (const layer& l : layers)
        total += l.weight_shape().elements() + (l.bias ? l.outputs : 0);
    return total;
}

void validate(const network& net) {
    if (net.layers.empty())
        throw network_error("the network has no layers: give at least one dense layer");
    for (std::size_t k = 1; k <= net.depth(); ++k) {
        const layer& l = net.at(k);
        for (const auto& [width, name] : {std::pair{l.inputs, "inputs"}, std::pair{l.outputs, "outputs"}}) {
            if (width == 0)
                throw network_error(label(k) + ": " + name + " is 0, it must be at least 1");
            if (width > widest_layer)
                throw network_error(label(k) + ": " + name + " is " + std::to_string(width) + ", at most " +
                                    std::to_string(widest_layer) + " is supported");
        }
        if (k > 1 && l.inputs != net.at(k - 1).outputs)
            throw network_error(label(k) + " takes " + std::to_string(l.inputs) + " inputs but " +
                                label(k - 1) + " has " + std::to_string(net.at(k - 1).outputs) +
                                " outputs: the two must be equal");
    }
    const layer& last = net.layers.back();
    if (last.activation != activation_kind::none)
        throw network_error(label(net.depth()) +
                            ": the last layer feeds softmax cross-entropy and must have " +
                            "activation none, not " + to_string(last.activation));
    if (last.outputs < 2)
        throw network_error(label(net.depth()) +
                            ": softmax cross-entropy needs at least 2 outputs (classes), not " +
                            std::to_string(last.outputs));
}

network dense_chain(const std::vector<std::size_t>& widths) {
    network net;
    for (std::size_t i = 0; i + 1 < widths.size(); ++i) {
        layer l;
        l.inputs = widths[i];
        l.outputs = widths[i + 1];
        l.activation = i + 2 < widths.size() ? activation_kind::relu : activation_kind::none;
        net.layers.push_back(l);
    }
    validate(net);
    return net;
}

} // namespace retrace
