#include "tlm/core/array/lockstep_array.h"

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <utility>

namespace retrace {
namespace {

constexpr std::size_t recent_transactions = 32;
constexpr const char* oracle = "oracle";

array_transaction of_view(transaction_kind kind, std::uint64_t cycle, const matrix_view& view) {
    array_transaction t;
    t.kind = kind;
    t.cycle = cycle;
    t.rows = view.rows;
    t.columns = view.columns;
    t.format = view.format;
    return t;
}

std::string shape_of(const column_sums& s) {
    return "delivers " + std::to_string(s.rows) + " x " + std::to_string(s.columns) + " (" +
           std::to_string(s.bits.size()) + " words, " + std::to_string(s.cycles.size()) + " stamps)";
}

} // namespace

lockstep_array::lockstep_array(const array_config& config, std::vector<named_array> arrays,
                               lockstep_settings settings)
    : config_((check_array_config(config), config)), settings_(std::move(settings)), referee_(config),
      random_(settings_.seed) {
    if (arrays.size() < 2) {
        throw array_protocol_error("lockstep: at least two arrays are needed to compare them");
    }
    for (named_array& a : arrays) {
        a.array->want_stamps(true);
        member& m = members_.emplace_back();
        m.name = std::move(a.name);
        m.array = std::move(a.array);
    }
}

// ---- calls

array_transaction& lockstep_array::record(array_transaction t) {
    t.number = ++transactions_;
    if (recent_.size() == recent_transactions) {
        recent_.pop_front();
    }
    recent_.push_back(t);
    return recent_.back();
}

// The rows of a partial tile come one call each: they are one transaction, or they would fill the list.
array_transaction& lockstep_array::record_accumulate(unsigned words, bool integer) {
    const number_format format = integer ? number_format::int32 : number_format::fp32;
    if (!recent_.empty()) {
        array_transaction& last = recent_.back();
        if (last.kind == transaction_kind::accumulate && last.cycle == passed_ && last.columns == words &&
            last.format == format) {
            ++last.rows;
            return last;
        }
    }
    array_transaction& t = record({});
    t.kind = transaction_kind::accumulate;
    t.cycle = passed_;
    t.rows = 1;
    t.columns = words;
    t.format = format;
    return t;
}

void lockstep_array::call_all(const array_transaction& t, const std::function<void(array_interface&)>& call) {
    bool any = false;
    for (member& m : members_) {
        m.refusal.clear();
        try {
            call(*m.array);
        } catch (const array_protocol_error& e) {
            m.refusal = e.what();
            any = true;
        }
    }
    if (any) {
        refused(t, true);
    }
}

void lockstep_array::refused(const array_transaction& t, bool others_must_follow) {
    if (others_must_follow) {
        for (member& m : members_) {
            try {
                while (m.refusal.empty() && m.array->collect(horizon_, m.sums)) {
                }
            } catch (const array_protocol_error& e) {
                m.refusal = e.what();
            }
        }
    }
    const auto takes = [](const member& m) { return m.refusal.empty(); };
    if (std::none_of(members_.begin(), members_.end(), takes)) {
        throw array_protocol_error(members_.front().refusal);
    }
    array_mismatch_facts f = facts(mismatch_kind::protocol, t);
    f.cycle = t.cycle;
    for (const member& m : members_) {
        f.statements.push_back(
            {m.name, false, 0, 0,
             takes(m) ? "sees no violation of the protocol" : "refuses (" + m.refusal + ")"});
    }
    throw array_mismatch(std::move(f));
}

void lockstep_array::load_weights(std::uint64_t cycle, const matrix_view& w) {
    check_operand_view(w, config_.rows, config_.columns, "array: weights");
    const array_transaction& t = record(of_view(transaction_kind::load_weights, cycle, w));
    const std::uint64_t through = config_.columns + std::uint64_t{config_.rows} * config_.fma_depth;
    horizon_ =
        std::max(horizon_, cycle + std::uint64_t{config_.rows} * config_.cycles_of(w.format) + through);
    call_all(t, [&](array_interface& a) { a.load_weights(cycle, w); });
    referee_.load_weights(t.number, w);
}

void lockstep_array::stream(std::uint64_t cycle, const matrix_view& a, bool swap) {
    check_operand_view(a, ~0u, config_.rows, "array: operands");
    array_transaction& t = record(of_view(transaction_kind::stream, cycle, a));
    t.swap = swap;
    t.weights = referee_.weights_of(swap, a);
    const std::uint64_t through = config_.columns + std::uint64_t{config_.rows} * config_.fma_depth;
    horizon_ = std::max(horizon_, cycle + std::uint64_t{a.rows} * config_.cycles_of(a.format) + through);
    call_all(t, [&](array_interface& x) { x.stream(cycle, a, swap); });
    if (t.weights == 0) {
        report_unseen(t);
    }
    referee_.stream(t, a, want_stamps_);
}

void lockstep_array::freeze(std::uint64_t cycle, std::uint64_t count) {
    array_transaction& t = record({});
    t.kind = transaction_kind::freeze;
    t.cycle = cycle;
    t.count = count;
    horizon_ = std::max(horizon_, cycle) + count;
    call_all(t, [&](array_interface& a) { a.freeze(cycle, count); });
    referee_.freeze(cycle, count);
}

// ---- sums

bool lockstep_array::collect(std::uint64_t now, column_sums& out) {
    passed_ = std::max(passed_, now);
    bool any = false, refusal = false;
    for (member& m : members_) {
        m.refusal.clear();
        try {
            m.present = m.array->collect(now, m.sums);
        } catch (const array_protocol_error& e) {
            m.refusal = e.what();
            refusal = true;
        }
        any = any || m.present;
    }
    if (refusal) {
        refused(referee_.pending() ? referee_.oldest() : recent_.back(), false);
    }
    referee_.pass(now);
    if (!any && !(referee_.pending() && referee_.last_cycle() <= now)) {
        return false;
    }
    compare(now);
    std::swap(out, members_.front().sums);
    if (!referee_.stamps_wanted()) {
        out.cycles.clear();
    }
    referee_.drop();
    return true;
}

void lockstep_array::compare(std::uint64_t now) {
    if (!referee_.pending() || referee_.last_cycle() > now ||
        !std::all_of(members_.begin(), members_.end(), [](const member& m) { return m.present; })) {
        report_missing(now);
    }
    const unsigned rows = referee_.oldest().rows, columns = referee_.result_columns();
    const std::size_t words = std::size_t{rows} * columns;
    for (const member& m : members_) {
        const column_sums& s = m.sums;
        if (s.rows != rows || s.columns != columns || s.bits.size() != words || s.cycles.size() != words) {
            report_shape();
        }
    }
    compare_tuples();
    for (const member& m : members_) {
        if (m.sums.first_cycle != referee_.first_cycle() || m.sums.last_cycle != referee_.last_cycle()) {
            report_ends();
        }
    }
    referee_tuples();
    tuples_ += words;
}

void lockstep_array::compare_tuples() {
    const column_sums& first = members_.front().sums;
    const auto same = [&](const member& m) {
        return m.sums.bits == first.bits && m.sums.cycles == first.cycles;
    };
    if (std::all_of(members_.begin() + 1, members_.end(), same)) {
        return;
    }
    std::size_t where = 0;
    std::uint64_t earliest = ~std::uint64_t{0}, differing = 0;
    for (std::size_t word = 0; word < first.bits.size(); ++word) {
        bool differs = false;
        std::uint64_t cycle = first.cycles[word];
        for (const member& m : members_) {
            differs |= m.sums.bits[word] != first.bits[word] || m.sums.cycles[word] != first.cycles[word];
            cycle = std::min(cycle, m.sums.cycles[word]);
        }
        differing += differs;
        if (differs && cycle < earliest) {
            earliest = cycle;
            where = word;
        }
    }
    report_tuple(static_cast<unsigned>(where / first.columns), static_cast<unsigned>(where % first.columns),
                 differing);
}

void lockstep_array::referee_tuples() {
    const column_sums& s = members_.front().sums;
    for (unsigned i = 0; i < settings_.samples; ++i) {
        const auto row = static_cast<unsigned>(draw(s.rows)), column = static_cast<unsigned>(draw(s.columns));
        const std::size_t word = std::size_t{row} * s.columns + column;
        const std::vector<operand_step> chain = referee_.chain(row, column);
        if (s.bits[word] != chain.back().after || s.cycles[word] != referee_.stamp(row, column)) {
            report_tuple(row, column, 0);
        }
        ++refereed_;
    }
}

// splitmix64 (Steele, Lea, Flood, OOPSLA 2014)
std::uint64_t lockstep_array::draw(std::uint64_t limit) {
    std::uint64_t z = (random_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (z ^ (z >> 31)) % limit;
}

void lockstep_array::accumulate(std::span<std::uint32_t> accumulator, std::span<const std::uint32_t> sums,
                                bool integer) {
    check_accumulate(accumulator, sums);
    if (sums.empty()) {
        return;
    }
    const array_transaction& t = record_accumulate(static_cast<unsigned>(sums.size()), integer);
    before_.assign(accumulator.begin(), accumulator.end());
    for (member& m : members_) {
        m.words = before_;
        m.array->accumulate(m.words, sums, integer);
    }
    const std::vector<std::uint32_t>& first = members_.front().words;
    std::size_t where = first.size();
    std::uint64_t differing = 0;
    for (std::size_t word = 0; word < first.size(); ++word) {
        if (std::any_of(members_.begin() + 1, members_.end(),
                        [&](const member& m) { return m.words[word] != first[word]; })) {
            where = std::min(where, word);
            ++differing;
        }
    }
    if (differing != 0) {
        report_word(t, where, before_[where], sums[where], integer, differing);
    }
    for (unsigned i = 0; i < settings_.samples; ++i) {
        const std::size_t word = draw(first.size());
        if (first[word] != array_referee::accumulate(before_[word], sums[word], integer).after) {
            report_word(t, word, before_[word], sums[word], integer, 0);
        }
        ++refereed_;
    }
    tuples_ += first.size();
    std::copy(first.begin(), first.end(), accumulator.begin());
}

// ---- reports

array_mismatch_facts lockstep_array::facts(mismatch_kind kind, const array_transaction& t) const {
    array_mismatch_facts f;
    f.kind = kind;
    f.unit = settings_.unit;
    f.transaction = t;
    f.recent.assign(recent_.begin(), recent_.end());
    return f;
}

// The last statement is the oracle's.
void lockstep_array::judge(array_mismatch_facts& f) {
    const array_statement& truth = f.statements.back();
    for (auto s = f.statements.begin(); s + 1 != f.statements.end(); ++s) {
        if (s->present == truth.present && s->cycle == truth.cycle && s->bits == truth.bits) {
            continue;
        }
        f.wrong.push_back(s->who);
        if (!s->present || !truth.present || s->bits == truth.bits) {
            continue;
        }
        const auto distance = f.integer ? std::optional<std::uint64_t>(static_cast<std::uint64_t>(
                                              std::abs(std::int64_t{static_cast<std::int32_t>(s->bits)} -
                                                       std::int64_t{static_cast<std::int32_t>(truth.bits)})))
                                        : ulp_distance(s->bits, truth.bits);
        if (distance) {
            f.ulps = std::max(f.ulps.value_or(0), *distance);
        }
    }
}

// All take a stream that has no weights to run on.
void lockstep_array::report_unseen(const array_transaction& t) {
    array_mismatch_facts f = facts(mismatch_kind::protocol, t);
    f.cycle = t.cycle;
    for (const member& m : members_) {
        f.statements.push_back({m.name, false, 0, 0, "sees no violation of the protocol"});
        f.wrong.push_back(m.name);
    }
    f.statements.push_back({oracle, false, 0, 0, "finds no weights that match the operands"});
    throw array_mismatch(std::move(f));
}

void lockstep_array::report_missing(std::uint64_t now) {
    const bool due = referee_.pending() && referee_.last_cycle() <= now;
    array_mismatch_facts f =
        facts(mismatch_kind::missing, referee_.pending() ? referee_.oldest() : recent_.back());
    f.cycle = now;
    f.integer = referee_.pending() && referee_.integer();
    const std::string nothing = "delivers nothing by cycle " + std::to_string(now);
    for (const member& m : members_) {
        const bool tuple = m.present && !m.sums.bits.empty() && !m.sums.cycles.empty();
        f.statements.push_back({m.name, tuple, tuple ? m.sums.cycles.front() : 0,
                                tuple ? m.sums.bits.front() : 0,
                                tuple       ? ""
                                : m.present ? shape_of(m.sums)
                                            : nothing});
        if (m.present != due) {
            f.wrong.push_back(m.name);
        }
    }
    array_statement truth{oracle, due, 0, 0, due ? "" : nothing};
    if (referee_.pending()) {
        f.history = referee_.chain(0, 0);
        truth.cycle = referee_.first_cycle();
        truth.bits = f.history.back().after;
        if (!due) {
            truth.note = "expects the last sum in cycle " + std::to_string(referee_.last_cycle());
        }
    }
    f.statements.push_back(std::move(truth));
    throw array_mismatch(std::move(f));
}

void lockstep_array::report_shape() {
    array_mismatch_facts f = facts(mismatch_kind::shape, referee_.oldest());
    f.cycle = referee_.first_cycle();
    const unsigned rows = referee_.oldest().rows, columns = referee_.result_columns();
    column_sums right;
    right.rows = rows;
    right.columns = columns;
    right.bits.resize(std::size_t{rows} * columns);
    right.cycles.resize(right.bits.size());
    for (const member& m : members_) {
        f.statements.push_back({m.name, false, 0, 0, shape_of(m.sums)});
        if (shape_of(m.sums) != shape_of(right)) {
            f.wrong.push_back(m.name);
        }
    }
    f.statements.push_back({oracle, false, 0, 0, shape_of(right)});
    throw array_mismatch(std::move(f));
}

void lockstep_array::report_tuple(unsigned row, unsigned column, std::uint64_t differing) {
    array_mismatch_facts f = facts(mismatch_kind::bits, referee_.oldest());
    f.row = row;
    f.column = column;
    f.integer = referee_.integer();
    f.history = referee_.chain(row, column);
    const std::size_t word = std::size_t{row} * members_.front().sums.columns + column;
    for (const member& m : members_) {
        f.statements.push_back({m.name, true, m.sums.cycles[word], m.sums.bits[word], ""});
    }
    f.statements.push_back({oracle, true, referee_.stamp(row, column), f.history.back().after, ""});
    f.cycle = f.statements.back().cycle;
    bool same_bits = true;
    for (const array_statement& s : f.statements) {
        same_bits = same_bits && s.bits == f.statements.front().bits;
        f.cycle = std::min(f.cycle, s.cycle);
    }
    f.kind = same_bits ? mismatch_kind::cycle : mismatch_kind::bits;
    // Where all agree only the oracle's sample is known.
    f.differing = differing;
    f.compared = differing == 0 ? 0 : members_.front().sums.bits.size();
    judge(f);
    throw array_mismatch(std::move(f));
}

// All tuples agree, but not the result's own first and last cycle.
void lockstep_array::report_ends() {
    array_mismatch_facts f = facts(mismatch_kind::cycle, referee_.oldest());
    f.cycle = referee_.first_cycle();
    f.integer = referee_.integer();
    f.history = referee_.chain(0, 0);
    const auto ends = [](std::uint64_t first, std::uint64_t last) {
        return "has the cycles " + std::to_string(first) + " to " + std::to_string(last);
    };
    for (const member& m : members_) {
        f.statements.push_back({m.name, false, 0, 0, ends(m.sums.first_cycle, m.sums.last_cycle)});
        if (m.sums.first_cycle != referee_.first_cycle() || m.sums.last_cycle != referee_.last_cycle()) {
            f.wrong.push_back(m.name);
        }
    }
    f.statements.push_back({oracle, false, 0, 0, ends(referee_.first_cycle(), referee_.last_cycle())});
    throw array_mismatch(std::move(f));
}

void lockstep_array::report_word(const array_transaction& t, std::size_t word, std::uint32_t before,
                                 std::uint32_t sum, bool integer, std::uint64_t differing) {
    array_mismatch_facts f = facts(mismatch_kind::bits, t);
    f.cycle = t.cycle;
    f.row = t.rows - 1;
    f.column = static_cast<unsigned>(word);
    f.integer = integer;
    f.history = {array_referee::accumulate(before, sum, integer)};
    for (const member& m : members_) {
        f.statements.push_back({m.name, true, t.cycle, m.words[word], ""});
    }
    f.statements.push_back({oracle, true, t.cycle, f.history.front().after, ""});
    f.differing = differing;
    f.compared = differing == 0 ? 0 : before_.size();
    judge(f);
    throw array_mismatch(std::move(f));
}

} // namespace retrace
