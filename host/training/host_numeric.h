#pragma once
// Number formats on the host: binary32 <-> bfloat16, by integer operations alone, so the bits are the same
// everywhere.
//
// Narrowing rounds to nearest, ties to even, and overflows to infinity; subnormals are kept. Every NaN
// becomes the canonical one, quiet and positive (bf16 0x7fc0, fp32 0x7fc00000), in both directions. Widening
// is exact otherwise.

#include <bit>
#include <cstdint>
#include <span>

namespace retrace::host_numeric {

inline constexpr std::uint16_t canonical_nan_bf16 = 0x7fc0;
inline constexpr std::uint32_t canonical_nan_fp32 = 0x7fc00000;

constexpr std::uint16_t bf16_from_fp32(float value) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    // Adding just under half a unit of the kept part, and one more if that part is odd, rounds to nearest
    // even; a carry out of the fraction moves to the next exponent and, from the largest one, to infinity.
    const std::uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
    const bool is_nan = (bits & 0x7fffffffu) > 0x7f800000u;
    return static_cast<std::uint16_t>(is_nan ? canonical_nan_bf16 : rounded);
}

constexpr float fp32_from_bf16(std::uint16_t value) {
    const bool is_nan = (value & 0x7fffu) > 0x7f80u;
    return std::bit_cast<float>(is_nan ? canonical_nan_fp32 : static_cast<std::uint32_t>(value) << 16);
}

// The value that remains of an fp32 number once it is stored as bf16.
constexpr float rounded_to_bf16(float value) { return fp32_from_bf16(bf16_from_fp32(value)); }

// Whole arrays; both spans have the same length, otherwise std::invalid_argument.
void narrow(std::span<const float> from, std::span<std::uint16_t> to);
void widen(std::span<const std::uint16_t> from, std::span<float> to);

} // namespace retrace::host_numeric
