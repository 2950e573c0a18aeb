#include "tlm/probes/device_probes.h"

#include <bit>

#include <fmt/format.h>

namespace retrace {

device_probes::device_probes(trace::probe_registry& all, const std::string& name) : registry(all), device(name) {
    for (unsigned c = 0; c < spec::contexts; ++c) {
        const std::string block = fmt::format("context{}", c);
        contexts_[c].command = number(block, "command", 32);
        contexts_[c].phase = number(block, "phase", std::bit_width(spec::phase_count - 1u), "phase");
        contexts_[c].text = text(block, "text");
        for (unsigned s = 0; s < spec::semaphores; ++s)
            contexts_[c].semaphores[s] = number(block, fmt::format("semaphore{}", s).c_str(), std::bit_width(unsigned{spec::semaphore_max}));
    }
}

void device_probes::begin(trace::cycle_t cycle, unsigned context, const spec::command& command) const {
    const context_probes& probes = contexts_[context];
    registry.set(probes.command, cycle, command.sequence);
    registry.set(probes.phase, cycle, command.phase);
    tell_text(cycle, context, command);
    for (const trace::probe_id s : probes.semaphores)
        registry.set(s, cycle, 0);
}

void device_probes::tell_text(trace::cycle_t cycle, unsigned context, const spec::command& command) const {
    const trace::probe_id text = contexts_[context].text;
    if (registry.wanted(text))
        registry.set_text(text, cycle,
                          fmt::format("{} #{} step {} layer {}", spec::name_of(static_cast<spec::phase>(command.phase)), command.sequence, command.step, command.layer));
}

void device_probes::end(trace::cycle_t cycle, unsigned context) const {
    const context_probes& probes = contexts_[context];
    registry.set(probes.command, cycle, 0);
    registry.set(probes.phase, cycle, 0);
    registry.set_text(probes.text, cycle, {});
}

} // namespace retrace
