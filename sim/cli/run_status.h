#pragma once
// What run.status of a summary says of a run that ended with an exception.
#include <exception>
#include <stdexcept>

#include "sim/platform/platform.h"

namespace retrace::cli {

inline const char* status_of(const std::exception& error) {
    if (dynamic_cast<const simulation_interrupted*>(&error))
        return "interrupted";
    if (dynamic_cast<const simulation_hang*>(&error))
        return "hang";
    return dynamic_cast<const std::logic_error*>(&error) ? "model_fault" : "failed";
}

} // namespace retrace::cli
