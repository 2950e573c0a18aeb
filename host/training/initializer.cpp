#include "host/training/initializer.h"

#include "hw/spec/counter_random.h"

#include <cmath>
#include <stdexcept>

namespace retrace {

void he_uniform(std::span<float> weights, std::size_t fan_in, std::uint64_t seed, std::uint32_t layer) {
    if (fan_in == 0)
        throw std::invalid_argument("weights without inputs cannot be initialised");
    constexpr std::int32_t half = 1 << 23;
    const float bound = std::sqrt(6.0f / static_cast<float>(fan_in));
    philox_counter words{};
    for (std::size_t i = 0; i < weights.size(); ++i) {
        if (i % 4 == 0)
            words = counter_random_block(seed, 0, initializer_operator + layer, i / 4);
        const std::int32_t centred = static_cast<std::int32_t>(words[i % 4] >> 8) - half;
        weights[i] =
            bound * (static_cast<float>(centred) / static_cast<float>(half)); // the quotient is exact
    }
}

} // namespace retrace
