#include "tlm/arbiter/arbiter.h"

#include <algorithm>
#include <utility>

#include "tlm/core/seeded_fault.h"
#include "tlm/core/timing/back_pressure.h"

namespace retrace {

arbiter::arbiter(const sc_core::sc_module_name& name, const clock_domain& clock, const stress_settings& stress, unsigned device,
                 trace::event_sink* sink)
    : sc_module(name), clock_(clock), stress_(stress), device_(device), sink_(sink) {
    SC_HAS_PROCESS(arbiter);
    SC_METHOD(arbitrate);
    sensitive << round_;
    dont_initialize();
}

void arbiter::enqueue(arbitration_request& r) {
    // A request that comes after its cycle's round waits for the next cycle's.
    const std::uint64_t now = clock_.now();
    r.told.requested = sc_core::sc_time_stamp() < clock_.at(now, clock_phase::arbitrate) ? now : now + 1;
    r.due = r.told.requested +
            hold_cycles(stress_.seed, r.who->id, static_cast<std::uint32_t>(r.who->order), r.who->made++, stress_.request_cycles);
    if (pending_.empty() || r.due < next_round_) {
        next_round_ = r.due;
        round_.notify(clock_.until(next_round_, clock_phase::arbitrate));
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
    batch_.clear();
    for (arbitration_request* r : pending_)
        if (r->due <= cycle)
            batch_.push_back(r);
    std::erase_if(pending_, [&](const arbitration_request* r) { return r->due <= cycle; });
    const auto before = [](const arbitration_request* a, const arbitration_request* b) {
        if (RETRACE_FAULT(unfair_arbiter))
            std::swap(a, b);
        return a->who->id != b->who->id ? a->who->id < b->who->id : a->who->order < b->who->order;
    };
    // A cycle has one request or a few: insertion keeps equal ones in order and allocates nothing.
    for (std::size_t i = 1; i < batch_.size(); ++i)
        for (std::size_t j = i; j > 0 && before(batch_[j], batch_[j - 1]); --j)
            std::swap(batch_[j], batch_[j - 1]);
    for (arbitration_request* r : batch_) {
        r->resume = r->grant(cycle);
        r->who->wake.notify(clock_.until(r->resume));
        if (sink_ && sink_->wants_timing())
            log(*r, cycle);
    }
    if (!pending_.empty()) {
        next_round_ = (*std::min_element(pending_.begin(), pending_.end(), [](const auto* a, const auto* b) { return a->due < b->due; }))->due;
        round_.notify(clock_.until(next_round_, clock_phase::arbitrate));
    }
}

void arbiter::log(arbitration_request& r, std::uint64_t cycle) {
    r.told.granted = cycle;
    r.told.resumed = r.resume;
    r.told.device = device_;
    r.told.requester = r.who->id;
    r.told.order = r.who->order;
    sink_->timing(r.told);
}

} // namespace retrace
