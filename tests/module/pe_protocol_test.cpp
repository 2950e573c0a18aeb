// What a program may ask of the PE array, what is refused, and that the next program finds it in order.
#include "tests/module/pe_bench.h"

namespace retrace::test {
namespace {

constexpr unsigned pe = spec::engine_pe;
constexpr number_format bf16 = number_format::bf16;
using spec::engine_fault;

spec::matrix_instruction load(unsigned k = 8, unsigned n = 8) {
    return load_weights({}, bf16, k, n, 16384, n * 2);
}
spec::matrix_instruction product(unsigned m, unsigned k, unsigned flags, std::uint32_t row = 0) {
    return matmul({}, bf16, m, k, 0, k * 2, row, 8, flags);
}
constexpr unsigned swap = spec::matmul_swap;

/// Executes on both arrays and expects the same ending; then a good program must give the right sums on both.
class pe_protocol : public testing::Test {
protected:
    pe_protocol() {
        pair.each([](device_bench& b) { put_operands(b, bf16, 32, 8, 8); });
    }
    device_bench::ending execute(const program& p) {
        pair.each([&](device_bench& b) { b.start(pe, p); });
        pair.run();
        EXPECT_EQ(pair.kernel.endings, pair.stepped.endings);
        EXPECT_EQ(pair.kernel.endings.size(), 1u);
        const auto e = pair.kernel.endings.at(0);
        pair.each([](device_bench& b) { b.endings.clear(); });
        return e;
    }
    void expect_in_order() {
        ASSERT_EQ(execute({encode(load()), encode(product(32, 8, swap))}).fault, engine_fault::none);
        pair.expect_equal();
        const auto now = pair.kernel.words(pair.kernel.psum_memory, 0, 256);
        if (good.empty())
            good = now;
        EXPECT_EQ(now, good);
    }
    array_pair pair;
    std::vector<std::uint32_t> good;
};

TEST_F(pe_protocol, a_contraction_that_does_not_match_the_weights_is_a_fault) {
    expect_in_order();
    const auto e = execute({encode(load(5, 8)), encode(product(4, 8, swap)), encode(nop({}))});
    EXPECT_EQ(e.fault, engine_fault::array_protocol);
    EXPECT_EQ(e.pc, 1u);
    expect_in_order();
}

TEST_F(pe_protocol, streams_in_flight_at_a_fault_end_quietly) {
    expect_in_order();
    const auto e = execute(
        {encode(load()), encode(product(4, 8, swap)), encode(load(5, 8)), encode(product(4, 8, swap))});
    EXPECT_EQ(e.fault, engine_fault::array_protocol);
    EXPECT_EQ(e.pc, 3u);
    expect_in_order();
}

TEST_F(pe_protocol, integer_weights_need_integer_operands) {
    const auto e =
        execute({encode(load_weights({}, number_format::int8, 8, 8, 16384, 8)), encode(product(4, 8, swap))});
    EXPECT_EQ(e.fault, engine_fault::array_protocol);
    expect_in_order();
}

TEST_F(pe_protocol, a_swap_without_a_load_is_a_fault_and_no_hang) {
    EXPECT_EQ(execute({encode(product(4, 8, swap)), encode(load())}).fault, engine_fault::array_protocol);
    EXPECT_EQ(execute({encode(load()), encode(product(4, 8, swap)), encode(product(4, 8, swap))}).fault,
              engine_fault::array_protocol);
    expect_in_order();
}

TEST_F(pe_protocol, weights_of_an_earlier_command_are_not_there) {
    expect_in_order();
    const auto e = execute({encode(product(4, 8, 0))});
    EXPECT_EQ(e.fault, engine_fault::array_protocol);
    EXPECT_EQ(e.pc, 0u);
    expect_in_order();
}

TEST_F(pe_protocol, weights_stay_for_further_streams) {
    ASSERT_EQ(execute({encode(load()), encode(product(16, 8, swap)), encode(product(16, 8, 0, 16))}).fault,
              engine_fault::none);
    const auto both = pair.kernel.words(pair.kernel.psum_memory, 0, 256);
    EXPECT_TRUE(
        std::equal(both.begin(), both.begin() + 128, both.begin() + 128)); // the same sixteen rows twice
    pair.expect_equal();
}

TEST_F(pe_protocol, up_to_three_loads_may_run_ahead) {
    ASSERT_EQ(execute({encode(load()), encode(load()), encode(load()), encode(product(4, 8, swap)),
                       encode(product(4, 8, swap)), encode(product(4, 8, swap))})
                  .fault,
              engine_fault::none);
    pair.expect_equal();
    const auto e = execute(
        {encode(load()), encode(load()), encode(load()), encode(load()), encode(product(4, 8, swap))});
    EXPECT_EQ(e.fault, engine_fault::array_protocol); // it could never end
    EXPECT_EQ(e.pc, 3u);
    expect_in_order();
}

TEST_F(pe_protocol, a_load_that_no_stream_takes_does_not_reach_the_next_program) {
    expect_in_order();
    for (const unsigned k : {3u, 8u}) {
        EXPECT_EQ(execute({encode(load(k, 8))}).fault, engine_fault::none);
        expect_in_order();
        EXPECT_EQ(execute({encode(load()), encode(product(4, 8, swap)), encode(load(k, 8))}).fault,
                  engine_fault::none);
        expect_in_order();
    }
}

TEST_F(pe_protocol, shapes_and_formats_that_do_not_fit_are_refused) {
    const auto fault = [&](spec::matrix_instruction i, auto change) {
        change(i);
        program p{encode(i)};
        if (i.opcode == static_cast<std::uint8_t>(spec::opcode::matmul))
            p.insert(p.begin(), encode(load()));
        return execute(p).fault;
    };
    EXPECT_EQ(fault(load(), [](auto& i) { i.rows = 9; }), engine_fault::bad_shape);
    EXPECT_EQ(fault(load(), [](auto& i) { i.columns = 9, i.a.pitch = 18; }), engine_fault::bad_shape);
    EXPECT_EQ(fault(load(), [](auto& i) { i.rows = 0; }), engine_fault::bad_shape);
    EXPECT_EQ(fault(load(), [](auto& i) { i.source_format = 5; }), engine_fault::bad_format);
    EXPECT_EQ(fault(load(), [](auto& i) { i.source_format = 99; }), engine_fault::bad_format);
    EXPECT_EQ(fault(load(), [](auto& i) { i.a.slot = sums, i.a.offset = 0; }), engine_fault::bad_slot);
    EXPECT_EQ(fault(load(), [](auto& i) { i.a.slot = write_only; }), engine_fault::not_permitted);
    EXPECT_EQ(fault(load(), [](auto& i) { i.a.slot = beyond, i.a.offset = 0; }), engine_fault::bus_error);
    EXPECT_EQ(fault(load(), [](auto& i) { i.a.offset = 65536 - 127; }), engine_fault::out_of_bounds);
    EXPECT_EQ(fault(load(), [](auto& i) { i.flags = 1; }), engine_fault::reserved_bits);
    EXPECT_EQ(fault(product(4, 8, swap), [](auto& i) { i.columns = 9, i.a.pitch = 18; }),
              engine_fault::bad_shape);
    EXPECT_EQ(fault(product(4, 8, swap), [](auto& i) { i.d.pitch = 64; }), engine_fault::bad_shape);
    EXPECT_EQ(fault(product(4, 8, swap), [](auto& i) { i.d.offset = 4; }), engine_fault::bad_shape);
    EXPECT_EQ(fault(product(4, 8, swap), [](auto& i) { i.d.slot = work; }), engine_fault::bad_slot);
    EXPECT_EQ(fault(product(4, 8, swap), [](auto& i) { i.d.slot = beyond_psum, i.d.offset = 256 - 32; }),
              engine_fault::bus_error);
    EXPECT_EQ(fault(product(4, 8, swap), [](auto& i) { i.d.offset = 4 * 32 * 32 - 96; }),
              engine_fault::out_of_bounds);
    expect_in_order();
}

TEST_F(pe_protocol, aborts_at_every_moment_leave_the_array_usable) {
    const program p{encode(load()),
                    encode(product(20, 8, swap)),
                    encode(load(4, 8)),
                    encode(product(6, 4, swap, 20)),
                    encode(load()),
                    encode(load()),
                    encode(product(9, 8, swap | spec::matmul_accumulate)),
                    encode(product(9, 8, swap))};
    expect_in_order();
    for (unsigned delay = 0; delay < 160; ++delay) {
        pair.each([&](device_bench& b) { b.start(pe, p); });
        pair.kernel.pass(delay);
        pair.each([](device_bench& b) {
            if (b.pe.running())
                b.pe.abort();
            b.endings.clear();
        });
        if (delay % 3 == 0)
            pair.kernel.pass(delay % 7);
        expect_in_order();
        if (testing::Test::HasFailure())
            FAIL() << "aborted after " << delay;
    }
}

TEST_F(pe_protocol, nothing_lands_after_an_abort) {
    pair.each([&](device_bench& b) {
        b.start(pe, {encode(load()), encode(product(32, 8, swap)), encode(product(32, 8, 0, 32))});
    });
    pair.kernel.pass(75); // sums of the first stream are on their way
    pair.each([](device_bench& b) { b.pe.abort(); });
    const std::string before = pair.kernel.events.text;
    pair.kernel.pass(500);
    EXPECT_EQ(pair.kernel.psum_memory.live_bytes(), 0u);
    EXPECT_EQ(pair.kernel.events.text, before);
    pair.each([](device_bench& b) { b.endings.clear(); });
    expect_in_order();
}

TEST(pe_serial_protocol, one_weight_register_runs_any_order_of_loads_and_streams) {
    npu_config c = bench_config();
    c.array.weight_registers = 1;
    array_pair pair(c);
    pair.each([](device_bench& b) {
        put_operands(b, bf16, 32, 8, 8);
        b.start(pe, {encode(load()), encode(product(4, 8, swap)), encode(product(4, 8, 0, 4)), encode(load()),
                     encode(load()), encode(product(4, 8, swap)), encode(product(4, 8, swap)),
                     encode(product(4, 8, 0))});
    });
    pair.run();
    pair.expect_equal();
    EXPECT_EQ(pair.kernel.endings.at(0).fault, engine_fault::none);
    // A load begins when the array is empty.
    EXPECT_GE(pair.kernel.accesses(pe, 3)[0].end, pair.kernel.accesses(pe, 2)[0].end + 8);
}

TEST(pe_serial_protocol, one_weight_register_has_lost_the_weights_that_a_load_replaced) {
    npu_config c = bench_config();
    c.array.weight_registers = 1;
    array_pair pair(c);
    pair.each([](device_bench& b) {
        put_operands(b, bf16, 32, 8, 8);
        b.start(pe, {encode(load()), encode(product(4, 8, swap)), encode(load()), encode(product(4, 8, 0)), encode(product(4, 8, swap))});
    });
    pair.run();
    EXPECT_EQ(pair.kernel.endings, pair.stepped.endings);
    EXPECT_EQ(pair.kernel.endings.at(0).fault, engine_fault::array_protocol);
    EXPECT_EQ(pair.kernel.endings.at(0).pc, 3u);
}

TEST_F(pe_protocol, with_two_weight_registers_streams_go_on_behind_a_load) {
    EXPECT_EQ(execute({encode(load()), encode(product(4, 8, swap)), encode(load()), encode(product(4, 8, 0)), encode(product(4, 8, swap))}).fault,
              engine_fault::none);
    pair.expect_equal();
}

} // namespace
} // namespace retrace::test
