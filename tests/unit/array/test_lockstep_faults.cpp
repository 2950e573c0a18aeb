// Faulty arrays: each changes one thing, and lockstep finds exactly that and says so.
#include <gtest/gtest.h>

#include <functional>

#include "tests/unit/array/array_program.h"
#include "tlm/core/array/kernel_array.h"
#include "tlm/core/array/lockstep_array.h"
#include "tlm/core/array/stepped_array.h"

namespace retrace {
namespace {

using test::flavour;
using test::test_matrix;

// An array with a fault put in: hooks change what passes.
struct faulty_array final : array_interface {
    explicit faulty_array(std::unique_ptr<array_interface> array) : inner(std::move(array)) {}

    void load_weights(std::uint64_t cycle, const matrix_view& w) override { inner->load_weights(cycle, w); }
    void stream(std::uint64_t cycle, const matrix_view& a, bool swap) override {
        if (on_stream) {
            on_stream();
        }
        inner->stream(cycle, a, swap);
    }
    void freeze(std::uint64_t cycle, std::uint64_t count) override {
        inner->freeze(cycle, count + longer_freeze);
    }
    bool collect(std::uint64_t now, column_sums& out) override {
        if (late != 0) {
            return now >= late && inner->collect(now, out);
        }
        if (!inner->collect(now, out)) {
            return false;
        }
        if (collected++ == at_stream && on_collect) {
            on_collect(out);
        }
        return true;
    }
    void want_stamps(bool wanted) override { inner->want_stamps(wanted); }
    void accumulate(std::span<std::uint32_t> accumulator, std::span<const std::uint32_t> sums,
                    bool integer) override {
        inner->accumulate(accumulator, sums, integer);
        if (on_accumulate) {
            on_accumulate(accumulator);
        }
    }

    std::unique_ptr<array_interface> inner;
    std::function<void()> on_stream;
    std::function<void(column_sums&)> on_collect;
    std::function<void(std::span<std::uint32_t>)> on_accumulate;
    std::uint64_t collected = 0, at_stream = 1, late = 0, longer_freeze = 0;
};

// Two tiles of 5 x 3 sums on a 4 x 4 array with D = 2; the second one's sums are looked at.
class lockstep_faults : public testing::Test {
protected:
    lockstep_faults() {
        config.rows = config.columns = 4;
        config.fma_depth = 2;
        auto first = std::make_unique<faulty_array>(std::make_unique<kernel_array>(config));
        auto second = std::make_unique<faulty_array>(std::make_unique<stepped_array>(config));
        kernel = first.get();
        stepped = second.get();
        std::vector<retrace::named_array> arrays;
        arrays.push_back({"kernel", std::move(first)});
        arrays.push_back({"stepped", std::move(second)});
        lockstep = std::make_unique<lockstep_array>(
            config, std::move(arrays), lockstep_settings{.unit = "npu0.pe_array", .samples = 30});
    }

    void run(number_format format = number_format::bf16, std::uint32_t seed = 7) {
        std::mt19937 engine(seed);
        const test_matrix w(4, 3, format, flavour::moderate, engine),
            a(5, 4, format, flavour::moderate, engine);
        expected = test::reference_tile(a.view(), w.view());
        column_sums out;
        const std::uint64_t o = config.cycles_of(format);
        const std::uint64_t starts[] = {100, 200};
        for (const std::uint64_t start : starts) {
            lockstep->load_weights(start - 4 * o, w.view());
            lockstep->stream(start, a.view(), true);
            lockstep->freeze(start + 3, 2);
            ASSERT_TRUE(lockstep->collect(start + 90, out));
            ASSERT_EQ(out.bits, expected);
        }
        psum.assign(out.bits.size(), 0x3f800000u);
        lockstep->accumulate(psum, out.bits, is_integer(format));
    }

    // Runs and returns the mismatch, which must come.
    array_mismatch_facts mismatch(number_format format = number_format::bf16) {
        try {
            run(format);
        } catch (const array_mismatch& e) {
            what = e.what();
            return e.facts();
        }
        ADD_FAILURE() << "nothing was found";
        return {};
    }

