// Questions to small logs whose answers are known.
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>

#include <gtest/gtest.h>

#include "sim/timeline/inspect.h"
#include "tests/timeline/hand_made_log.h"

namespace retrace::test {
namespace {

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::string refusal(const std::function<void()>& question) {
    try {
        question();
    } catch (const log_reader_error& e) {
        return e.what();
    }
    return "";
}

trace::access_event write_of(std::uint32_t sequence, std::uint32_t step, std::uint64_t begun, std::uint64_t ended,
                             std::uint64_t base, std::uint32_t run, std::uint32_t runs, std::uint32_t stride) {
    trace::access_event a;
    a.begin = begun;
    a.end = ended;
    a.engine = 2;
    a.sequence = sequence;
    a.step = step;
    a.pc = 1;
    a.opcode = spec::opcode::binary;
    a.write = true;
    a.memory = spec::memory_kind::state_buffer;
    a.base = base;
    a.sizes = {run, runs, 1, 1};
    a.strides = {stride, 0, 0};
    a.tensor = {3, 7};
    return a;
}

class inspect_writes : public testing::Test {
protected:
    void SetUp() override {
        made.begin(1, 1, 100);
        made.access(write_of(1, 1, 110, 120, 0x1000, 16, 4, 64)); // 0x1000-0x100f, 0x1040-..., 0x10c0-0x10cf
        made.access(write_of(1, 1, 115, 140, 0x1040, 8, 1, 0));
        made.log().on(trace::tensor_event{
            trace::tensor_event::moment::released, 300, 0, spec::memory_kind::state_buffer, {3, 7}, 2, 64, 0});
        made.end(1, 200);
        spec::operand o;
        o.memory = 3;
        o.access = 2;
        o.base = 0x1000;
        o.bytes = 0x20;
        made.begin(2, 5, 400, {o});
        made.end(2, 450);
    }
    std::string who(const std::string& place, const char* memory = "state_buffer") {
        log_reader log(made.close());
        return inspect_who_wrote(log, place, memory);
    }
    hand_made_log made;
};

TEST_F(inspect_writes, names_the_instruction_the_command_and_the_tensor) {
    const std::string text = who("0x10c5@250");
    for (const char* part : {"state_buffer 0x10c5, before cycle 250", "in cycle 120 by vector, instruction 1: binary",
                             "command 1 (forward 3, step 1)", "tensor IO_3, version 7", "16 bytes from 0x1000, 4 times 64 apart",
                             "the command ended in cycle 200"})
        EXPECT_TRUE(holds(text, part)) << part << "\n" << text;
    EXPECT_FALSE(holds(text, "released")) << text;
    EXPECT_TRUE(holds(who("0x10c5@301"), "released in cycle 300"));
    EXPECT_TRUE(holds(who("4293@250", ""), "state_buffer 0x10c5")); // decimal, every memory
}

TEST_F(inspect_writes, is_exact_between_runs_and_in_time) {
    const auto cycle_of = [&](std::uint64_t address, std::uint64_t cycle) -> std::uint64_t {
        log_reader log(made.close());
        const auto w = find_last_write(log, spec::memory_kind::state_buffer, address, cycle);
        return w ? w->cycle : 0;
    };
    EXPECT_EQ(cycle_of(0x1010, 1000), 0u); // between two runs
    EXPECT_EQ(cycle_of(0x100f, 1000), 120u);
    EXPECT_EQ(cycle_of(0x1040, 1000), 140u);
    EXPECT_EQ(cycle_of(0x1048, 1000), 120u); // beyond the second, shorter write
    EXPECT_EQ(cycle_of(0x1040, 140), 120u);  // before, not in
    EXPECT_EQ(cycle_of(0x1040, 120), 0u);
    EXPECT_EQ(cycle_of(0x0fff, 1000), 0u);
    EXPECT_EQ(cycle_of(0x10d0, 1000), 0u);
}

TEST_F(inspect_writes, tells_of_a_command_that_was_not_logged_and_may_have_written_it) {
    EXPECT_TRUE(holds(who("0x1005@500"), "command 2 (forward 3, step 5), begun in cycle 400, may have written it since"));
    EXPECT_TRUE(holds(who("0x1005@500"), "--set 'log.steps=[5]'"));
    EXPECT_FALSE(holds(who("0x1005@400"), "may have"));
    EXPECT_FALSE(holds(who("0x1045@500"), "may have")); // not its operand
    EXPECT_TRUE(holds(who("0x9000@500"), "no write of it is in the log"));
    EXPECT_TRUE(holds(who("0x9000@500", ""), "in any memory"));
}

TEST_F(inspect_writes, a_question_that_is_none_says_what_is_wrong) {
    const auto why = [&](const char* place, const char* memory = "") { return refusal([&] { who(place, memory); }); };
    EXPECT_TRUE(holds(why("0x1000"), "ADDRESS@CYCLE"));
    EXPECT_TRUE(holds(why("@5"), "address: '' is no number"));
    EXPECT_TRUE(holds(why("0x@5"), "no number"));
    EXPECT_TRUE(holds(why("12z@5"), "12z"));
    EXPECT_TRUE(holds(why("1@-5"), "cycle"));
    EXPECT_TRUE(holds(why("1@99999999999999999999"), "cycle"));
    EXPECT_TRUE(holds(why("1@5", "sbuf"), "state_buffer"));
}

TEST(inspect, a_copy_that_ends_later_may_have_written_a_byte_earlier) {
    hand_made_log made;
    made.begin(1, 1, 100);
    spec::copy_instruction copy;
    copy.opcode = static_cast<std::uint8_t>(spec::opcode::copy);
    copy.element_bytes = 1;
    copy.size0 = 256;
    copy.size1 = copy.size2 = copy.size3 = 1;
    std::vector<std::byte> code(sizeof copy);
    std::memcpy(code.data(), &copy, sizeof copy);
    made.program_bytes(1, 1, 3, 101, code);
    for (const std::uint64_t end : {130, 160, 180, 200}) { // four chunks of 64 bytes
        trace::grant_event g;
        g.requested = g.granted = end - 10;
        g.resumed = end;
        g.requester = 43;
        g.what = trace::resource::lines;
        g.write = true;
        g.bytes = 64;
        g.sequence = 1;
        made.log().timing(g);
    }
    trace::access_event vector = write_of(1, 1, 140, 150, 0x1000, 256, 1, 0), copied = write_of(1, 1, 110, 200, 0x1000, 256, 1, 0);
    copied.engine = 3;
    copied.pc = 0;
    copied.opcode = spec::opcode::copy;
    made.access(vector);
    made.access(copied);
    made.end(1, 300);
    log_reader log(made.close());
    const auto cycle_of = [&](std::uint64_t address, std::uint64_t cycle) {
        const auto w = find_last_write(log, spec::memory_kind::state_buffer, address, cycle);
        return w ? w->cycle : 0;
    };
    EXPECT_EQ(cycle_of(0x1000, 1000), 150u); // its chunk came in 130, the vector engine after it
    EXPECT_EQ(cycle_of(0x1000, 150), 130u);
    EXPECT_EQ(cycle_of(0x1040, 1000), 160u);
    EXPECT_EQ(cycle_of(0x10ff, 1000), 200u);
    EXPECT_EQ(cycle_of(0x10ff, 200), 150u); // the copy is under way
    EXPECT_EQ(cycle_of(0x10ff, 150), 0u);
}

TEST(inspect, without_tile_level_says_how_to_get_it) {
    hand_made_log made(std::vector<std::uint32_t>{});
    made.begin(1, 1, 100);
    made.end(1, 200);
    log_reader log(made.close());
    EXPECT_TRUE(holds(refusal([&] { inspect_who_wrote(log, "0@150", ""); }), "--set 'log.steps=[1,2]'"));
    EXPECT_TRUE(holds(refusal([&] { inspect_waits(log, "pe", 5); }), "no tile level"));
    EXPECT_TRUE(holds(inspect_overview(log), "Tile level: no step"));
}

TEST(inspect, live_at_follows_the_lives_of_tensors) {
    hand_made_log made;
    using moment = trace::tensor_event::moment;
    const auto life = [&](moment what, std::uint64_t cycle, spec::memory_kind memory, std::uint32_t tag, std::uint64_t bytes) {
        made.log().on(trace::tensor_event{what, cycle, 0, memory, {tag, 1}, 1, bytes, 0});
    };
    const auto dram = spec::memory_kind::device_dram, buffer = spec::memory_kind::state_buffer;
    life(moment::live, 100, dram, 3, 0);
    life(moment::live, 110, buffer, 4, 0);
    life(moment::complete, 150, dram, 3, 4096);
    life(moment::released, 160, buffer, 4, 512);
    life(moment::overwritten, 200, dram, 3, 4096);
    made.begin(1, 1, 90);
    made.end(1, 170);
    log_reader log(made.close());
    const auto at = [&](const char* cycle) { return inspect_live_at(log, cycle); };
    EXPECT_FALSE(holds(at("99"), "IO_3"));
    EXPECT_TRUE(holds(at("105"), "IO_3") && holds(at("105"), "being written")) << at("105");
    EXPECT_TRUE(holds(at("120"), "state_buffer  W_4           1      -         110\n")) << at("120"); // when it is whole, nobody tells
    EXPECT_TRUE(holds(at("120"), "state buffer and PSUM are not tracked"));
    EXPECT_FALSE(holds(at("105"), "not tracked"));
    EXPECT_TRUE(holds(at("150"), "4096")) << at("150");
    EXPECT_FALSE(holds(at("160"), "W_4"));
    EXPECT_FALSE(holds(at("200"), "IO_3"));
    EXPECT_TRUE(holds(at("200"), "340")) << at("200"); // live bytes measured at the end of command 1
    EXPECT_FALSE(holds(at("169"), "340"));
}

TEST(inspect, waits_are_ordered_and_name_who_signalled) {
    hand_made_log made;
    made.begin(1, 1, 100);
    made.program(1, 1, 2, 101,
                 {instruction_with(spec::opcode::binary, 0, 0, 7, 1), instruction_with(spec::opcode::binary, 0, 0, 7, 1)});
    made.program(1, 1, 1, 101,
                 {instruction_with(spec::opcode::activate, 7, 1, 0, 0), instruction_with(spec::opcode::activate, 7, 1, 0, 0),
                  instruction_with(spec::opcode::activate, 0, 0, 0, 0)});
    made.instruction(1, 1, 2, 0, spec::opcode::binary, 102, 104, 150);
    made.instruction(1, 1, 1, 0, spec::opcode::activate, 110, 150, 160);
    made.instruction(1, 1, 2, 1, spec::opcode::binary, 150, 152, 300);
    made.instruction(1, 1, 1, 1, spec::opcode::activate, 160, 300, 310);
    made.instruction(1, 1, 1, 2, spec::opcode::activate, 310, 312, 320);
    made.end(1, 400);
    log_reader log(made.close());
    const std::string text = inspect_waits(log, "activation", 20);
    EXPECT_TRUE(holds(text, "2 of 3 instructions waited, 176 cycles in all")) << text; // 150 - 112 and 300 - 162
    EXPECT_TRUE(holds(text, "138   162  300")) << text;
    EXPECT_TRUE(holds(text, "vector #1 binary in 300")) << text;
    EXPECT_LT(text.find("vector #1"), text.find("vector #0"));
    EXPECT_FALSE(holds(inspect_waits(log, "activation", 1), "vector #0"));
    EXPECT_TRUE(holds(inspect_waits(log, "dma1", 5), "ran no instruction"));
    EXPECT_TRUE(holds(refusal([&] { inspect_waits(log, "gpu", 5); }), "activation"));
}

TEST(inspect, a_log_in_write_ahead_mode_is_refused_and_nothing_is_written_beside_it) {
    hand_made_log made;
    const std::string file = made.close();
    made.change("PRAGMA journal_mode=WAL");
    EXPECT_TRUE(holds(refusal([&] { log_reader log(file); }), "write-ahead mode"));
    EXPECT_FALSE(std::filesystem::exists(file + "-wal") || std::filesystem::exists(file + "-shm"));
    made.change("PRAGMA journal_mode=DELETE");
    EXPECT_EQ(refusal([&] { log_reader log(file); }), "");
    std::ofstream(file + "-wal") << "left behind";
    EXPECT_TRUE(holds(refusal([&] { log_reader log(file); }), "write-ahead mode"));
    EXPECT_FALSE(std::filesystem::exists(file + "-shm"));
}

TEST(inspect, no_control_character_of_a_log_reaches_the_terminal) {
    hand_made_log made;
    made.log().name_tensor(5, "red \x1b[31m \xc2\x9b" "31m \x9b" "31m gr\xc3\xbcn");
    log_reader log(made.close());
    const std::string why = refusal([&] { inspect_sql(log, "SELECT 1 FROM [\x1b[31m\xc2\x9b" "1m\x07]", 5); });
    EXPECT_TRUE(holds(why, "no such table")) << why;
    const std::string table = inspect_sql(log, "SELECT name FROM tensor WHERE tag = 5", 5);
    EXPECT_TRUE(holds(table, "red ?[31m ??31m ?31m gr\xc3\xbcn")) << table;
    for (const std::string& text : {why, table})
        for (const char* control : {"\x1b", "\x9b", "\x07"})
            EXPECT_FALSE(holds(text, control)) << text;
}

TEST(inspect, sql_is_one_select_and_nothing_else) {
    hand_made_log made;
    made.begin(1, 1, 100);
    made.end(1, 200);
    log_reader log(made.close());
    EXPECT_EQ(inspect_sql(log, "SELECT 1 AS a, 'x' AS name UNION ALL SELECT 222, 'yy'", 10), "  a  name\n  1  x\n222  yy\n");
    EXPECT_EQ(inspect_sql(log, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n", 2),
              "i\n1\n2\n(only the first 2 rows; --limit prints more)\n");
    EXPECT_EQ(inspect_sql(log, "SELECT NULL AS n, x'00ff' AS b ; -- only this", 5), "n  b\n-  00ff\n");
    EXPECT_TRUE(holds(inspect_sql(log, "SELECT * FROM commands", 5), "forward"));
    for (const char* bad : {"", "  -- nothing", "DELETE FROM command", "SELECT 1; DROP TABLE command", "SELECT 1; SELECT 2",
                            "SELECT 1; nonsense", "PRAGMA query_only = OFF", "ATTACH 'x.sqlite' AS x", "CREATE TEMP TABLE t(a)",
                            "INSERT INTO command SELECT * FROM command", "BEGIN", "VACUUM INTO 'copy.sqlite'",
                            "SELECT nothing FROM nowhere", "SELECT load_extension('x')", "EXPLAIN QUERY PLAN DELETE FROM command",
                            "SELECT * FROM pragma_journal_mode('wal')", "UPDATE command SET begun = 0 RETURNING begun"})
        EXPECT_NE(refusal([&] { inspect_sql(log, bad, 5); }), "") << bad;
    log_reader again(made.close());
    EXPECT_TRUE(holds(inspect_overview(again), "command            1"));
}

} // namespace
} // namespace retrace::test
