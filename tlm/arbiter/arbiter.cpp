#include "tlm/arbiter/arbiter.h"

#include <utility>

namespace retrace {

arbiter::arbiter(const sc_core::sc_module_name& name, const clock_domain& clock) : sc_module(name), clock_(clock) {
    SC_HAS_PROCESS(arbiter);
    SC_METHOD(arbitrate);
    sensitive << round_;
    dont_initialize();
}

void arbiter::enqueue(arbitration_request& r) {
    if (pending_.empty()) {
        // A request that comes after its cycle's round waits for the next cycle's.
        const std::uint64_t now = clock_.now();
        const std::uint64_t cycle = sc_core::sc_time_stamp() < clock_.at(now, clock_phase::arbitrate) ? now : now + 1;
        round_.notify(clock_.until(cycle, clock_phase::arbitrate));
    }
    pending_.push_back(&r);
}

void arbiter::withdraw(requester& who) {
    arbitration_request* r = who.waits_for;
    if (!r || r->resume <= clock_.now()) // it goes on in this cycle anyway
        return;
    std::erase(pending_, r);
    r->resume = clock_.now();
    who.wake.cancel();
    who.wake.notify(sc_core::SC_ZERO_TIME);
}

void arbiter::arbitrate() {
    const std::uint64_t cycle = clock_.now();
    batch_.swap(pending_);
    const auto before = [](const arbitration_request* a, const arbitration_request* b) {
        return a->who->id != b->who->id ? a->who->id < b->who->id : a->who->order < b->who->order;
    };
    // A cycle has one request or a few: insertion keeps equal ones in order and allocates nothing.
    for (std::size_t i = 1; i < batch_.size(); ++i)
        for (std::size_t j = i; j > 0 && before(batch_[j], batch_[j - 1]); --j)
            std::swap(batch_[j], batch_[j - 1]);
    for (arbitration_request* r : batch_) {
        r->resume = r->grant(cycle);
        r->who->wake.notify(clock_.until(r->resume));
    }
    batch_.clear();
}

} // namespace retrace
