// Activation and vector engine on the memories: operands, formats, times, bank conflicts. Values:
// tests/unit/device.
#include "tests/module/device_bench.h"
#include "tlm/core/engine/elementwise.h"

namespace retrace::test {
namespace {

using spec::engine_fault;
using spec::opcode;
constexpr unsigned vec = spec::engine_vector, act = spec::engine_activation;

TEST(elementwise_engine, computes_what_the_core_computes_and_writes_only_its_rows) {
    device_bench bench;
    const auto a = random_matrix(number_format::fp32, 6 * 8, 1),
               b = random_matrix(number_format::bf16, 6 * 8, 2);
    for (unsigned r = 0; r < 6; ++r) {
        bench.put(bench.buffer_memory, 100 + r * 40, {a.begin() + r * 32, a.begin() + r * 32 + 32});
        bench.put(bench.buffer_memory, 9000 + r * 16, {b.begin() + r * 16, b.begin() + r * 16 + 16});
    }
    const auto canvas = random_bytes(1000, 3);
    bench.put(bench.buffer_memory, 20'000, canvas, {9, 9});
    auto i = matrix(opcode::binary, {}, number_format::fp32, number_format::bf16, 6, 8);
    i.second_format = static_cast<std::uint8_t>(number_format::bf16);
    i.function = static_cast<std::uint8_t>(spec::vector_operation::multiply);
    i.a = at(work, 100, 40);
    i.b = at(work, 9000, 16);
    i.d = at(work, 20'100, 50, tensor);
    ASSERT_EQ(bench.execute(vec, {encode(i)}).fault, engine_fault::none);
    std::vector<std::byte> d;
    compute_elementwise(i, {a.data(), 32}, {b.data(), 16}, {}, {}, d);
    auto expected = canvas;
    for (unsigned r = 0; r < 6; ++r)
        std::copy_n(d.begin() + r * 16, 16, expected.begin() + 100 + r * 50);
    EXPECT_EQ(bench.get(bench.buffer_memory, 20'000, 1000), expected);
    EXPECT_TRUE(bench.buffer_memory.check(20'100, 6, 16, 50, {7, 1}, {}));
    EXPECT_TRUE(bench.buffer_memory.check(20'116, 5, 34, 50, {9, 9}, {}));
    EXPECT_TRUE(bench.events.stale.empty());
    const auto log = bench.accesses(vec, 0);
    ASSERT_EQ(log.size(), 3u);
    EXPECT_EQ(log[2].tensor, (trace::tensor_id{7, 1}));
    EXPECT_EQ(log[2].sizes[1], 6u);
}

TEST(elementwise_engine, takes_its_passes_and_its_latency) {
    device_bench bench; // 4 lanes; latency 8 (activation), 6 (vector)
    bench.put(bench.buffer_memory, 0, random_matrix(number_format::fp32, 4096, 1));
    const auto cycles = [&](unsigned engine, const spec::matrix_instruction& i) {
        bench.events.accesses.clear();
        EXPECT_EQ(bench.execute(engine, {encode(i)}).fault, engine_fault::none);
        const auto log = bench.accesses(engine, 0);
        return log.back().end - log.back().begin;
    };
    for (const unsigned columns : {1u, 4u, 5u, 33u})
        for (const unsigned rows : {1u, 7u}) {
            const std::uint64_t passes = rows * ((columns + 3) / 4);
            auto i = matrix(opcode::activate, {}, number_format::fp32, number_format::fp32, rows, columns);
            i.a = at(work, 0, columns * 4);
            i.d = at(work, 32768, columns * 4);
            EXPECT_EQ(cycles(act, i), passes + 8);
            i.opcode = static_cast<std::uint8_t>(opcode::reduce_rows);
            i.d.pitch = 4;
            EXPECT_EQ(cycles(vec, i), passes + 6);
            i.opcode = static_cast<std::uint8_t>(opcode::reduce_columns);
            EXPECT_EQ(cycles(vec, i), passes + 6);
            i.opcode = static_cast<std::uint8_t>(opcode::binary);
            i.b = at(work, 8192, columns * 4);
            i.d.pitch = columns * 4;
            EXPECT_EQ(cycles(vec, i), passes + 6);
        }
}

TEST(elementwise_engine, begins_when_all_its_banks_are_free_together) {
    device_bench bench;
    bench.put(bench.buffer_memory, 0, random_matrix(number_format::fp32, 16, 1));
    bench.put(bench.buffer_memory, 8192, random_matrix(number_format::fp32, 16, 2));
    auto i = matrix(opcode::binary, {}, number_format::fp32, number_format::fp32, 4, 4);
    i.a = at(work, 0, 16);
    i.b = at(work, 8192, 16);
    i.d = at(work, 16384, 16);
    const auto wait_of = [&](unsigned bank, std::uint64_t hold) {
        bench.events.accesses.clear();
        const std::uint64_t until = bench.clock.now() + hold;
        bench.buffer.banks().occupy(0, until, {bank, 1});
        bench.execute(vec, {encode(i)});
        const auto log = bench.accesses(vec, 0);
        return log[0].end - until;
    };
    EXPECT_EQ(wait_of(0, 500), 4u + 6);
    EXPECT_EQ(wait_of(1, 500), 4u + 6);
    EXPECT_EQ(wait_of(2, 500), 4u); // the destination: reading starts a latency earlier
}

TEST(elementwise_engine, reads_psum_through_its_ports) {
    device_bench bench;
    const auto sums_data = random_matrix(number_format::fp32, 64, 1);
    bench.put(bench.psum_memory, 0, sums_data);
    auto i = matrix(opcode::activate, {}, number_format::fp32, number_format::fp32, 8, 8);
    i.a = at(sums, 0, 32);
    i.d = at(work, 0, 32);
    const std::uint64_t until = bench.clock.now() + 400;
    bench.psum_ports.occupy(0, until, {0, 1});
    ASSERT_EQ(bench.execute(act, {encode(i)}).fault, engine_fault::none);
    EXPECT_EQ(bench.accesses(act, 0)[0].end, until + 16 + 8);
    std::vector<std::byte> d;
    compute_elementwise(i, {sums_data.data(), 32}, {}, {}, {}, d);
    EXPECT_EQ(bench.get(bench.buffer_memory, 0, 256), d);
    EXPECT_TRUE(bench.events.stale.empty());
    // PSUM holds words: an element of two bytes in the middle of one cannot be read.
    i = matrix(opcode::activate, {}, number_format::bf16, number_format::bf16, 1, 1);
    i.a = at(sums, 6, 2);
    i.d = at(work, 1024, 2);
    EXPECT_EQ(bench.execute(act, {encode(i)}).fault, engine_fault::bad_shape);
}

TEST(elementwise_engine, only_the_first_source_may_be_in_psum) {
    device_bench bench;
    bench.put(bench.psum_memory, 0, random_bytes(256, 1));
    bench.put(bench.buffer_memory, 0, random_bytes(256, 1));
    auto i = matrix(opcode::binary, {}, number_format::fp32, number_format::fp32, 1, 4);
    i.a = at(work, 0, 16), i.b = at(work, 16, 16), i.d = at(work, 32, 16);
    auto b = i, d = i;
    b.b = at(sums, 0, 16);
    d.d = at(sums, 0, 16);
    for (const auto& bad : {b, d}) {
        const auto e = bench.execute(vec, {encode(bad)});
        EXPECT_EQ(e.fault, engine_fault::bad_slot);
        EXPECT_EQ(e.detail, static_cast<std::uint32_t>(sums));
    }
    EXPECT_EQ(bench.execute(vec, {encode(i)}).fault, engine_fault::none);
}

TEST(elementwise_engine, operands_beyond_their_memory_are_bus_errors) {
    device_bench bench;
    auto i = matrix(opcode::activate, {}, number_format::fp32, number_format::fp32, 2, 8);
    i.a = at(work, 0, 32), i.d = at(work, 1024, 32);
    bench.put(bench.buffer_memory, 0, random_bytes(64, 1));
    auto a = i, d = i, p = i;
    a.a = at(beyond, 32, 32);
    d.d = at(beyond, 1024, 32);
    p.a = at(beyond_psum, 240, 32);
    for (const auto& bad : {a, d, p})
        EXPECT_EQ(bench.execute(act, {encode(bad)}).fault, engine_fault::bus_error);
    auto dram_operand = i;
    dram_operand.a = at(slot::dram, 0, 32);
    const auto refused = bench.execute(act, {encode(dram_operand)});
    EXPECT_EQ(refused.fault, engine_fault::bad_slot);
    EXPECT_EQ(refused.detail, static_cast<std::uint32_t>(slot::dram));
    EXPECT_EQ(bench.execute(act, {encode(i)}).fault, engine_fault::none);
}

TEST(elementwise_engine, reads_at_its_start_and_writes_at_its_end) {
    device_bench bench;
    const auto old = random_matrix(number_format::fp32, 64, 1),
               fresh = random_matrix(number_format::fp32, 64, 2);
    bench.put(bench.buffer_memory, 0, old);
    auto i = matrix(opcode::activate, sync().signal(1), number_format::fp32, number_format::fp32, 16, 4);
    i.a = at(work, 0, 16), i.d = at(work, 0, 16); // in place
    i.scale = std::bit_cast<std::uint32_t>(2.0f);
    bench.start(act, {encode(i)});
    bench.pass(45); // running
    EXPECT_EQ(bench.get(bench.buffer_memory, 0, 256), old);
    EXPECT_TRUE(bench.run());
    std::vector<std::byte> d;
    compute_elementwise(i, {old.data(), 16}, {}, {}, {}, d);
    EXPECT_EQ(bench.get(bench.buffer_memory, 0, 256), d);
}

TEST(elementwise_engine, reduce_columns_goes_on_from_its_destination) {
    device_bench bench;
    const auto a = random_matrix(number_format::bf16, 10 * 6, 1);
    bench.put(bench.buffer_memory, 0, a);
    auto i = matrix(opcode::reduce_columns, {}, number_format::bf16, number_format::fp32, 10, 6);
    i.a = at(work, 0, 12), i.d = at(work, 8192, 24);
    auto first = i, second = i;
    first.rows = 4;
    second.rows = 6;
    second.a.offset = 48;
    second.flags = spec::reduce_columns_accumulate;
    bench.execute(vec, {encode(i)});
    const auto whole = bench.get(bench.buffer_memory, 8192, 24);
    bench.execute(vec, {encode(first), encode(second)});
    EXPECT_EQ(bench.get(bench.buffer_memory, 8192, 24), whole); // one chain, however it is cut
    const auto log = bench.accesses(vec, 1);                    // the second one has read its destination
    ASSERT_EQ(log.size(), 3u);
    EXPECT_EQ(log[1].base, 8192u);
    EXPECT_FALSE(log[1].write);
    EXPECT_TRUE(log[2].write);
}

TEST(elementwise_engine, reading_what_was_never_written_is_reported) {
    device_bench bench;
    auto i = matrix(opcode::activate, {}, number_format::fp32, number_format::fp32, 1, 4);
    i.a = at(work, 0, 16, tensor), i.d = at(work, 1024, 16);
    bench.execute(act, {encode(i)});
    ASSERT_EQ(bench.events.stale.size(), 1u);
    EXPECT_EQ(bench.events.stale[0].expected, (trace::tensor_id{7, 1}));
    EXPECT_EQ(bench.words(bench.buffer_memory, 1024, 1)[0], 0x7fc00000u); // 0xff bytes are NaN
}

} // namespace
} // namespace retrace::test
