// Closed forms of the array's time, from the rules in array_interface.h. R rows, C columns, D = fma_depth;
// o_w, o_a = operand_cycles of weights and operands; m operand rows. Cycles are those of an array that no
// freeze touches.
//
//   stamp(T, i, c)  = T + i*o_a + c + R*D - 1
//   complete(W)     = W + R*o_w                     earliest cycle of the stream that takes the load
//   reload(T)       = T + (R-1)*max(0, D - o_w)     earliest cycle of the next load after a swap at T
//   next_stream(T)  = T + m*o_a
//
// Why reload: PE (k, c) copies its shadow in cycle T + D*k + c. The first row of the next load reaches it in
// W + o_w*k + c and may do so in the same cycle, since both registers change at the same edge. That
// W + o_w*k >= T + D*k holds for k = 0 .. R-1 is the bound.
//
// A serial tile, from its first weight row to its last sum, both cycles included:
//     R*o_w + (m-1)*o_a + (C-1) + R*D               with o = D = 1:  m + 2R + C - 2
//
// Overlapped: the next load starts at reload(T), and tile i+1 streams at
//     T' = max(T + m*o_a, reload(T) + R*o_w),
// so n tiles of m rows take, from the first weight row to the last sum,
//     R*o_w + (n-1) * max(m*o_a, (R-1)*max(0, D-o_w) + R*o_w) + (m-1)*o_a + (C-1) + R*D.
// With o = D = 1 and m >= R a row enters the array in every cycle after the first load.
#pragma once

#include <algorithm>
#include <cstdint>

#include "tlm/core/array/array_interface.h"

namespace retrace {

class array_timing {
public:
    explicit array_timing(const array_config& config) : config_(config) {}

    std::uint64_t stamp(std::uint64_t stream_start, number_format operands, std::uint64_t row,
                        unsigned column) const {
        return stream_start + row * config_.cycles_of(operands) + column +
               std::uint64_t{config_.rows} * config_.fma_depth - 1;
    }
    // The stamp of a stream's last sum, padded columns included: the cycle that collect() waits for.
    std::uint64_t last_stamp(std::uint64_t stream_start, number_format operands, std::uint64_t rows) const {
        return stamp(stream_start, operands, rows - 1, config_.columns - 1);
    }
    std::uint64_t load_complete(std::uint64_t load_start, number_format weights) const {
        return load_start + load_cycles(weights);
    }
    std::uint64_t load_cycles(number_format weights) const {
        return std::uint64_t{config_.rows} * config_.cycles_of(weights);
    }
    std::uint64_t earliest_reload(std::uint64_t swap_start, number_format next_weights) const {
        const unsigned o = config_.cycles_of(next_weights);
        const std::uint64_t lag = config_.fma_depth > o ? config_.fma_depth - o : 0;
        return swap_start + (config_.rows - 1) * lag;
    }
    std::uint64_t next_stream(std::uint64_t stream_start, number_format operands, std::uint64_t rows) const {
        return stream_start + rows * config_.cycles_of(operands);
    }
    std::uint64_t serial_tile_cycles(number_format weights, number_format operands,
                                     std::uint64_t rows) const {
        return load_cycles(weights) + last_stamp(0, operands, rows) + 1;
    }
    std::uint64_t overlapped_cycles(number_format weights, number_format operands, std::uint64_t rows,
                                    std::uint64_t tiles) const {
        if (tiles == 0) {
            return 0;
        }
        const std::uint64_t step =
            std::max(next_stream(0, operands, rows), load_complete(earliest_reload(0, weights), weights));
        return serial_tile_cycles(weights, operands, rows) + (tiles - 1) * step;
    }

private:
    array_config config_;
};

} // namespace retrace
