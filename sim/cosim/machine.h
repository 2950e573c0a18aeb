#pragma once
// A case's machine as the device is configured with it, and as host code and the reference see it.
#include "host/device_capabilities.h"
#include "sim/cosim/test_case.h"
#include "tlm/core/npu_config.h"

namespace retrace::cosim {

/// Device DRAM of every case: buffers may lie in the first part, programs in the second.
inline constexpr std::uint64_t dram_data_bytes = 128u << 10, dram_program_bytes = 128u << 10;
/// The case's part of host memory, and all of it (the driver has its rings and staging area there too).
inline constexpr std::uint64_t host_data_bytes = 64u << 10, host_memory_bytes = 1u << 20;

/// `array`: implementation (sim/platform/array_choice.h).
npu_config config_of(const machine_settings& m, const std::string& array = "kernel");
device_capabilities capabilities_of(const machine_settings& m);

/// Bytes of the memory that buffers of this kind may use.
std::uint64_t capacity_of(const machine_settings& m, spec::memory_kind memory);

} // namespace retrace::cosim