    static bool holds(const std::string& text, const std::string& part) {
        return text.find(part) != std::string::npos;
    }

    array_config config;
    faulty_array *kernel, *stepped;
    std::unique_ptr<lockstep_array> lockstep;
    std::vector<std::uint32_t> expected, psum;
    std::string what;
};

TEST_F(lockstep_faults, nothing_is_found_without_a_fault) {
    EXPECT_NO_THROW(run());
    EXPECT_EQ(lockstep->tuples_compared(), 45u);
    EXPECT_EQ(lockstep->tuples_refereed(), 90u);
}

TEST_F(lockstep_faults, a_wrong_bit_is_found_with_all_its_facts) {
    stepped->on_collect = [](column_sums& s) {
        s.bits[3 * 3 + 2] ^= 4;
        s.bits[4 * 3 + 2] ^= 1; // leaves later: not the one reported
    };
    const array_mismatch_facts f = mismatch();
    EXPECT_EQ(f.kind, mismatch_kind::bits);
    EXPECT_EQ(f.unit, "npu0.pe_array");
    EXPECT_EQ(f.transaction.number, 5u);
    EXPECT_EQ(f.transaction.kind, transaction_kind::stream);
    EXPECT_EQ(f.transaction.weights, 4u);
    EXPECT_EQ(f.row, 3u);
    EXPECT_EQ(f.column, 2u);
    // T + i + c + R*D - 1, and two frozen cycles before it
    EXPECT_EQ(f.cycle, 200u + 3 + 2 + 8 - 1 + 2);
    ASSERT_EQ(f.statements.size(), 3u);
    EXPECT_EQ(f.statements[0].who, "kernel");
    EXPECT_EQ(f.statements[0].bits, expected[11]);
    EXPECT_EQ(f.statements[1].who, "stepped");
    EXPECT_EQ(f.statements[1].bits, expected[11] ^ 4);
    EXPECT_EQ(f.statements[2].who, "oracle");
    EXPECT_EQ(f.statements[2].bits, expected[11]);
    EXPECT_EQ(f.statements[2].cycle, f.cycle);
    EXPECT_EQ(f.wrong, std::vector<std::string>{"stepped"});
    EXPECT_EQ(f.ulps, 4u);
    EXPECT_EQ(f.differing, 2u);
    EXPECT_EQ(f.compared, 15u);
    ASSERT_EQ(f.history.size(), 4u);
    EXPECT_EQ(f.history[0].before, 0u);
    for (unsigned k = 1; k < 4; ++k) {
        EXPECT_EQ(f.history[k].before, f.history[k - 1].after);
    }
    EXPECT_EQ(f.history[3].after, expected[11]);
    ASSERT_EQ(f.recent.size(), 6u);
    EXPECT_EQ(f.recent[2].kind, transaction_kind::freeze);
    EXPECT_EQ(f.recent[2].count, 2u);

    const std::string head = what.substr(0, what.find('\n'));
    EXPECT_TRUE(holds(head, "npu0.pe_array, cycle 214, transaction 5 (stream of 5 x 4 bf16 at 200 with swap, "
                            "weights of transaction 4), row 3 column 2: kernel says " +
                                describe_word(expected[11], false) + " in cycle 214, stepped says " +
                                describe_word(expected[11] ^ 4, false) + " in cycle 214, oracle says " +
                                describe_word(expected[11], false) +
                                " in cycle 214; wrong: stepped by 4 ULP; 2 of 15 sums differ."))
        << what;
    EXPECT_TRUE(holds(what, "\noperand history, by the oracle:\n  k 0: 0x00000000 (0) + "));
    EXPECT_TRUE(holds(what, "\nlast 6 transactions:\n  transaction 1 (load of 4 x 3 bf16 at 96)"));
    EXPECT_TRUE(holds(what, "\n  transaction 6 (freeze at 203 for 2)"));
}

TEST_F(lockstep_faults, the_first_array_can_be_the_wrong_one) {
    kernel->on_collect = [](column_sums& s) { s.bits[0] ^= 0x80000000u; };
    const array_mismatch_facts f = mismatch();
    EXPECT_EQ(f.wrong, std::vector<std::string>{"kernel"});
    EXPECT_EQ(f.row + f.column, 0u);
}

TEST_F(lockstep_faults, a_wrong_integer_is_told_as_integer) {
    stepped->on_collect = [](column_sums& s) { s.bits[7] -= 100; };
    const array_mismatch_facts f = mismatch(number_format::int8);
    EXPECT_TRUE(f.integer);
    EXPECT_EQ(f.ulps, 100u);
    EXPECT_EQ(f.history.back().after, expected[7]);
    EXPECT_TRUE(holds(what, "(" + std::to_string(static_cast<std::int32_t>(expected[7])) + ")"));
}

TEST_F(lockstep_faults, a_nan_with_a_payload_is_a_wrong_bit) {
    stepped->on_collect = [](column_sums& s) { s.bits[7] = 0x7fc00001u; };
    const array_mismatch_facts f = mismatch();
    EXPECT_EQ(f.kind, mismatch_kind::bits);
    EXPECT_EQ(f.ulps, std::nullopt);
}

TEST_F(lockstep_faults, a_wrong_cycle_is_found) {
    stepped->on_collect = [](column_sums& s) { --s.cycles[4]; };
    const array_mismatch_facts f = mismatch();
    EXPECT_EQ(f.kind, mismatch_kind::cycle);
    EXPECT_EQ(f.row, 1u);
    EXPECT_EQ(f.column, 1u);
    EXPECT_EQ(f.statements[1].cycle + 1, f.statements[0].cycle);
    EXPECT_EQ(f.statements[0].cycle, f.statements[2].cycle);
    EXPECT_EQ(f.wrong, std::vector<std::string>{"stepped"});
}

TEST_F(lockstep_faults, a_wrong_end_of_a_stream_is_found) {
    stepped->on_collect = [](column_sums& s) { ++s.last_cycle; }; // a padded column: no tuple shows it
    const array_mismatch_facts f = mismatch();
    EXPECT_EQ(f.kind, mismatch_kind::cycle);
    EXPECT_EQ(f.wrong, std::vector<std::string>{"stepped"});
}

TEST_F(lockstep_faults, a_freeze_that_lasts_too_long_is_found) {
    stepped->longer_freeze = 1;
    const array_mismatch_facts f = mismatch();
    EXPECT_EQ(f.kind, mismatch_kind::cycle);
    EXPECT_EQ(f.transaction.number, 2u);
    EXPECT_EQ(f.differing, 15u);
}

TEST_F(lockstep_faults, sums_that_do_not_come_are_missing_tuples) {
    stepped->late = 1000;
    const array_mismatch_facts f = mismatch();
    EXPECT_EQ(f.kind, mismatch_kind::missing);
    EXPECT_EQ(f.cycle, 190u);
    EXPECT_TRUE(f.statements[0].present);
    EXPECT_FALSE(f.statements[1].present);
    EXPECT_EQ(f.wrong, std::vector<std::string>{"stepped"});
    EXPECT_TRUE(holds(what, "stepped delivers nothing by cycle 190"));
}

TEST_F(lockstep_faults, sums_that_nobody_delivers_are_missed_by_the_oracle) {
    kernel->late = stepped->late = 1000;
    const array_mismatch_facts f = mismatch();
    EXPECT_EQ(f.kind, mismatch_kind::missing);
    EXPECT_EQ(f.wrong.size(), 2u);
}

TEST_F(lockstep_faults, a_result_of_another_shape_is_found) {
    stepped->on_collect = [](column_sums& s) {
        s.bits.pop_back();
        s.cycles.pop_back();
    };
    const array_mismatch_facts f = mismatch();
    EXPECT_EQ(f.kind, mismatch_kind::shape);
    EXPECT_EQ(f.wrong, std::vector<std::string>{"stepped"});
    EXPECT_TRUE(holds(what, "stepped delivers 5 x 3 (14 words, 14 stamps)"));
}

TEST_F(lockstep_faults, a_wrong_accumulate_is_found) {
    stepped->on_accumulate = [](std::span<std::uint32_t> words) { words[9] += 1; };
    const array_mismatch_facts f = mismatch();
    EXPECT_EQ(f.transaction.kind, transaction_kind::accumulate);
    EXPECT_EQ(f.column, 9u);
    EXPECT_EQ(f.wrong, std::vector<std::string>{"stepped"});
    EXPECT_EQ(f.ulps, 1u);
    ASSERT_EQ(f.history.size(), 1u);
    EXPECT_EQ(f.history[0].before, 0x3f800000u);
    EXPECT_EQ(f.history[0].a, expected[9]);
    EXPECT_EQ(f.recent.back().kind, transaction_kind::accumulate);
}

TEST_F(lockstep_faults, arrays_that_are_wrong_alike_are_caught_by_the_oracle) {
    for (faulty_array* array : {kernel, stepped}) {
        array->on_collect = [](column_sums& s) {
            for (std::uint32_t& word : s.bits) {
                word ^= 1;
            }
        };
    }
    const array_mismatch_facts f = mismatch();
    EXPECT_EQ(f.kind, mismatch_kind::bits);
    EXPECT_EQ(f.wrong, (std::vector<std::string>{"kernel", "stepped"}));
    EXPECT_EQ(f.ulps, 1u);
    EXPECT_EQ(f.compared, 0u);
}

TEST_F(lockstep_faults, stamps_that_are_wrong_alike_are_caught_by_the_oracle) {
    for (faulty_array* array : {kernel, stepped}) {
        array->on_collect = [](column_sums& s) {
            for (std::size_t i = 1; i + 1 < s.cycles.size(); ++i) {
                ++s.cycles[i];
            }
        };
    }
    EXPECT_EQ(mismatch().kind, mismatch_kind::cycle);
}

TEST_F(lockstep_faults, an_accumulate_that_is_wrong_alike_is_caught_by_the_oracle) {
    for (faulty_array* array : {kernel, stepped}) {
        array->on_accumulate = [](std::span<std::uint32_t> words) {
            for (std::uint32_t& word : words) {
                word ^= 1;
            }
        };
    }
    const array_mismatch_facts f = mismatch();
    EXPECT_EQ(f.transaction.kind, transaction_kind::accumulate);
    EXPECT_EQ(f.wrong.size(), 2u);
}

TEST_F(lockstep_faults, a_refusal_that_the_other_array_does_not_share_is_found) {
    kernel->on_stream = [] { throw array_protocol_error("array: no"); };
    const array_mismatch_facts f = mismatch();
    EXPECT_EQ(f.kind, mismatch_kind::protocol);
    EXPECT_TRUE(holds(what, "kernel refuses (array: no), stepped sees no violation"));
}

TEST_F(lockstep_faults, only_the_last_32_transactions_are_kept) {
    stepped->at_stream = 39;
    stepped->on_collect = [](column_sums& s) { s.bits[0] ^= 1; };
    std::mt19937 engine(1);
    const test_matrix w(4, 4, number_format::bf16, flavour::moderate, engine);
    lockstep->load_weights(0, w.view());
    column_sums out;
    try {
        for (std::uint64_t at = 10;; at += 50) {
            lockstep->stream(at, w.view(), at == 10);
            lockstep->collect(at + 49, out);
            // The rows of a partial tile are one transaction.
            for (unsigned row = 0; row < 4; ++row) {
                lockstep->accumulate(std::span(out.bits).subspan(row * 4, 3),
                                     std::vector<std::uint32_t>{1, 2, 3}, false);
            }
        }
    } catch (const array_mismatch& e) {
        const auto& recent = e.facts().recent;
        ASSERT_EQ(recent.size(), 32u);
        EXPECT_EQ(recent.back().number, 1u + 39 * 2 + 1);
        EXPECT_EQ(recent.front().number, recent.back().number - 31);
        EXPECT_EQ(recent[30].rows, 4u);
    }
}

} // namespace
} // namespace retrace
