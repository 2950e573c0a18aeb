// Several arrays, one at a time: a long run goes on the first (fast) one, and on another inside windows of
// cycles. A load whose cycle lies in a window goes to the window's array, streams follow the weights they
// run on, so arrays change only between tiles. Bits and cycles are those of every array alone.
//
// Freezes go to all. The array that nothing runs on costs nothing but them.
//
// Protocol. Each array checks what it sees; the rules between a call on one array and the next on another (no
// overlap of streams, no reload before the swap has passed, no load before the previous one is taken) are
// checked here.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "tlm/core/array/array_interface.h"
#include "tlm/core/array/array_timing.h"
#include "tlm/core/array/frozen_time.h"

namespace retrace {

// The cycles [start, stop) belong to `array`.
struct array_window {
    std::uint64_t start = 0, stop = 0;
    unsigned array = 1;
    std::uint64_t* tiles = nullptr; // counts the loads that ran in it
};

class windowed_array final : public array_interface {
public:
    // arrays[0] serves outside all windows. All are of `config`. Throws array_protocol_error for a window
    // that is empty, overlaps another or names an array that does not exist.
    windowed_array(const array_config& config, std::vector<std::unique_ptr<array_interface>> arrays,
                   std::vector<array_window> windows);

    void load_weights(std::uint64_t cycle, const matrix_view& w) override;
    void stream(std::uint64_t cycle, const matrix_view& a, bool swap) override;
    void freeze(std::uint64_t cycle, std::uint64_t count) override;
    bool collect(std::uint64_t now, column_sums& out) override;
    void want_stamps(bool wanted) override;
    // By the array of the sums collected last.
    void accumulate(std::span<std::uint32_t> accumulator, std::span<const std::uint32_t> sums,
                    bool integer) override;
    // Outside the windows the array that has registers, if there is one, stands still: so do they.
    void show(const array_probes& probes) override;
    void settle(std::uint64_t cycle) override;

    // Streams that each array has run, for reports.
    std::uint64_t streams_of(unsigned array) const { return members_[array].streams; }

private:
    struct member {
        std::unique_ptr<array_interface> array;
        std::uint64_t streams = 0;
        bool behind = false; // has been told of something since it was last told the time
    };

    const array_window* at(std::uint64_t cycle) const; // null: outside all
    void check_not_past(std::uint64_t cycle, const char* what) const;

    array_timing timing_;
    std::vector<member> members_;
    std::vector<array_window> windows_; // ascending
    frozen_time time_;
    std::deque<unsigned> pending_;     // the arrays of uncollected streams
    unsigned active_ = 0, shadow_ = 0; // the arrays whose weights these are
    unsigned collected_ = 0;
    bool loaded_ = false, swapped_ = false;         // a load waits for its swap; there has been a swap
    std::uint64_t last_swap_ = 0, next_stream_ = 0; // own cycles
    std::uint64_t next_cycle_ = 0;                  // first cycle that collect() has not passed
    column_sums none_;
};

} // namespace retrace
