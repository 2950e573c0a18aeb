#pragma once
// From a case that fails to the smallest one found that still fails in the same way: drops commands, operations with what depends
// on them, joins commands, then shrinks shapes, then simplifies values and machine. Every candidate is legal before it is tried.
#include <functional>

#include "sim/cosim/test_case.h"

namespace retrace::cosim {

struct shrunk_case {
    test_case smallest;
    unsigned trials = 0;  ///< candidates that were run
    bool finished = true; ///< false: the limit of trials ended it
};

/// `fails`: runs a candidate; true when it fails in the same way. At most `most_trials` calls.
shrunk_case shrink(const test_case& failing, const std::function<bool(const test_case&)>& fails, unsigned most_trials = 400);

/// Removes operations that the rules refuse until the case is legal: what depended on something that is no longer there.
void repair(test_case& c);

} // namespace retrace::cosim
