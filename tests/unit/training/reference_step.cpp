#include "tests/unit/training/reference_step.h"

#include "host/training/host_numeric.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace retrace {

namespace {

bool lists(const std::vector<tensor_id>& ids, tensor_id id) {
    return std::find(ids.begin(), ids.end(), id) != ids.end();
}

} // namespace

// What one operation may touch.
class reference_step::access {
public:
    access(reference_step& step, const operation& op) : step_(step), op_(op) {}

    const std::vector<float>& read(tensor_role role, std::size_t layer) const {
        const tensor_id id{role, layer};
        if (!lists(op_.reads, id))
            throw std::logic_error(op_.name() + " does not announce that it reads " + to_string(id));
        return step_.value(id);
    }
    void write(tensor_role role, std::size_t layer, const std::vector<float>& values) const {
        const tensor_id id{role, layer};
        if (!lists(op_.writes, id))
            throw std::logic_error(op_.name() + " does not announce that it writes " + to_string(id));
        step_.deliver(id, values);
    }

private:
    reference_step& step_;
    const operation& op_;
};

void reference_step::deliver(tensor_id id, std::span<const float> values) {
    const tensor_info& info = graph_.tensor(id);
    if (values.size() != info.shape.elements())
        throw std::runtime_error(to_string(id) + " has " + std::to_string(info.shape.elements()) +
                                 " elements, " + std::to_string(values.size()) + " came");
    std::vector<float> stored(values.begin(), values.end());
    if (info.format == operand_format::bf16)
        for (float& x : stored)
            x = host_numeric::rounded_to_bf16(x);
    store_[id] = std::move(stored);
}

const std::vector<float>& reference_step::value(tensor_id id) const {
    const auto found = store_.find(id);
    if (found == store_.end())
        throw std::logic_error(to_string(id) + " is read before it is written");
    return found->second;
}

void reference_step::run() {
    for (const operation& f : graph_.forward)
        run(f);
    if (graph_.loss_gradient)
        run(*graph_.loss_gradient);
    for (const backward_operation& b : graph_.backward) {
        if (b.data_gradient)
            run(*b.data_gradient);
        run(b.weight_gradient);
    }
}

void reference_step::run(const operation& op) {
    const access tensors(*this, op);
    switch (op.kind) {
    case operation_kind::forward:
        return forward(op, tensors);
    case operation_kind::loss_gradient:
        return loss_gradient(op, tensors);
    case operation_kind::data_gradient:
        return data_gradient(op, tensors);
    case operation_kind::weight_gradient:
        return weight_gradient(op, tensors);
    }
}

void reference_step::forward(const operation& op, const access& tensors) {
    const layer& l = graph_.net.at(op.layer);
    const auto& in = tensors.read(tensor_role::io, op.layer - 1);
    const auto& w = tensors.read(tensor_role::weight, op.layer);
    std::vector<float> out(graph_.batch * l.outputs);
    for (std::size_t m = 0; m < graph_.batch; ++m)
        for (std::size_t n = 0; n < l.outputs; ++n) {
            float sum = 0;
            for (std::size_t k = 0; k < l.inputs; ++k)
                sum += in[m * l.inputs + k] * w[k * l.outputs + n];
            if (l.bias)
                sum += tensors.read(tensor_role::bias, op.layer)[n];
            out[m * l.outputs + n] = op.activation == activation_kind::relu && !(sum > 0) ? 0 : sum;
        }
    tensors.write(tensor_role::io, op.layer, out);
}

void reference_step::loss_gradient(const operation& op, const access& tensors) {
    const std::size_t classes = graph_.net.features(op.layer);
    const auto& logits = tensors.read(tensor_role::io, op.layer);
    const auto& targets = tensors.read(tensor_role::targets, op.layer);
    std::vector<float> gradient(logits.size());
    double loss = 0;
    for (std::size_t m = 0; m < graph_.batch; ++m) {
        const float* row = &logits[m * classes];
        const float largest = *std::max_element(row, row + classes);
        double total = 0;
        for (std::size_t n = 0; n < classes; ++n)
            total += std::exp(double{row[n]} - largest);
        for (std::size_t n = 0; n < classes; ++n) {
            const double target = targets[m * classes + n];
            const double probability = std::exp(double{row[n]} - largest) / total;
            loss -= target * (double{row[n]} - largest - std::log(total));
            gradient[m * classes + n] =
                static_cast<float>((probability - target) / static_cast<double>(graph_.batch));
        }
    }
    tensors.write(tensor_role::gradient, op.layer, gradient);
    tensors.write(tensor_role::loss, op.layer,
                  {static_cast<float>(loss / static_cast<double>(graph_.batch))});
}

void reference_step::data_gradient(const operation& op, const access& tensors) {
    const layer& l = graph_.net.at(op.layer);
    const auto& g = tensors.read(tensor_role::gradient, op.layer);
    const auto& w = tensors.read(tensor_role::weight, op.layer);
    std::vector<float> out(graph_.batch * l.inputs);
    for (std::size_t m = 0; m < graph_.batch; ++m)
        for (std::size_t k = 0; k < l.inputs; ++k) {
            float sum = 0;
            for (std::size_t n = 0; n < l.outputs; ++n)
                sum += g[m * l.outputs + n] * w[k * l.outputs + n];
            const bool open = op.activation != activation_kind::relu ||
                              tensors.read(tensor_role::io, op.layer - 1)[m * l.inputs + k] > 0;
            out[m * l.inputs + k] = open ? sum : 0;
        }
    tensors.write(tensor_role::gradient, op.layer - 1, out);
}

void reference_step::weight_gradient(const operation& op, const access& tensors) {
    const layer& l = graph_.net.at(op.layer);
    const auto& in = tensors.read(tensor_role::io, op.layer - 1);
    const auto& g = tensors.read(tensor_role::gradient, op.layer);
    std::vector<float> weights(l.inputs * l.outputs), bias(l.outputs);
    for (std::size_t m = 0; m < graph_.batch; ++m)
        for (std::size_t n = 0; n < l.outputs; ++n) {
            for (std::size_t k = 0; k < l.inputs; ++k)
                weights[k * l.outputs + n] += in[m * l.inputs + k] * g[m * l.outputs + n];
            bias[n] += g[m * l.outputs + n];
        }
    tensors.write(tensor_role::weight_gradient, op.layer, weights);
    if (l.bias)
        tensors.write(tensor_role::bias_gradient, op.layer, bias);
}

} // namespace retrace
