#pragma once
// The named signals of one processor (trace/probes.h): "npu0.dma0.state". What belongs to no single block is here: the contexts of running
// commands with their semaphores.
#include <array>
#include <string>

#include "tlm/core/engine/context.h"
#include "trace/probes.h"

namespace retrace {

class device_probes {
public:
    device_probes(trace::probe_registry& all, const std::string& device);

    trace::probe_id number(const std::string& block, const char* signal, unsigned width, std::string_view values = {}) {
        return registry.add({path(block, signal), trace::probe_kind::bits, width, values});
    }
    trace::probe_id text(const std::string& block, const char* signal) { return registry.add({path(block, signal), trace::probe_kind::text}); }
    trace::probe_id real(const std::string& block, const char* signal) { return registry.add({path(block, signal), trace::probe_kind::real}); }

    void begin(trace::cycle_t cycle, unsigned context, const spec::command& command) const;
    void end(trace::cycle_t cycle, unsigned context) const;
    void tell_text(trace::cycle_t cycle, unsigned context, const spec::command& command) const;
    void semaphore(trace::cycle_t cycle, unsigned context, unsigned s, const context_state& state) const {
        registry.set(contexts_[context].semaphores[s], cycle, state.semaphore(s));
    }

    trace::probe_registry& registry;
    const std::string device;

private:
    std::string path(const std::string& block, const char* signal) const { return device + "." + block + "." + signal; }

    struct context_probes {
        trace::probe_id command, phase, text;
        std::array<trace::probe_id, spec::semaphores> semaphores;
    };
    std::array<context_probes, spec::contexts> contexts_;
};

} // namespace retrace
