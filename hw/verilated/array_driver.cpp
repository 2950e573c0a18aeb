#include "hw/verilated/array_driver.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "tlm/core/array/array_probes.h"

namespace retrace::rtl {
namespace {

// Cycles of a freeze that are clocked when they meet a busy array.
constexpr std::uint64_t clocked_stalls = 16;

std::string at(std::uint64_t cycle) { return " at cycle " + std::to_string(cycle); }

bool is_int8(number_format format) { return format == number_format::int8; }

} // namespace

array_driver::array_driver(const array_config& config, std::unique_ptr<array_model> model,
                           std::unique_ptr<adder_model> adder)
    : config_((check_array_config(config), config)), model_(std::move(model)), adder_(std::move(adder)) {
    const rtl_size wanted{config.rows, config.columns, config.fma_depth}, has = model_->reported_size();
    if (has != wanted) {
        const auto text = [](const rtl_size& s) {
            return std::to_string(s.rows) + " x " + std::to_string(s.columns) + " with an FMA of depth " +
                   std::to_string(s.fma_depth);
        };
        throw rtl_error("RTL: the array reports " + text(has) + ", the configuration says " + text(wanted));
    }
    inputs_.operands.assign(config.rows, 0);
    inputs_.weights.assign(config.columns, 0);
    outputs_.sums.assign(config.columns, 0);
    outputs_.valid.assign(config.columns, 0);
    positions_.resize(config.columns);
    longest_silence_ = 2 * (std::uint64_t{config.rows} * config.fma_depth + config.columns) + 64;
}

// ---- calls ---------------------------------------------------------------------------------------------------

array_driver::entry array_driver::capture(std::uint64_t cycle, const matrix_view& view, const char* what) const {
    if (cycle < passed_) {
        throw array_protocol_error(std::string("array: ") + what + at(cycle) + " is too late, the cycles below " +
                                   std::to_string(passed_) + " have been collected");
    }
    for (const span_of_cycles& f : freezes_) {
        if (cycle >= f.begin && cycle < f.end) {
            throw array_protocol_error(std::string("array: ") + what + at(cycle) +
                                       " would start while the array is frozen");
        }
    }
    entry e{cycle, {}, view.rows, view.columns, view.format, false};
    const unsigned bytes = bytes_of(view.format);
    e.codes.reserve(std::size_t{view.rows} * view.columns);
    for (unsigned row = 0; row < view.rows; ++row) {
        const std::byte* from = view.data + row * view.row_pitch_bytes;
        for (unsigned column = 0; column < view.columns; ++column) {
            std::uint32_t code = 0; // memory is little-endian, as is every host this builds on
            std::memcpy(&code, from + std::size_t{column} * bytes, bytes);
            e.codes.push_back(code);
        }
    }
    return e;
}

void array_driver::load_weights(std::uint64_t cycle, const matrix_view& w) {
    check_operand_view(w, config_.rows, config_.columns, "array: weights");
    entry e = capture(cycle, w, "weight load");
    if (shadow_.present) {
        throw array_protocol_error("array: weight load" + at(cycle) +
                                   " is called before the stream that takes the previous load");
    }
    weights_.waiting.push_back(std::move(e));
    shadow_ = {w.rows, w.columns, true, is_int8(w.format)};
}

void array_driver::stream(std::uint64_t cycle, const matrix_view& a, bool swap) {
    check_operand_view(a, ~0u, config_.rows, "array: operands");
    entry e = capture(cycle, a, "stream");
    const tile& weights = swap ? shadow_ : active_;
    if (!weights.present) {
        throw array_protocol_error("array: stream" + at(cycle) + " finds no weights");
    }
    if (weights.k != a.columns || weights.integer != is_int8(a.format)) {
        throw array_protocol_error("array: stream" + at(cycle) + " fits its weights neither in shape nor format");
    }
    if (swap) {
        active_ = std::exchange(shadow_, tile{});
    }
    e.swap = swap;
    operands_.waiting.push_back(std::move(e));
    owed& result = owed_.emplace_back();
    result.stamps = want_stamps_;
    result.sums.rows = a.rows;
    result.sums.columns = active_.n;
    result.sums.bits.assign(std::size_t{a.rows} * active_.n, 0);
    result.sums.cycles.assign(want_stamps_ ? result.sums.bits.size() : 0, 0);
}

void array_driver::freeze(std::uint64_t cycle, std::uint64_t count) {
    if (cycle < passed_ || cycle < freezes_end_) {
        throw array_protocol_error("array: freeze" + at(cycle) +
                                   " is too late or begins before the previous one ends");
    }
    if (count == 0) {
        return;
    }
    freezes_.push_back({cycle, cycle + count});
    freezes_end_ = cycle + count;
    for (port* p : {&operands_, &weights_}) {
        for (entry& e : p->waiting) {
            e.cycle += e.cycle >= cycle ? count : 0;
        }
    }
}

bool array_driver::collect(std::uint64_t now, column_sums& out) {
    passed_ = std::max(passed_, now + 1);
    run_until(now + 1);
    if (owed_.empty() || owed_.front().columns_done < config_.columns || owed_.front().sums.last_cycle > now) {
        return false;
    }
    std::swap(out, owed_.front().sums);
    owed_.pop_front();
    for (column_position& p : positions_) {
        --p.stream;
    }
    return true;
}

void array_driver::accumulate(std::span<std::uint32_t> accumulator, std::span<const std::uint32_t> sums,
                              bool integer) {
    check_accumulate(accumulator, sums);
    adder_->accumulate(accumulator, sums, integer);
}

// ---- time ----------------------------------------------------------------------------------------------------

bool array_driver::quiet() const {
    return sums_inside_ == 0 && weights_inside_ == 0 && !operands_.busy && !weights_.busy;
}

std::uint64_t array_driver::next_event(std::uint64_t end) const {
    std::uint64_t next = end;
    for (const port* p : {&operands_, &weights_}) {
        if (!p->waiting.empty()) {
            next = std::min(next, p->waiting.front().cycle);
        }
    }
    return freezes_.empty() ? next : std::min(next, freezes_.front().begin);
}

void array_driver::run_until(std::uint64_t end) {
    while (now_ < end) {
        if (!freezes_.empty() && now_ >= freezes_.front().begin) {
            const span_of_cycles& f = freezes_.front();
            if (!quiet() && now_ < f.begin + clocked_stalls) {
                clock(true);
                ++now_;
            } else {
                now_ = std::min(f.end, end);
            }
            if (now_ == f.end) {
                freezes_.pop_front();
            }
        } else if (quiet() && next_event(end) > now_) {
            now_ = next_event(end);
        } else {
            start_due(weights_, "a weight load starts while the previous one still enters");
            start_due(operands_, "streams overlap: one starts while the previous one still enters");
            clock(false);
            ++now_;
        }
    }
}

void array_driver::start_due(port& p, const char* overlap) {
    if (p.waiting.empty() || p.waiting.front().cycle > now_) {
        return;
    }
    if (p.busy || p.waiting.front().cycle < now_) {
        throw array_protocol_error(std::string("array: ") + overlap + ", seen" + at(now_));
    }
    p.now = std::move(p.waiting.front());
    p.waiting.pop_front();
    p.busy = true;
    p.row = 0;
    p.held = 0;
}

void array_driver::present_operands() {
    const entry& e = operands_.now;
    inputs_.operand_valid = operands_.busy && operands_.held == 0;
    inputs_.operand_swap = inputs_.operand_valid && e.swap && operands_.row == 0;
    if (inputs_.operand_valid) {
        inputs_.operand_format = e.format;
        std::copy_n(e.codes.data() + std::size_t{operands_.row} * e.columns, e.columns, inputs_.operands.data());
        std::fill(inputs_.operands.begin() + e.columns, inputs_.operands.end(), 0u);
    }
}

void array_driver::present_weights() {
    const entry& e = weights_.now;
    inputs_.weight_step = weights_.busy && weights_.held == 0;
    inputs_.weight_last = weights_.busy && weights_.row + 1 == config_.rows &&
                          weights_.held + 1 == config_.cycles_of(e.format);
    if (inputs_.weight_step) {
        const unsigned row = config_.rows - 1 - weights_.row; // the last row enters first
        const unsigned inside = row < e.rows ? e.columns : 0;
        inputs_.weight_format = e.format;
        inputs_.weight_columns = inside;
        std::copy_n(e.codes.data() + std::size_t{row} * e.columns, inside, inputs_.weights.data());
        std::fill(inputs_.weights.begin() + inside, inputs_.weights.end(), 0u);
    }
}

void array_driver::advance(port& p, unsigned rows) {
    if (p.busy && ++p.held == config_.cycles_of(p.now.format)) {
        p.held = 0;
        p.busy = ++p.row < rows;
    }
}

void array_driver::tell_registers() {
    if (registers_.empty()) {
        registers_ = model_->registers();
    }
    for (unsigned r = 0; r < config_.rows; ++r) {
        for (unsigned c = 0; c < config_.columns; ++c) {
            const pe_registers& pe = registers_[std::size_t{r} * config_.columns + c];
            probes_->set(r, c, now_ + 1, *pe.weight, *pe.shadow, *pe.operand, *pe.sum, *pe.valid != 0, config_.fma_depth);
        }
    }
}

// One clock edge, the end of cycle now_. While the array stalls, a controller's outputs stay as they are.
void array_driver::clock(bool stall) {
    present_operands();
    present_weights();
    inputs_.stall = stall;
    model_->clock(inputs_, outputs_);
    ++steps_;
    if (!stall && probes_ != nullptr && probes_->wanted()) {
        tell_registers();
    }
    if (outputs_.swap_error || outputs_.load_error) {
        throw array_protocol_error(std::string("array: ") +
                                   (outputs_.swap_error ? "a swap meets a PE whose weight load is not complete"
                                                        : "a weight load overwrites a shadow register that the "
                                                          "swap has not reached") +
                                   ", seen by the RTL" + at(now_));
    }
    if (stall) {
        return;
    }
    if (inputs_.operand_valid) {
        sums_inside_ += config_.columns;
        since_operand_ = 0;
    }
    const bool weight_signal = inputs_.weight_step || inputs_.weight_last;
    weights_inside_ = weight_signal ? config_.columns : weights_inside_ - (weights_inside_ != 0 ? 1 : 0);
    advance(operands_, operands_.now.rows);
    advance(weights_, config_.rows);
    take_sums();
}

// ---- sums ----------------------------------------------------------------------------------------------------

void array_driver::take_sums() {
    for (unsigned c = 0; c < config_.columns; ++c) {
        if (outputs_.valid[c] != 0) {
            take_sum(c, outputs_.sums[c]);
        }
    }
    if (sums_inside_ != 0 && ++since_operand_ > longest_silence_) {
        throw rtl_error("RTL: " + std::to_string(sums_inside_) + " column sums have not come out" + at(now_));
    }
}

void array_driver::take_sum(unsigned column, std::uint32_t bits) {
    column_position& p = positions_[column];
    if (p.stream >= owed_.size() || sums_inside_ == 0) {
        throw rtl_error("RTL: column " + std::to_string(column) + " gives a sum that no stream owes" + at(now_));
    }
    owed& result = owed_[p.stream];
    if (column < result.sums.columns) {
        const std::size_t word = std::size_t{p.row} * result.sums.columns + column;
        result.sums.bits[word] = bits;
        if (result.stamps) {
            result.sums.cycles[word] = now_;
        }
    }
    if (column == 0 && p.row == 0) {
        result.sums.first_cycle = now_;
    }
    --sums_inside_;
    if (++p.row == result.sums.rows) {
        result.sums.last_cycle = std::max(result.sums.last_cycle, now_);
        ++result.columns_done;
        p.row = 0;
        ++p.stream;
    }
}

std::unique_ptr<rtl_array> drive(const array_config& config, std::unique_ptr<array_model> model,
                                 std::unique_ptr<adder_model> adder) {
    return std::make_unique<array_driver>(config, std::move(model), std::move(adder));
}

} // namespace retrace::rtl
