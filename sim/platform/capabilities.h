#pragma once
// What the driver of a device with this configuration will read from its registers: for planning before there is a device.
#include "host/device_capabilities.h"
#include "tlm/core/npu_config.h"

namespace retrace {

device_capabilities capabilities_of(const npu_config& config);

/// Throws std::logic_error if a device shows something else than planning assumed: a run whose parts disagree does not start.
void check_same(const device_capabilities& planned, const device_capabilities& device);

} // namespace retrace
