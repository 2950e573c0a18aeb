#include "tlm/core/array/array_referee.h"

#include <cstring>
#include <utility>

#include "tlm/core/numeric/soft_float.h"

namespace retrace {

array_referee::matrix array_referee::copy(std::uint64_t number, const matrix_view& view) {
    matrix m{number, view.rows, view.columns, view.format, {}};
    const std::size_t row_bytes = std::size_t{view.columns} * bytes_of(view.format);
    m.bytes.resize(view.rows * row_bytes);
    for (unsigned row = 0; row < view.rows; ++row) {
        std::memcpy(m.bytes.data() + row * row_bytes, view.data + row * view.row_pitch_bytes, row_bytes);
    }
    return m;
}

std::uint32_t array_referee::matrix::word(unsigned row, unsigned column) const {
    return soft::widen(format, bytes.data() + (std::size_t{row} * columns + column) * bytes_of(format));
}

void array_referee::load_weights(std::uint64_t number, const matrix_view& w) {
    shadow_ = std::make_shared<matrix>(copy(number, w));
}

std::uint64_t array_referee::weights_of(bool swap, const matrix_view& a) const {
    const auto& w = swap ? shadow_ : active_;
    const bool fits =
        w && w->rows == a.columns && (w->format == number_format::int8) == (a.format == number_format::int8);
    return fits ? w->number : 0;
}

void array_referee::stream(const array_transaction& t, const matrix_view& a, bool stamps) {
    if (t.swap) {
        active_ = std::exchange(shadow_, nullptr);
    }
    pending_stream& s = streams_.emplace_back();
    s.transaction = t;
    s.stamps = stamps;
    s.start = t.cycle;
    s.operands = copy(t.number, a);
    s.weights = active_;
    for (const pause& p : pauses_) {
        if (p.cycle > s.start) {
            s.pauses.push_back(p);
        }
    }
}

void array_referee::freeze(std::uint64_t cycle, std::uint64_t count) {
    if (count == 0) {
        return;
    }
    pauses_.push_back({cycle, count});
    for (pending_stream& s : streams_) {
        if (s.start >= cycle) {
            s.start += count; // called, but not begun
        } else {
            s.pauses.push_back({cycle, count});
        }
    }
}

void array_referee::pass(std::uint64_t now) {
    while (!pauses_.empty() && pauses_.front().cycle <= now) {
        pauses_.pop_front();
    }
}

std::uint64_t array_referee::stamp(unsigned row, unsigned column) const {
    const pending_stream& s = streams_.front();
    // Cycles of the array from the stream's first to the clock edge that registers the sum at the bottom.
    const std::uint64_t o = config_.operand_cycles[static_cast<unsigned>(s.operands.format)];
    std::uint64_t cycle = s.start + row * o + column + std::uint64_t{config_.rows} * config_.fma_depth - 1;
    for (const pause& p : s.pauses) {
        if (p.cycle > cycle) {
            break;
        }
        cycle += p.count;
    }
    return cycle;
}

std::uint64_t array_referee::last_cycle() const {
    return stamp(streams_.front().operands.rows - 1, config_.columns - 1);
}

std::vector<operand_step> array_referee::chain(unsigned row, unsigned column) const {
    const pending_stream& s = streams_.front();
    const bool integers = integer();
    std::vector<operand_step> steps(s.weights->rows);
    std::uint32_t sum = 0;
    for (unsigned k = 0; k < steps.size(); ++k) {
        operand_step& step = steps[k];
        step.a = s.operands.word(row, k);
        step.w = s.weights->word(k, column);
        step.before = sum;
        sum = integers ? soft::multiply_add_integer(step.a, step.w, sum) : soft::fma(step.a, step.w, sum);
        step.after = sum;
    }
    return steps;
}

operand_step array_referee::accumulate(std::uint32_t before, std::uint32_t sum, bool integer) {
    const std::uint32_t after = integer ? soft::multiply_add_integer(sum, 1, before) : soft::add(before, sum);
    return {sum, 0, before, after};
}

} // namespace retrace
