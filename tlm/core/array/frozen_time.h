// Maps between cycles as the caller counts them and the array's own cycles, which stand still while it is
// frozen.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace retrace {

class frozen_time {
public:
    // The array stands still in [cycle, cycle + count). Throws array_protocol_error for one out of order.
    void freeze(std::uint64_t cycle, std::uint64_t count);
    // The own cycle of something that starts at `cycle`. Throws array_protocol_error when that is frozen.
    std::uint64_t to_own(std::uint64_t cycle) const;
    // When the event of an own cycle happens, by the freezes known so far.
    std::uint64_t to_outer(std::uint64_t own) const;
    // Forgets pauses that end by `outer` and delay every event from own cycle `own` on: the caller asks for
    // nothing earlier any more.
    void forget_before(std::uint64_t own, std::uint64_t outer);

private:
    struct pause {
        std::uint64_t start; // outer
        std::uint64_t count;
        std::uint64_t own;   // own cycle of the first event it delays
        std::uint64_t total; // frozen cycles up to and including this pause
    };
    std::vector<pause> pauses_;
    std::uint64_t forgotten_ = 0;   // frozen cycles of forgotten pauses
    std::uint64_t order_limit_ = 0; // end of the latest pause
};

} // namespace retrace
