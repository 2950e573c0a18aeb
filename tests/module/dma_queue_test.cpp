// A DMA queue moving bytes: where they go, when, whose they are.
#include <random>

#include "tests/module/device_bench.h"

namespace retrace::test {
namespace {

constexpr unsigned queue = spec::engine_dma;
using spec::engine_fault;

std::vector<std::byte> naive(const spec::copy_instruction& i, const std::vector<std::byte>& source,
                             std::vector<std::byte> destination) {
    for (unsigned d = 0; d < i.size3; ++d)
        for (unsigned c = 0; c < i.size2; ++c)
            for (unsigned b = 0; b < i.size1; ++b)
                for (unsigned a = 0; a < i.size0; ++a)
                    destination.at(i.destination_offset + a + b * i.destination_stride1 +
                                   c * i.destination_stride2 + d * i.destination_stride3) =
                        source.at(i.source_offset + a + b * i.source_stride1 + c * i.source_stride2 +
                                  d * i.source_stride3);
    return destination;
}

TEST(dma_queue, strided_copies_between_all_memories_equal_a_naive_loop) {
    device_bench bench;
    std::mt19937 engine(4);
    const std::size_t size = 32u << 10;
    // Half of each memory is a source, the other half a destination.
    const auto memory = [&](unsigned s) -> tagged_memory* {
        return s == slot::dram ? &bench.dram_memory : s == work ? &bench.buffer_memory : nullptr;
    };
    const auto read_all = [&](unsigned s) {
        if (tagged_memory* m = memory(s))
            return bench.get(*m, size, size);
        const auto at = bench.link.host_memory().begin() + size;
        return std::vector<std::byte>(at, at + size);
    };
    unsigned trial = 0;
    for (const unsigned from : {slot::dram, work, slot::host})
        for (const unsigned to : {slot::dram, work, slot::host})
            for (unsigned n = 0; n < 4; ++n) {
                const auto source = random_bytes(size, ++trial), before = random_bytes(size, 1000 + trial);
                for (const auto& [s, address, data] :
                     {std::tuple{from, std::size_t{0}, source}, std::tuple{to, size, before}}) {
                    if (tagged_memory* m = memory(s))
                        bench.put(*m, address, data);
                    else
                        std::copy(data.begin(), data.end(),
                                  bench.link.host_memory().begin() + static_cast<std::ptrdiff_t>(address));
                }
                auto i = copy({}, from, engine() % 50, to, 0, 1 + engine() % 300, 1 + engine() % 10);
                i.size2 = static_cast<std::uint16_t>(1 + engine() % 3);
                i.size3 = static_cast<std::uint16_t>(1 + engine() % 2);
                i.source_stride1 = i.size0 + engine() % 3;
                i.destination_stride1 = i.size0 + engine() % 3;
                i.source_stride2 = i.source_stride1 * i.size1;
                i.destination_stride2 = i.destination_stride1 * i.size1 + engine() % 3;
                i.source_stride3 = i.source_stride2 * i.size2;
                i.destination_stride3 = i.destination_stride2 * i.size2;
                const auto expected = naive(i, source, before);
                i.destination_offset = static_cast<std::uint32_t>(size);
                ASSERT_EQ(bench.execute(queue, {encode(i)}).fault, engine_fault::none);
                bench.pass(300); // writes to the host are posted
                ASSERT_EQ(read_all(to), expected) << from << " to " << to;
            }
    EXPECT_TRUE(bench.events.stale.empty());
}

TEST(dma_queue, transposes_tiles_of_every_element_size) {
    device_bench bench;
    for (const unsigned element : {1u, 2u, 4u})
        for (const auto& [rows, columns] :
             {std::pair{1u, 1u}, {7u, 3u}, {64u, 64u}, {65u, 33u}, {3u, 200u}, {130u, 20u}}) {
            const auto source = random_bytes(rows * columns * element, rows + columns);
            bench.put(bench.dram_memory, 0, source);
            auto i = copy({}, slot::dram, 0, work, 512, columns * element, rows, columns * element,
                          rows * element);
            i.flags = spec::copy_transpose;
            i.element_bytes = static_cast<std::uint8_t>(element);
            ASSERT_EQ(bench.execute(queue, {encode(i)}).fault, engine_fault::none);
            const auto got = bench.get(bench.buffer_memory, 512, source.size());
            for (unsigned r = 0; r < rows; ++r)
                for (unsigned c = 0; c < columns; ++c)
                    for (unsigned b = 0; b < element; ++b)
                        ASSERT_EQ(got[(c * rows + r) * element + b], source[(r * columns + c) * element + b])
                            << rows << "x" << columns;
        }
}

// Times. The second memory page avoids the rows that instruction fetches open.
constexpr std::uint32_t page = 4096;

std::uint64_t setup(const device_bench& b) { return b.config.dma.setup_cycles; }
std::uint64_t dram_block(const device_bench& b, std::uint64_t bursts_per_channel) {
    const dram_settings& d = b.config.device_dram;
    return static_cast<std::uint64_t>(d.t_rcd_ns + d.t_cas_ns) + bursts_per_channel * d.burst_cycles;
}

TEST(dma_queue, one_chunk_from_dram_takes_setup_dram_and_lines) {
    device_bench bench;
    bench.put(bench.dram_memory, page, random_bytes(4096, 1));
    bench.execute(queue, {encode(copy({}, slot::dram, page, work, 0, 4096))});
    const auto a = bench.accesses(queue, 0);
    ASSERT_EQ(a.size(), 2u);
    EXPECT_EQ(a[0].end - a[0].begin, setup(bench) + dram_block(bench, 32) + 128);
    EXPECT_EQ(a[0].base, page);
    EXPECT_FALSE(a[0].write);
    EXPECT_EQ(a[1].memory, spec::memory_kind::state_buffer);
    EXPECT_EQ(a[1].sizes[0], 4096u);
    EXPECT_TRUE(a[1].write);
}

TEST(dma_queue, one_chunk_over_the_link_takes_its_round_trip) {
    device_bench bench;
    bench.execute(queue, {encode(copy({}, slot::host, 0, work, 0, 4096))});
    bench.execute(queue, {encode(nop({})), encode(copy({}, work, 0, slot::host, 8192, 4096))});
    const auto down = bench.accesses(queue, 0), up = bench.accesses(queue, 1);
    EXPECT_EQ(down[0].end - down[0].begin, setup(bench) + (2 + 250) + 80 + (280 + 250) + 128);
    EXPECT_EQ(up[0].end - up[0].begin, setup(bench) + 128 + 280); // posted: done when it is on the wire
}

TEST(dma_queue, transposing_adds_the_units_throughput) {
    device_bench bench;
    bench.put(bench.dram_memory, page, random_bytes(4096, 1));
    auto i = copy({}, slot::dram, page, work, 0, 128, 32, 128,
                  64); // 32 rows of 64 elements of 2 bytes: one tile of 4096 bytes
    i.flags = spec::copy_transpose;
    i.element_bytes = 2;
    bench.execute(queue, {encode(i)});
    const auto a = bench.accesses(queue, 0);
    const std::uint64_t lines = 64 * 2; // each of the 64 destination rows is 64 bytes, two lines
    EXPECT_EQ(a[0].end - a[0].begin, setup(bench) + dram_block(bench, 32) +
                                         4096 / bench.config.dma.transpose_bytes_per_cycle + lines);
    EXPECT_EQ(a[1].sizes,
              (std::array<std::uint32_t, 4>{64, 64, 1, 1})); // what is written: 64 rows of 64 bytes
    EXPECT_EQ(a[1].strides[0], 64u);
}

TEST(dma_queue, time_in_the_transpose_unit_is_the_dmas) {
    npu_config c = bench_config();
    c.dma.transpose_bytes_per_cycle = 1;
    device_bench bench(c);
    bench.put(bench.buffer_memory, 0, random_bytes(4096, 1));
    bench.stalls.begin(0);
    auto i = copy({}, work, 0, work, 8192, 64, 64, 64, 64);
    i.flags = spec::copy_transpose;
    bench.execute(queue, {encode(i)});
    bench.stalls.until(bench.clock.now());
    const auto a = bench.accesses(queue, 0);
    EXPECT_EQ(bench.stalls.of(stall::dma), a[1].end - a[1].begin);
    EXPECT_GT(bench.stalls.of(stall::dma), 4096u);
}

TEST(dma_queue, chunks_that_arrive_together_are_turned_in_their_order) {
    npu_config c = bench_config();
    c.ideal_memories = true; // every read takes one cycle: a ring of chunks arrives at once
    device_bench bench(c);
    bench.put(bench.dram_memory, 0, random_bytes(64 * 1024, 1));
    auto i = copy({}, slot::dram, 0, work, 0, 64, 512, 64, 512);
    i.flags = spec::copy_transpose;
    bench.execute(queue, {encode(i)}); // eight chunks
    const auto a = bench.accesses(queue, 0);
    // Setup, a read, eight turns without a gap, a write: any other order would leave writes behind the last
    // turn.
    const std::uint64_t turn = 4096 / c.dma.transpose_bytes_per_cycle;
    EXPECT_EQ(a[1].end - a[1].begin, setup(bench) + 1 + 8 * turn + 1);
}

TEST(dma_queue, a_chunk_is_written_while_the_next_is_read) {
    device_bench bench;
    bench.execute(queue, {encode(copy({}, work, 0, slot::host, 0, 3 * 4096))});
    const auto a = bench.accesses(queue, 0);
    // 128 cycles to read a chunk from the state buffer, 280 to send it: only the first read shows.
    EXPECT_EQ(a[0].end - a[0].begin, setup(bench) + 128 + 3 * 280);
    EXPECT_EQ(bench.dma[0]->bytes_moved(), 3u * 4096);
}

TEST(dma_queue, a_descriptor_signals_when_its_last_byte_is_written_and_the_next_is_read_before) {
    device_bench bench;
    bench.put(bench.buffer_memory, 0, random_bytes(8192, 3));
    bench.start(queue, {encode(copy(sync().signal(1), work, 0, slot::host, 0, 4096)),
                        encode(copy(sync().signal(2), work, 4096, slot::host, 4096, 4096)),
                        encode(nop(sync().signal(3)))});
    bench.start(queue + 1, {encode(copy(sync().wait(1), work, 0, slot::dram, page, 64))});
    bench.start(queue + 2, {encode(copy(sync().wait(3), work, 0, slot::dram, 2 * page, 64))});
    EXPECT_TRUE(bench.run());
    const auto first = bench.accesses(queue, 0), second = bench.accesses(queue, 1);
    EXPECT_EQ(second[0].end, first[0].end + 280);
    EXPECT_LT(second[0].begin, first[0].end);                        // overlapped
    EXPECT_EQ(bench.accesses(queue + 1, 0)[0].begin, first[0].end);  // the signal is the last write's
    EXPECT_EQ(bench.accesses(queue + 2, 0)[0].begin, second[0].end); // a nop keeps its place
}

TEST(dma_queue, queues_share_the_link_by_chunk) {
    device_bench bench;
    const std::uint32_t bytes = 8 * 4096;
    bench.start(queue, {encode(copy({}, work, 0, slot::host, 0, bytes))});
    bench.start(queue + 1, {encode(copy({}, work, 0, slot::host, bytes, bytes))});
    EXPECT_TRUE(bench.run());
    const auto a = bench.accesses(queue, 0), b = bench.accesses(queue + 1, 0);
    // The wire never rests: 280 cycles for each of the sixteen chunks.
    EXPECT_EQ(std::max(a[0].end, b[0].end) - a[0].begin, setup(bench) + 128 + 16 * 280);
    EXPECT_LT(a[0].end, b[0].end); // the lower number goes first
}

TEST(dma_queue, reads_over_the_link_are_under_way_together) {
    device_bench bench;
    bench.execute(queue, {encode(copy({}, slot::host, 0, work, 0, 4 * 4096))});
    const auto a = bench.accesses(queue, 0);
    // Four requests of 2 cycles go up one behind the other; the answers fill the wire down.
    EXPECT_EQ(a[0].end - a[0].begin, setup(bench) + (2 + 250) + 80 + 4 * 280 + 250 + 128);
}

TEST(dma_queue, a_posted_write_arrives_before_a_later_read_or_message) {
    device_bench bench;
    const auto pattern = random_bytes(4096, 6);
    bench.put(bench.buffer_memory, 0, pattern);
    bench.execute(queue, {encode(copy(sync().signal(1), work, 0, slot::host, 0, 4096)),
                          encode(nop(sync().wait(1))), encode(copy({}, slot::host, 0, work, 8192, 4096))});
    EXPECT_EQ(bench.get(bench.buffer_memory, 8192, 4096), pattern);
    bench.execute(queue, {encode(copy({}, work, 8192, slot::host, 65536, 4096))});
    bench.link.send_message(1, 2);
    while (bench.messages.empty())
        bench.pass(1);
    EXPECT_TRUE(std::equal(pattern.begin(), pattern.end(), bench.link.host_memory().begin() + 65536));
}

TEST(dma_queue, bytes_carry_the_tag_slots_tensor_and_stale_sources_are_noticed) {
    device_bench bench;
    auto i = copy(sync{}, tensor, 0, work, 0, 256);
    i.tag_slot = tensor;
    bench.put(bench.dram_memory, 1u << 20, random_bytes(256, 1), {7, 1});
    bench.execute(queue, {encode(i)});
    EXPECT_TRUE(bench.events.stale.empty());
    EXPECT_TRUE(bench.buffer_memory.check(0, 1, 256, 256, {7, 1}, {}));
    const auto a = bench.accesses(queue, 0);
    EXPECT_EQ(a[1].tensor, (trace::tensor_id{7, 1}));

    bench.put(bench.dram_memory, (1u << 20) + 100, random_bytes(8, 1),
              {7, 2}); // another version in the middle
    bench.execute(queue, {encode(i)});
    ASSERT_EQ(bench.events.stale.size(), 1u);
    EXPECT_EQ(bench.events.stale[0].address, (1u << 20) + 100u);
    EXPECT_EQ(bench.events.stale[0].engine, queue);
    EXPECT_EQ(bench.events.stale[0].found, (trace::tensor_id{7, 2}));

    i.source_offset = 8192; // never written
    bench.execute(queue, {encode(i)});
    EXPECT_EQ(bench.events.stale.size(), 2u);
    EXPECT_EQ(bench.get(bench.buffer_memory, 0, 256), std::vector<std::byte>(256, std::byte{0xff}));
}

} // namespace
} // namespace retrace::test
