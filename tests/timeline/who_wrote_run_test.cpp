// The last writer of a byte against a replay of all writes, byte by byte. Copies are cut into chunks by the device's own cutter.
#include <algorithm>
#include <cstring>
#include <map>
#include <random>

#include <gtest/gtest.h>

#include "sim/timeline/inspect.h"
#include "sim/timeline/program_book.h"
#include "tests/timeline/real_run.h"
#include "tlm/core/dma/transfer.h"

namespace retrace::test {
namespace {

struct written {
    std::uint64_t cycle, sequence, pc;
    unsigned engine;
    auto operator<=>(const written&) const = default;
};
/// By memory and address: every write, in the order of time.
using history = std::map<std::pair<unsigned, std::uint64_t>, std::vector<written>>;

history replay(log_reader& log, unsigned chunk_bytes) {
    history all;
    program_book book(log);
    log_query q(
        log,
        "SELECT rowid, begun, ended, device, engine, sequence, pc, opcode, memory, base, size0, size1, size2, size3, stride1, stride2, stride3 "
        "FROM access WHERE write = 1");
    while (q.next()) {
        logged_instruction i;
        i.device = q.number(3);
        i.engine = static_cast<unsigned>(q.number(4));
        i.sequence = q.number(5);
        i.pc = q.number(6);
        const auto memory = static_cast<unsigned>(q.number(8));
        const auto write = [&](std::uint64_t address, std::uint64_t bytes, std::uint64_t cycle) {
            for (std::uint64_t b = 0; b < bytes; ++b)
                all[{memory, address + b}].push_back({cycle, i.sequence, i.pc, i.engine});
        };
        if (static_cast<spec::opcode>(q.number(7)) != spec::opcode::copy) {
            for (std::uint64_t run = 0; run < q.number(11); ++run)
                write(q.number(9) + run * q.number(14), q.number(10), q.number(2));
            continue;
        }
        spec::command command;
        log_query operands(
            log, "SELECT slot, memory, base, bytes, tag, version, access FROM operand WHERE sequence = ? ORDER BY slot");
        operands.bind(i.sequence);
        while (operands.next())
            command.operands[command.operand_count++] = {operands.number(2),
                                                         static_cast<std::uint32_t>(operands.number(3)),
                                                         static_cast<std::uint32_t>(operands.number(4)),
                                                         static_cast<std::uint32_t>(operands.number(5)),
                                                         static_cast<std::uint8_t>(operands.number(1)),
                                                         static_cast<std::uint8_t>(operands.number(6)),
                                                         0};
        context_state context;
        context.begin(command);
        spec::copy_instruction copy;
        std::memcpy(&copy, book.code(i)->data(), sizeof copy);
        dma_transfer transfer(copy, context, chunk_bytes);
        log_query grants(
            log, "SELECT resumed, arrived, resource FROM grant_ WHERE sequence = ? AND pc = ? AND requester = ? ORDER BY rowid");
        grants.bind(i.sequence, i.pc, i.engine + 40);
        for (dma_chunk chunk; transfer.next(chunk);) {
            EXPECT_TRUE(grants.next());
            for (const byte_run& run : chunk.destination)
                write(run.address, run.bytes, grants.number(grants.number(2) == 3 ? 1 : 0));
        }
        EXPECT_FALSE(grants.next());
    }
    for (auto& [place, writes] : all)
        std::stable_sort(writes.begin(), writes.end());
    return all;
}

void compare(const real_run& r, unsigned chunk_bytes, unsigned questions) {
    log_reader log(r.log());
    const history all = replay(log, chunk_bytes);
    ASSERT_GT(all.size(), 1000u);
    log_query turned(log, "SELECT count(*) FROM program_code WHERE opcode = 64 AND (flags & 1)");
    ASSERT_TRUE(turned.next() && turned.number(0) > 3) << "no transposes to look at";
    std::vector<std::pair<unsigned, std::uint64_t>> places;
    for (const auto& [place, writes] : all)
        places.push_back(place);
    std::mt19937_64 random(5);
    std::size_t several = 0, between = 0, ties = 0;
    for (unsigned n = 0; n < questions; ++n) {
        const auto place = places[random() % places.size()];
        const std::vector<written>& writes = all.at(place);
        several += writes.size() > 1;
        // A cycle at, right before or right behind a write, or anywhere.
        const written& pivot = writes[random() % writes.size()];
        const std::uint64_t cycle = n % 4 == 3 ? random() % (writes.back().cycle + 1000) : pivot.cycle - 1 + n % 4;
        const written* last = nullptr;
        for (const written& w : writes)
            if (w.cycle < cycle)
                last = &w;
        const auto told = find_last_write(log, static_cast<spec::memory_kind>(place.first), place.second, cycle);
        ASSERT_EQ(told.has_value(), last != nullptr) << place.first << " " << place.second << "@" << cycle;
        if (!last)
            continue;
        between += last != &writes.back();
        ASSERT_TRUE(told->exact);
        ASSERT_EQ(told->cycle, last->cycle) << place.first << " " << place.second << "@" << cycle;
        log_query row(log, "SELECT engine, sequence, pc FROM access WHERE rowid = ?");
        row.bind(told->access);
        ASSERT_TRUE(row.next());
        const written who{told->cycle, row.number(1), row.number(2), static_cast<unsigned>(row.number(0))};
        const bool one =
            std::count_if(writes.begin(), writes.end(), [&](const written& w) { return w.cycle == last->cycle; }) == 1;
        ties += !one;
        EXPECT_TRUE(std::find(writes.begin(), writes.end(), who) != writes.end());
        if (one) {
            EXPECT_EQ(who, *last);
        }
    }
    EXPECT_GT(several, questions / 4);
    EXPECT_GT(between, questions / 20);
    EXPECT_LT(ties, questions / 10);
    // What nobody wrote has no writer.
    for (const auto& [memory, address] : {std::pair{4u, std::uint64_t{1} << 40}, {3u, std::uint64_t{128} << 10}})
        EXPECT_FALSE(find_last_write(log, static_cast<spec::memory_kind>(memory), address, 1'000'000'000).has_value());
}

TEST(who_wrote_run, is_the_writer_that_a_replay_finds) {
    real_run r;
    ASSERT_EQ(r.train().exit, 0);
    compare(r, 1024, 400);
}

TEST(who_wrote_run, also_where_a_transpose_takes_several_tiles_in_both_directions) {
    real_run r;
    ASSERT_EQ(r.train({"--set", "npu.dma.chunk=512", "--set", "network.layers.0.dense=100"}).exit, 0);
    compare(r, 512, 500);
}

TEST(who_wrote_run, also_with_small_chunks_and_stress) {
    real_run r;
    ASSERT_EQ(r.train({"--set", "npu.dma.chunk=64", "--set", "npu.stress.requests=40", "--set", "npu.stress.messages=100"}).exit,
              0);
    compare(r, 64, 300);
}

} // namespace
} // namespace retrace::test
