#include "sim/report/downsample.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace retrace {

std::vector<std::size_t> extremes(std::span<const double> values, std::size_t budget) {
    const std::size_t count = values.size();
    std::vector<std::size_t> kept;
    if (count <= budget) {
        kept.resize(count);
        std::iota(kept.begin(), kept.end(), std::size_t{0});
        return kept;
    }
    const std::size_t stretches = std::max<std::size_t>(1, budget / 2 - 1);
    kept.push_back(0);
    for (std::size_t s = 0; s < stretches; ++s) {
        const std::size_t from = 1 + s * (count - 2) / stretches, to = 1 + (s + 1) * (count - 2) / stretches;
        std::size_t low = from, high = from;
        for (std::size_t i = from; i < to; ++i) {
            if (values[i] < values[low] || (std::isnan(values[low]) && !std::isnan(values[i])))
                low = i;
            if (values[i] > values[high] || (std::isnan(values[i]) && !std::isnan(values[high])))
                high = i;
        }
        kept.push_back(std::min(low, high));
        if (low != high)
            kept.push_back(std::max(low, high));
    }
    kept.push_back(count - 1);
    return kept;
}

std::vector<std::size_t> spread(std::size_t count, std::size_t budget) {
    std::vector<std::size_t> kept;
    if (count <= budget) {
        kept.resize(count);
        std::iota(kept.begin(), kept.end(), std::size_t{0});
        return kept;
    }
    if (budget == 0)
        return kept;
    const std::size_t first = budget >= 3 ? 2 : budget >= 2 ? 1 : 0; // with a budget of one, the last
    for (std::size_t i = 0; i < first; ++i)
        kept.push_back(i);
    const std::size_t rest = budget - first; // of [first, count), the last among them
    for (std::size_t i = 1; i <= rest; ++i)
        kept.push_back(first + i * (count - first) / rest - 1);
    return kept;
}

} // namespace retrace
