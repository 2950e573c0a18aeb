#pragma once
// One clock: an integer cycle count is the truth, sc_time derives from it (one cycle is a whole number of femtoseconds, the kernel's
// resolution). Nothing ticks: processes wait for the cycle at which something happens.
//
// Within a cycle things happen in phases, so that results never depend on the kernel's process order: `act` (finish, write, signal,
// start), then `arbitrate` (requests made in this cycle are granted in requester order), then `control` (the control core executes; what
// it starts begins in the next cycle).
#include <cmath>
#include <cstdint>

#include <systemc>

namespace retrace {

enum class clock_phase : unsigned { act = 0, arbitrate = 1, control = 2 };

class clock_domain {
public:
    /// Call sc_core::sc_set_time_resolution(1, SC_FS) before the first clock domain is made.
    explicit clock_domain(double hz) : hz_(hz), period_(static_cast<std::uint64_t>(std::llround(1e15 / hz))) {}

    double hz() const { return hz_; }
    std::uint64_t now() const { return sc_core::sc_time_stamp().value() / period_; }
    sc_core::sc_time at(std::uint64_t cycle, clock_phase phase = clock_phase::act) const {
        return sc_core::sc_time::from_value(cycle * period_ + static_cast<unsigned>(phase));
    }
    /// Time from now until that cycle and phase; zero if it has passed.
    sc_core::sc_time until(std::uint64_t cycle, clock_phase phase = clock_phase::act) const {
        const sc_core::sc_time then = at(cycle, phase), now = sc_core::sc_time_stamp();
        return then > now ? then - now : sc_core::SC_ZERO_TIME;
    }
    /// Suspends the calling thread until `cycle`.
    void wait_until(std::uint64_t cycle, clock_phase phase = clock_phase::act) const {
        if (const sc_core::sc_time delay = until(cycle, phase); delay != sc_core::SC_ZERO_TIME)
            sc_core::wait(delay);
    }

private:
    double hz_;
    std::uint64_t period_;
};

} // namespace retrace
