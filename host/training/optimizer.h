#pragma once
// Stochastic gradient descent with momentum on the fp32 master weights, in the PyTorch convention:
//
//   d = g + (weight_decay * w)      skipped where weight_decay is 0
//   v = (momentum * v) + d          v starts at 0; skipped where momentum is 0, then v = d
//   w = w - (rate * v)
//
// Every parenthesis and every sum is one binary32 operation, rounded to nearest even, in this order and never
// fused: the same bits on any host.

#include <cstddef>
#include <span>
#include <stdexcept>
#include <vector>

namespace retrace {

// A hyper-parameter outside its range, or gradients that do not match their parameter.
class optimizer_error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

enum class rate_decay { constant, linear };

// The learning rate as a function of the step, counted from 0: constant, or falling linearly to 0,
// rate * (total_steps - step) / total_steps.
struct rate_schedule {
    float rate = 0.01f;
    rate_decay decay = rate_decay::constant;
    std::size_t total_steps = 0; // needed by linear only

    float at(std::size_t step) const;
};

struct sgd_options {
    rate_schedule schedule;
    float momentum = 0;     // 0 <= momentum < 1
    float weight_decay = 0; // 0 <= weight_decay
};

class sgd_optimizer {
public:
    // `sizes[i]` is the number of elements of parameter tensor i. Throws optimizer_error for options out of
    // range.
    sgd_optimizer(const sgd_options& options, const std::vector<std::size_t>& sizes);

    // Updates parameter tensor `index` in place with its gradient at training step `step`.
    // A parameter must be updated once in every step.
    void update(std::size_t index, std::size_t step, std::span<float> weights,
                std::span<const float> gradient);

    std::span<const float> velocity(std::size_t index) const { return velocity_.at(index); }
    const sgd_options& options() const { return options_; }

private:
    sgd_options options_;
    std::vector<std::vector<float>> velocity_;
};

} // namespace retrace
