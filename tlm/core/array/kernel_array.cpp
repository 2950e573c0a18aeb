#include "tlm/core/array/kernel_array.h"

#include <algorithm>
#include <string>
#include <utility>

#include "tlm/core/array/kernel_simd.h"
#include "tlm/core/numeric/formats_bulk.h"
#include "tlm/core/seeded_fault.h"

namespace retrace {

kernel_array::kernel_array(const array_config& config) : config_(config), timing_(config) {
    check_array_config(config);
}

void kernel_array::check_not_past(std::uint64_t cycle, const char* what) const {
    if (cycle < next_cycle_) {
        throw array_protocol_error(std::string("array: ") + what + " at cycle " + std::to_string(cycle) +
                                   " lies in the past, collect() has passed cycle " +
                                   std::to_string(next_cycle_ - 1));
    }
}

void kernel_array::load_weights(std::uint64_t cycle, const matrix_view& w) {
    check_operand_view(w, config_.rows, config_.columns, "array: weights");
    check_not_past(cycle, "weight load");
    const std::uint64_t own = time_.to_own(cycle);
    if (shadow_.present) {
        throw array_protocol_error("array: weight load at cycle " + std::to_string(cycle) +
                                   " before a stream with swap took the previous load");
    }
    if (swapped_ && own < timing_.earliest_reload(last_swap_, w.format)) {
        throw array_protocol_error(
            "array: weight load at cycle " + std::to_string(cycle) +
            " overwrites shadow registers that the swap has not reached; earliest legal cycle is " +
            std::to_string(time_.to_outer(timing_.earliest_reload(last_swap_, w.format))));
    }
    shadow_.k = w.rows;
    shadow_.n = w.columns;
    shadow_.present = true;
    shadow_.integer = is_integer(w.format);
    shadow_.complete = timing_.load_complete(own, w.format);
    shadow_.packed.resize(kernel::packed_floats(w.rows, w.columns));
    kernel::pack_weights(w, shadow_.packed.data());
}

void kernel_array::check_stream(std::uint64_t own, const matrix_view& a, bool swap) const {
    const std::string at = "array: stream at cycle " + std::to_string(time_.to_outer(own));
    const weight_tile& weights = swap ? shadow_ : active_;
    if (!weights.present) {
        throw array_protocol_error(at +
                                   (swap ? " swaps, but no load is waiting" : " finds no active weights"));
    }
    if (swap && own < shadow_.complete) {
        throw array_protocol_error(at + " swaps before its load is complete at " +
                                   std::to_string(time_.to_outer(shadow_.complete)));
    }
    if (own < next_stream_) {
        throw array_protocol_error(at + " overlaps the previous stream; earliest legal cycle is " +
                                   std::to_string(time_.to_outer(next_stream_)));
    }
    if (a.columns != weights.k || is_integer(a.format) != weights.integer) {
        throw array_protocol_error(at + ": operands of " + std::to_string(a.columns) + " columns in " +
                                   name_of(a.format) + " do not match weights of " +
                                   std::to_string(weights.k) + " rows in " +
                                   (weights.integer ? "int8" : "a float format"));
    }
}

void kernel_array::stream(std::uint64_t cycle, const matrix_view& a, bool swap) {
    check_operand_view(a, ~0u, config_.rows, "array: operands");
    check_not_past(cycle, "stream");
    const std::uint64_t own = time_.to_own(cycle);
    check_stream(own, a, swap);
    if (swap) {
        if (!RETRACE_FAULT(kernel_late_swap) || a.rows != 1)
            std::swap(active_, shadow_);
        shadow_.present = false;
        swapped_ = true;
        last_swap_ = own;
    }
    next_stream_ = timing_.next_stream(own, a.format, a.rows);

    result& r = results_.emplace_back();
    r.start = own;
    r.format = a.format;
    r.stamps = want_stamps_;
    r.sums.rows = a.rows;
    r.sums.columns = active_.n;
    if (!spare_.empty()) {
        r.sums.bits = std::move(spare_.back());
        spare_.pop_back();
    }
    r.sums.bits.resize(std::size_t{a.rows} * active_.n);
    kernel::multiply_tile(a, active_.packed.data(), active_.n, r.sums.bits.data(), active_.n);
}

void kernel_array::freeze(std::uint64_t cycle, std::uint64_t count) {
    check_not_past(cycle, "freeze");
    time_.freeze(cycle, count);
}

bool kernel_array::collect(std::uint64_t now, column_sums& out) {
    next_cycle_ = std::max(next_cycle_, now + 1);
    time_.forget_before(results_.empty() ? ~std::uint64_t{0} : results_.front().start, next_cycle_);
    if (results_.empty()) {
        return false;
    }
    result& r = results_.front();
    const std::uint64_t last = time_.to_outer(timing_.last_stamp(r.start, r.format, r.sums.rows));
    if (last > now) {
        return false;
    }
    r.sums.first_cycle = time_.to_outer(timing_.stamp(r.start, r.format, 0, 0));
    r.sums.last_cycle = last;
    if (r.stamps) {
        r.sums.cycles.reserve(r.sums.bits.size());
        for (unsigned row = 0; row < r.sums.rows; ++row) {
            for (unsigned column = 0; column < r.sums.columns; ++column) {
                r.sums.cycles.push_back(time_.to_outer(timing_.stamp(r.start, r.format, row, column)));
            }
        }
    }
    std::swap(out, r.sums);
    spare_.push_back(std::move(r.sums.bits));
    results_.pop_front();
    return true;
}

void kernel_array::accumulate(std::span<std::uint32_t> accumulator, std::span<const std::uint32_t> sums,
                              bool integer) {
    check_accumulate(accumulator, sums);
    accumulate_row(accumulator, sums, integer);
}

} // namespace retrace
