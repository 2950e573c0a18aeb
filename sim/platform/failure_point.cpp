#include "sim/platform/failure_point.h"

#include <fmt/format.h>

#include "hw/verilated/verilated_array.h"
#include "sim/platform/platform.h"
#include "tlm/core/accounting/engine_label.h"
#include "tlm/core/array/array_mismatch.h"

namespace retrace {

std::optional<failure_point> locate(const std::exception& error, const simulated_port* port) {
    if (dynamic_cast<const simulation_interrupted*>(&error) || dynamic_cast<const simulation_error*>(&error))
        return std::nullopt;
    if (const auto* hang = dynamic_cast<const simulation_hang*>(&error))
        return failure_point{hang->since(), "hang", {}};
    if (const auto* mismatch = dynamic_cast<const array_mismatch*>(&error))
        return failure_point{mismatch->facts().cycle, "mismatch",
                             fmt::format("npu0.array.pe_*_{}", mismatch->facts().column)}; // the sum has come down this column
    if (!port)
        return std::nullopt;
    if (const auto& fault = port->device().first_fault())
        return failure_point{fault->cycle, "fault of " + engine_label(fault->engine), {}};
    // What else the model or the RTL says of itself; anything that is left has nothing to do with the device: a full disk, memory.
    if (!dynamic_cast<const std::logic_error*>(&error) && !dynamic_cast<const rtl_error*>(&error))
        return std::nullopt;
    return failure_point{port->cycles(), "failure", {}};
}

} // namespace retrace
