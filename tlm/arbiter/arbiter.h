#pragma once
// The point where everybody who shares a memory, a bank or a link direction meets. All requests of a cycle are granted together, in
// ascending requester number, so that the result does not depend on the order in which the kernel runs processes.
#include <cstdint>
#include <functional>
#include <vector>

#include <systemc>

#include "tlm/clock_domain.h"

namespace retrace {

/// Who requests: `id` orders requests of one cycle (engine number; then the control core's mover, sequencer fetches ...).
struct requester {
    explicit requester(unsigned number) : id(number) {}
    unsigned id;
    std::uint64_t order = 0; ///< among several requests of one id
    sc_core::sc_event wake;
};

class arbiter : public sc_core::sc_module {
public:
    arbiter(const sc_core::sc_module_name& name, const clock_domain& clock);

    /// Calls `grant(cycle)` at the end of this cycle, in turn; it reserves what it needs and returns the cycle at which the caller goes
    /// on. From an SC_THREAD. Returns that cycle.
    template <typename Grant>
    std::uint64_t acquire(requester& who, Grant&& grant) {
        request r{&who, std::ref(grant), 0};
        enqueue(r);
        sc_core::wait(who.wake);
        return r.resume;
    }

private:
    struct request {
        requester* who;
        std::function<std::uint64_t(std::uint64_t)> grant;
        std::uint64_t resume;
    };

    void enqueue(request& r);
    void arbitrate();

    const clock_domain& clock_;
    std::vector<request*> pending_, batch_;
    sc_core::sc_event round_;
};

} // namespace retrace
