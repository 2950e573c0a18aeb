#pragma once
// How long something shared is held back under stress (hw/README.md, 9.13): a pure function of the seed and of what is held back, never of
// the order in which anybody asks.
#include <cstdint>

#include "hw/spec/counter_random.h"
#include "tlm/core/npu_config.h"

namespace retrace {

/// Channels of hold() that are not requester numbers.
inline constexpr unsigned place_channel = 300, up_channel = 400, down_channel = 401;

/// Cycles, 0 .. longest.
constexpr std::uint64_t hold_cycles(std::uint64_t seed, unsigned channel, std::uint32_t order, std::uint64_t number, std::uint64_t longest) {
    if (longest == 0)
        return 0;
    const philox_counter words = philox4x32_10({static_cast<std::uint32_t>(number), static_cast<std::uint32_t>(number >> 32), channel, order},
                                               {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)});
    return words[0] % 4 == 0 ? 1 + words[0] / 4 % longest : 0;
}

} // namespace retrace
