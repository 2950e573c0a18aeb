// Operand triples for a binary32 multiply-add, seeded and biased towards the places where one goes wrong, and
// what the answer is.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

namespace retrace::test {

struct fma_triple {
    std::uint32_t a, b, c;
};

// Every pairing of these in all three places: zeros, subnormals, the smallest and the largest, infinities, NaN of
// several payloads, numbers around one; both signs.
std::vector<std::uint32_t> fma_corners();

// Random exponents near and far, few or many mantissa bits; often c lies near -a*b, or a*b and c lie so far apart
// that only the sticky bit sees the smaller one, or the result is subnormal or overflows.
fma_triple draw_triple(std::mt19937_64& engine);

// By the host's fused multiply-add, NaN canonical.
std::uint32_t expected_fma(const fma_triple& t);

} // namespace retrace::test
