// Several arrays run side by side and compared: every call goes to all of them, and every (cycle, column,
// bits) tuple of every stream, and every word that the PSUM adder makes, must be the same in all. An oracle
// that shares nothing with them (array_referee) checks a seeded sample of the tuples also where they agree,
// and all presence, shapes, first and last stamps; in a mismatch it says who is wrong.
//
// Errors. A mismatch throws array_mismatch; nothing may be called afterwards. A call that all arrays refuse
// throws array_protocol_error, as each of them does; where only some refuse at once, the others must refuse
// in the cycles that follow, as the contract of array_interface allows, or it is a mismatch.
//
// Memory: operands of streams in flight, one result per array, and the last 32 transactions.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tlm/core/array/array_mismatch.h"
#include "tlm/core/array/array_referee.h"

namespace retrace {

struct named_array {
    std::string name;
    std::unique_ptr<array_interface> array;
};

struct lockstep_settings {
    std::string unit = "pe_array"; // as it stands in the report of a mismatch
    std::uint64_t seed = 1;        // of the sample
    unsigned samples = 4;          // tuples per stream, and words per accumulate, that the oracle recomputes
};

class lockstep_array final : public array_interface {
public:
    // At least two arrays, all of `config` (array_protocol_error). What comes out is the first one's.
    lockstep_array(const array_config& config, std::vector<named_array> arrays,
                   lockstep_settings settings = {});

    void load_weights(std::uint64_t cycle, const matrix_view& w) override;
    void stream(std::uint64_t cycle, const matrix_view& a, bool swap) override;
    void freeze(std::uint64_t cycle, std::uint64_t count) override;
    bool collect(std::uint64_t now, column_sums& out) override;
    void want_stamps(bool wanted) override { want_stamps_ = wanted; }
    void accumulate(std::span<std::uint32_t> accumulator, std::span<const std::uint32_t> sums,
                    bool integer) override;
    // The last of the arrays tells its registers.
    void show(const array_probes& probes) override { members_.back().array->show(probes); }
    void settle(std::uint64_t cycle) override { members_.back().array->settle(cycle); }

    // What has been compared so far, for reports.
    std::uint64_t tuples_compared() const { return tuples_; }
    std::uint64_t tuples_refereed() const { return refereed_; }

private:
    struct member {
        std::string name;
        std::unique_ptr<array_interface> array;
        column_sums sums;
        bool present = false;
        std::string refusal;              // of the current call
        std::vector<std::uint32_t> words; // of the current accumulate
    };

    array_transaction& record(array_transaction t);
    array_transaction& record_accumulate(unsigned words, bool integer);
    void call_all(const array_transaction& t, const std::function<void(array_interface&)>& call);
    [[noreturn]] void refused(const array_transaction& t, bool others_must_follow);
    void compare(std::uint64_t now);
    void compare_tuples();
    void referee_tuples();
    std::uint64_t draw(std::uint64_t limit);

    array_mismatch_facts facts(mismatch_kind kind, const array_transaction& t) const;
    [[noreturn]] void report_unseen(const array_transaction& t);
    [[noreturn]] void report_missing(std::uint64_t now);
    [[noreturn]] void report_shape();
    // The tuple of `row` and `column`, whose index in a result is `word`.
    [[noreturn]] void report_tuple(unsigned row, unsigned column, std::uint64_t differing);
    [[noreturn]] void report_ends();
    [[noreturn]] void report_word(const array_transaction& t, std::size_t word, std::uint32_t before,
                                  std::uint32_t sum, bool integer, std::uint64_t differing);
    static void judge(array_mismatch_facts& f);

    array_config config_;
    std::vector<member> members_;
    lockstep_settings settings_;
    array_referee referee_;
    std::deque<array_transaction> recent_;
    std::vector<std::uint32_t> before_; // the accumulator's words before an accumulate
    std::uint64_t transactions_ = 0, passed_ = 0, horizon_ = 0;
    std::uint64_t random_ = 0;
    std::uint64_t tuples_ = 0, refereed_ = 0;
    bool want_stamps_ = false;
};

} // namespace retrace
