// fma_f32.sv alone, against the host's fused multiply-add: one register (through the facade) and three.
#include <gtest/gtest.h>

#include <Vfma_depth3.h>
#include <Vfma_depth5.h>
#include <verilated.h>

#include <deque>
#include <functional>

#include "hw/verilated/verilated_array.h"
#include "tests/rtl/fma_triples.h"

namespace retrace {
namespace {

using test::expected_fma;
using test::fma_triple;

constexpr unsigned random_triples = 1'000'000;

// A pipeline kept full: the result of a triple comes `depth` clocks later. Sometimes it stalls, sometimes there
// is nothing to do, and then nothing may come out.
template <typename Model>
class pipeline {
public:
    explicit pipeline(unsigned depth) : depth_(depth) {
        model_.en_i = 1;
        model_.rst_ni = 0;
        edge();
        model_.rst_ni = 1;
    }

    void feed(const fma_triple& t) {
        model_.valid_i = 1;
        model_.a_i = t.a;
        model_.b_i = t.b;
        model_.c_i = t.c;
        if (++fed_ % 7 == 0) {
            model_.en_i = 0; // nothing moves
            edge();
            model_.en_i = 1;
        }
        edge();
        waiting_.push_back({t, true});
        look();
        if (fed_ % 5 == 0) {
            bubble();
        }
    }
    void drain() {
        for (unsigned i = 0; i < depth_; ++i) {
            bubble();
        }
        EXPECT_EQ(fed_, come_out_);
    }

private:
    void bubble() {
        model_.valid_i = 0;
        model_.a_i = 0x7fc00000u;
        edge();
        waiting_.push_back({{}, false});
        look();
    }
    void edge() {
        model_.clk_i = 1;
        model_.eval();
        model_.clk_i = 0;
        model_.eval();
    }
    void look() {
        if (waiting_.size() < depth_) {
            ASSERT_EQ(model_.valid_o, 0);
            return;
        }
        const auto [t, valid] = waiting_.front();
        waiting_.pop_front();
        ASSERT_EQ(model_.valid_o, valid);
        if (valid) {
            ++come_out_;
            ASSERT_EQ(model_.result_o, expected_fma(t)) << std::hex << t.a << " " << t.b << " " << t.c;
        }
    }

    VerilatedContext context_;
    Model model_{&context_, ""};
    unsigned depth_;
    std::size_t fed_ = 0, come_out_ = 0;
    std::deque<std::pair<fma_triple, bool>> waiting_;
};

void for_all_corners(const std::function<void(const fma_triple&)>& call) {
    const auto corners = test::fma_corners();
    for (const std::uint32_t a : corners) {
        for (const std::uint32_t b : corners) {
            for (const std::uint32_t c : corners) {
                call({a, b, c});
                if (::testing::Test::HasFatalFailure()) {
                    return;
                }
            }
        }
    }
}

void for_random_triples(std::uint64_t seed, const std::function<void(const fma_triple&)>& call) {
    std::mt19937_64 engine(seed);
    for (unsigned i = 0; i < random_triples && !::testing::Test::HasFatalFailure(); ++i) {
        call(test::draw_triple(engine));
    }
}

TEST(fma_f32, one_register_gives_the_bits_of_the_host) {
    rtl_fma fma;
    const auto check = [&](const fma_triple& t) {
        ASSERT_EQ(fma(t.a, t.b, t.c), expected_fma(t)) << std::hex << t.a << " " << t.b << " " << t.c;
    };
    for_all_corners(check);
    for_random_triples(1, check);
}

TEST(fma_f32, a_batch_is_what_single_calls_are) {
    rtl_fma fma;
    std::mt19937_64 engine(2);
    std::vector<rtl_fma::triple> operands;
    for (unsigned i = 0; i < 1000; ++i) {
        const fma_triple t = test::draw_triple(engine);
        operands.push_back({t.a, t.b, t.c});
    }
    std::vector<std::uint32_t> results(operands.size());
    fma(operands, results);
    for (std::size_t i = 0; i < operands.size(); ++i) {
        ASSERT_EQ(results[i], expected_fma({operands[i].a, operands[i].b, operands[i].c}));
    }
    results.pop_back();
    EXPECT_THROW(fma(operands, results), rtl_error);
}

template <typename Model>
void check_pipeline(unsigned depth) {
    pipeline<Model> pipe(depth);
    for_all_corners([&](const fma_triple& t) { pipe.feed(t); });
    for_random_triples(depth, [&](const fma_triple& t) { pipe.feed(t); });
    pipe.drain();
}

TEST(fma_f32, three_registers_give_the_same_bits_later) { check_pipeline<Vfma_depth3>(3); }

TEST(fma_f32, registers_beyond_three_only_delay) { check_pipeline<Vfma_depth5>(5); }

// The drawn triples reach what they are meant to reach; a tame generator would make the tests above worthless.
TEST(fma_f32, random_triples_reach_the_corners) {
    std::mt19937_64 engine(3);
    unsigned subnormal = 0, zero = 0, infinite = 0, nan = 0, negative_zero = 0;
    for (unsigned i = 0; i < 100'000; ++i) {
        const std::uint32_t bits = expected_fma(test::draw_triple(engine));
        const std::uint32_t magnitude = bits & 0x7fffffffu;
        subnormal += magnitude != 0 && magnitude < 0x00800000u;
        zero += bits == 0;
        negative_zero += bits == 0x80000000u;
        infinite += magnitude == 0x7f800000u;
        nan += magnitude > 0x7f800000u;
    }
    EXPECT_GT(subnormal, 3000u);
    EXPECT_GT(zero, 500u);
    EXPECT_GT(negative_zero, 200u);
    EXPECT_GT(infinite, 1000u);
    EXPECT_GT(nan, 1000u);
}

} // namespace
} // namespace retrace
