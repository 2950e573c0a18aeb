// Every engine_fault that an engine can give, on every engine that can give it, and the engine goes on
// afterwards.
#include <set>

#include "tests/module/device_bench.h"

namespace retrace::test {
namespace {

using spec::engine_fault;
using spec::opcode;

template <typename Change>
instruction changed(spec::matrix_instruction i, Change change) {
    change(i);
    return encode(i);
}

TEST(engine_faults, headers_are_checked_on_every_engine) {
    device_bench bench;
    for (unsigned e = 0; e < bench.engines.size(); ++e) {
        const auto fault = [&](auto change) {
            const auto end = bench.execute(e, {encode(nop({})), changed(nop({}), change), encode(nop({}))});
            EXPECT_TRUE(end.fault == engine_fault::none || end.pc == 1u);
            EXPECT_EQ(bench.execute(e, {encode(nop({}))}).fault, engine_fault::none);
            return end.fault;
        };
        EXPECT_EQ(fault([](auto& i) { i.opcode = 0x7f; }), engine_fault::illegal_opcode);
        EXPECT_EQ(fault([](auto& i) { i.opcode = 0xff; }), engine_fault::illegal_opcode);
        EXPECT_EQ(fault([](auto& i) { i.flags = 0x80; }), engine_fault::reserved_bits);
        EXPECT_EQ(fault([](auto& i) { i.wait0 = 32; }), engine_fault::bad_slot);
        EXPECT_EQ(fault([](auto& i) { i.wait1 = 255; }), engine_fault::bad_slot);
        EXPECT_EQ(fault([](auto& i) { i.signal0 = 32; }), engine_fault::bad_slot);
        EXPECT_EQ(fault([](auto& i) { i.signal1 = 99; }), engine_fault::bad_slot);
        EXPECT_EQ(fault([](auto&) {}), engine_fault::none);
    }
}

TEST(engine_faults, opcodes_of_other_engines_are_illegal) {
    device_bench bench;
    for (const spec::instruction_info& info : spec::instructions) {
        if (info.code == opcode::nop)
            continue;
        const bool has[] = {info.pe, info.activation, info.vector, info.dma};
        for (unsigned e = 0; e < bench.engines.size(); ++e) {
            const auto end = bench.execute(
                e, {encode(matrix(info.code, {}, number_format::fp32, number_format::fp32, 0, 0))});
            if (has[std::min(e, 3u)]) {
                EXPECT_EQ(end.fault, engine_fault::bad_shape) << info.name << " on " << e; // it is empty
            } else {
                EXPECT_EQ(end.fault, engine_fault::illegal_opcode) << info.name << " on " << e;
                EXPECT_EQ(end.detail, static_cast<unsigned>(info.code));
            }
        }
    }
}

TEST(engine_faults, a_semaphore_beyond_its_maximum_stops_the_engine_that_signals) {
    device_bench bench;
    program p(257, encode(nop(sync().signal(2, 255))));
    for (unsigned e : {0u, 1u, 2u, 3u}) {
        for (unsigned c = 0; c < spec::contexts; ++c)
            bench.begin(c, bench.standard_command());
        EXPECT_EQ(bench.execute(e, p).fault, engine_fault::none);
        EXPECT_EQ(bench.contexts[0].semaphore(2), spec::semaphore_max);
        const auto end = bench.execute(e, {encode(nop({})), encode(nop(sync().signal(2)))});
        EXPECT_EQ(end.fault, engine_fault::semaphore_overflow);
        EXPECT_EQ(end.pc, 1u);
        EXPECT_EQ(end.detail, 2u);
        EXPECT_EQ(bench.execute(e, {encode(nop({}))}).fault, engine_fault::none);
    }
}

TEST(engine_faults, a_late_signal_stops_its_engine_too) {
    device_bench bench;
    bench.execute(1, program(257, encode(nop(sync().signal(2, 255)))));
    bench.put(bench.buffer_memory, 0, random_bytes(64, 1));
    // The copy's signal comes from the write side, while the queue reads on.
    auto end = bench.execute(3, {encode(copy(sync().signal(2), work, 0, slot::dram, 0, 64)),
                                 encode(copy({}, work, 0, slot::host, 0, 65536))});
    EXPECT_EQ(end.fault, engine_fault::semaphore_overflow);
    EXPECT_EQ(end.pc, 0u);
    // So does a product's, while the sequencer is already elsewhere.
    auto mm = matmul(sync().signal(2), number_format::bf16, 4, 8, 0, 16, 0, 8, spec::matmul_swap);
    end = bench.execute(0, {encode(load_weights({}, number_format::bf16, 8, 8, 0, 16)), encode(mm),
                            encode(nop(sync().wait(31)))});
    EXPECT_EQ(end.fault, engine_fault::semaphore_overflow);
    EXPECT_EQ(end.pc, 1u);
    EXPECT_EQ(bench.execute(0, {encode(nop({}))}).fault, engine_fault::none);
    EXPECT_EQ(bench.execute(3, {encode(nop({}))}).fault, engine_fault::none);
}

TEST(engine_faults, all_codes_can_be_reached) {
    device_bench bench;
    std::set<engine_fault> seen;
    const auto vector_fault = [&](auto change) {
        auto i = matrix(opcode::binary, {}, number_format::fp32, number_format::fp32, 2, 4);
        i.a = at(work, 0, 16), i.b = at(work, 64, 16), i.d = at(work, 128, 16);
        seen.insert(bench.execute(2, {changed(i, change)}).fault);
    };
    bench.put(bench.buffer_memory, 0, random_bytes(256, 1));
    vector_fault([](auto&) {});
    vector_fault([](auto& i) { i.opcode = 1; });
    vector_fault([](auto& i) { i.b.reserved = 7; });
    vector_fault([](auto& i) { i.a.slot = slots; });
    vector_fault([](auto& i) { i.d.offset = 0xffffffff; });
    vector_fault([](auto& i) { i.source_format = 9; });
    vector_fault([](auto& i) { i.a.pitch = 15; });
    vector_fault([](auto& i) { i.d.slot = read_only; });
    vector_fault([](auto& i) { i.a.slot = beyond, i.a.offset = 64; });
    seen.insert(
        bench.execute(0, {encode(matmul({}, number_format::bf16, 1, 8, 0, 16, 0, 8, spec::matmul_swap))})
            .fault);
    for (unsigned i = 0; i < 258; ++i)
        if (bench.contexts[0].semaphore(0) + 255 <= spec::semaphore_max)
            bench.contexts[0].signal(0, 255);
    seen.insert(bench.execute(1, {encode(nop(sync().signal(0)))}).fault);
    bench.start(1, {encode(nop(sync().wait(9)))});
    bench.pass(100);
    bench.engines[1]->abort();
    seen.insert(bench.one_ending().fault);
    seen.insert(bench.execute(3, {encode(copy({}, work, 0, work, 100, 200))}).fault);
    bench.start(1, {encode(nop(sync().wait(8)))});
    bench.pass(100);
    bench.start(2, {encode(nop(sync().wait(8)))}); // a second one waits for the same semaphore
    bench.pass(100);
    seen.insert(bench.one_ending().fault);
    bench.engines[1]->abort();
    for (unsigned f = 0; f < spec::engine_fault_count; ++f)
        EXPECT_TRUE(seen.count(static_cast<engine_fault>(f))) << name_of(static_cast<engine_fault>(f));
}

} // namespace
} // namespace retrace::test
