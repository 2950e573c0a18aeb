#include "tlm/arbiter/arbiter.h"

#include <algorithm>

namespace retrace {

arbiter::arbiter(const sc_core::sc_module_name& name, const clock_domain& clock) : sc_module(name), clock_(clock) {
    SC_HAS_PROCESS(arbiter);
    SC_METHOD(arbitrate);
    sensitive << round_;
    dont_initialize();
}

void arbiter::enqueue(request& r) {
    if (pending_.empty()) {
        // A request that comes after its cycle's round waits for the next cycle's.
        const std::uint64_t now = clock_.now();
        const std::uint64_t cycle = sc_core::sc_time_stamp() < clock_.at(now, clock_phase::arbitrate) ? now : now + 1;
        round_.notify(clock_.until(cycle, clock_phase::arbitrate));
    }
    pending_.push_back(&r);
}

void arbiter::arbitrate() {
    const std::uint64_t cycle = clock_.now();
    batch_.swap(pending_);
    std::stable_sort(batch_.begin(), batch_.end(), [](const request* a, const request* b) {
        return a->who->id != b->who->id ? a->who->id < b->who->id : a->who->order < b->who->order;
    });
    for (request* r : batch_) {
        r->resume = r->grant(cycle);
        r->who->wake.notify(clock_.until(r->resume));
    }
    batch_.clear();
}

} // namespace retrace
