#pragma once
// What becomes of a run that ended with an exception.
#include <exception>
#include <stdexcept>

#include "sim/platform/platform.h"

namespace retrace::cli {

/// What run.status of its summary says.
inline const char* status_of(const std::exception& error) {
    if (dynamic_cast<const simulation_interrupted*>(&error))
        return "interrupted";
    if (dynamic_cast<const simulation_hang*>(&error))
        return "hang";
    return dynamic_cast<const std::logic_error*>(&error) ? "model_fault" : "failed";
}

/// On the way out with an error: what else can be saved is saved, and the first error stays the one to know.
template <typename Action>
void attempt(Action&& action) {
    try {
        action();
    } catch (const std::exception&) {
    }
}

} // namespace retrace::cli
