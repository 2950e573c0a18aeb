#pragma once
// What single values cannot show: rules between keys. They throw config_error at the place of the key at
// fault.
#include "sim/config/reader.h"
#include "sim/config/run_config.h"

namespace retrace {

/// Regions lie in their order from address 0. But the mover, which loads programs, reaches only the bytes
/// below spec::control_base: a region `programs` that would end beyond goes first.
void place_regions(dram_settings& dram);

void check_npu(const npu_config& npu, const config_places& places);
void check_run(const run_config& config, const config_places& places); ///< includes check_npu

} // namespace retrace
