// The timing tables of the event log: of logged steps and of nothing else.
#include <gtest/gtest.h>

#include "sim/log/log_reader.h"
#include "tests/timeline/hand_made_log.h"

namespace retrace::test {
namespace {

/// Rows of a query, columns joined by '|'.
std::vector<std::string> ask(const std::string& file, const char* sql) {
    log_reader log(file);
    log_query q(log, sql);
    std::vector<std::string> rows;
    while (q.next()) {
        std::string row;
        for (int c = 0; c < q.columns(); ++c)
            row += (c ? "|" : "") + (q.null(c) ? std::string("null") : std::string(q.text(c)));
        rows.push_back(row);
    }
    return rows;
}
using rows = std::vector<std::string>;

trace::grant_event grant(std::uint32_t sequence, std::uint32_t pc, trace::resource what, unsigned requester, std::uint64_t at) {
    trace::grant_event g;
    g.requested = at;
    g.granted = at + 1;
    g.resumed = at + 9;
    g.requester = requester;
    g.what = what;
    g.sequence = sequence;
    g.pc = pc;
    g.order = 6;
    g.address = 4096;
    g.bytes = 64;
    return g;
}

TEST(log_timing, is_wanted_only_while_a_command_of_a_logged_step_is_on_the_device) {
    hand_made_log made({2});
    EXPECT_FALSE(made.log().wants_timing());
    made.begin(1, 1, 100);
    EXPECT_FALSE(made.log().wants_timing());
    made.begin(2, 2, 110, {}, spec::phase::forward, 1);
    EXPECT_TRUE(made.log().wants_timing());
    made.begin(3, 2, 115, {}, spec::phase::forward, 2);
    made.end(2, 120, 1);
    EXPECT_TRUE(made.log().wants_timing());
    made.end(3, 125, 2);
    EXPECT_FALSE(made.log().wants_timing());
    made.end(1, 130);
}

TEST(log_timing, rows_are_of_logged_steps_and_of_what_belongs_to_no_command) {
    hand_made_log made({2});
    made.begin(1, 1, 100);
    made.begin(2, 2, 100, {}, spec::phase::backward, 1);
    made.program(1, 1, 1, 101, {instruction_with(spec::opcode::activate, 0, 0, 0, 0)});
    made.program(2, 2, 2, 102,
                 {instruction_with(spec::opcode::binary, 5, 2, 6, 1), instruction_with(spec::opcode::nop, 0, 0, 0, 0)});
    for (const std::uint32_t sequence : {0u, 1u, 2u})
        made.log().timing(grant(sequence, 0, trace::resource::dram, 5, 103));
    made.log().timing(grant(1, 0, trace::resource::banks, 1, 104));
    made.log().timing(grant(2, 0, trace::resource::banks, 2, 104));
    made.instruction(1, 1, 1, 0, spec::opcode::activate, 103, 105, 120);
    made.instruction(2, 2, 2, 0, spec::opcode::binary, 103, 105, 120);
    made.instruction(2, 2, 2, 1, spec::opcode::nop, 120, 122, 122);
    made.log().timing(trace::mover_event{121, 0, 7, 8, 9, true});
    trace::program_event over;
    over.what = trace::program_event::moment::ended;
    over.cycle = 123;
    over.engine = 2;
    over.sequence = 2;
    over.step = 2;
    over.fault = spec::engine_fault::bad_slot;
    made.log().timing(over);
    made.program(2, 2, 3, 124, {instruction_with(spec::opcode::nop, 0, 0, 0, 0)}); // does not end
    const std::string file = made.close();
    EXPECT_EQ(ask(file, "SELECT step FROM logged_step"), rows{"2"});
    EXPECT_EQ(ask(file, "SELECT requested, granted, resumed, requester, chunk, resource, address, bytes, sequence FROM grant_"),
              (rows{"103|104|112|5|6|2|4096|64|0", "103|104|112|5|6|2|4096|64|2"}));
    EXPECT_EQ(ask(file, "SELECT taken, begun, requested, started, ended, engine, sequence, pc FROM instruction"),
              (rows{"103|105|104|113|120|2|2|0", "120|122|null|null|122|2|2|1"}));
    EXPECT_EQ(ask(file, "SELECT engine, sequence, begun, ended, fault, count, code FROM program"),
              (rows{"2|2|102|123|3|2|0", "3|2|124|null|null|1|1"}));
    EXPECT_EQ(ask(file, "SELECT code, pc, opcode, wait0, wait0_count, signal0, signal0_count, length(bytes) FROM program_code"),
              (rows{"0|0|48|5|2|6|1|64", "0|1|0|0|0|0|0|64", "1|0|0|0|0|0|0|64"}));
    EXPECT_EQ(ask(file, "SELECT cycle, bytes, to_host FROM mover"), rows{"121|9|1"});
    EXPECT_EQ(ask(file, "SELECT engine, opcode, phase, waited, bank_wait FROM instructions"),
              (rows{"vector|binary|backward|0|9", "vector|nop|backward|0|null"}));
    EXPECT_EQ(ask(file, "SELECT resource, requester FROM grants WHERE sequence = 2"), rows{"dram|dma2 read"});
    EXPECT_EQ(ask(file, "SELECT engine, phase, fault FROM programs"), (rows{"vector|backward|bad_slot", "dma0|backward|null"}));
}

TEST(log_timing, the_grants_of_an_instruction_are_found_without_reading_all) {
    hand_made_log made({1});
    const rows plan = ask(made.close(), "EXPLAIN QUERY PLAN SELECT resumed FROM grant_ WHERE device = 0 AND sequence = 1 AND pc = 2 AND requester = 43 ORDER BY rowid");
    ASSERT_FALSE(plan.empty());
    EXPECT_NE(plan[0].find("SEARCH grant_ USING INDEX grant_key"), std::string::npos) << plan[0];
}

TEST(log_timing, a_program_is_stored_once_and_a_new_one_in_its_place_is_another) {
    hand_made_log made({1});
    const auto a = instruction_with(spec::opcode::activate, 1, 1, 2, 1), b = instruction_with(spec::opcode::activate, 1, 1, 2, 3);
    for (std::uint32_t n = 1; n <= 4; ++n) {
        made.begin(n, 1, 100 * n);
        made.program(n, 1, 1, 100 * n + 1, {n == 3 ? b : a});
        made.end(n, 100 * n + 50);
    }
    const std::string file = made.close();
    EXPECT_EQ(ask(file, "SELECT code FROM program ORDER BY sequence"), (rows{"0", "0", "1", "0"}));
    EXPECT_EQ(ask(file, "SELECT code, signal0_count FROM program_code"), (rows{"0|1", "1|3"}));
}

} // namespace
} // namespace retrace::test
