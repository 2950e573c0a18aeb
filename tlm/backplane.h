#pragma once
// What every block of one processor is plugged into: the clock, the arbitration, the contexts of running commands, the event sink and
// the account of where cycles go, the named signals. Plain references; data moves over sockets.
#include <array>

#include "tlm/arbiter/arbiter.h"
#include "tlm/clock_domain.h"
#include "tlm/core/accounting/stall_account.h"
#include "tlm/core/engine/context.h"
#include "tlm/core/npu_config.h"
#include "tlm/probes/device_probes.h"
#include "trace/events.h"

namespace retrace {

struct backplane {
    const npu_config& config;
    unsigned device;
    const clock_domain& clock;
    arbiter& arbitration;
    std::array<context_state, spec::contexts>& contexts;
    std::array<std::array<sc_core::sc_event, spec::semaphores>, spec::contexts>& semaphore_changed;
    stall_account& stalls;
    trace::event_sink* sink; ///< may be null
    device_probes& probes;
};

} // namespace retrace
