// Binary32 in integer arithmetic, written from IEEE 754-2019: the referee over the arrays' arithmetic. It
// shares no code with the other numeric code and uses no floating-point instruction of the host. Slow by
// comparison (tens of nanoseconds an operation); it checks samples.
//
// Everything rounds to nearest, ties to even (4.3.1); subnormals are kept; every NaN result is 0x7fc00000,
// whatever the operands' payloads. Exception flags are not kept.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tlm/core/numeric/formats.h"

namespace retrace::soft {

// a * b + c with one rounding (5.4.1 fusedMultiplyAdd). Bits of binary32.
std::uint32_t fma(std::uint32_t a, std::uint32_t b, std::uint32_t c);

// a + b (5.4.1 addition).
std::uint32_t add(std::uint32_t a, std::uint32_t b);

// sum + a * w modulo 2^32, on two's complement words.
std::uint32_t multiply_add_integer(std::uint32_t a, std::uint32_t w, std::uint32_t sum);

// The element at `from`, little-endian and unaligned, as the word that a PE works on: the binary32 of the
// same value for float formats (a NaN is the canonical one), the sign-extended integer for int8 and int32.
std::uint32_t widen(number_format format, const std::byte* from);

} // namespace retrace::soft
