#pragma once
// One training step in plain scalar C++: an interpreter of the graph of host/graph/autodiff.h, made to be
// obvious rather than fast, sharing nothing with the compiler or the device.
//
// Every operation sees only the tensors of its read set: touching another throws. So a step that comes out
// right proves that the read and write sets are sufficient. Sums are binary32 in ascending order; exp and log
// are the C library's; tensors of format bf16 are rounded when they are stored.

#include "host/graph/autodiff.h"

#include <map>
#include <span>
#include <vector>

namespace retrace {

class reference_step {
public:
    explicit reference_step(training_graph graph) : graph_(std::move(graph)) {}

    // A tensor from outside: inputs, targets, weights, biases (and G_last for a range that does not end the
    // network). Weights may come as fp32 masters. Throws std::runtime_error where the size is wrong.
    void deliver(tensor_id id, std::span<const float> values);
    // All forward operations, LG if there is one, all backward operations.
    void run();
    const std::vector<float>& value(tensor_id id) const;

private:
    class access;
    void run(const operation& op);
    void forward(const operation& op, const access& tensors);
    void loss_gradient(const operation& op, const access& tensors);
    void data_gradient(const operation& op, const access& tensors);
    void weight_gradient(const operation& op, const access& tensors);

    training_graph graph_;
    std::map<tensor_id, std::vector<float>> store_;
};

} // namespace retrace
