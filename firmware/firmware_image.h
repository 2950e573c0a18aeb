#pragma once
// The control core's firmware, built from firmware/control and carried inside the program.
#include <cstdint>
#include <span>

namespace retrace {

/// Private memory from spec::tcm_base on, as the driver loads it; execution starts at its first byte. The word at
/// spec::firmware_memory_offset tells how much of that memory the firmware uses.
std::span<const std::uint8_t> control_firmware();

/// The same program as an ELF file with symbols, for debuggers and traces.
std::span<const std::uint8_t> control_firmware_elf();

} // namespace retrace
