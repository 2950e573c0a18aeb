#pragma once
// The point where everybody who shares a memory, a bank or a link direction meets. All requests of a cycle are granted together, in
// ascending requester number, so that the result does not depend on the order in which the kernel runs processes. Under stress a request is
// held back first (hw/README.md, 9.13).
#include <cstdint>
#include <functional>
#include <vector>

#include <systemc>

#include "tlm/clock_domain.h"
#include "tlm/core/npu_config.h"
#include "trace/events.h"

namespace retrace {

struct arbitration_request;

/// Who requests: `id` orders requests of one cycle (engine number; then the control core's mover, sequencer fetches ...).
struct requester {
    explicit requester(unsigned number) : id(number) {}
    unsigned id;
    std::uint64_t order = 0; ///< among several requests of one id
    std::uint64_t made = 0;  ///< requests so far; whoever sets `order` begins again
    sc_core::sc_event wake;
    arbitration_request* waits_for = nullptr;
};

struct arbitration_request {
    requester* who;
    std::function<std::uint64_t(std::uint64_t)> grant;
    trace::grant_event& told;
    std::uint64_t due = 0;                    ///< takes part in the arbitration of this cycle
    std::uint64_t resume = ~std::uint64_t{0}; ///< known when it has been granted
};

class arbiter : public sc_core::sc_module {
public:
    arbiter(const sc_core::sc_module_name& name, const clock_domain& clock, const stress_settings& stress = {}, unsigned device = 0,
            trace::event_sink* sink = nullptr);

    /// Calls `grant(cycle)` at the end of this cycle, in turn; it reserves what it needs and returns the cycle at which the caller goes
    /// on. From an SC_THREAD. Returns that cycle. `told` says what is asked for; the rest of it is filled in and logged.
    template <typename Grant>
    std::uint64_t acquire(requester& who, trace::grant_event& told, Grant&& grant) {
        arbitration_request r{&who, std::ref(grant), told};
        who.waits_for = &r;
        enqueue(r);
        sc_core::wait(who.wake);
        who.waits_for = nullptr;
        return r.resume;
    }
    /// Ends the wait of `who`, if it waits: its acquire() returns now. A request that has not been granted reserves nothing; what a
    /// granted one has reserved stays reserved.
    void withdraw(requester& who);

private:
    void enqueue(arbitration_request& r);
    void arbitrate();
    void log(arbitration_request& r, std::uint64_t cycle);

    const clock_domain& clock_;
    const stress_settings stress_;
    const unsigned device_;
    trace::event_sink* const sink_; ///< may be null; asked at every grant whether it wants it
    std::uint64_t next_round_ = 0;  ///< the earliest cycle that a pending request is due in
    std::vector<arbitration_request*> pending_, batch_;
    sc_core::sc_event round_;
};

} // namespace retrace
