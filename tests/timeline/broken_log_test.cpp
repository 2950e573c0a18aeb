// Logs that are none, or that lie: every question ends in an answer or in log_reader_error, whatever the bytes are.
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "sim/report/html_report.h"
#include "sim/timeline/inspect.h"
#include "sim/timeline/timeline.h"
#include "tests/timeline/hand_made_log.h"

namespace retrace::test {
namespace {

std::string bytes_of(const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

/// Whatever a log says: what a page shows of it is no number that only an overflow makes.
void check_numbers(const nlohmann::ordered_json& j) {
    if (j.is_number_unsigned()) {
        EXPECT_LE(j.get<std::uint64_t>(), std::uint64_t{1} << 63);
    }
    if (j.is_structured())
        for (const auto& part : j)
            check_numbers(part);
}

/// Everything there is to ask; how many of the questions got an answer.
unsigned ask_everything(const std::string& file, const std::string& picture) {
    unsigned answers = 0;
    const auto ask = [&](auto&& question) {
        try {
            log_reader log(file);
            question(log);
            ++answers;
        } catch (const log_reader_error&) {
        }
    };
    ask([](log_reader& log) { inspect_overview(log); });
    ask([](log_reader& log) { inspect_who_wrote(log, "0x1005@100000", ""); });
    ask([](log_reader& log) { inspect_live_at(log, "100000"); });
    ask([](log_reader& log) { inspect_waits(log, "activation", 5); });
    ask([](log_reader& log) { inspect_sql(log, "SELECT * FROM instructions", 50); });
    ask([&](log_reader&) { write_timeline(file, picture, {std::nullopt, 500'000}); });
    namespace fs = std::filesystem;
    const fs::path run = fs::path(picture).parent_path() / "run";
    fs::create_directory(run);
    std::error_code none;
    fs::copy_file(file, run / "events.sqlite", fs::copy_options::overwrite_existing, none);
    if (!none)
        ask([&](log_reader&) { check_numbers(report_data(run)); });
    return answers;
}

void fill(hand_made_log& made) {
    for (std::uint32_t n = 1; n <= 30; ++n) {
        const std::uint64_t t = 1000 * n;
        made.begin(n, 1 + n % 3, t);
        made.program(n, 1 + n % 3, 2, t + 1, {instruction_with(spec::opcode::binary, 0, 0, 7, 1)});
        made.program(n, 1 + n % 3, 1, t + 1, {instruction_with(spec::opcode::activate, 7, 1, 0, 0)});
        for (unsigned r : {3u, 43u, 60u, 100u, 200u, 201u}) {
            trace::grant_event g;
            g.requested = g.granted = t + r;
            g.resumed = t + r + 30;
            g.requester = r;
            g.what = static_cast<trace::resource>(1 + r % 6);
            g.address = 64 * r;
            g.bytes = 1000;
            g.sequence = n;
            made.log().timing(g);
        }
        trace::access_event a;
        a.begin = t + 12;
        a.end = t + 40;
        a.engine = 3;
        a.sequence = n;
        a.step = 1 + n % 3;
        a.opcode = spec::opcode::copy;
        a.write = true;
        a.memory = spec::memory_kind::state_buffer;
        a.base = 0x1000;
        a.sizes = {16, 8, 2, 3};
        a.strides = {32, 256, 1024};
        made.access(a);
        made.instruction(n, 1 + n % 3, 2, 0, spec::opcode::binary, t + 10, t + 12, t + 40);
        made.instruction(n, 1 + n % 3, 1, 0, spec::opcode::activate, t + 10, t + 40, t + 90);
        made.log().on(
            trace::tensor_event{trace::tensor_event::moment::live, t, 0, spec::memory_kind::device_dram, {3, n}, n, 0, 0});
        made.end(n, t + 200);
    }
}

TEST(broken_log, no_database_at_all) {
    hand_made_log made;
    fill(made);
    const std::string good = bytes_of(made.close()), file = made.file("bad.sqlite"), picture = made.file("t.json");
    EXPECT_EQ(ask_everything(made.file("events.sqlite"), picture), 7u);
    const auto with = [&](const std::string& bytes) {
        std::ofstream(file, std::ios::binary | std::ios::trunc) << bytes;
        return ask_everything(file, picture);
    };
    EXPECT_EQ(with(""), 0u);
    EXPECT_EQ(with("not a database, whatever its name"), 0u);
    EXPECT_EQ(with(good.substr(0, 100)), 0u);
    EXPECT_LT(with(good.substr(0, good.size() / 2)), 7u);
    EXPECT_EQ(ask_everything(made.file("missing.sqlite"), picture), 0u);
    EXPECT_EQ(ask_everything(made.file(""), picture), 0u); // a folder
}

TEST(broken_log, bytes_turned_at_random) {
    hand_made_log made;
    fill(made);
    const std::string good = bytes_of(made.close()), file = made.file("bad.sqlite"), picture = made.file("t.json");
    std::mt19937 random(11);
    unsigned answers = 0, refused = 0;
    for (int n = 0; n < 60; ++n) {
        std::string bytes = good;
        for (unsigned k = 0; k < 1u << (n % 12); ++k)
            bytes[100 + random() % (bytes.size() - 100)] = static_cast<char>(random());
        std::ofstream(file, std::ios::binary | std::ios::trunc) << bytes;
        const unsigned answered = ask_everything(file, picture);
        answers += answered;
        refused += 7 - answered;
    }
    EXPECT_GT(answers, 0u);
    EXPECT_GT(refused, 0u);
}

TEST(broken_log, values_that_no_device_tells) {
    const char* lies[] = {
        "UPDATE instruction SET taken = -5, begun = 9223372036854775807, ended = -9223372036854775808",
        "UPDATE instruction SET begun = 9223372036854775807, ended = 9223372036854775807, taken = 9223372036854775807",
        "UPDATE instruction SET engine = 4000000000, opcode = 999, pc = 9223372036854775807",
        "UPDATE instruction SET taken = 'text', begun = x'00', ended = NULL, engine = 1.5",
        "UPDATE grant_ SET granted = 9223372036854775807, resumed = 0, address = -1, bytes = 9223372036854775807",
        "UPDATE grant_ SET requester = 9223372036854775807, resource = 77, chunk = 9223372036854775807",
        "UPDATE grant_ SET requester = 3, chunk = rowid, resource = 2, address = 9223372036854775807, bytes = 1",
        "UPDATE access SET size0 = 9223372036854775807, size1 = 9223372036854775807, size2 = 9223372036854775807, stride1 = 0, stride2 = 0",
        "UPDATE access SET base = -1, ended = 'x', engine = -7, memory = 3, opcode = 64, size0 = 0",
        "UPDATE access SET engine = 4294967295, sequence = -1, pc = -1, stride1 = -1, stride3 = 9223372036854775807",
        "UPDATE command SET context = 9223372036854775807, phase = 300, step = 1, begun = 9223372036854775807",
        "UPDATE command_moment SET cycle = -1, moment = x'ff00', status = 4096",
        "UPDATE command_moment SET cycle = 5 WHERE moment = 'ended'",
        "UPDATE command SET begun = 9000000000000000000 + sequence; UPDATE command_moment SET cycle = 9100000000000000000 + sequence",
        "INSERT INTO operand SELECT device, sequence, 9, 3, 0, 4611686018427387904, 0, 0, 3 FROM command; UPDATE command SET begun = 7",
        "UPDATE tensor_life SET cycle = 'never', moment = 'complete', bytes = 9223372036854775807",
        "UPDATE program SET engine = 9223372036854775807, code = 9223372036854775807",
        "UPDATE program SET sequence = 1, code = 0",
        "UPDATE program_code SET bytes = x'00'",
        "UPDATE program_code SET bytes = randomblob(64)",
        "UPDATE program_code SET bytes = x'"
        "40ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
        "'",
        "UPDATE machine SET value = 0",
        "UPDATE machine SET value = -1 WHERE key = 'clock'",
        "UPDATE machine SET value = 9223372036854775807 WHERE key LIKE 'device_dram%'",
        "UPDATE machine SET value = 1 WHERE key LIKE 'dma%'",
        "DELETE FROM machine",
        "DELETE FROM code",
        "UPDATE logged_step SET step = -3 WHERE step = 1",
        "DELETE FROM logged_step; INSERT INTO logged_step VALUES(1),(9223372036854775807)",
        "UPDATE tensor SET name = x'00ff22' WHERE 1; UPDATE tensor_life SET memory = 99, bytes = 'many'",
        "UPDATE occupancy SET name = NULL, live = -1, cycle = 9223372036854775807",
        "UPDATE command_wait SET waits_for = sequence",
        "DROP TABLE grant_",
        "DROP TABLE access; CREATE VIEW access AS SELECT * FROM command",
        "DROP VIEW instructions; CREATE VIEW instructions AS SELECT load_extension('x')",
    };
    unsigned answers = 0;
    for (const char* lie : lies) {
        hand_made_log made;
        fill(made);
        made.change(lie);
        answers += ask_everything(made.file("events.sqlite"), made.file("t.json"));
    }
    EXPECT_GT(answers, 60u);
}

} // namespace
} // namespace retrace::test
