#pragma once
// The numeric contract (hw/README.md, 8) written a second time, for the reference interpreter: scalar, one element at a time, and
// without a line of tlm/. Words of binary32 travel as their bits, so that payloads of NaNs and int32 words survive.
#include <cstdint>
#include <string>

#include "hw/spec/spec.h"

namespace retrace::cosim {

inline constexpr std::uint32_t nan_bits = 0x7fc00000u;

bool is_nan(std::uint32_t bits);
/// Any NaN becomes the canonical one.
std::uint32_t canonical(std::uint32_t bits);

/// The element `code` (low bytes used) as binary32. Exact, except that int32 rounds to nearest even.
std::uint32_t widen(spec::number_format format, std::uint32_t code);
/// binary32 to the format's element, to nearest even; int8 saturates, NaN gives 0. int32 is no target: std::logic_error.
std::uint32_t narrow(spec::number_format format, std::uint32_t bits);
/// bf16 and fp8 only: the magnitude is truncated, and incremented when floor(f 2^32) + random reaches 2^32.
std::uint32_t narrow_stochastic(spec::number_format format, std::uint32_t bits, std::uint32_t random);

std::uint32_t fma(std::uint32_t a, std::uint32_t b, std::uint32_t c);
std::uint32_t add(std::uint32_t a, std::uint32_t b);
/// One binary operation of the vector engine.
std::uint32_t combine(spec::vector_operation operation, std::uint32_t a, std::uint32_t b);
/// A unary function of the activation engine, step by step as the manual's table of functions states it.
std::uint32_t apply(spec::activation_function function, std::uint32_t bits);

/// Distance in units in the last place between two elements of a float format, -0 and +0 in one place; of an integer format the
/// difference of the values.
std::uint64_t ulp_distance(spec::number_format format, std::uint32_t a, std::uint32_t b);

/// The word in hex and as a number: binary32, or an integer.
std::string text_of_word(std::uint32_t bits, bool integer);

} // namespace retrace::cosim
