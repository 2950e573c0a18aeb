#pragma once
// Numbers of requesters in the log's table grant_, and their names: hw/README.md, 9.2.
#include <string>

#include "hw/spec/spec.h"
#include "tlm/core/accounting/engine_label.h"

namespace retrace::requesters {

// Engines ask by their own numbers: activation and vector engine, and the DMA queues for what they read.
constexpr unsigned pe_weights = 20, pe_operands = 21, first_write = 40, mover = 60, first_fetch = 100, host_access = 200, interrupt = 201,
                   answer = 202;

inline bool reads(unsigned requester) { return requester >= spec::engine_dma && requester < spec::max_engines; }
inline bool writes(unsigned requester) {
    return requester >= first_write + spec::engine_dma && requester < first_write + spec::max_engines;
}
inline bool fetches(unsigned requester) { return requester >= first_fetch && requester < first_fetch + spec::max_engines; }

/// "dma0 read", "pe fetch", "mover"; empty: nobody has this number.
inline std::string name(unsigned requester) {
    switch (requester) {
    case 0: return "";
    case pe_weights: return "pe weights";
    case pe_operands: return "pe operands";
    case mover: return "mover";
    case host_access: return "host register access";
    case interrupt: return "interrupt";
    case answer: return "register answer";
    default: break;
    }
    if (requester < spec::max_engines)
        return engine_label(requester) + (reads(requester) ? " read" : "");
    if (writes(requester))
        return engine_label(requester - first_write) + " write";
    return fetches(requester) ? engine_label(requester - first_fetch) + " fetch" : "";
}

} // namespace retrace::requesters
