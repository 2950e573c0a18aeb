// The Verilated array against the stepped one: same bits, same stamps, for whatever a caller may legally do; and
// the same refusals for what it may not.
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <random>

#include "hw/verilated/rtl_model.h"
#include "hw/verilated/verilated_array.h"
#include "tests/rtl/array_program.h"
#include "tests/rtl/fma_triples.h"
#include "tlm/core/array/array_probes.h"
#include "tlm/core/array/array_timing.h"
#include "tlm/core/array/stepped_array.h"

namespace retrace {
namespace {

using test::array_program;
using test::flavour;
using test::test_matrix;

array_config config_of(const rtl_size& size, unsigned operand_cycles = 0) {
    array_config config;
    config.rows = size.rows;
    config.columns = size.columns;
    config.fma_depth = size.fma_depth;
    if (operand_cycles != 0) {
        config.operand_cycles.fill(operand_cycles);
    }
    return config;
}

class verilated_array : public ::testing::TestWithParam<rtl_size> {
protected:
    void expect_same(const array_program& program, const std::string& what) {
        stepped_array stepped(program.config);
        const auto rtl = make_rtl_array(program.config);
        const auto expected = test::run(stepped, program), got = test::run(*rtl, program);
        ASSERT_EQ(test::difference(expected, got), "") << what;
    }
};

TEST_P(verilated_array, random_programs_give_the_bits_and_stamps_of_the_stepped_array) {
    const unsigned programs = GetParam().rows <= 8 ? 150 : 40;
    for (std::uint32_t seed = 1; seed <= programs && !HasFatalFailure(); ++seed) {
        expect_same(test::random_program(config_of(GetParam()), seed), "seed " + std::to_string(seed));
    }
}

// Keeps changes of signals; the value in a cycle is that of the last change before.
struct recorded_registers : trace::probe_listener {
    std::map<trace::probe_id, std::map<std::uint64_t, std::uint64_t>> changes;
    void change(trace::probe_id p, trace::cycle_t cycle, std::uint64_t bits) override { changes[p][cycle] = bits; }
    void change(trace::probe_id, trace::cycle_t, double) override { FAIL(); }
    void change(trace::probe_id, trace::cycle_t, std::string) override { FAIL(); }
};

TEST_P(verilated_array, waves_show_the_registers_of_the_stepped_array) {
    array_config config = config_of(GetParam());
    std::mt19937 engine(11);
    const test_matrix weights(config.rows, config.columns, number_format::bf16, flavour::moderate, engine),
        rows(2 * config.rows, config.rows, number_format::bf16, flavour::moderate, engine);
    const array_timing timing(config);
    const std::uint64_t start = timing.load_complete(5, number_format::bf16), end = timing.last_stamp(start, number_format::bf16, 2 * config.rows);
    const auto record = [&](array_interface& array) {
        trace::probe_registry registry;
        const array_probes probes(registry, "array", config.rows, config.columns);
        array.show(probes);
        recorded_registers waves;
        registry.listen(&waves, [](const trace::probe&) { return true; });
        array.load_weights(5, weights.view());
        array.stream(start, rows.view(), true);
        array.settle(start + 3);
        column_sums sums;
        EXPECT_TRUE(array.collect(end, sums));
        return waves.changes;
    };
    stepped_array stepped(config);
    const auto rtl = make_rtl_array(config);
    const auto expected = record(stepped), got = record(*rtl);
    // Compared where a row has an operand: elsewhere registers hold what nobody looks at.
    std::uint64_t compared = 0;
    for (unsigned pe = 0; pe < config.rows * config.columns; ++pe) {
        const trace::probe_id first = pe * array_probes::whats;
        EXPECT_EQ(expected.at(first + array_probes::valid), got.at(first + array_probes::valid)) << "pe " << pe;
        for (const auto& [cycle, valid] : expected.at(first + array_probes::valid)) {
            if (!valid) {
                continue;
            }
            for (const auto what : {array_probes::weight, array_probes::operand}) {
                EXPECT_EQ(expected.at(first + what).at(cycle), got.at(first + what).at(cycle)) << "pe " << pe << " cycle " << cycle;
            }
            const std::uint64_t leaves = cycle + config.fma_depth - 1;
            EXPECT_EQ(expected.at(first + array_probes::sum).at(leaves), got.at(first + array_probes::sum).at(leaves)) << "pe " << pe;
            ++compared;
        }
    }
    EXPECT_EQ(compared, std::uint64_t{config.rows} * config.columns * 2 * config.rows);
}

TEST_P(verilated_array, any_operand_cycles_give_the_stamps_of_the_stepped_array) {
    for (const unsigned cycles : {1u, 2u, 3u, 5u}) {
        for (std::uint32_t seed = 1; seed <= 8 && !HasFatalFailure(); ++seed) {
            expect_same(test::random_program(config_of(GetParam(), cycles), 1000 * cycles + seed),
                        std::to_string(cycles) + " cycles, seed " + std::to_string(seed));
        }
    }
}

TEST_P(verilated_array, every_tail_shape_is_masked) {
    for (const number_format format : {number_format::bf16, number_format::int8}) {
        if (!HasFatalFailure()) {
            expect_same(test::all_tail_shapes(config_of(GetParam()), format, 5), name_of(format));
        }
    }
}

TEST_P(verilated_array, the_adder_adds_like_the_stepped_array) {
    const auto rtl = make_rtl_array(config_of(GetParam()));
    stepped_array stepped(config_of(GetParam()));
    std::mt19937_64 engine(7);
    for (unsigned round = 0; round < 300; ++round) {
        std::vector<std::uint32_t> sums, expected, got;
        for (unsigned i = 0; i < 1 + round % 37; ++i) {
            const test::fma_triple t = test::draw_triple(engine);
            sums.push_back(t.a);
            expected.push_back(round % 3 == 0 ? t.a ^ 0x80000000u : t.c);
        }
        got = expected;
        stepped.accumulate(expected, sums, round % 4 == 0);
        rtl->accumulate(got, sums, round % 4 == 0);
        ASSERT_EQ(got, expected) << round;
    }
    std::vector<std::uint32_t> two(2), three(3);
    EXPECT_THROW(rtl->accumulate(two, three, false), array_protocol_error);
}

TEST_P(verilated_array, idle_cycles_are_jumped_over) {
    const array_config config = config_of(GetParam());
    const array_timing timing(config);
    std::mt19937 engine(1);
    const test_matrix w(config.rows, config.columns, number_format::bf16, flavour::moderate, engine);
    const test_matrix a(4, config.rows, number_format::bf16, flavour::moderate, engine);
    const auto rtl = make_rtl_array(config);
    column_sums out;
    constexpr std::uint64_t far = 1'000'000'000'000;
    rtl->load_weights(far, w.view());
    rtl->freeze(3 * far - 5, far);
    rtl->stream(2 * far, a.view(), true);
    ASSERT_TRUE(rtl->collect(5 * far, out));
    EXPECT_EQ(out.last_cycle, timing.last_stamp(2 * far, number_format::bf16, 4));
    EXPECT_LT(rtl->cycles_stepped(), 400u);
    EXPECT_GT(rtl->cycles_stepped(), timing.serial_tile_cycles(number_format::bf16, number_format::bf16, 4) - 1);
}

TEST_P(verilated_array, a_long_freeze_in_the_middle_of_a_stream_costs_little) {
    const array_config config = config_of(GetParam());
    std::mt19937 engine(1);
    const test_matrix w(config.rows, config.columns, number_format::bf16, flavour::moderate, engine);
    const test_matrix a(6, config.rows, number_format::bf16, flavour::moderate, engine);
    const auto run = [&](array_interface& array) {
        column_sums out;
        array.want_stamps(true);
        array.load_weights(0, w.view());
        array.stream(64, a.view(), true);
        array.freeze(67, 1'000'000'000);
        EXPECT_FALSE(array.collect(500'000'000, out));
        EXPECT_TRUE(array.collect(2'000'000'000, out));
        return std::vector{out};
    };
    const auto rtl = make_rtl_array(config);
    stepped_array stepped(config);
    EXPECT_EQ(test::difference(run(stepped), run(*rtl)), "");
    EXPECT_LT(rtl->cycles_stepped(), 400u);
}

// Every call sequence either throws on both or on neither.
TEST_P(verilated_array, protocol_violations_are_refused_like_the_stepped_array_does) {
    for (const unsigned o : {1u, 2u, 4u}) {
        const array_config config = config_of(GetParam(), o);
        const array_timing timing(config);
        std::mt19937 engine(o);
        const test_matrix w(config.rows, config.columns, number_format::bf16, flavour::moderate, engine);
        const test_matrix a(5, config.rows, number_format::bf16, flavour::moderate, engine);
        const test_matrix narrow(5, config.rows - 1, number_format::bf16, flavour::moderate, engine);
        const test_matrix integers(5, config.rows, number_format::int8, flavour::moderate, engine);
        const std::uint64_t ready = timing.load_complete(7, number_format::bf16);
        const std::uint64_t reload = timing.earliest_reload(ready, number_format::bf16);

        const auto throws = [&](array_interface& array, const std::function<void(array_interface&)>& calls) {
            try {
                calls(array);
                column_sums out;
                while (array.collect(5000, out)) {
                }
            } catch (const array_protocol_error&) {
                return true;
            }
            return false;
        };
        const auto expect = [&](bool refused, const char* what, const std::function<void(array_interface&)>& calls) {
            stepped_array stepped(config);
            EXPECT_EQ(throws(stepped, calls), refused) << what;
            EXPECT_EQ(throws(*make_rtl_array(config), calls), refused) << what;
        };
        column_sums out;
        expect(false, "a swap when the load is complete", [&](array_interface& x) {
            x.load_weights(7, w.view());
            x.stream(ready, a.view(), true);
        });
        expect(true, "a swap one cycle earlier", [&](array_interface& x) {
            x.load_weights(7, w.view());
            x.stream(ready - 1, a.view(), true);
        });
        expect(false, "a reload in the limiting cycle", [&](array_interface& x) {
            x.load_weights(7, w.view());
            x.stream(ready, a.view(), true);
            x.load_weights(reload, w.view());
        });
        expect(true, "a reload one cycle earlier", [&](array_interface& x) {
            x.load_weights(7, w.view());
            x.stream(ready, a.view(), true);
            x.load_weights(reload - 1, w.view());
        });
        expect(true, "a load before the previous one is taken", [&](array_interface& x) {
            x.load_weights(7, w.view());
            x.load_weights(700, w.view());
        });
        expect(false, "streams back to back", [&](array_interface& x) {
            x.load_weights(7, w.view());
            x.stream(ready, a.view(), true);
            x.stream(ready + 5 * o, a.view(), false);
        });
        expect(true, "streams that overlap", [&](array_interface& x) {
            x.load_weights(7, w.view());
            x.stream(ready, a.view(), true);
            x.stream(ready + 5 * o - 1, a.view(), false);
        });
        expect(true, "a stream without weights", [&](array_interface& x) { x.stream(10, a.view(), true); });
        expect(true, "a stream of weights that nothing made active", [&](array_interface& x) {
            x.load_weights(7, w.view());
            x.stream(ready, a.view(), false);
        });
        expect(true, "operands that are too narrow", [&](array_interface& x) {
            x.load_weights(7, w.view());
            x.stream(ready, narrow.view(), true);
        });
        expect(true, "int8 operands for bf16 weights", [&](array_interface& x) {
            x.load_weights(7, w.view());
            x.stream(ready, integers.view(), true);
        });
        expect(true, "a call in the past", [&](array_interface& x) {
            x.collect(30, out);
            x.load_weights(30, w.view());
        });
        expect(true, "a start in a frozen cycle", [&](array_interface& x) {
            x.freeze(10, 5);
            x.load_weights(14, w.view());
        });
        expect(true, "freezes that overlap", [&](array_interface& x) {
            x.freeze(10, 5);
            x.freeze(14, 5);
        });
    }
}

INSTANTIATE_TEST_SUITE_P(sizes, verilated_array, ::testing::ValuesIn(rtl_sizes()), [](const auto& info) {
    return std::to_string(info.param.rows) + "x" + std::to_string(info.param.columns) + "x" +
           std::to_string(info.param.fma_depth);
});

TEST(verilated_arrays, the_configured_sizes_are_there) {
    std::string sizes;
    for (const rtl_size& s : rtl_sizes()) {
        sizes += (sizes.empty() ? "" : " ") + std::to_string(s.rows) + "x" + std::to_string(s.columns) + "x" +
                 std::to_string(s.fma_depth);
    }
    EXPECT_EQ(sizes, RETRACE_RTL_ARRAYS);
}

TEST(verilated_arrays, a_missing_size_names_those_there_are_and_the_command_that_builds_it) {
    array_config config;
    config.rows = 12;
    config.columns = 20;
    config.fma_depth = 2;
    try {
        make_rtl_array(config);
        FAIL() << "there should be no 12x20x2";
    } catch (const rtl_unavailable& e) {
        const std::string message = e.what();
        for (const char* part : {"12x20x2", "only ", "cmake --preset default -DRETRACE_RTL_ARRAYS='", "--build"}) {
            EXPECT_NE(message.find(part), std::string::npos) << part << " is not in: " << message;
        }
    }
    config.rows = 0;
    EXPECT_THROW(make_rtl_array(config), array_protocol_error);
}

// An array that says it is another one, gives sums that nobody owes, or gives none.
class broken_model final : public rtl::array_model {
public:
    explicit broken_model(bool talks) : talks_(talks) {}
    rtl_size reported_size() const override { return {2, 2, 1}; }
    void reset() override {}
    void clock(const rtl::array_inputs&, rtl::array_outputs& outputs) override {
        outputs.valid.assign(2, talks_);
        outputs.sums.assign(2, 0);
    }
    std::vector<rtl::pe_registers> registers() const override { return {}; }

private:
    bool talks_;
};

TEST(verilated_arrays, an_rtl_of_other_parameters_is_refused) {
    const auto drive = [](unsigned rows, unsigned columns, unsigned depth) {
        rtl::drive(config_of({rows, columns, depth}), std::make_unique<broken_model>(false), nullptr);
    };
    EXPECT_NO_THROW(drive(2, 2, 1));
    EXPECT_THROW(drive(3, 2, 1), rtl_error);
    EXPECT_THROW(drive(2, 3, 1), rtl_error);
    EXPECT_THROW(drive(2, 2, 2), rtl_error);
}

TEST(verilated_arrays, sums_that_never_come_or_come_unasked_are_errors_of_the_rtl) {
    std::mt19937 engine(1);
    const test_matrix w(2, 2, number_format::bf16, flavour::moderate, engine);
    const test_matrix a(1, 2, number_format::bf16, flavour::moderate, engine);
    for (const bool talks : {false, true}) {
        const auto array = rtl::drive(config_of({2, 2, 1}), std::make_unique<broken_model>(talks), nullptr);
        column_sums out;
        array->load_weights(0, w.view());
        array->stream(2, a.view(), true);
        EXPECT_THROW(array->collect(1'000'000, out), rtl_error) << talks;
    }
}

} // namespace
} // namespace retrace
