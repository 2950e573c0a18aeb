// Who ended each wait of a real run: the book, which counts units in the programs, against a queue of units played through in
// time.
#include <algorithm>
#include <cstring>
#include <deque>
#include <map>

#include <gtest/gtest.h>

#include "sim/timeline/program_book.h"
#include "tests/timeline/real_run.h"

namespace retrace::test {
namespace {

TEST(waits_run, givers_are_those_that_a_replay_in_time_finds) {
    real_run r;
    ASSERT_EQ(r.train().exit, 0);
    log_reader log(r.log());
    program_book book(log);
    struct moment {
        std::uint64_t cycle;
        bool takes;
        std::size_t row;
        auto operator<=>(const moment&) const = default; // in a cycle, signals come first
    };
    std::vector<logged_instruction> instructions;
    std::vector<spec::instruction_header> headers;
    std::vector<std::vector<semaphore_wait>> waits;
    std::vector<moment> moments;
    log_query q(log, logged_instruction::columns);
    while (q.next()) {
        const logged_instruction i(q);
        const auto* code = book.code(i);
        ASSERT_NE(code, nullptr);
        spec::instruction_header h;
        std::memcpy(&h, code->data(), sizeof h);
        EXPECT_EQ(h.opcode, i.opcode);
        moments.push_back({i.ended, false, instructions.size()});
        moments.push_back({i.begun, true, instructions.size()});
        waits.push_back(book.waits(i));
        book.ended(i);
        instructions.push_back(i);
        headers.push_back(h);
    }
    std::sort(moments.begin(), moments.end());
    std::map<std::pair<std::uint64_t, unsigned>, std::deque<std::size_t>> units; // by command and semaphore: who gave each
    std::size_t checked = 0;
    for (const moment& m : moments) {
        const logged_instruction& i = instructions[m.row];
        const spec::instruction_header& h = headers[m.row];
        if (!m.takes) {
            for (const auto& [semaphore, count] : {std::pair{h.signal0, h.signal0_count}, {h.signal1, h.signal1_count}})
                for (unsigned n = 0; n < count; ++n)
                    units[{i.sequence, semaphore}].push_back(m.row);
            continue;
        }
        std::size_t wait = 0;
        for (const auto& [semaphore, count] : {std::pair{h.wait0, h.wait0_count}, {h.wait1, h.wait1_count}}) {
            if (count == 0)
                continue;
            auto& available = units[{i.sequence, semaphore}];
            ASSERT_GE(available.size(), count) << "command " << i.sequence << ", instruction " << i.pc << " of " << i.engine;
            const logged_instruction& last = instructions[available[count - 1]];
            available.erase(available.begin(), available.begin() + count);
            ASSERT_LT(wait, waits[m.row].size());
            const semaphore_wait& told = waits[m.row][wait++];
            ASSERT_FALSE(told.givers.empty());
            EXPECT_EQ(told.semaphore, semaphore);
            EXPECT_EQ(told.givers.back().who.engine, last.engine);
            EXPECT_EQ(told.givers.back().who.pc, last.pc);
            EXPECT_LE(told.givers.back().who.ended, i.begun);
            ++checked;
        }
    }
    EXPECT_GT(checked, 500u);
}

} // namespace
} // namespace retrace::test
