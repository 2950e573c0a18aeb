#pragma once
// Short names of engines, as reports and messages use them: "pe", "activation", "vector", "dma0", ...
#include <string>

#include "hw/spec/spec.h"

namespace retrace {

inline std::string engine_label(unsigned engine) {
    switch (engine) {
    case spec::engine_pe: return "pe";
    case spec::engine_activation: return "activation";
    case spec::engine_vector: return "vector";
    default: return "dma" + std::to_string(engine - spec::engine_dma);
    }
}

} // namespace retrace
