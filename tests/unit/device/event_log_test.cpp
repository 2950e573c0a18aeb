// The SQLite sink: what goes in can be asked for, and the same events make the same file.
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/resource.h>

#include "sim/log/sqlite_log.h"

namespace retrace {
namespace {

namespace fs = std::filesystem;

class event_log : public testing::Test {
protected:
    void SetUp() override {
        std::string name = (fs::temp_directory_path() / "retrace_log_XXXXXX").string();
        ASSERT_NE(mkdtemp(name.data()), nullptr);
        folder = name;
    }
    void TearDown() override { fs::remove_all(folder); }
    std::string path(const char* name = "events.sqlite") const { return (folder / name).string(); }

    /// All rows of a query, columns joined by '|'.
    static std::vector<std::string> ask(const std::string& file, const std::string& sql) {
        sqlite3* database = nullptr;
        EXPECT_EQ(sqlite3_open_v2(file.c_str(), &database, SQLITE_OPEN_READONLY, nullptr), SQLITE_OK);
        std::vector<std::string> rows;
        char* message = nullptr;
        const auto collect = [](void* out, int columns, char** values, char**) {
            std::string row;
            for (int i = 0; i < columns; ++i)
                row += (i ? "|" : "") + std::string(values[i] ? values[i] : "null");
            static_cast<std::vector<std::string>*>(out)->push_back(row);
            return 0;
        };
        EXPECT_EQ(sqlite3_exec(database, sql.c_str(), collect, &rows, &message), SQLITE_OK)
            << (message ? message : "");
        sqlite3_free(message);
        sqlite3_close(database);
        return rows;
    }
    static std::string bytes(const std::string& file) {
        std::ifstream in(file, std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }

    static void fill(sqlite_log& log, unsigned commands) {
        log.name_tensor(3, "IO_3");
        for (std::uint32_t n = 1; n <= commands; ++n) {
            trace::command_event c;
            c.sequence = n;
            c.step = 2;
            c.layer = 5;
            c.phase = spec::phase::recompute;
            c.cycle = 10 * n;
            c.context = n % 4;
            c.what = trace::command_event::moment::submitted;
            log.on(c);
            spec::operand table[2];
            table[0].base = 0x100000040;
            table[0].memory = 1;
            table[0].bytes = 0xffffffff;
            table[0].tag = 3;
            table[0].version = 2;
            table[0].access = 5;
            table[1].memory = 3;
            c.what = trace::command_event::moment::begun;
            c.waits = {n - 1, 0, 0, 0};
            c.operands = table;
            log.on(c);
            trace::access_event a;
            a.begin = 10 * n;
            a.end = 10 * n + 3;
            a.engine = 2;
            a.sequence = n;
            a.step = 2;
            a.pc = 9;
            a.opcode = spec::opcode::binary;
            a.write = true;
            a.memory = spec::memory_kind::state_buffer;
            a.base = 4096;
            a.sizes = {64, 8, 1, 1};
            a.strides = {128, 0, 0};
            a.tensor = {3, 2};
            log.on(a);
            c.what = trace::command_event::moment::ended;
            c.operands = {};
            c.cycle += 5;
            c.status = spec::command_status::engine_fault;
            log.on(c);
        }
        log.on(trace::tensor_event{trace::tensor_event::moment::overwritten,
                                   77,
                                   1,
                                   spec::memory_kind::device_dram,
                                   {3, 2},
                                   4,
                                   640,
                                   0});
        log.on(trace::tensor_event{trace::tensor_event::moment::complete,
                                   78,
                                   1,
                                   spec::memory_kind::device_dram,
                                   {3, 2},
                                   4,
                                   640,
                                   0xfedcba9876543210});
        log.on(trace::stale_read_event{80, 0, 3, 4, 5, spec::memory_kind::psum, 1000, 12, {3, 2}, {1, 1}});
        log.on(trace::occupancy_event{81, 0, "activations", 4, 100, 200});
        log.on(trace::host_event{trace::host_event::action::weights_updated, 82, 2, 5, {9, 3}, 42});
    }
    fs::path folder;
};

TEST_F(event_log, rows_say_what_the_events_said) {
    {
        sqlite_log log(path(), {1, 2});
        fill(log, 2);
        EXPECT_GT(log.rows(), 10u);
    }
    const auto rows = [&](const char* sql) { return ask(path(), sql); };
    EXPECT_EQ(rows("SELECT * FROM command ORDER BY sequence"),
              (std::vector<std::string>{"0|1|1|3|2|5|10|2", "0|2|2|3|2|5|20|2"}));
    EXPECT_EQ(rows("SELECT sequence, waits_for FROM command_wait"), std::vector<std::string>{"2|1"});
    EXPECT_EQ(rows("SELECT slot, memory, base, bytes, tag, version, access FROM operand WHERE sequence = 1"),
              (std::vector<std::string>{"0|1|4294967360|4294967295|3|2|5", "1|3|0|0|0|0|0"}));
    EXPECT_EQ(rows("SELECT moment, cycle, status FROM command_moment WHERE sequence = 2"),
              (std::vector<std::string>{"submitted|20|0", "ended|25|9"}));
    EXPECT_EQ(rows("SELECT begun, ended, engine, opcode, write, memory, base, size0, size1, stride1, tensor, "
                   "version FROM accesses WHERE sequence=1"),
              std::vector<std::string>{"10|13|2|binary|1|state_buffer|4096|64|8|128|IO_3|2"});
    EXPECT_EQ(rows("SELECT moment, tag, version, bytes, printf('%llx', checksum) FROM tensor_life"),
              (std::vector<std::string>{"overwritten|3|2|640|0", "complete|3|2|640|fedcba9876543210"}));
    EXPECT_EQ(rows("SELECT * FROM stale_read"), std::vector<std::string>{"80|0|3|4|5|4|1000|12|3|2|1|1"});
    EXPECT_EQ(rows("SELECT name, sequence, live, peak FROM occupancy"),
              std::vector<std::string>{"activations|4|100|200"});
    EXPECT_EQ(rows("SELECT action, step, layer, tag, version, checksum FROM host_event"),
              std::vector<std::string>{"weights_updated|2|5|9|3|42"});
    EXPECT_EQ(rows("SELECT phase, begun, submitted, ended, seen, status FROM commands WHERE sequence = 1"),
              std::vector<std::string>{"recompute|10|10|15|null|engine_fault"});
}

TEST_F(event_log, every_code_has_a_name) {
    { sqlite_log log(path(), {}); }
    EXPECT_EQ(ask(path(), "SELECT name FROM code WHERE kind = 'memory' ORDER BY value"),
              (std::vector<std::string>{"none", "host", "device_dram", "state_buffer", "psum"}));
    EXPECT_EQ(ask(path(), "SELECT count(*) FROM code WHERE kind = 'phase'"),
              std::vector{std::to_string(spec::phase_count)});
    EXPECT_EQ(ask(path(), "SELECT count(*) FROM code WHERE kind = 'opcode'"),
              std::vector{std::to_string(spec::instructions.size())});
    EXPECT_EQ(ask(path(), "SELECT name FROM code WHERE kind = 'status' AND value = 9"),
              std::vector<std::string>{"engine_fault"});
    EXPECT_EQ(ask(path(), "SELECT count(*) FROM code WHERE name = '?'"), std::vector<std::string>{"0"});
}

TEST_F(event_log, the_same_events_make_the_same_file) {
    for (const char* name : {"a.sqlite", "b.sqlite"}) {
        sqlite_log log(path(name), {1});
        fill(log, 30'000); // past a commit
    }
    EXPECT_EQ(bytes(path("a.sqlite")), bytes(path("b.sqlite")));
    {
        sqlite_log log(path("c.sqlite"), {1});
        fill(log, 30'001);
    }
    EXPECT_NE(bytes(path("a.sqlite")), bytes(path("c.sqlite")));
    EXPECT_EQ(ask(path("a.sqlite"), "PRAGMA integrity_check"), std::vector<std::string>{"ok"});
}

TEST_F(event_log, a_closed_log_is_whole_and_indexed_while_the_object_still_lives) {
    sqlite_log log(path(), {1});
    fill(log, 3);
    log.close();
    EXPECT_EQ(ask(path(), "SELECT count(*) FROM command"), std::vector<std::string>{"3"});
    EXPECT_EQ(ask(path(), "SELECT count(*) FROM sqlite_master WHERE type='index' AND name='access_key'"), std::vector<std::string>{"1"});
    log.close(); // once is enough
}

TEST_F(event_log, closing_says_so_when_the_log_cannot_be_written_whole) {
    rlimit before{};
    ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    sqlite_log log(path(), {1});
    fill(log, 3000);
    rlimit small = before;
    small.rlim_cur = 16384;
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
    EXPECT_THROW(log.close(), log_error);
    setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, handler);
}

TEST_F(event_log, what_cannot_be_created_is_a_log_error_that_names_the_file) {
    const auto message = [&](const std::string& file) -> std::string {
        try {
            sqlite_log log(file, {});
        } catch (const log_error& e) {
            return e.what();
        }
        return "";
    };
    EXPECT_NE(message(path("missing/folder/x.sqlite")).find("missing/folder"), std::string::npos);
    { std::ofstream(path("old.sqlite")) << "something that must not be lost"; }
    EXPECT_NE(message(path("old.sqlite")).find("old.sqlite"), std::string::npos);
    EXPECT_EQ(bytes(path("old.sqlite")), "something that must not be lost");
    { sqlite_log log(path("log.sqlite"), {}); }
    const std::string before = bytes(path("log.sqlite"));
    EXPECT_NE(message(path("log.sqlite")).find("log.sqlite"), std::string::npos);
    EXPECT_EQ(bytes(path("log.sqlite")), before);
}

TEST_F(event_log, tile_level_is_wanted_for_the_listed_steps_only) {
    sqlite_log log(path(), {1, 7});
    EXPECT_TRUE(log.wants_accesses(1));
    EXPECT_TRUE(log.wants_accesses(7));
    EXPECT_FALSE(log.wants_accesses(2));
}

TEST_F(event_log, the_printed_schema_is_the_schema) {
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open(":memory:", &database), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(database, log_schema(), nullptr, nullptr, nullptr), SQLITE_OK)
        << sqlite3_errmsg(database);
    sqlite3_close(database);
}

} // namespace
} // namespace retrace
