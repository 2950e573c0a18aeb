#pragma once
// What a host buffer holds at first: a pure function of its seed, class and format, element by element.
#include <cstddef>
#include <span>

#include "sim/cosim/test_case.h"

namespace retrace::cosim {

/// Fills `to` (b.bytes bytes). Classes, for float formats:
///   zeros         all bytes 0
///   small         integers -4 .. 4
///   moderate      both signs, a few binades: sums round
///   corners       signed zeros, subnormals, smallest and largest numbers, infinities, NaNs with payloads, among moderate ones
///   ties          significands whose products and sums fall halfway between two results
///   cancellation  pairs of large numbers that almost cancel
///   large         magnitudes near the largest finite one: products and sums overflow
///   tiny          products are subnormal or round to a zero of their sign
///   bits          any bit pattern
/// Integers: `corners`, `ties` and `large` are the extremes -128, -127, -1, 0, 1, 127 (int32: likewise), others are uniform.
void fill(const buffer& b, std::span<std::byte> to);

} // namespace retrace::cosim
