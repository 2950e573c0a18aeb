// The oracle over the arrays: any sum of a stream and its stamp, from copies of the operands, in the
// arithmetic of soft_float and by counting cycles. It shares nothing with the arrays, nor with array_timing
// and frozen_time.
//
// Memory: operands of the streams that have not been dropped, the weights they need, and the freezes that
// such streams or later ones can meet.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "tlm/core/array/array_mismatch.h"

namespace retrace {

class array_referee {
public:
    explicit array_referee(const array_config& config) : config_(config) {}

    // Calls that the arrays have taken, in the order of the calls.
    void load_weights(std::uint64_t number, const matrix_view& w);
    void stream(const array_transaction& t, const matrix_view& a, bool stamps);
    void freeze(std::uint64_t cycle, std::uint64_t count);
    // No call concerns cycles up to and including `now` any more.
    void pass(std::uint64_t now);

    // The load that a stream called now would run on: 0 if there is none that matches its operands.
    std::uint64_t weights_of(bool swap, const matrix_view& a) const;

    // The oldest stream that has not been dropped. All but pending() require one.
    bool pending() const { return !streams_.empty(); }
    const array_transaction& oldest() const { return streams_.front().transaction; }
    bool stamps_wanted() const { return streams_.front().stamps; }
    bool integer() const { return streams_.front().weights->format == number_format::int8; }
    unsigned result_columns() const { return streams_.front().weights->columns; }
    // Stamps of (0, 0) and of the last sum, padded columns included.
    std::uint64_t first_cycle() const { return stamp(0, 0); }
    std::uint64_t last_cycle() const;
    std::uint64_t stamp(unsigned row, unsigned column) const;
    std::vector<operand_step> chain(unsigned row, unsigned column) const;
    void drop() { streams_.pop_front(); }

    // The PSUM adder.
    static operand_step accumulate(std::uint32_t before, std::uint32_t sum, bool integer);

private:
    struct matrix {
        std::uint64_t number = 0;
        unsigned rows = 0, columns = 0;
        number_format format = number_format::fp32;
        std::vector<std::byte> bytes; // without gaps
        std::uint32_t word(unsigned row, unsigned column) const;
    };
    struct pause {
        std::uint64_t cycle, count;
    };
    struct pending_stream {
        array_transaction transaction;
        bool stamps = false;
        std::uint64_t start = 0; // the transaction's cycle, later if a freeze came before it
        matrix operands;
        std::shared_ptr<const matrix> weights;
        std::vector<pause> pauses; // after `start`, ascending
    };

    static matrix copy(std::uint64_t number, const matrix_view& view);

    array_config config_;
    std::shared_ptr<const matrix> active_, shadow_;
    std::deque<pending_stream> streams_;
    std::deque<pause> pauses_;
};

} // namespace retrace
