#pragma once
// A seed becomes a legal case: constrained-random, biased to corners (tails of the array, operand classes, odd strides, loads
// ahead of their swaps, queues that feed themselves). Same seed, same case, on every machine.
#include "sim/cosim/test_case.h"

namespace retrace::cosim {

test_case generate(std::uint64_t seed);

/// A machine of every size and depth that generate() draws from, for checks before a run.
std::vector<machine_settings> generated_machines();

} // namespace retrace::cosim
