#include "host/compiler/program.h"

#include <gtest/gtest.h>

#include "host/compiler/kernel_builder.h"
#include "tests/unit/compiler/bench.h"

namespace retrace::compiler {
namespace {

using namespace testing;

constexpr std::uint8_t both = access_read | access_write;
const std::vector<slot_limit> slots{{256, both, true}, {256, both, true}, {64, access_read, false}};

engine_program dma(std::vector<instruction> code) {
    return {static_cast<unsigned>(spec::engine_dma), std::move(code)};
}
engine_program vector(std::vector<instruction> code) {
    return {static_cast<unsigned>(spec::engine_vector), std::move(code)};
}

bool mentions(const std::vector<std::string>& faults, const std::string& what) {
    for (const std::string& f : faults)
        if (f.find(what) != std::string::npos)
            return true;
    return false;
}

TEST(sync, has_two_waits_and_two_signals) {
    EXPECT_THROW(sync().wait(1).wait(2).wait(3), std::logic_error);
    EXPECT_THROW(sync().signal(1).signal(2).signal(3), std::logic_error);
    EXPECT_THROW(sync().wait(32), std::logic_error);
    EXPECT_THROW(sync().signal(0, 256), std::logic_error);
}

TEST(program, fields_land_where_the_specification_puts_them) {
    const auto i =
        make_matmul(sync().wait(3, 2).signal(4), {spec::number_format::bf16, spec::number_format::fp32, {}},
                    17, 5, {0, 2, 0, 64, 10}, {1, 3, 0, 128, 32}, true);
    const instruction bytes = encode(i);
    EXPECT_EQ(bytes[0], std::byte{0x11});
    EXPECT_EQ(bytes[1], std::byte{0x03});
    EXPECT_EQ(bytes[2], std::byte{3});
    EXPECT_EQ(bytes[3], std::byte{2});
    EXPECT_EQ(bytes[12], std::byte{17});
    EXPECT_EQ(matrix_of(bytes), i);
    EXPECT_THROW(make_nop(sync().wait(99)), std::logic_error);
    EXPECT_THROW(make_load_weights({}, {}, 70000, 1, {}), std::logic_error);
    EXPECT_THROW(make_copy({}, 0, {0, 1ull << 32, 0}, {0, 0, 0}, 1, 1), std::logic_error);
}

TEST(disassemble, says_everything_in_one_line) {
    const char* names[] = {"WORK", "PSUM", "IO_in"};
    EXPECT_EQ(disassemble(encode(make_copy(sync().wait(5).signal(6, 2), 2, {2, 64, 128}, {0, 32, 16}, 16, 4)),
                          names),
              "copy 4x16B WORK+32/16 <- IO_in+64/128 (IO_in) ?5 !6*2");
    EXPECT_EQ(disassemble(encode(make_matmul({}, {spec::number_format::bf16, spec::number_format::fp32, {}},
                                             9, 8, {0, 2, 0, 0, 16}, {1, 2, 0, 0, 32}, false)),
                          names),
              "matmul.swap 9x8 bf16 PSUM+0/32(IO_in) <- WORK+0/16(IO_in)");
    EXPECT_EQ(disassemble(encode(
                  make_reduce_rows({}, {spec::number_format::bf16, spec::number_format::fp32, {}},
                                   spec::vector_operation::max, 4, 3, {0, 0, 0, 0, 6}, {0, 0, 0, 64, 4}))),
              "reduce_rows.max 4x3 slot0+64/4:fp32 <- slot0+0/6:bf16");
}

TEST(check, finds_nothing_in_a_sound_pair) {
    const auto load = encode(make_copy(sync().signal(0), 2, {2, 0, 16}, {0, 0, 16}, 16, 4));
    const auto use = encode(make_reduce_rows(sync().wait(0), {}, spec::vector_operation::add, 4, 4,
                                             {0, 2, 0, 0, 16}, {0, 0, 0, 64, 4}));
    EXPECT_TRUE(check(std::vector{dma({load}), vector({use})}, slots).empty());
}

TEST(check, finds_what_is_wrong) {
    const auto load = [](const sync& s, std::uint64_t offset, unsigned to) {
        return encode(make_copy(s, 2, {2, offset, 16}, {to, 0, 16}, 16, 4));
    };
    EXPECT_TRUE(mentions(check(std::vector{dma({load({}, 1, 0)})}, slots), "ends at byte 65"));
    EXPECT_TRUE(mentions(check(std::vector{dma({load({}, 0, 2)})}, slots), "not permitted"));
    EXPECT_TRUE(mentions(check(std::vector{dma({load({}, 0, 5)})}, slots), "does not have"));
    EXPECT_TRUE(mentions(check(std::vector{vector({load({}, 0, 0)})}, slots), "does not know copy"));
    EXPECT_TRUE(mentions(check(std::vector{dma({load(sync().signal(1), 0, 0)})}, slots),
                         "1 signalled, 0 waited for"));
    EXPECT_TRUE(mentions(check(std::vector{dma({load(sync().wait(1), 0, 0)})}, slots), "waits for ever"));
    EXPECT_TRUE(mentions(check(std::vector{dma({load(sync().wait(1).signal(2), 0, 0)}),
                                           vector({encode(make_nop(sync().wait(2).signal(1)))})},
                               slots),
                         "waits for ever"));
    EXPECT_TRUE(
        mentions(check(std::vector{dma({load(sync().signal(1, 2), 0, 0), encode(make_nop(sync().wait(1)))}),
                                   vector({encode(make_nop(sync().wait(1)))})},
                       slots),
                 "two waiting engines"));
    const auto outside = encode(
        make_reduce_rows({}, {}, spec::vector_operation::add, 4, 4, {2, 2, 0, 0, 16}, {0, 0, 0, 64, 4}));
    EXPECT_TRUE(mentions(check(std::vector{vector({outside})}, slots), "only the working buffers"));
    EXPECT_TRUE(mentions(check(std::vector{dma({}), dma({})}, slots), "two programs"));
    // A bias counts in its own format: 40 elements of bf16 end at byte 256, of fp32 behind it.
    const auto biased = [](spec::number_format bias) {
        return engine_program{
            static_cast<unsigned>(spec::engine_activation),
            {encode(make_activate_bias({}, {spec::number_format::bf16, spec::number_format::bf16, bias},
                                       spec::activation_function::identity, 1, 40, {0, 2, 0, 0, 80},
                                       {0, 2, 0, 176, 80}, {0, 2, 0, 80, 80}))}};
    };
    EXPECT_TRUE(check(std::vector{biased(spec::number_format::bf16)}, slots).empty());
    EXPECT_TRUE(
        mentions(check(std::vector{biased(spec::number_format::fp32)}, slots), "bias ends at byte 336"));
}

TEST(kernel_builder, refuses_orders_that_could_deadlock) {
    kernel_builder early;
    const unsigned s = early.semaphore();
    EXPECT_THROW(early.emit(spec::engine_vector, make_nop(sync().wait(s))), std::logic_error);
    kernel_builder contended;
    const unsigned t = contended.semaphore();
    contended.emit(spec::engine_dma, make_nop(sync().signal(t, 2)));
    contended.emit(spec::engine_vector, make_nop(sync().wait(t)));
    EXPECT_THROW(contended.emit(spec::engine_pe, make_nop(sync().wait(t))), std::logic_error);
    EXPECT_THROW(contended.finish(), std::logic_error) << "a token is left";
    kernel_builder many;
    for (unsigned i = 0; i < spec::semaphores; ++i)
        many.semaphore();
    EXPECT_THROW(many.semaphore(), std::logic_error);
}

} // namespace
} // namespace retrace::compiler
