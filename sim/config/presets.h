#pragma once
// The processors that come with the program: sim/config/presets/*.yaml, built into it.
#include <string>
#include <string_view>
#include <vector>

#include "tlm/core/npu_config.h"

namespace retrace {

inline constexpr const char* default_preset = "small";

std::vector<std::string> preset_names();             ///< smallest first
std::string_view preset_yaml(std::string_view name); ///< throws config_error for an unknown name
npu_config preset_npu(const std::string& name);      ///< throws config_error for an unknown name

} // namespace retrace
