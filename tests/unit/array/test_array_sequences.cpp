// Random sequences of loads, streams, freezes and collects at legal cycles, mostly the earliest ones: all
// implementations give the same bits and the same stamps, and the bits are the reference's.
#include <gtest/gtest.h>

#include "tests/unit/array/array_test_data.h"
#include "tlm/core/array/array_timing.h"
#include "tlm/core/array/frozen_time.h"

namespace retrace {
namespace {

using test::test_matrix;

struct sequence {
    explicit sequence(std::uint32_t seed) : engine(seed) {
        config.rows = 1 + draw(18);
        config.columns = 1 + draw(20);
        config.fma_depth = 1 + draw(3);
        for (auto& cycles : config.operand_cycles) {
            cycles = draw(3) == 0 ? 4 : 1 + draw(2);
        }
        arrays = test::all_arrays(config);
        for (auto& a : arrays) {
            a.array->want_stamps(true);
        }
        got.resize(arrays.size());
    }

    unsigned draw(unsigned limit) { return static_cast<unsigned>(engine()) % limit; }
    // Often nothing, sometimes a little, rarely long enough to drain the array.
    unsigned gap() { return draw(3) != 0 ? 0 : draw(8) != 0 ? draw(6) : draw(150); }

    void run(unsigned tiles) {
        const array_timing timing(config);
        std::uint64_t stream_from = 0; // earliest legal own cycle
        for (unsigned tile = 0; tile < tiles; ++tile) {
            const number_format weights = test::operand_formats[draw(5)];
            const unsigned k = draw(3) == 0 ? config.rows : 1 + draw(config.rows);
            const unsigned n = draw(3) == 0 ? config.columns : 1 + draw(config.columns);
            const test_matrix w(k, n, weights, test::all_flavours[draw(6)], engine);
            const std::uint64_t load_from = tile == 0 ? 0 : timing.earliest_reload(swap_at, weights);
            const std::uint64_t load = not_passed(load_from + gap());
            for (auto& a : arrays) {
                a.array->load_weights(time.to_outer(load), w.view());
            }
            maybe_freeze(load);
            stream_from = std::max(stream_from, timing.load_complete(load, weights));
            const unsigned streams = draw(3) == 0 ? 1 + draw(4) : 1; // weights are used again without a swap
            for (unsigned s = 0; s < streams; ++s) {
                const number_format operands = is_integer(weights) ? weights : test::operand_formats[draw(4)];
                const unsigned m = draw(4) == 0 ? 1 : 1 + draw(40);
                const test_matrix a(m, k, operands, test::all_flavours[draw(6)], engine);
                maybe_collect(std::min(stream_from, load));
                const std::uint64_t start = not_passed(stream_from + gap());
                for (auto& x : arrays) {
                    x.array->stream(time.to_outer(start), a.view(), s == 0);
                }
                expected.push_back(test::reference_tile(a.view(), w.view()));
                if (s == 0) {
                    swap_at = start;
                }
                stream_from = timing.next_stream(start, operands, m);
                maybe_freeze(start);
            }
        }
        for (std::size_t i = 0; i < arrays.size(); ++i) {
            column_sums out;
            while (arrays[i].array->collect(time.to_outer(stream_from) + 10000, out)) {
                got[i].push_back(out);
            }
        }
    }

    // An own cycle that collect() has not passed.
    std::uint64_t not_passed(std::uint64_t own) {
        while (time.to_outer(own) < passed) {
            ++own;
        }
        return own;
    }

    void maybe_freeze(std::uint64_t around_own) {
        if (draw(4) != 0) {
            return;
        }
        const std::uint64_t at = std::max({time.to_outer(around_own) + draw(60), frozen_until, passed});
        const std::uint64_t count = 1 + draw(20);
        time.freeze(at, count);
        frozen_until = at + count;
        for (auto& a : arrays) {
            a.array->freeze(at, count);
        }
    }

    // Lets time pass up to a cycle before `limit_own`, where the next call may still have to happen.
    void maybe_collect(std::uint64_t limit_own) {
        const std::uint64_t limit = time.to_outer(limit_own);
        if (draw(3) != 0 || limit <= passed + 1) {
            return;
        }
        const std::uint64_t now =
            passed + draw(static_cast<unsigned>(std::min<std::uint64_t>(limit - passed - 1, 500)));
        passed = now + 1;
        std::vector<bool> found;
        for (std::size_t i = 0; i < arrays.size(); ++i) {
            column_sums out;
            const bool has = arrays[i].array->collect(now, out);
            if (has) {
                got[i].push_back(out);
            }
            found.push_back(has);
        }
        EXPECT_EQ(found, std::vector<bool>(arrays.size(), found[0]));
    }

    void check(std::uint32_t seed) {
        for (std::size_t i = 0; i < arrays.size(); ++i) {
            ASSERT_EQ(got[i].size(), expected.size()) << arrays[i].name << " seed " << seed;
            for (std::size_t s = 0; s < expected.size(); ++s) {
                ASSERT_EQ(got[i][s].bits, expected[s])
                    << arrays[i].name << " seed " << seed << " stream " << s;
                ASSERT_EQ(got[i][s].cycles, got[0][s].cycles)
                    << arrays[i].name << " seed " << seed << " stream " << s;
                ASSERT_EQ(got[i][s].first_cycle, got[0][s].first_cycle) << seed;
                ASSERT_EQ(got[i][s].last_cycle, got[0][s].last_cycle) << seed;
                ASSERT_EQ(got[i][s].cycles.front(), got[i][s].first_cycle) << seed;
            }
        }
    }

    std::mt19937 engine;
    array_config config;
    std::vector<test::named_array> arrays;
    std::vector<std::vector<column_sums>> got;
    std::vector<std::vector<std::uint32_t>> expected;
    frozen_time time;
    std::uint64_t passed = 0, frozen_until = 0, swap_at = 0;
};

TEST(array_sequences, random_schedules_agree_in_bits_and_stamps) {
    for (std::uint32_t seed = 1; seed <= 400; ++seed) {
        sequence s(seed);
        s.run(1 + seed % 12);
        s.check(seed);
        if (HasFatalFailure()) {
            return;
        }
    }
}

// Long enough for the stepped array's operand lines to wrap in memory, and always at the earliest cycles.
TEST(array_sequences, a_long_run_without_gaps_agrees) {
    for (std::uint32_t seed = 1001; seed <= 1006; ++seed) {
        sequence s(seed);
        s.run(120);
        s.check(seed);
        if (HasFatalFailure()) {
            return;
        }
    }
}

} // namespace
} // namespace retrace
