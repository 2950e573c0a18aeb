#pragma once
// What the device tells about time (trace/events.h), kept in the order in which it came.
#include <vector>

#include "trace/events.h"

namespace retrace::cosim {

struct timing_log {
    std::vector<trace::program_event> programs;
    std::vector<trace::instruction_event> instructions;
    std::vector<trace::grant_event> grants;
    std::vector<trace::mover_event> movers;
    std::uint64_t end =
        ~std::uint64_t{0}; ///< cycle in which the run ended: what would come in it or later may be missing
};

} // namespace retrace::cosim
