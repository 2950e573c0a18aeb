// Number formats of the machine and the conversion of single elements. Conversions work on bit patterns;
// where binary32 arithmetic appears it is exact or named below, and rounds to nearest even (the host's
// default mode).
//
//   format    sign/exponent/mantissa  bias  largest finite   infinity  canonical NaN
//   fp32      1/8/23                  127   0x7f7fffff       yes       0x7fc00000
//   bf16      1/8/7                   127   0x7f7f           yes       0x7fc0
//   fp8_e4m3  1/4/3 ("E4M3FN")        7     0x7e  (448)      no        0x7f
//   fp8_e5m2  1/5/2                   15    0x7b  (57344)    yes       0x7e
//
// fp8 follows the OCP 8-bit floating point specification (OFP8). Subnormals are kept everywhere.
//
// Widening to binary32 is exact for bf16, fp8 and int8. int32 has more digits than binary32: it rounds to
// nearest even. Every NaN widens to the canonical binary32 NaN.
//
// Narrowing. A NaN becomes the canonical NaN of the target, whatever its sign. With u = one unit in the last
// place of the target at the value's magnitude (subnormal range included) and f = the discarded part of |x|
// in units of u, 0 <= f < 1, the magnitude is truncated and then incremented
//   nearest even:  when f > 1/2, or f = 1/2 and the truncated magnitude is odd;
//   stochastic:    when floor(f * 2^32) + r >= 2^32, r the random 32-bit word: with probability f.
// An increment may carry into the next binade, and from the largest finite value out of range. What is out of
// range after rounding is an overflow: bf16 and E5M2 give an infinity of x's sign, E4M3FN gives its NaN 0x7f
// (the non-saturating mode of OFP8). Infinities narrow the same way.
//
// int32 -> int8 scales: y = fp32(i) * scale, one binary32 conversion and one binary32 multiply, each to
// nearest even; then y rounds to the nearest even integer and saturates to [-128, 127]; NaN gives 0.
#pragma once

#include <bit>
#include <cstdint>

