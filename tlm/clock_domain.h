#pragma once
// One clock: an integer cycle count is the truth, sc_time derives from it (one cycle is a whole number of femtoseconds, the kernel's
// resolution). Nothing ticks: processes wait for the cycle at which something happens.
//
// Within a cycle things happen in phases, so that results never depend on the kernel's process order: `act` (finish, write, signal,
// start), then `arbitrate` (requests made in this cycle are granted in requester order), then `control` (the control core executes; what
// it starts begins in the next cycle).
#include <algorithm>
#include <cmath>
#include <cstdint>

#include <systemc>

namespace retrace {

enum class clock_phase : unsigned { act = 0, arbitrate = 1, control = 2 };

class clock_domain {
public:
    /// Call sc_core::sc_set_time_resolution(1, SC_FS) before the first clock domain is made.
    explicit clock_domain(double hz)
        : period_(static_cast<std::uint64_t>(std::llround(1e15 / hz))), last_(sc_core::sc_max_time().value() / period_ - 1) {}

    /// The last cycle that the kernel's time reaches: about five hours. A later one never comes.
    std::uint64_t last() const { return last_; }
    std::uint64_t now() const { return sc_core::sc_time_stamp().value() / period_; }
    sc_core::sc_time at(std::uint64_t cycle, clock_phase phase = clock_phase::act) const {
        return sc_core::sc_time::from_value(std::min(cycle, last_) * period_ + static_cast<unsigned>(phase));
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
    std::uint64_t period_, last_;
};

} // namespace retrace
