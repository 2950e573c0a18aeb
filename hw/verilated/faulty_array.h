// The RTL array with a seeded fault, selected at run time: for the regression that checks the checkers. Its own
// library, in sizes 8x8 with fma_depth 1 and 3; no other build of the RTL contains a trace of the faults.
#pragma once

#include <memory>
#include <vector>

#include "hw/verilated/rtl_faults.h"
#include "hw/verilated/verilated_array.h"

namespace retrace {

std::vector<rtl_size> faulty_rtl_sizes();

// fault: a number of rtl_faults, or 0 for none. Throws rtl_unavailable for another size, std::out_of_range for
// another number. The array may throw rtl_error or array_protocol_error where the fault shows that way.
std::unique_ptr<rtl_array> make_faulty_rtl_array(const array_config& config, unsigned fault);

} // namespace retrace
