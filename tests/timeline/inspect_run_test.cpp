// `retrace inspect` as people type it.
#include <fstream>

#include <gtest/gtest.h>

#include "sim/log/log_reader.h"
#include "tests/timeline/real_run.h"

namespace retrace::test {
namespace {

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST(inspect_run, answers_every_ready_question) {
    real_run r;
    ASSERT_EQ(r.train().exit, 0);
    const program_result all = r.inspect({});
    EXPECT_EQ(all.exit, 0) << all.err;
    for (const char* part : {"who-wrote", "instruction", "Tile level: steps 1, 2, 3"})
        EXPECT_TRUE(holds(all.out, part)) << part << "\n" << all.out;
    const program_result sql = r.inspect({"SELECT phase, count(*) AS commands FROM commands GROUP BY phase ORDER BY 1"});
    EXPECT_EQ(sql.exit, 0) << sql.err;
    EXPECT_TRUE(holds(sql.out, "phase          commands\nbackward ")) << sql.out;
    const program_result cut = r.inspect({"SELECT * FROM access", "--limit", "3"});
    EXPECT_TRUE(holds(cut.out, "only the first 3 rows")) << cut.out;

    // Where IO_1 was written, as the log has it: asking for its first byte at the end of that command names it.
    log_reader log(r.log());
    log_query q(
        log,
        "SELECT l.cycle, o.base, o.sequence FROM tensor_life l JOIN tensor t USING(tag) JOIN operand o ON o.sequence = l.sequence AND o.tag = l.tag "
        "WHERE t.name = 'IO_1' AND l.moment = 'complete' ORDER BY l.cycle LIMIT 1");
    ASSERT_TRUE(q.next());
    const std::string cycle = std::to_string(q.number(0) + 1), address = std::to_string(q.number(1));
    const program_result who = r.inspect({"who-wrote", address + "@" + cycle, "--memory", "device_dram"});
    EXPECT_EQ(who.exit, 0) << who.err;
    EXPECT_TRUE(holds(who.out, "command " + std::to_string(q.number(2)) + " (forward 1, step 1)")) << who.out;
    EXPECT_TRUE(holds(who.out, "tensor IO_1, version 1")) << who.out;
    const program_result live = r.inspect({"live-at", cycle});
    EXPECT_TRUE(holds(live.out, "IO_1")) << live.out;
    const program_result waits = r.inspect({"waits", "pe"});
    EXPECT_EQ(waits.exit, 0) << waits.err;
    EXPECT_TRUE(holds(waits.out, "dma0 #")) << waits.out;
    EXPECT_EQ(r.inspect({"waits", "activation", "--limit", "2"}).exit, 0);
}

TEST(inspect_run, what_cannot_be_answered_is_exit_2) {
    real_run r;
    ASSERT_EQ(r.gemm({"--m", "9", "--k", "9", "--n", "9"}).exit, 0);
    const auto refused = [&](std::vector<std::string> question, const char* text) {
        const program_result p = r.inspect(question);
        EXPECT_EQ(p.exit, 2) << p.out;
        EXPECT_TRUE(holds(p.err, text)) << p.err;
    };
    refused({"who-wrote", "0@100"}, "gemm with --timeline-steps 1");
    refused({"waits", "pe"}, "no tile level");
    refused({"who-wrote"}, "ADDRESS@CYCLE");
    refused({"live-at"}, "CYCLE");
    refused({"live-at", "then"}, "then");
    refused({"when"}, "there is no question 'when'");
    refused({"SELECT * FROM nothing"}, "nothing");
    refused({"DELETE FROM command"}, "not authorized");
    refused({"SELECT 1; SELECT 2"}, "one question at a time");
    refused({"SELECT 1", "SELECT 2"}, "no question");
    EXPECT_EQ(r.inspect({"SELECT 1", "--limit", "0"}).exit, 2);
    EXPECT_EQ(run_program({"inspect", r.run() + "/none"}).exit, 2);
    EXPECT_EQ(run_program({"inspect"}).exit, 2);
    // The log itself may be named, and is not changed by questions.
    const std::string before = text_of(r.log());
    EXPECT_EQ(run_program({"inspect", r.log(), "SELECT count(*) FROM command"}).exit, 0);
    EXPECT_EQ(text_of(r.log()), before);
    std::ofstream(r.log(), std::ios::binary | std::ios::trunc) << "SQLite format 3";
    refused({}, "events.sqlite");
}

} // namespace
} // namespace retrace::test
