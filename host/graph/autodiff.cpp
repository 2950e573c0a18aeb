#include "host/graph/autodiff.h"

#include <algorithm>
#include <set>

namespace retrace {

namespace {

constexpr std::size_t largest_batch = std::size_t{1} << 20;

using ids = std::vector<tensor_id>;

ids sorted(ids list) {
    std::sort(list.begin(), list.end());
    list.erase(std::unique(list.begin(), list.end()), list.end());
    return list;
}

ids united(const ids& a, const ids& b) {
    ids all = a;
    all.insert(all.end(), b.begin(), b.end());
    return sorted(std::move(all));
}

operation forward_operation(const network& net, std::size_t k) {
    ids reads = {{tensor_role::io, k - 1}, {tensor_role::weight, k}};
    if (net.at(k).bias)
        reads.push_back({tensor_role::bias, k});
    return {
        operation_kind::forward, k, net.at(k).activation, sorted(std::move(reads)), {{tensor_role::io, k}}};
}

operation loss_gradient_operation(std::size_t depth) {
    return {operation_kind::loss_gradient, depth, activation_kind::none,
            sorted({{tensor_role::io, depth}, {tensor_role::targets, depth}}),
            sorted({{tensor_role::gradient, depth}, {tensor_role::loss, depth}})};
}

operation data_gradient_operation(const network& net, std::size_t k) {
    // The network's own input has no activation under it.
    const activation_kind below = k > 1 ? net.at(k - 1).activation : activation_kind::none;
    ids reads = {{tensor_role::gradient, k}, {tensor_role::weight, k}};
    if (below == activation_kind::relu)
        reads.push_back({tensor_role::io, k - 1});
    return {
        operation_kind::data_gradient, k, below, sorted(std::move(reads)), {{tensor_role::gradient, k - 1}}};
}

operation weight_gradient_operation(const network& net, std::size_t k) {
    ids writes = {{tensor_role::weight_gradient, k}};
    if (net.at(k).bias)
        writes.push_back({tensor_role::bias_gradient, k});
    return {operation_kind::weight_gradient, k, activation_kind::none,
            sorted({{tensor_role::io, k - 1}, {tensor_role::gradient, k}}), sorted(std::move(writes))};
}

backward_operation backward_of_layer(const network& net, std::size_t k, bool with_data_gradient) {
    backward_operation b;
    b.layer = k;
    b.weight_gradient = weight_gradient_operation(net, k);
    b.reads = b.weight_gradient.reads;
    b.writes = b.weight_gradient.writes;
    if (with_data_gradient) {
        b.data_gradient = data_gradient_operation(net, k);
        b.reads = united(b.reads, b.data_gradient->reads);
        b.writes = united(b.writes, b.data_gradient->writes);
    }
    return b;
}

tensor_info describe(const network& net, tensor_id id, std::size_t batch, operand_format format) {
    switch (id.role) {
    case tensor_role::io:
    case tensor_role::gradient:
    case tensor_role::targets:
        return {id, {batch, net.features(id.layer)}, format};
    case tensor_role::weight:
        return {id, net.at(id.layer).weight_shape(), format};
    case tensor_role::weight_gradient:
        return {id, net.at(id.layer).weight_shape(), operand_format::fp32};
    case tensor_role::bias:
    case tensor_role::bias_gradient:
        return {id, net.at(id.layer).bias_shape(), operand_format::fp32};
    case tensor_role::loss:
        break;
    }
    return {id, {1, 1}, operand_format::fp32};
}

std::vector<tensor_info> tensors_of(const training_graph& graph) {
    std::set<tensor_id> used;
    const auto note = [&used](const auto& op) {
        used.insert(op.reads.begin(), op.reads.end());
        used.insert(op.writes.begin(), op.writes.end());
    };
    for (const operation& f : graph.forward)
        note(f);
    if (graph.loss_gradient)
        note(*graph.loss_gradient);
    for (const backward_operation& b : graph.backward)
        note(b);
    std::vector<tensor_info> tensors;
    for (const tensor_id& id : used)
        tensors.push_back(describe(graph.net, id, graph.batch, graph.format));
    return tensors;
}

void check_range(const network& net, const layer_range& range) {
    if (range.first < 1 || range.first > range.last || range.last > net.depth())
        throw network_error("the range of layers " + std::to_string(range.first) + ".." +
                            std::to_string(range.last) + " does not lie in 1.." +
                            std::to_string(net.depth()));
}

[[noreturn]] void outside(const training_graph& graph, const std::string& what) {
    throw network_error(what + " is not part of the range of layers " + std::to_string(graph.range.first) +
                        ".." + std::to_string(graph.range.last));
}

} // namespace

std::string to_string(tensor_id id) {
    const auto numbered = [&id](const char* prefix) { return prefix + std::to_string(id.layer); };
    switch (id.role) {
    case tensor_role::io:
        return numbered("IO_");
    case tensor_role::gradient:
        return numbered("G_");
    case tensor_role::weight:
        return numbered("W_");
    case tensor_role::bias:
        return numbered("b_");
    case tensor_role::weight_gradient:
        return numbered("dW_");
    case tensor_role::bias_gradient:
        return numbered("db_");
    case tensor_role::targets:
        return "targets";
    case tensor_role::loss:
        break;
    }
    return "loss";
}

std::string operation::name() const {
    const std::string k = std::to_string(layer);
    switch (kind) {
    case operation_kind::forward:
        return "F_" + k;
    case operation_kind::data_gradient:
        return "D_" + k;
    case operation_kind::weight_gradient:
        return "W_" + k;
    case operation_kind::loss_gradient:
        break;
    }
    return "LG";
}

std::string backward_operation::name() const { return "B_" + std::to_string(layer); }

layer_range whole_network(const network& net) { return {1, net.depth(), false}; }

layer_range pipeline_stage(std::size_t first, std::size_t last) { return {first, last, first > 1}; }

const operation& training_graph::forward_of(std::size_t k) const {
    if (k < range.first || k > range.last)
        outside(*this, "F_" + std::to_string(k));
    return forward[k - range.first];
}

const backward_operation& training_graph::backward_of(std::size_t k) const {
    if (k < range.first || k > range.last)
        outside(*this, "B_" + std::to_string(k));
    return backward[range.last - k];
}

const tensor_info& training_graph::tensor(tensor_id id) const {
    const auto at = std::lower_bound(tensors.begin(), tensors.end(), id,
                                     [](const tensor_info& t, tensor_id wanted) { return t.id < wanted; });
    if (at == tensors.end() || at->id != id)
        outside(*this, to_string(id));
    return *at;
}

training_graph differentiate(const network& net, const layer_range& range, std::size_t batch,
                             operand_format format) {
    validate(net);
    check_range(net, range);
    if (batch < 1 || batch > largest_batch)
        throw network_error("the batch is " + std::to_string(batch) + ", it must be 1.." +
                            std::to_string(largest_batch));

    training_graph graph;
    graph.net = net;
    graph.range = range;
    graph.batch = batch;
    graph.format = format;
    for (std::size_t k = range.first; k <= range.last; ++k)
        graph.forward.push_back(forward_operation(net, k));
    if (range.last == net.depth())
        graph.loss_gradient = loss_gradient_operation(range.last);
    for (std::size_t k = range.last; k >= range.first; --k)
        graph.backward.push_back(backward_of_layer(net, k, k > range.first || range.input_needs_gradient));
    graph.tensors = tensors_of(graph);
    return graph;
}

} // namespace retrace
