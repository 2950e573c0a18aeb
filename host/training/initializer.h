#pragma once
// Initial weights: He uniform, from the counter-based generator.
//
// Element i of a tensor is bound * c / 2^23 with bound = sqrt(6 / fan_in) and the integer c = (word >> 8) -
// 2^23, where word is element i of the generator at training step 0. Only correctly rounded binary32
// operations take part, so the bits are the same on any host, and they depend on nothing but seed, layer and
// i. Biases start at 0.
//
// K. He, X. Zhang, S. Ren, J. Sun: "Delving deep into rectifiers", ICCV 2015: variance 2 / fan_in keeps the
// scale of activations constant through layers of ReLU.

#include <cstddef>
#include <cstdint>
#include <span>

namespace retrace {

// Operator ids of the generator that the host keeps for itself: the device's operators stay below the first.
inline constexpr std::uint32_t initializer_operator = 0x80000000u; // + layer, from 1
inline constexpr std::uint32_t shuffle_operator = 0xc0000000u;     // training step = epoch

// Fills the weights of layer `layer` (from 1) with `fan_in` inputs; throws std::invalid_argument where that
// is 0.
void he_uniform(std::span<float> weights, std::size_t fan_in, std::uint64_t seed, std::uint32_t layer);

} // namespace retrace
