#pragma once
// What a configured device shows in the registers whose reset value is configuration.
#include <vector>

#include "tlm/core/npu_config.h"
#include "tlm/core/registers/register_file.h"

namespace retrace {

/// Engines of this device: PE, activation, vector and its DMA queues.
unsigned engine_count(const npu_config& config);

/// Configuration of the host block and of the control block. Throw register_config_error, naming the setting,
/// when a value does not fit its field: a register that shows another number than the device has would
/// mislead driver and compiler.
std::vector<register_value> host_configuration(const npu_config& config);
std::vector<register_value> control_configuration(const npu_config& config);

} // namespace retrace
