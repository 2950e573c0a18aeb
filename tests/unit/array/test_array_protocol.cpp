// What the caller must not do. A violation throws at the call or in the collect() that reaches its cycle; the
// earliest legal cycle is accepted and the one before it is not.
#include <gtest/gtest.h>

#include <functional>

#include "tests/unit/array/array_test_data.h"
#include "tlm/core/array/array_timing.h"

namespace retrace {
namespace {

using test::flavour;
using test::test_matrix;

class array_protocol : public ::testing::Test {
protected:
    array_protocol() {
        config.rows = 4;
        config.columns = 3;
    }

    // Runs `calls` on every implementation; true when all throw, false when none does.
    bool throws(const std::function<void(array_interface&)>& calls) {
        unsigned thrown = 0, total = 0;
        for (auto& [name, array] : test::all_arrays(config)) {
            ++total;
            try {
                calls(*array);
                column_sums out;
                while (array->collect(5000, out)) {
                }
            } catch (const array_protocol_error& e) {
                ++thrown;
                EXPECT_NE(std::string(e.what()).find("array"), std::string::npos);
            }
        }
        EXPECT_TRUE(thrown == 0 || thrown == total) << thrown << " of " << total << " threw";
        return thrown == total;
    }

    array_config config;
    std::mt19937 engine{1};
    test_matrix w{4, 3, number_format::bf16, flavour::moderate, engine};
    test_matrix a{5, 4, number_format::bf16, flavour::moderate, engine};
};

TEST_F(array_protocol, a_stream_needs_weights) {
    EXPECT_TRUE(throws([&](array_interface& x) { x.stream(10, a.view(), true); }));
    EXPECT_TRUE(throws([&](array_interface& x) { x.stream(10, a.view(), false); }));
    EXPECT_TRUE(throws([&](array_interface& x) {
        x.load_weights(0, w.view());
        x.stream(10, a.view(), false); // loaded, but nothing made it active
    }));
}

TEST_F(array_protocol, a_swap_waits_for_the_complete_load) {
    for (const unsigned o : {1u, 2u, 4u}) {
        for (const unsigned depth : {1u, 3u}) {
            config.operand_cycles.fill(o);
            config.fma_depth = depth;
            const auto run = [&](std::uint64_t start) {
                return throws([&](array_interface& x) {
                    x.load_weights(7, w.view());
                    x.stream(start, a.view(), true);
                });
            };
            EXPECT_FALSE(run(7 + 4 * o));
            EXPECT_TRUE(run(7 + 4 * o - 1));
        }
    }
}

TEST_F(array_protocol, a_load_waits_until_the_swap_has_passed) {
    for (const unsigned o : {1u, 2u, 4u}) {
        for (const unsigned depth : {1u, 2u, 3u, 6u}) {
            config.operand_cycles.fill(o);
            config.fma_depth = depth;
            const std::uint64_t start = 4 * o + 2;
            const auto run = [&](std::uint64_t reload) {
                return throws([&](array_interface& x) {
                    x.load_weights(0, w.view());
                    x.stream(start, a.view(), true);
                    x.load_weights(reload, w.view());
                });
            };
            const std::uint64_t earliest = start + 3 * (depth > o ? depth - o : 0);
            EXPECT_EQ(array_timing(config).earliest_reload(start, number_format::bf16), earliest);
            EXPECT_FALSE(run(earliest)) << "o " << o << " depth " << depth;
            EXPECT_TRUE(run(earliest - 1)) << "o " << o << " depth " << depth;
        }
    }
}

TEST_F(array_protocol, a_waiting_load_is_not_overwritten) {
    EXPECT_TRUE(throws([&](array_interface& x) {
        x.load_weights(0, w.view());
        x.load_weights(50, w.view());
    }));
    EXPECT_TRUE(throws([&](array_interface& x) {
        x.load_weights(0, w.view());
        x.load_weights(2, w.view());
    }));
}

TEST_F(array_protocol, streams_do_not_overlap) {
    for (const unsigned o : {1u, 4u}) {
        config.operand_cycles.fill(o);
        const auto run = [&](std::uint64_t second) {
            return throws([&](array_interface& x) {
                x.load_weights(0, w.view());
                x.stream(20, a.view(), true);
                x.stream(second, a.view(), false);
            });
        };
        EXPECT_FALSE(run(20 + 5 * o));
        EXPECT_TRUE(run(20 + 5 * o - 1));
        EXPECT_TRUE(run(19));
    }
}

TEST_F(array_protocol, nothing_happens_in_the_past) {
    column_sums out;
    EXPECT_TRUE(throws([&](array_interface& x) {
        x.collect(30, out);
        x.load_weights(30, w.view());
    }));
    EXPECT_FALSE(throws([&](array_interface& x) {
        x.collect(30, out);
        x.load_weights(31, w.view());
    }));
    EXPECT_TRUE(throws([&](array_interface& x) {
        x.load_weights(0, w.view());
        x.collect(30, out);
        x.stream(30, a.view(), true);
    }));
    EXPECT_TRUE(throws([&](array_interface& x) {
        x.collect(30, out);
        x.freeze(30, 1);
    }));
}

TEST_F(array_protocol, nothing_starts_while_frozen) {
    EXPECT_TRUE(throws([&](array_interface& x) {
        x.freeze(10, 5);
        x.load_weights(14, w.view());
    }));
    EXPECT_FALSE(throws([&](array_interface& x) {
        x.freeze(10, 5);
        x.load_weights(15, w.view());
    }));
    EXPECT_TRUE(throws([&](array_interface& x) {
        x.load_weights(0, w.view());
        x.freeze(10, 5);
        x.stream(10, a.view(), true);
    }));
    EXPECT_TRUE(throws([&](array_interface& x) {
        x.freeze(10, 5);
        x.freeze(14, 5);
    }));
}

TEST_F(array_protocol, shapes_and_formats_fit) {
    const test_matrix tall(5, 3, number_format::bf16, flavour::moderate, engine);
    const test_matrix wide(4, 4, number_format::bf16, flavour::moderate, engine);
    const test_matrix narrow(5, 3, number_format::bf16, flavour::moderate, engine);
    const test_matrix integers(5, 4, number_format::int8, flavour::moderate, engine);
    matrix_view accumulators = w.view();
    accumulators.format = number_format::int32;
    matrix_view empty = w.view();
    empty.rows = 0;
    matrix_view missing = w.view();
    missing.data = nullptr;
    for (const matrix_view& bad : {tall.view(), wide.view(), accumulators, empty, missing}) {
        EXPECT_TRUE(throws([&](array_interface& x) { x.load_weights(0, bad); }));
    }
    for (const matrix_view& bad : {narrow.view(), integers.view(), accumulators, empty, missing}) {
        EXPECT_TRUE(throws([&](array_interface& x) {
            x.load_weights(0, w.view());
            x.stream(50, bad, true);
        }));
    }
}

TEST_F(array_protocol, a_configuration_without_rows_columns_depth_or_cycles_is_refused) {
    for (int which = 0; which < 4; ++which) {
        array_config bad;
        which == 0   ? bad.rows = 0
        : which == 1 ? bad.columns = 0
        : which == 2 ? bad.fma_depth = 0
                     : bad.operand_cycles[1] = 0;
        EXPECT_THROW(test::all_arrays(bad), array_protocol_error);
    }
}

} // namespace
} // namespace retrace
