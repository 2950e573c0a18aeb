// DMA descriptors: every byte goes where a naive loop over the dimensions puts it, in chunks of limited size,
// and hostile ones are refused.
#include <functional>
#include <numeric>
#include <random>

#include <gtest/gtest.h>

#include "tlm/core/dma/transfer.h"

namespace retrace {
namespace {

using spec::engine_fault;
using spec::memory_kind;

constexpr std::uint64_t source_base = 0x1'0000'0000, destination_base = 512;

spec::command two_slots(std::uint32_t source_bytes, std::uint32_t destination_bytes) {
    spec::command c;
    c.operand_count = 3;
    c.operands[0] = {source_base, source_bytes, 5, 2, static_cast<std::uint8_t>(memory_kind::host), 1, 0};
    c.operands[1] = {destination_base,
                     destination_bytes,
                     0,
                     0,
                     static_cast<std::uint8_t>(memory_kind::state_buffer),
                     3,
                     0};
    c.operands[2] = {0, 4096, 0, 0, static_cast<std::uint8_t>(memory_kind::psum), 3, 0};
    return c;
}

spec::copy_instruction copy(std::uint32_t size0, std::uint32_t size1 = 1, std::uint16_t size2 = 1,
                            std::uint16_t size3 = 1) {
    spec::copy_instruction i;
    i.opcode = static_cast<std::uint8_t>(spec::opcode::copy);
    i.source_slot = 0;
    i.destination_slot = 1;
    i.tag_slot = 0;
    i.element_bytes = 1;
    i.size0 = size0, i.size1 = size1, i.size2 = size2, i.size3 = size3;
    return i;
}

class transfer : public testing::Test {
protected:
    context_state context;

