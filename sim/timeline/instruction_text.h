#pragma once
// Instructions of the log in words.
#include <array>
#include <cstddef>
#include <string>

#include "hw/spec/spec.h"

namespace retrace {

/// Rows x columns; of a copy: runs x bytes.
std::string shape_text(const std::array<std::byte, spec::instruction_bytes>& code);

} // namespace retrace
