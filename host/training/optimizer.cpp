#include "host/training/optimizer.h"

#include <cmath>
#include <string>

namespace retrace {

namespace {

void check(bool holds, const char* what, float value) {
    if (!holds)
        throw optimizer_error(std::string(what) + ", not " + std::to_string(value));
}

} // namespace

float rate_schedule::at(std::size_t step) const {
    if (decay == rate_decay::constant)
        return rate;
    if (step >= total_steps)
        return 0;
    return rate * static_cast<float>(total_steps - step) / static_cast<float>(total_steps);
}

sgd_optimizer::sgd_optimizer(const sgd_options& options, const std::vector<std::size_t>& sizes)
    : options_(options) {
    // Written so that a NaN fails each of them.
    check(options.schedule.rate > 0 && std::isfinite(options.schedule.rate),
          "the learning rate must be positive", options.schedule.rate);
    check(options.momentum >= 0 && options.momentum < 1, "momentum must be at least 0 and below 1",
          options.momentum);
    check(options.weight_decay >= 0 && std::isfinite(options.weight_decay), "weight decay must be at least 0",
          options.weight_decay);
    if (options.schedule.decay == rate_decay::linear && options.schedule.total_steps == 0)
        throw optimizer_error("linear decay of the learning rate needs the number of training steps");
    velocity_.reserve(sizes.size());
    for (const std::size_t size : sizes)
        velocity_.emplace_back(size, 0.0f);
}

void sgd_optimizer::update(std::size_t index, std::size_t step, std::span<float> weights,
                           std::span<const float> gradient) {
    if (index >= velocity_.size())
        throw optimizer_error("there is no parameter " + std::to_string(index) + ", only " +
                              std::to_string(velocity_.size()) + " were announced");
    std::vector<float>& velocity = velocity_[index];
    if (weights.size() != velocity.size() || gradient.size() != velocity.size())
        throw optimizer_error("parameter " + std::to_string(index) + " has " +
                              std::to_string(velocity.size()) + " elements, but " +
                              std::to_string(weights.size()) + " weights and " +
                              std::to_string(gradient.size()) + " gradients came");
    const float rate = options_.schedule.at(step);
    const float momentum = options_.momentum;
    const float decay = options_.weight_decay;
    for (std::size_t i = 0; i < velocity.size(); ++i) {
        float d = gradient[i];
        if (decay != 0) {
            const float pull = decay * weights[i];
            d = d + pull;
        }
        if (momentum != 0) {
            const float kept = momentum * velocity[i];
            d = kept + d;
        }
        velocity[i] = d;
        const float change = rate * d;
        weights[i] = weights[i] - change;
    }
}

} // namespace retrace
