// The machine's only source of randomness: a counter-based generator, Philox4x32-10
// (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC'11).
//
// A random word is a pure function of (seed, training step, operator id, logical element index): never of the
// instruction, the time or the order of calls. So stochastic rounding, dropout and initialisation give the
// same bits under any schedule, tiling or device.
//
//     key     = { seed[31:0], seed[63:32] }
//     counter = { block[31:0], block[63:32], operator_id, training_step }   with block = element_index / 4
//     word    = philox4x32_10(counter, key)[element_index mod 4]
#pragma once

#include <array>
#include <cstdint>

namespace retrace {

using philox_counter = std::array<std::uint32_t, 4>;
using philox_key = std::array<std::uint32_t, 2>;

// Ten rounds; the multipliers and the Weyl increments of the key are the paper's.
constexpr philox_counter philox4x32_10(philox_counter counter, philox_key key) {
    for (int round = 0; round < 10; ++round) {
        const std::uint64_t product_0 = std::uint64_t{0xD2511F53u} * counter[0];
        const std::uint64_t product_1 = std::uint64_t{0xCD9E8D57u} * counter[2];
        counter = {static_cast<std::uint32_t>(product_1 >> 32) ^ counter[1] ^ key[0],
                   static_cast<std::uint32_t>(product_1),
                   static_cast<std::uint32_t>(product_0 >> 32) ^ counter[3] ^ key[1],
                   static_cast<std::uint32_t>(product_0)};
        key[0] += 0x9E3779B9u;
        key[1] += 0xBB67AE85u;
    }
    return counter;
}

// The four words of elements 4*block .. 4*block+3: what a loop over a tensor calls once per four elements.
constexpr philox_counter counter_random_block(std::uint64_t seed, std::uint32_t training_step,
                                              std::uint32_t operator_id, std::uint64_t block) {
    return philox4x32_10({static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(block >> 32),
                          operator_id, training_step},
                         {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)});
}

// The word of one element.
constexpr std::uint32_t counter_random(std::uint64_t seed, std::uint32_t training_step,
                                       std::uint32_t operator_id, std::uint64_t element_index) {
    return counter_random_block(seed, training_step, operator_id, element_index / 4)[element_index % 4];
}

} // namespace retrace
