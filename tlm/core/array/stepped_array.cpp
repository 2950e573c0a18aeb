#include "tlm/core/array/stepped_array.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "tlm/core/array/array_probes.h"
#include "tlm/core/array/stepped_widen.h"
#include "tlm/core/seeded_fault.h"

namespace retrace {

using stepped::flag_swap;
using stepped::flag_valid;

namespace {

// Steps between two moves of the operand lines back to the end of their memory.
constexpr std::size_t window_steps = 512;

} // namespace

stepped_array::stepped_array(const array_config& config, stepped::instruction_set host)
    : config_((check_array_config(config), config)), passes_(stepped::select_passes(host)),
      pe_(config.rows, config.columns, config.fma_depth) {
    const unsigned columns = config_.columns;
    line_pitch_ = window_steps + std::size_t{config_.fma_depth} * (config_.rows - 1) + pe_.pitch;
    line_base_ = window_steps;
    line_values_.assign(line_pitch_ * config_.rows, 0);
    line_flags_.assign(line_pitch_ * config_.rows, 0);
    skew_weight_.assign(std::size_t{columns} * columns, 0);
    skew_mode_ = skew_weight_;
    skew_step_.assign(columns, 0);
    skew_done_.assign(columns, 0);
    for (auto* v : {&column_input_.step, &column_input_.done, &column_input_.weight, &column_input_.mode}) {
        v->assign(pe_.pitch, 0);
    }
    bottom_valid_.assign(std::size_t{config_.fma_depth} * columns, 0);
    exits_.resize(columns);
}

void stepped_array::fail(const char* what) const {
    throw array_protocol_error(std::string("array: ") + what + " (seen in cycle " + std::to_string(clock_) +
                               ")");
}

// ---- calls
// ---------------------------------------------------------------------------------------------------------

void stepped_array::check_callable(std::uint64_t cycle, const char* what) const {
    if (cycle < passed_) {
        throw array_protocol_error(std::string("array: ") + what + " at cycle " + std::to_string(cycle) +
                                   " lies in the past, cycle " + std::to_string(passed_ - 1) +
                                   " has been collected");
    }
    for (const pause& p : pauses_) {
        if (cycle >= p.cycle && cycle - p.cycle < p.count) {
            throw array_protocol_error(std::string("array: ") + what + " at cycle " + std::to_string(cycle) +
                                       " would start in a frozen array");
        }
    }
}

stepped_array::command stepped_array::capture(std::uint64_t cycle, const matrix_view& view) const {
    command c;
    c.cycle = cycle;
    c.words = stepped::widen_matrix(view);
    c.rows = view.rows;
    c.columns = view.columns;
    c.row_cycles = config_.operand_cycles[static_cast<unsigned>(view.format)];
    c.mode = view.format == number_format::int8 ? stepped::mode_integer : stepped::mode_float;
    return c;
}

void stepped_array::load_weights(std::uint64_t cycle, const matrix_view& w) {
    check_operand_view(w, config_.rows, config_.columns, "array: weights");
    check_callable(cycle, "weight load");
    if (called_shadow_.present) {
        throw array_protocol_error("array: weight load at cycle " + std::to_string(cycle) +
                                   " is called before the stream that takes the previous load");
    }
    loads_.push_back(capture(cycle, w));
    called_shadow_ = {w.rows, w.columns, loads_.back().mode, true};
}

void stepped_array::stream(std::uint64_t cycle, const matrix_view& a, bool swap) {
    check_operand_view(a, ~0u, config_.rows, "array: operands");
    check_callable(cycle, "stream");
    const tile_shape& tile = swap ? called_shadow_ : called_active_;
    command c = capture(cycle, a);
    if (!tile.present || tile.k != a.columns || tile.mode != c.mode) {
        throw array_protocol_error(
            "array: stream at cycle " + std::to_string(cycle) +
            (tile.present ? " does not match the shape or format of its weights" : " finds no weights"));
    }
    if (swap) {
        called_active_ = std::exchange(called_shadow_, tile_shape{});
    }
    c.swap = swap;
    streams_.push_back(std::move(c));
    result& r = results_.emplace_back();
    r.stamps = want_stamps_;
    r.sums.rows = a.rows;
    r.sums.columns = called_active_.n;
    const std::size_t words = std::size_t{a.rows} * called_active_.n;
    r.sums.bits.assign(words, 0);
    r.sums.cycles.assign(want_stamps_ ? words : 0, 0);
}

void stepped_array::freeze(std::uint64_t cycle, std::uint64_t count) {
    if (cycle < passed_ || cycle < pauses_end_) {
        throw array_protocol_error("array: freeze at cycle " + std::to_string(cycle) +
                                   " lies in the past or begins before the previous one ends");
    }
    if (count == 0) {
        return;
    }
    pauses_.push_back({cycle, count});
    pauses_end_ = cycle + count;
    for (auto* queue : {&loads_, &streams_}) {
        for (command& c : *queue) {
            c.cycle += c.cycle >= cycle ? count : 0;
        }
    }
}

bool stepped_array::collect(std::uint64_t now, column_sums& out) {
    passed_ = std::max(passed_, now + 1);
    advance(now);
    if (results_.empty() || !results_.front().complete || results_.front().sums.last_cycle > now) {
        return false;
    }
    std::swap(out, results_.front().sums);
    results_.pop_front();
    for (column_exit& e : exits_) {
        --e.stream; // a complete stream has left every column
    }
    return true;
}

void stepped_array::settle(std::uint64_t cycle) {
    if (cycle > clock_) {
        advance(cycle - 1);
    }
}

void stepped_array::accumulate(std::span<std::uint32_t> accumulator, std::span<const std::uint32_t> sums,
                               bool integer) {
    check_accumulate(accumulator, sums);
    passes_.accumulate(accumulator.data(), sums.data(), sums.size(), integer);
}

// ---- time
// ----------------------------------------------------------------------------------------------------------

bool stepped_array::idle() const {
    return sums_on_the_way_ == 0 && signals_on_the_way_ == 0 && !weight_entrance_.busy &&
           !operand_entrance_.busy;
}

std::uint64_t stepped_array::next_event(std::uint64_t limit) const {
    std::uint64_t next = limit;
    if (!loads_.empty()) {
        next = std::min(next, loads_.front().cycle);
    }
    if (!streams_.empty()) {
        next = std::min(next, streams_.front().cycle);
    }
    if (!pauses_.empty()) {
        next = std::min(next, pauses_.front().cycle);
    }
    return std::max(next, clock_);
}

void stepped_array::advance(std::uint64_t now) {
    while (clock_ <= now) {
        if (!pauses_.empty() && clock_ >= pauses_.front().cycle) {
            const std::uint64_t end = pauses_.front().cycle + pauses_.front().count;
            clock_ = std::min(end, now + 1);
            if (clock_ == end) {
                pauses_.pop_front();
            }
        } else if (idle() && next_event(now + 1) > clock_) {
            clock_ = next_event(now + 1);
        } else {
            step();
            ++clock_;
        }
    }
}

// One clock edge. Swap, multiply and shift all see the registers as the last edge left them: a swap copies
// the shadow before the shift of the same cycle changes it.
void stepped_array::step() {
    begin(loads_, weight_entrance_, "a weight load starts while the previous one still enters");
    begin(streams_, operand_entrance_, "streams overlap: one starts while the previous one still enters");
    enter_weights();
    enter_operands();

    const stepped::operand_view view{line_values_.data() + line_base_, line_flags_.data() + line_base_,
                                     line_pitch_ + config_.fma_depth};
    if (swaps_on_the_way_ != 0 && !passes_.swap(pe_, view)) {
        fail("a swap meets a PE whose weight load is not complete");
    }
    const std::size_t slot = steps_ % config_.fma_depth;
    passes_.multiply(pe_, view, pe_.sums.data() + slot * config_.rows * pe_.pitch, modes_);
    if (signals_on_the_way_ != 0) {
        collect_column_input();
        if (!passes_.shift(pe_, column_input_)) {
            fail("a weight load overwrites a shadow register that the swap has not reached");
        }
    }
    leave();
    if (probes_ && probes_->wanted()) {
        tell_registers();
    }
    ++steps_;
}

void stepped_array::tell_registers() const {
    const std::size_t row_step = line_pitch_ + config_.fma_depth;
    const std::uint32_t* stage = pe_.sums.data() + (steps_ + 1) % config_.fma_depth * config_.rows * pe_.pitch;
    for (unsigned r = 0; r < config_.rows; ++r) {
        for (unsigned c = 0; c < config_.columns; ++c) {
            const std::size_t pe = r * pe_.pitch + c, line = line_base_ + r * row_step + c;
            probes_->set(r, c, clock_ + 1, pe_.active[pe], pe_.shadow[pe], line_values_[line], stage[pe], line_flags_[line] & flag_valid, config_.fma_depth);
        }
    }
}

// ---- entrances
// -----------------------------------------------------------------------------------------------------

void stepped_array::begin(std::deque<command>& queue, entrance& entry, const char* what) {
    if (queue.empty() || queue.front().cycle > clock_) {
        return;
    }
    if (entry.busy || queue.front().cycle < clock_) {
        fail(what);
    }
    entry.now = std::move(queue.front());
    queue.pop_front();
    entry.busy = true;
    entry.row = 0;
    entry.phase = 0;
}

void stepped_array::enter_operands() {
    if (line_base_ == 0) {
        // Everything that is still inside a line moves to the end of its memory.
        const std::size_t live = line_pitch_ - window_steps;
        for (auto* line : {&line_values_, &line_flags_}) {
            for (std::size_t k = 0; k < config_.rows; ++k) {
                std::uint32_t* start = line->data() + k * line_pitch_;
                std::memmove(start + window_steps, start, live * sizeof(std::uint32_t));
            }
        }
        line_base_ = window_steps;
    }
    --line_base_;
    entrance& e = operand_entrance_;
    const bool enters = e.busy && e.phase == 0;
    const std::uint32_t* words = enters ? e.now.words.data() + std::size_t{e.row} * e.now.columns : nullptr;
    const std::uint32_t flags = enters ? flag_valid | (e.now.swap && e.row == 0 ? flag_swap : 0u) : 0u;
    std::uint32_t* value = line_values_.data() + line_base_;
    std::uint32_t* flag = line_flags_.data() + line_base_;
    for (unsigned k = 0; k < config_.rows; ++k) {
        *value = enters && k < e.now.columns ? words[k] : 0u;
        *flag = flags;
        value += line_pitch_;
        flag += line_pitch_;
    }
    if (enters) {
        sums_on_the_way_ += config_.columns;
        if ((flags & flag_swap) != 0) {
            ++swaps_on_the_way_;
            modes_ |= e.now.mode;
            newest_mode_ = e.now.mode;
        }
    }
    if (e.busy && ++e.phase == e.now.row_cycles) {
        e.phase = 0;
        e.busy = ++e.row < e.now.rows;
    }
}

void stepped_array::enter_weights() {
    const unsigned columns = config_.columns;
    skew_head_ = skew_head_ == 0 ? columns - 1 : skew_head_ - 1;
    // What stood in this slot has just passed the last column.
    signals_on_the_way_ -= (skew_step_[skew_head_] != 0) + (skew_done_[skew_head_] != 0);
    skew_step_[skew_head_] = 0;
    skew_done_[skew_head_] = 0;
    entrance& e = weight_entrance_;
    if (!e.busy) {
        return;
    }
    if (e.phase == 0) {
        const unsigned row = config_.rows - 1 - e.row; // the last row enters first
        std::uint32_t* weight = skew_weight_.data() + std::size_t{skew_head_} * columns;
        std::uint32_t* mode = skew_mode_.data() + std::size_t{skew_head_} * columns;
        for (unsigned c = 0; c < columns; ++c) {
            const bool inside = row < e.now.rows && c < e.now.columns;
            weight[c] = inside ? e.now.words[std::size_t{row} * e.now.columns + c] : 0u;
            mode[c] = inside || RETRACE_FAULT(stepped_row_mask) ? e.now.mode : stepped::mode_off;
        }
        skew_step_[skew_head_] = ~0u;
        ++signals_on_the_way_;
    }
    if (++e.phase == e.now.row_cycles) {
        e.phase = 0;
        e.busy = ++e.row < config_.rows;
        if (!e.busy) {
            skew_done_[skew_head_] = ~0u;
            ++signals_on_the_way_;
        }
    }
}

void stepped_array::collect_column_input() {
    const unsigned columns = config_.columns;
    unsigned slot = skew_head_;
    for (unsigned c = 0; c < columns; ++c) {
        column_input_.step[c] = skew_step_[slot];
        column_input_.done[c] = skew_done_[slot];
        column_input_.weight[c] = skew_weight_[std::size_t{slot} * columns + c];
        column_input_.mode[c] = skew_mode_[std::size_t{slot} * columns + c];
        slot = slot + 1 == columns ? 0 : slot + 1;
    }
}

// ---- exit
// ----------------------------------------------------------------------------------------------------------

void stepped_array::leave() {
    const unsigned columns = config_.columns, depth = config_.fma_depth;
    const std::size_t bottom = config_.rows - 1;
    const std::uint32_t* flags = line_flags_.data() + line_base_ + bottom * (line_pitch_ + depth);
    std::uint8_t* first_stage = bottom_valid_.data() + (steps_ % depth) * columns;
    for (unsigned c = 0; c < columns; ++c) {
        first_stage[c] = static_cast<std::uint8_t>(flags[c] & flag_valid);
    }
    if ((flags[columns - 1] & flag_swap) != 0 && --swaps_on_the_way_ == 0) {
        modes_ = newest_mode_;
    }
    const std::size_t last_slot = (steps_ + 1) % depth;
    const std::uint8_t* valid = bottom_valid_.data() + last_slot * columns;
    const std::uint32_t* sums = pe_.sums.data() + (last_slot * config_.rows + bottom) * pe_.pitch;
    for (unsigned c = 0; c < columns; ++c) {
        if (valid[c] != 0) {
            leave_column(c, sums[c]);
        }
    }
}

void stepped_array::leave_column(unsigned column, std::uint32_t bits) {
    column_exit& exit = exits_[column];
    result& r = results_[exit.stream];
    if (column < r.sums.columns) {
        const std::size_t word = std::size_t{exit.row} * r.sums.columns + column;
        r.sums.bits[word] = bits;
        if (r.stamps) {
            r.sums.cycles[word] = clock_ + (RETRACE_FAULT(stepped_late_column) && column + 1 == config_.columns);
        }
    }
    if (column == 0 && exit.row == 0) {
        r.sums.first_cycle = clock_;
    }
    --sums_on_the_way_;
    if (++exit.row == r.sums.rows) {
        exit.row = 0;
        ++exit.stream;
        if (column + 1 == config_.columns) {
            r.sums.last_cycle = clock_;
            r.complete = true;
        }
    }
}

} // namespace retrace