    void slots(std::uint32_t source_bytes, std::uint32_t destination_bytes) {
        context.begin(two_slots(source_bytes, destination_bytes));
    }
    engine_error refused(const spec::copy_instruction& i) {
        try {
            dma_transfer t(i, context, 4096);
        } catch (const engine_error& e) {
            return e;
        }
        return {engine_fault::none, 0};
    }
    /// Carries the transfer out on plain arrays; checks every chunk's size.
    std::vector<std::uint8_t> carry_out(const spec::copy_instruction& i, unsigned chunk_bytes,
                                        const std::vector<std::uint8_t>& source,
                                        std::vector<std::uint8_t> destination) {
        dma_transfer t(i, context, chunk_bytes);
        std::uint64_t moved = 0;
        dma_chunk chunk;
        while (moved < t.bytes()) {
            EXPECT_TRUE(t.next(chunk));
            EXPECT_GT(chunk.bytes, 0u);
            EXPECT_LE(chunk.bytes, chunk_bytes);
            std::vector<std::byte> data;
            for (const byte_run& r : chunk.source)
                for (std::uint64_t b = 0; b < r.bytes; ++b)
                    data.push_back(static_cast<std::byte>(source.at(r.address + b - source_base)));
            EXPECT_EQ(data.size(), chunk.bytes);
            if (t.transposes()) {
                EXPECT_EQ(chunk.rows * chunk.columns * t.element_bytes(), chunk.bytes);
                std::vector<std::byte> turned(data.size());
                dma_transfer::turn(chunk, t.element_bytes(), data.data(), turned.data());
                data.swap(turned);
            }
            std::size_t at = 0;
            for (const byte_run& r : chunk.destination)
                for (std::uint64_t b = 0; b < r.bytes; ++b)
                    destination.at(r.address + b - destination_base) =
                        static_cast<std::uint8_t>(data.at(at++));
            EXPECT_EQ(at, data.size());
            moved += chunk.bytes;
        }
        EXPECT_EQ(moved, t.bytes());
        EXPECT_FALSE(t.next(chunk));
        return destination;
    }
};

TEST_F(transfer, strided_copies_equal_a_naive_loop) {
    std::mt19937 engine(1);
    std::vector<std::uint8_t> source(20'000);
    for (auto& b : source)
        b = static_cast<std::uint8_t>(engine());
    slots(20'000, 20'000);
    for (unsigned trial = 0; trial < 500; ++trial) {
        auto i = copy(1 + engine() % 90, 1 + engine() % 6, static_cast<std::uint16_t>(1 + engine() % 5),
                      static_cast<std::uint16_t>(1 + engine() % 4));
        // Often contiguous, so that runs join; sometimes with gaps, on either side or both; sometimes a
        // repeated source.
        const auto stride = [&](std::uint32_t inner, bool source_side) -> std::uint32_t {
            const unsigned kind = engine() % 6;
            return kind < 3 ? inner : kind == 3 && source_side ? 0 : inner + engine() % 7;
        };
        i.source_stride1 = stride(i.size0, true);
        i.source_stride2 = stride(i.size1 * i.source_stride1, true);
        i.source_stride3 = stride(i.size2 * i.source_stride2, true);
        i.destination_stride1 = stride(i.size0, false);
        i.destination_stride2 = stride(i.size1 * i.destination_stride1, false);
        i.destination_stride3 = stride(i.size2 * i.destination_stride2, false);
        i.source_offset = engine() % 100;
        i.destination_offset = engine() % 100;
        std::vector<std::uint8_t> expected(20'000, 0xee);
        for (unsigned d = 0; d < i.size3; ++d)
            for (unsigned c = 0; c < i.size2; ++c)
                for (unsigned b = 0; b < i.size1; ++b)
                    for (unsigned a = 0; a < i.size0; ++a)
                        expected.at(i.destination_offset + a + b * i.destination_stride1 +
                                    c * i.destination_stride2 + d * i.destination_stride3) =
                            source.at(i.source_offset + a + b * i.source_stride1 + c * i.source_stride2 +
                                      d * i.source_stride3);
        const unsigned chunk = std::array{64u, 256u, 4096u}[engine() % 3];
        ASSERT_EQ(carry_out(i, chunk, source, std::vector<std::uint8_t>(20'000, 0xee)), expected)
            << "trial " << trial;
    }
}

TEST_F(transfer, contiguous_runs_join_into_full_chunks) {
    slots(1 << 20, 1 << 20);
    auto i = copy(64, 16, 8, 3);
    i.source_stride1 = i.destination_stride1 = 64;
    i.source_stride2 = i.destination_stride2 = 1024;
    i.source_stride3 = i.destination_stride3 = 8192;
    dma_transfer t(i, context, 4096);
    EXPECT_EQ(t.bytes(), 24'576u);
    dma_chunk chunk;
    for (unsigned n = 0; n < 6; ++n) {
        ASSERT_TRUE(t.next(chunk));
        EXPECT_EQ(chunk.source, (std::vector{byte_run{source_base + n * 4096, 4096}}));
        EXPECT_EQ(chunk.destination, (std::vector{byte_run{destination_base + n * 4096, 4096}}));
    }
    EXPECT_FALSE(t.next(chunk));
}

TEST_F(transfer, short_runs_share_a_chunk_and_long_ones_are_cut) {
    slots(1 << 20, 1 << 20);
    auto i = copy(100, 3);
    i.source_stride1 = 128;
    i.destination_stride1 = 100;
    dma_transfer t(i, context, 256);
    dma_chunk chunk;
    ASSERT_TRUE(t.next(chunk));
    EXPECT_EQ(chunk.source, (std::vector{byte_run{source_base, 100}, byte_run{source_base + 128, 100},
                                         byte_run{source_base + 256, 56}}));
    ASSERT_TRUE(t.next(chunk));
    EXPECT_EQ(chunk.source, (std::vector{byte_run{source_base + 312, 44}}));
    EXPECT_EQ(chunk.destination, (std::vector{byte_run{destination_base + 256, 44}}));
    EXPECT_FALSE(t.next(chunk));
}

TEST_F(transfer, transposes_every_element_size_and_odd_shapes) {
    std::mt19937 engine(2);
    std::vector<std::uint8_t> source(300'000);
    for (auto& b : source)
        b = static_cast<std::uint8_t>(engine());
    slots(300'000, 300'000);
    for (unsigned trial = 0; trial < 300; ++trial) {
        const unsigned element = 1u << engine() % 3;
        const unsigned rows = trial % 3 ? 1 + engine() % 150 : 1 + engine() % 3,
                       columns = trial % 5 ? 1 + engine() % 150 : 1 + engine() % 3;
        auto i = copy(columns * element, rows);
        i.flags = spec::copy_transpose;
        i.element_bytes = static_cast<std::uint8_t>(element);
        i.source_stride1 = i.size0 + engine() % 9;
        i.destination_stride1 = rows * element + engine() % 9;
        i.source_offset = engine() % 64;
        i.destination_offset = engine() % 64;
        std::vector<std::uint8_t> expected(300'000, 0xee);
        for (unsigned r = 0; r < rows; ++r)
            for (unsigned c = 0; c < columns; ++c)
                for (unsigned b = 0; b < element; ++b)
                    expected.at(i.destination_offset + c * i.destination_stride1 + r * element + b) =
                        source.at(i.source_offset + r * i.source_stride1 + c * element + b);
        const unsigned chunk = std::array{64u, 256u, 4096u}[engine() % 3];
        ASSERT_EQ(carry_out(i, chunk, source, std::vector<std::uint8_t>(300'000, 0xee)), expected)
            << rows << "x" << columns << " of " << element << " bytes, chunk " << chunk;
    }
}

TEST_F(transfer, carries_the_tag_slots_tensor_and_the_ends) {
    slots(100, 100);
    auto i = copy(10);
    i.source_offset = 7;
    i.destination_offset = 9;
    const dma_transfer t(i, context, 4096);
    EXPECT_EQ(t.tensor(), (trace::tensor_id{5, 2}));
    EXPECT_EQ(t.source_memory(), memory_kind::host);
    EXPECT_EQ(t.destination_memory(), memory_kind::state_buffer);
    EXPECT_EQ(t.source_base(), source_base + 7);
    EXPECT_EQ(t.destination_base(), destination_base + 9);
}

TEST_F(transfer, the_last_byte_of_either_side_must_lie_inside) {
    slots(1000, 1000);
    const auto at = [](std::uint32_t source, std::uint32_t destination, std::uint32_t s1, std::uint32_t d1,
                       std::uint32_t size0, std::uint32_t size1) {
        auto i = copy(size0, size1);
        i.source_offset = source, i.destination_offset = destination;
        i.source_stride1 = s1, i.destination_stride1 = d1;
        return i;
    };
    EXPECT_EQ(refused(at(0, 0, 0, 0, 1000, 1)).fault, engine_fault::none);
    EXPECT_EQ(refused(at(1, 0, 0, 0, 1000, 1)).fault, engine_fault::out_of_bounds);
    EXPECT_EQ(refused(at(0, 1, 0, 0, 1000, 1)).fault, engine_fault::out_of_bounds);
    EXPECT_EQ(refused(at(0, 0, 495, 10, 10, 3)).fault, engine_fault::none);
    EXPECT_EQ(refused(at(0, 0, 496, 10, 10, 3)).fault, engine_fault::out_of_bounds);
    EXPECT_EQ(refused(at(0, 0, 10, 496, 10, 3)).fault, engine_fault::out_of_bounds);
    EXPECT_EQ(refused(at(1001, 0, 0, 0, 1, 1)).fault, engine_fault::out_of_bounds);
    EXPECT_EQ(refused(at(0, 0xffffffff, 0, 0, 1, 1)).fault, engine_fault::out_of_bounds);
}

TEST_F(transfer, hostile_strides_and_sizes_do_not_wrap) {
    slots(0xffffffff, 0xffffffff);
    auto i = copy(0xffffffff, 0xffffffff, 0xffff, 0xffff);
    i.source_stride1 = i.source_stride2 = i.source_stride3 = 0xffffffff;
    i.destination_stride1 = i.destination_stride2 = i.destination_stride3 = 0xffffffff;
    EXPECT_NE(refused(i).fault, engine_fault::none);
    i = copy(1, 0xffffffff, 2, 1);
    EXPECT_EQ(refused(i).fault, engine_fault::bad_shape); // more runs than can be counted
    // (2^32 - 1) runs with a stride of 2^32 - 1: its extent is 1 modulo 2^32.
    i = copy(1, 0xffffffff);
    i.source_stride1 = 0xffffffff;
    EXPECT_EQ(refused(i).fault, engine_fault::out_of_bounds);
    i.source_stride1 = 0;
    i.destination_stride1 = 0xffffffff;
    EXPECT_EQ(refused(i).fault, engine_fault::out_of_bounds);
    // Transposed: columns * stride must not wrap either.
    i = copy(0xfffffffc, 1);
    i.flags = spec::copy_transpose;
    i.element_bytes = 4;
    i.destination_stride1 = 0xffffffff;
    EXPECT_EQ(refused(i).fault, engine_fault::out_of_bounds);
}

TEST_F(transfer, a_copy_onto_itself_is_refused) {
    spec::command c;
    c.operand_count = 2;
    c.operands[0] = {4096, 1000, 0, 0, static_cast<std::uint8_t>(memory_kind::state_buffer), 3, 0};
    c.operands[1] = {4496, 1000, 0, 0, static_cast<std::uint8_t>(memory_kind::state_buffer), 3, 0};
    context.begin(c);
    auto i = copy(200, 2);
    i.source_stride1 = i.destination_stride1 = 200; // 4096..4495 to 4496..4895
    EXPECT_EQ(refused(i).fault, engine_fault::none);
    i.source_offset = 1;
    EXPECT_EQ(refused(i).fault, engine_fault::overlapping_operands);
    i.source_offset = 800; // 4896..5295
    EXPECT_EQ(refused(i).fault, engine_fault::out_of_bounds);
    i.size1 = 1;
    EXPECT_EQ(refused(i).fault, engine_fault::none);
    i.destination_offset = 201;
    EXPECT_EQ(refused(i).fault, engine_fault::overlapping_operands);
    c.operands[1].memory =
        static_cast<std::uint8_t>(memory_kind::device_dram); // the same addresses elsewhere
    context.begin(c);
    EXPECT_EQ(refused(i).fault, engine_fault::none);
}

TEST_F(transfer, shapes_formats_and_slots_that_the_engine_does_not_have_are_refused) {
    slots(1000, 1000);
    const auto with = [](auto change) {
        auto i = copy(16, 2);
        i.source_stride1 = i.destination_stride1 = 16;
        change(i);
        return i;
    };
    EXPECT_EQ(refused(with([](auto&) {})).fault, engine_fault::none);
    EXPECT_EQ(refused(with([](auto& i) { i.size0 = 0; })).fault, engine_fault::bad_shape);
    EXPECT_EQ(refused(with([](auto& i) { i.size1 = 0; })).fault, engine_fault::bad_shape);
    EXPECT_EQ(refused(with([](auto& i) { i.size2 = 0; })).fault, engine_fault::bad_shape);
    EXPECT_EQ(refused(with([](auto& i) { i.size3 = 0; })).fault, engine_fault::bad_shape);
    EXPECT_EQ(refused(with([](auto& i) { i.reserved = 1; })).fault, engine_fault::reserved_bits);
    EXPECT_EQ(refused(with([](auto& i) { i.element_bytes = 2; })).fault, engine_fault::bad_format);
    EXPECT_EQ(refused(with([](auto& i) { i.source_slot = 1, i.destination_slot = 0; })).fault,
              engine_fault::not_permitted); // host is read-only
    EXPECT_EQ(refused(with([](auto& i) { i.source_slot = 2; })).fault, engine_fault::bad_slot);
    EXPECT_EQ(refused(with([](auto& i) { i.destination_slot = 2; })).fault, engine_fault::bad_slot);
    EXPECT_EQ(refused(with([](auto& i) { i.source_slot = 3; })).fault, engine_fault::bad_slot);
    EXPECT_EQ(refused(with([](auto& i) { i.tag_slot = 3; })).fault, engine_fault::bad_slot);
    const auto turned = [&](auto change) {
        return with([&](auto& i) {
            i.flags = spec::copy_transpose;
            i.element_bytes = 2;
            i.destination_stride1 = 4;
            change(i);
        });
    };
    EXPECT_EQ(refused(turned([](auto&) {})).fault, engine_fault::none);
    EXPECT_EQ(refused(turned([](auto& i) { i.element_bytes = 3; })).fault, engine_fault::bad_format);
    EXPECT_EQ(refused(turned([](auto& i) { i.element_bytes = 0; })).fault, engine_fault::bad_format);
    EXPECT_EQ(refused(turned([](auto& i) { i.size0 = 15; })).fault, engine_fault::bad_shape);
    EXPECT_EQ(refused(turned([](auto& i) { i.size2 = 2; })).fault, engine_fault::bad_shape);
    EXPECT_EQ(refused(turned([](auto& i) { i.size3 = 2; })).fault, engine_fault::bad_shape);
}

} // namespace
} // namespace retrace
