// The PE array as its neighbours see it: load weights, stream rows, get (cycle, column, bits). The
// implementations (kernel, stepped, Verilated RTL) give the same bits and the same cycles; which one runs is
// chosen at run time.
//
// What it is. R x C processing elements, weight stationary. Each PE has two weight registers: `active`, which
// multiplies, and `shadow`, which takes the next tile meanwhile.
//
// Numbers. A weight tile w is k x n (k <= R, n <= C), operands a are m x k. The sum of column c and row i is
// the chain
//     s = +0;  for kk = 0 .. k-1:  s = fma(a[i][kk], w[kk][c], s)
// in binary32 for all float formats (operands and weights may be of different float formats), and an int32
// wrap-around s += a * w for int8. PE rows beyond k pass the sum unchanged. A NaN leaves as the canonical
// 0x7fc00000.
//
// Time, in cycles of the array; D = fma_depth, o = operand_cycles of the format in question.
//   weights   The load starts at W. Weight row R-1 enters the top of column 0 in cycle W, row R-2 in W + o,
//             ..., row 0 in W + (R-1)*o; column c takes each row c cycles later. Rows move down one PE per
//             step. There are always R steps: missing rows and columns are padding, marked by a mask that
//             travels with the weights. A load is complete at W + R*o.
//   operands  The stream starts at T. Row i enters PE (0, 0) in cycle T + i*o, its element kk enters PE
//             (kk, 0) D*kk cycles later, and moves one column per cycle.
//   swap      The first row of a swapping stream makes each PE it passes take shadow as active before it
//             multiplies.
//   sums      The sum (i, c) is registered at the bottom at the end of cycle  T + i*o + c + R*D - 1,  its
//             stamp. All C columns leave, padded ones too: a stream is over with the stamp of (m-1, C-1).
//   freeze    In the cycles [f, f + n) no register of the array changes: everything that was to happen in
//             cycle f or later, started or not, happens n cycles later.
// array_timing.h has the closed forms that follow from this.
//
// What the caller owes. A violation throws array_protocol_error, at the call or, for an implementation that
// steps, at the latest in the collect() that reaches the cycle; after that the array is in no defined state.
//   - Loads are called in the order of their cycles, streams likewise, freezes likewise and without overlap.
//   - A swapping stream takes the one load that no stream has taken, complete at T: T >= W + R*o.
//   - A load is called after the stream that takes the previous load, and does not overwrite a shadow
//     register that the swap has not reached: W >= T + (R-1) * max(0, D - o), o of the new weights. In the
//     limiting cycle a PE copies the old shadow and takes the new one at the same clock edge.
//   - Streams do not overlap: the next T >= this T + m*o.
//   - Nothing starts in a frozen cycle, nor in a cycle that collect() has already passed.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "tlm/core/numeric/formats.h"

namespace retrace {

class array_protocol_error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

struct array_config {
    unsigned rows = 8;      // R
    unsigned columns = 8;   // C
    unsigned fma_depth = 1; // D: cycles a partial sum spends in one PE, at least 1
    // o: cycles a row of operands or weights takes to enter, by number_format; int32 is no operand format.
    std::array<unsigned, number_format_count> operand_cycles{4, 1, 1, 1, 1, 4};

    unsigned cycles_of(number_format format) const { return operand_cycles[static_cast<unsigned>(format)]; }
};

// A row-major matrix in memory that belongs to the caller. Elements need no alignment. Read during the call
// only.
struct matrix_view {
    const std::byte* data = nullptr;
    std::size_t row_pitch_bytes = 0;
    unsigned rows = 0;
    unsigned columns = 0;
    number_format format = number_format::fp32;
};

// One stream's result: rows x columns words (binary32 bits, or int32 for int8), row-major without gaps;
// columns = n of the weights. first_cycle and last_cycle are the stamps of (0, 0) and (rows-1, C-1).
struct column_sums {
    unsigned rows = 0;
    unsigned columns = 0;
    std::vector<std::uint32_t> bits;
    std::uint64_t first_cycle = 0;
    std::uint64_t last_cycle = 0;
    std::vector<std::uint64_t> cycles; // stamp of every word, if asked for; else empty
};

class array_probes;

class array_interface {
public:
    virtual ~array_interface() = default;

    // w: k rows x n columns.
    virtual void load_weights(std::uint64_t cycle, const matrix_view& w) = 0;
    // a: m rows x k columns; k is that of the weights the stream runs on.
    virtual void stream(std::uint64_t cycle, const matrix_view& a, bool swap) = 0;
    virtual void freeze(std::uint64_t cycle, std::uint64_t count) = 0;
    // Lets the cycles up to and including `now` pass. True: `out` is the oldest uncollected stream, whose
    // last_cycle is
    // <= now. `out`'s storage is reused, so a caller that keeps one column_sums does not allocate.
    virtual bool collect(std::uint64_t now, column_sums& out) = 0;
    // Streams called after this have their stamps recorded, or not (the default).
    virtual void want_stamps(bool wanted) = 0;
    // The adder in front of PSUM: accumulator[i] += sums[i], one binary32 add to nearest even with canonical
    // NaN, or an int32 wrap-around add when `integer`. It has no state, and its time is outside the array's
    // own cycles: it may be called between any other two calls. Sizes are equal (array_protocol_error).
    virtual void accumulate(std::span<std::uint32_t> accumulator, std::span<const std::uint32_t> sums,
                            bool integer) = 0;

    // Waves. An array that has registers tells them from now on, if anybody listens (array_probes.h); the others have
    // nothing to tell. `probes` outlives the array.
    virtual void show(const array_probes& probes) { static_cast<void>(probes); }
    // Lets the cycles before `cycle` pass, as collect() does, but keeps the sums. Not from within a change that the
    // array tells.
    virtual void settle(std::uint64_t cycle) { static_cast<void>(cycle); }
};

// Checks that every implementation makes. Throw array_protocol_error.
inline void check_array_config(const array_config& config) {
    if (config.rows == 0 || config.columns == 0 || config.fma_depth == 0) {
        throw array_protocol_error("array: rows, columns and fma_depth must be at least 1");
    }
    for (const unsigned cycles : config.operand_cycles) {
        if (cycles == 0) {
            throw array_protocol_error("array: operand_cycles must be at least 1 for every format");
        }
    }
}

inline void check_operand_view(const matrix_view& view, unsigned rows_limit, unsigned columns_limit,
                               const char* what) {
    if (view.format == number_format::int32 || static_cast<unsigned>(view.format) >= number_format_count) {
        throw array_protocol_error(std::string(what) + ": int32 is not an operand format");
    }
    if (view.rows == 0 || view.columns == 0 || view.rows > rows_limit || view.columns > columns_limit) {
        throw array_protocol_error(std::string(what) + ": " + std::to_string(view.rows) + " x " +
                                   std::to_string(view.columns) + " does not fit " +
                                   std::to_string(rows_limit) + " x " + std::to_string(columns_limit));
    }
    if (view.data == nullptr) {
        throw array_protocol_error(std::string(what) + ": no data");
    }
}

inline void check_accumulate(std::span<const std::uint32_t> accumulator,
                             std::span<const std::uint32_t> sums) {
    if (accumulator.size() != sums.size()) {
        throw array_protocol_error("array: accumulate of " + std::to_string(sums.size()) + " sums onto " +
                                   std::to_string(accumulator.size()) + " words");
    }
}

} // namespace retrace
