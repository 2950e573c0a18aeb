#pragma once
// The checks by subject; proof_checks() strings them together.
#include <span>

#include "sim/proof/proof.h"

namespace retrace::proof {

std::span<const proof_check> order_checks();  ///< who runs when, reads what, how often
std::span<const proof_check> memory_checks(); ///< overwriting, copies, stale reads, capacities
std::span<const proof_check>
host_checks(); ///< what crosses the link: gradients up, weights down, nothing hidden

} // namespace retrace::proof
