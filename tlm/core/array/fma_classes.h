// Operand classes of a fused multiply-add: where encodings, rounding and special cases change over.
#pragma once

#include <cstdint>
#include <string>

namespace retrace {

struct fma_triple {
    std::uint32_t a, b, c;
};

// Number of combinations of a class of a, of b and of c. c's classes are those of a and b and some that are
// relative to the product: exact and near cancellation, ties, far above, far below.
std::uint64_t fma_class_combinations();

// Triple `index` of the sweep `seed`: its combination is index mod fma_class_combinations(), signs and digits
// are drawn.
fma_triple fma_triple_of(std::uint64_t seed, std::uint64_t index);

// "a, b, c" of a triple's combination.
std::string fma_classes_of(std::uint64_t index);

} // namespace retrace
