#pragma once
// An instruction in one line, for waves: "MATMUL #12.34 M=64 K=8 N=8 bf16 swap tag=IO_3"; 12 is the command's sequence number, 34 the pc.
#include <array>
#include <cstddef>
#include <string>

#include "tlm/core/engine/context.h"
#include "trace/probes.h"

namespace retrace {

/// `columns`: of the weights that a matmul works on, 0: not said. The tag is that of what is written; of working buffers, that of what is
/// read; of those, that of what the command writes. Takes any bytes.
std::string instruction_label(const std::array<std::byte, spec::instruction_bytes>& bytes, std::uint32_t pc, unsigned columns, const spec::command& command,
                              const trace::probe_registry& names);

} // namespace retrace