namespace retrace {

enum class number_format : std::uint8_t {
    fp32 = 0,
    bf16 = 1,
    fp8_e4m3 = 2,
    fp8_e5m2 = 3,
    int8 = 4,
    int32 = 5
};

inline constexpr unsigned number_format_count = 6;

constexpr unsigned bytes_of(number_format format) {
    switch (format) {
    case number_format::fp32:
    case number_format::int32:
        return 4;
    case number_format::bf16:
        return 2;
    default:
        return 1;
    }
}

constexpr bool is_integer(number_format format) {
    return format == number_format::int8 || format == number_format::int32;
}

constexpr const char* name_of(number_format format) {
    constexpr const char* names[number_format_count] = {"fp32",     "bf16", "fp8_e4m3",
                                                        "fp8_e5m2", "int8", "int32"};
    const auto index = static_cast<unsigned>(format);
    return index < number_format_count ? names[index] : "unknown";
}

inline constexpr std::uint32_t canonical_nan_fp32 = 0x7fc00000u;
inline constexpr std::uint16_t canonical_nan_bf16 = 0x7fc0u;
inline constexpr std::uint8_t canonical_nan_e4m3 = 0x7fu;
inline constexpr std::uint8_t canonical_nan_e5m2 = 0x7eu;

// The same value, with any NaN replaced by the canonical one. Bits of binary32.
constexpr std::uint32_t canonical_fp32(std::uint32_t bits) {
    return (bits & 0x7fffffffu) > 0x7f800000u ? canonical_nan_fp32 : bits;
}

// ---- widening: bits of the format -> bits of binary32
// ---------------------------------------------------------

constexpr std::uint32_t widen_bf16(std::uint16_t bits) { return canonical_fp32(std::uint32_t{bits} << 16); }

namespace detail {

// Widens an 8-bit float with `mantissa` mantissa bits and exponent bias `bias`; the caller patches its
// specials. A subnormal is the integer m times 2^(1-bias-mantissa), exact in binary32: no normalisation loop.
template <unsigned mantissa, unsigned bias>
constexpr std::uint32_t widen_fp8_finite(std::uint8_t bits) {
    const std::uint32_t sign = (bits & 0x80u) << 24;
    const std::uint32_t magnitude = bits & 0x7fu;
    const std::uint32_t normal = (magnitude << (23 - mantissa)) + ((127u - bias) << 23);
    const float scale = std::bit_cast<float>((127u + 1u - bias - mantissa) << 23);
    const float integer = static_cast<float>(static_cast<std::int32_t>(magnitude));
    const std::uint32_t subnormal = std::bit_cast<std::uint32_t>(integer * scale);
    return sign | (magnitude < (1u << mantissa) ? subnormal : normal);
}

} // namespace detail

constexpr std::uint32_t widen_e4m3(std::uint8_t bits) {
    return (bits & 0x7fu) == 0x7fu ? canonical_nan_fp32 : detail::widen_fp8_finite<3, 7>(bits);
}

constexpr std::uint32_t widen_e5m2(std::uint8_t bits) {
    const std::uint32_t magnitude = bits & 0x7fu;
    const std::uint32_t finite = detail::widen_fp8_finite<2, 15>(bits);
    const std::uint32_t special =
        magnitude > 0x7cu ? canonical_nan_fp32 : ((bits & 0x80u) << 24) | 0x7f800000u;
    return magnitude >= 0x7cu ? special : finite;
}

constexpr std::uint32_t widen_int32(std::int32_t value) {
    return std::bit_cast<std::uint32_t>(static_cast<float>(value));
}

constexpr std::uint32_t widen_int8(std::int8_t value) { return widen_int32(value); }

// ---- narrowing: bits of binary32 -> bits of the format
// -----------------------------------------------------------

constexpr std::uint16_t narrow_bf16(std::uint32_t bits) {
    const std::uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
    return static_cast<std::uint16_t>((bits & 0x7fffffffu) > 0x7f800000u ? canonical_nan_bf16 : rounded);
}

constexpr std::uint16_t narrow_bf16_stochastic(std::uint32_t bits, std::uint32_t random) {
    const std::uint32_t rounded = (bits + (random >> 16)) >> 16;
    return static_cast<std::uint16_t>((bits & 0x7fffffffu) > 0x7f800000u ? canonical_nan_bf16 : rounded);
}

namespace detail {

struct fp8_split {
    std::uint32_t truncated; // magnitude bits of the 8-bit format, before the increment
    std::uint32_t fraction;  // floor(f * 2^32)
    std::uint32_t sticky;    // non-zero if f has bits below 2^-32
};

// Splits |x| at the target's last place. `minimum` is the smallest normal exponent of the target (1 - bias).
template <unsigned mantissa, int minimum>
constexpr fp8_split split_fp8(std::uint32_t magnitude) {
    const std::uint32_t field = magnitude >> 23;
    const std::uint32_t significand = (magnitude & 0x7fffffu) | (field != 0 ? 0x800000u : 0u);
    const int exponent = static_cast<int>(field != 0 ? field : 1u) - 127;
    const int below = exponent < minimum ? minimum - exponent : 0;
    const unsigned shift = 23u - mantissa + static_cast<unsigned>(below < 40 ? below : 40);
    const std::uint32_t quotient = shift < 32 ? significand >> (shift & 31u) : 0u;
    const std::uint32_t binade =
        static_cast<std::uint32_t>((exponent < minimum ? minimum : exponent) - minimum);
    // A normal quotient carries its implicit one, which raises the exponent field from `binade` to `binade +
    // 1`.
    fp8_split split{(binade << mantissa) + quotient, 0, 0};
    if (shift <= 32) {
        // The bits above the point leave at the top; shift >= 20 keeps the left shift within 12.
        split.fraction = significand << ((32u - shift) & 31u);
    } else {
        const unsigned right = shift - 32u;
        split.fraction = significand >> (right & 31u);
        split.sticky = significand & ((1u << (right & 31u)) - 1u);
    }
    return split;
}

template <unsigned mantissa, int minimum>
constexpr std::uint32_t narrow_fp8_nearest(std::uint32_t magnitude) {
    const fp8_split s = split_fp8<mantissa, minimum>(magnitude);
    const bool above = s.fraction > 0x80000000u || (s.fraction == 0x80000000u && s.sticky != 0);
    const bool tie = s.fraction == 0x80000000u && s.sticky == 0;
    return s.truncated + ((above || (tie && (s.truncated & 1u) != 0)) ? 1u : 0u);
}

template <unsigned mantissa, int minimum>
constexpr std::uint32_t narrow_fp8_stochastic(std::uint32_t magnitude, std::uint32_t random) {
    const fp8_split s = split_fp8<mantissa, minimum>(magnitude);
    return s.truncated + (s.fraction > 0xffffffffu - random ? 1u : 0u);
}

constexpr std::uint8_t finish_e4m3(std::uint32_t bits, std::uint32_t magnitude) {
    return magnitude > 0x7eu ? canonical_nan_e4m3
                             : static_cast<std::uint8_t>(magnitude | ((bits >> 24) & 0x80u));
}

constexpr std::uint8_t finish_e5m2(std::uint32_t bits, std::uint32_t magnitude) {
    const std::uint32_t in_range = (magnitude > 0x7cu ? 0x7cu : magnitude) | ((bits >> 24) & 0x80u);
    return (bits & 0x7fffffffu) > 0x7f800000u ? canonical_nan_e5m2 : static_cast<std::uint8_t>(in_range);
}

} // namespace detail

constexpr std::uint8_t narrow_e4m3(std::uint32_t bits) {
    return detail::finish_e4m3(bits, detail::narrow_fp8_nearest<3, -6>(bits & 0x7fffffffu));
}

constexpr std::uint8_t narrow_e4m3_stochastic(std::uint32_t bits, std::uint32_t random) {
    return detail::finish_e4m3(bits, detail::narrow_fp8_stochastic<3, -6>(bits & 0x7fffffffu, random));
}

constexpr std::uint8_t narrow_e5m2(std::uint32_t bits) {
    return detail::finish_e5m2(bits, detail::narrow_fp8_nearest<2, -14>(bits & 0x7fffffffu));
}

constexpr std::uint8_t narrow_e5m2_stochastic(std::uint32_t bits, std::uint32_t random) {
    return detail::finish_e5m2(bits, detail::narrow_fp8_stochastic<2, -14>(bits & 0x7fffffffu, random));
}

// Binary32 -> int8: nearest even, saturating, NaN gives 0.
constexpr std::int8_t narrow_int8(std::uint32_t bits) {
    const float value = std::bit_cast<float>(bits);
    const float low = value < -128.0f ? -128.0f : value;
    const float clamped = low > 127.0f ? 127.0f : low;
    // Adding 1.5 * 2^23 leaves the integer, rounded to nearest even, in the low mantissa bits.
    const std::uint32_t shifted = std::bit_cast<std::uint32_t>(clamped + 0x1.8p23f);
    const auto integer = static_cast<std::int8_t>(static_cast<std::uint8_t>(shifted));
    return (bits & 0x7fffffffu) > 0x7f800000u ? std::int8_t{0} : integer;
}

} // namespace retrace
