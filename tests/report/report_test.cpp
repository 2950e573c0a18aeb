// What goes into the page, what it says where something is missing, and that no name gets out of the data.
#include <csignal>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/resource.h>

#include "hw/spec/spec.h"
#include "sim/log/log_reader.h"
#include "sim/report/html_report.h"
#include "sim/report/report_error.h"
#include "tests/report/small_run.h"

namespace retrace::test {
namespace {

using json = nlohmann::ordered_json;

std::string refusal(const std::filesystem::path& run) {
    try {
        report_data(run);
    } catch (const report_error& e) {
        return e.what();
    } catch (const log_reader_error& e) {
        return e.what();
    }
    return "";
}

/// What a browser takes for the page's data: all up to the first end of a script element.
json data_of(const std::string& page) {
    const std::string open = "<script type=\"application/json\" id=\"data\">";
    const std::size_t begin = page.find(open) + open.size();
    return json::parse(page.substr(begin, page.find("</script", begin) - begin));
}

TEST(report, holds_what_the_run_left) {
    const run_files run;
    run.make_training_run();
    const json data = report_data(run.path());
    EXPECT_EQ(data["steps"]["of"], 2);
    EXPECT_EQ(data["steps"]["loss"], json({2.0, 1.0}));
    EXPECT_EQ(data["config"], nullptr);
    EXPECT_EQ(data["proof"], nullptr);

    const json& schedule = data["schedule"];
    EXPECT_EQ(schedule["commands"], 12);
    EXPECT_EQ(schedule["failed"], 0);
    EXPECT_EQ(schedule["unfinished"], 0);
    EXPECT_EQ(schedule["steps_in_run"], 2);
    ASSERT_EQ(schedule["steps"].size(), 2u);
    const json& step = schedule["steps"][1];
    EXPECT_EQ(step["kind"], "training");
    EXPECT_EQ(step["first"], 2000);
    EXPECT_EQ(step["last"], 2850);
    EXPECT_EQ(step["begun"], json({0, 150, 300, 450, 600, 750}));
    EXPECT_EQ(step["duration"], json({100, 100, 100, 100, 100, 100}));
    EXPECT_EQ(step["layer"], json({1, 2, 2, 2, 1, 1}));
    EXPECT_EQ(schedule["phases"][step["phase"][4].get<std::size_t>()], "recompute");

    const json& costs = data["costs"]["commands"]["rows"];
    ASSERT_FALSE(costs.empty());
    std::uint64_t cycles = 0;
    for (const json& row : costs)
        cycles += row["cycles"].get<std::uint64_t>();
    EXPECT_EQ(cycles, 1200u);
    EXPECT_FALSE(data["costs"].contains("instructions"));
}

TEST(report, live_bytes_follow_writing_and_overwriting) {
    const run_files run;
    run.make_training_run();
    const json memory = report_data(run.path())["memory"];
    EXPECT_EQ(memory["tensors"], json({"IO_1", "IO_2"}));
    EXPECT_EQ(memory["placed"], json({512, 512}));
    ASSERT_EQ(memory["steps"].size(), 2u);
    const json& step = memory["steps"][1];
    // IO_1 of step 1 is live when step 2 begins; IO_1 again, IO_2 over it, IO_1 by the recompute over that.
    EXPECT_EQ(step["start"], json::parse("[[0,64]]"));
    EXPECT_EQ(step["changes"], json::parse("[[250,1,64],[250,0,0],[700,0,64],[700,1,0]]"));
    EXPECT_EQ(step["occupancy"]["activations"]["live"].back(), 64);
    // A command holds its working buffers from begin to end.
    const json& buffer = step["occupancy"]["state_buffer"];
    EXPECT_EQ(buffer["cycles"][0], 0);
    EXPECT_EQ(buffer["live"][0], 4096);
    EXPECT_EQ(buffer["cycles"][1], 100);
    EXPECT_EQ(buffer["live"][1], 0);
}

TEST(report, commands_that_never_ended_are_told_apart) {
    const run_files run;
    run.make_training_run();
    run.sql("DELETE FROM command_moment WHERE sequence = 12; UPDATE command_moment SET status = 9 WHERE sequence = 3;"
            "INSERT INTO stale_read(cycle, device) VALUES(5, 0)");
    const json schedule = report_data(run.path())["schedule"];
    EXPECT_EQ(schedule["unfinished"], 1);
    EXPECT_EQ(schedule["failed"], 1);
    EXPECT_EQ(schedule["stale_reads"], 1);
    EXPECT_EQ(schedule["steps"][1]["duration"][5], -1);
}

TEST(report, instructions_are_summed_by_engine_opcode_phase_and_layer) {
    const run_files run;
    run.make_training_run();
    run.sql("INSERT OR REPLACE INTO machine VALUES('sequencer.issue_cycles', 2)");
    const auto matmul = static_cast<unsigned>(spec::opcode::matmul);
    for (const unsigned sequence : {1u, 1u, 7u}) // layer 1 forward of both steps
        run.sql("INSERT INTO instruction(taken, begun, ended, device, engine, sequence, pc, opcode) VALUES(10, 15, 40, 0, 0, " +
                std::to_string(sequence) + ", 0, " + std::to_string(matmul) + ")");
    const json instructions = report_data(run.path())["costs"]["instructions"];
    EXPECT_EQ(instructions["steps"], json({1, 2}));
    ASSERT_EQ(instructions["rows"].size(), 1u);
    const json& row = instructions["rows"][0];
    EXPECT_EQ(row["engine"], "pe");
    EXPECT_EQ(row["opcode"], "matmul");
    EXPECT_EQ(row["phase"], "forward");
    EXPECT_EQ(row["layer"], 1);
    EXPECT_EQ(row["count"], 3);
    EXPECT_EQ(row["cycles"], 75);
    EXPECT_EQ(row["longest"], 25);
    EXPECT_EQ(row["waited"], 9); // 5 a time, 2 of them to issue
}

TEST(report, a_long_run_is_cut_to_whole_steps_and_says_so) {
    const run_files run;
    run.make_training_run();
    std::string rows;
    for (unsigned step = 3; step <= 100; ++step)
        for (unsigned i = 0; i < 6; ++i) {
            const std::string sequence = std::to_string(step * 10 + i + 100), begun = std::to_string(step * 1000 + i * 100);
            rows += "INSERT INTO command VALUES(0," + sequence + ",0,2," + std::to_string(step) + ",1," + begun +
                    ",0); INSERT INTO command_moment VALUES(0," + sequence + ",'ended'," + begun + "+50,0);";
        }
    run.sql(rows);
    report_limits limits;
    limits.commands = 60;
    limits.tensor_steps = 4;
    const json data = report_data(run.path(), limits);
    const json& steps = data["schedule"]["steps"];
    EXPECT_EQ(steps.size(), 10u);
    EXPECT_EQ(data["schedule"]["steps_in_run"], 100);
    EXPECT_EQ(steps[0]["step"], 1);
    EXPECT_EQ(steps[1]["step"], 2);
    EXPECT_EQ(steps.back()["step"], 100);
    EXPECT_EQ(data["memory"]["steps"].size(), 4u);

    limits.commands = 4; // not even one step
    const json cut = report_data(run.path(), limits)["schedule"]["steps"];
    ASSERT_EQ(cut.size(), 1u);
    EXPECT_EQ(cut[0]["begun"].size(), 4u);
    EXPECT_EQ(cut[0]["commands"], 6);
}

TEST(report, missing_parts_are_null_and_a_page_all_the_same) {
    const run_files run;
    run.write("summary.json", small_summary(100, 20));
    json data = report_data(run.path());
    for (const char* part : {"config", "steps", "proof", "schedule", "memory", "costs"})
        EXPECT_EQ(data[part], nullptr) << part;
    run.make_log(); // without a row
    data = report_data(run.path());
    EXPECT_EQ(data["schedule"], nullptr);
    EXPECT_EQ(write_report(run.path()), run.path() / "report.html");
    EXPECT_EQ(data_of(text_of(run.path() / "report.html"))["runs"][0]["summary"]["cycles"]["total"], 100);

    // A run that was killed has no summary.
    const run_files killed;
    killed.make_training_run();
    std::filesystem::remove(killed.path() / "summary.json");
    data = report_data(killed.path());
    EXPECT_EQ(data["summary"], nullptr);
    EXPECT_EQ(data["schedule"]["commands"], 12);
}

TEST(report, what_the_machine_took_stays_out_so_that_equal_runs_have_equal_pages) {
    const run_files run;
    run.write("summary.json", small_summary(100, 20));
    const std::string page = text_of(write_report(run.path()));
    for (const char* machine : {"wall_seconds", "cpu_seconds", "simulated_cycles_per_cpu_second", "macs_per_cpu_second"})
        EXPECT_EQ(data_of(page)["runs"][0]["summary"]["run"].count(machine), 0u) << machine;
    const run_files another;
    another.write("summary.json", small_summary(100, 20));
    EXPECT_EQ(page, text_of(write_report(another.path()))) << "wherever they lie";
}

TEST(report, what_is_no_run_is_refused_with_what_to_do) {
    const run_files run;
    EXPECT_NE(refusal(run.path() / "nothing").find("there is no folder"), std::string::npos);
    EXPECT_NE(refusal(run.path()).find("is no run of `retrace train` or `retrace gemm`"), std::string::npos);
    run.write("summary.json", "{\"cycles\": {\"total\": ");
    EXPECT_NE(refusal(run.path()).find("summary.json is not whole"), std::string::npos) << refusal(run.path());
    run.write("summary.json", "");
    EXPECT_NE(refusal(run.path()).find("summary.json is not whole"), std::string::npos) << refusal(run.path());
    run.write("summary.json", "[1]");
    EXPECT_NE(refusal(run.path()).find("summary.json is not whole"), std::string::npos) << refusal(run.path());
    run.write("summary.json", "{\"tests\": 3}");
    EXPECT_NE(refusal(run.path()).find("has no cycles"), std::string::npos) << refusal(run.path());
    const std::string none = "this is no database, whatever its name says, and it is long enough to look like one";
    std::filesystem::remove(run.path() / "summary.json");
    run.write("events.sqlite", none);
    EXPECT_NE(refusal(run.path()).find("events.sqlite"), std::string::npos) << "nothing else is there";
    EXPECT_THROW(write_page(run.path() / "no" / "page.html", "text"), report_error);
}

TEST(report, a_log_that_cannot_be_read_is_told_and_keeps_nothing_else_back) {
    for (const char* bytes : {"", "this is no database, whatever its name says, and it is long enough to look like one"}) {
        const run_files run;
        run.write("steps.csv", "step,epoch,loss,accuracy,cycles\n1,1,2,0.25,1000\n");
        run.write("events.sqlite", bytes);
        const json data = report_data(run.path());
        EXPECT_EQ(data["steps"]["of"], 1);
        EXPECT_EQ(data["schedule"], nullptr);
        const std::string problem = data["log_problem"];
        EXPECT_EQ(problem.find("the event log events.sqlite cannot be asked: "), 0u) << problem;
        EXPECT_EQ(problem.find("it is empty") != std::string::npos, *bytes == '\0') << problem;
    }
    const run_files whole;
    whole.make_training_run();
    EXPECT_FALSE(report_data(whole.path()).contains("log_problem"));
    // A log that breaks off in the middle tells nothing rather than half.
    whole.sql("DROP TABLE stale_read");
    EXPECT_EQ(report_data(whole.path())["schedule"], nullptr);
    EXPECT_EQ(report_data(whole.path())["memory"], nullptr);
    EXPECT_EQ(report_data(whole.path())["steps"]["of"], 2);
}

TEST(report, a_document_without_end_is_refused) {
    const run_files run;
    run.make_training_run();
    const std::string deep = "{\"a\":" + std::string(200'000, '[');
    run.write("proof.json", deep);
    EXPECT_NE(refusal(run.path()).find("proof.json is nested deeper than 64 levels"), std::string::npos) << refusal(run.path());
    run.write("proof.json", deep + std::string(200'000, ']') + "}");
    EXPECT_NE(refusal(run.path()).find("proof.json is nested deeper than 64 levels"), std::string::npos);
    std::filesystem::remove(run.path() / "proof.json");
    run.write("summary.json", "{\"cycles\":{\"a\":" + std::string(100, '[') + std::string(100, ']') + "},\"run\":{}}");
    EXPECT_NE(refusal(run.path()).find("summary.json is nested deeper"), std::string::npos);
    run.write("summary.json", "{\"cycles\":{\"a\":" + std::string(60, '[') + std::string(60, ']') + "},\"run\":{}}");
    EXPECT_EQ(refusal(run.path()), "");
}

TEST(report, a_page_that_cannot_be_written_leaves_the_old_one) {
    const run_files run;
    run.write("summary.json", small_summary(100, 20));
    const auto file = write_report(run.path());
    const std::string old = text_of(file);
    rlimit before{};
    ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    const rlimit small{20'000, before.rlim_max};
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
    EXPECT_THROW(write_report(run.path()), report_error);
    setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, handler);
    EXPECT_TRUE(text_of(file) == old);
    EXPECT_FALSE(std::filesystem::exists(run.path() / "report.html.part"));
    // What is behind a link is replaced, the link stays; what is no file is written as it stands.
    std::filesystem::create_symlink("report.html", run.path() / "link.html");
    write_page(run.path() / "link.html", "new");
    EXPECT_TRUE(std::filesystem::is_symlink(run.path() / "link.html"));
    EXPECT_EQ(text_of(file), "new");
    EXPECT_NO_THROW(write_page("/dev/null", "nothing"));
    EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
}

TEST(report, a_long_configuration_is_cut_between_lines_and_says_so) {
    const run_files run;
    run.write("summary.json", small_summary(100, 20));
    std::string config;
    while (config.size() < 70'000)
        config += "key: a value of some length\n";
    run.write("config.resolved.yaml", config);
    const json data = report_data(run.path());
    const std::string shown = data["config"];
    EXPECT_LE(shown.size(), 65'536u);
    EXPECT_EQ(shown, config.substr(0, shown.size()));
    EXPECT_EQ(shown.back(), '\n');
    EXPECT_EQ(data["config_bytes"], config.size());
    run.write("config.resolved.yaml", config.substr(0, 65'536));
    EXPECT_FALSE(report_data(run.path()).contains("config_bytes"));
}

TEST(report, what_ended_before_it_began_took_no_time) {
    const run_files run;
    run.make_training_run();
    run.sql("UPDATE command_moment SET cycle = 5 WHERE sequence = 3; UPDATE operand SET bytes = 4611686018427387904 WHERE slot = 0;"
            "UPDATE command SET begun = 1000 WHERE step = 1");
    const json data = report_data(run.path());
    EXPECT_EQ(data["schedule"]["steps"][0]["duration"][2], 0);
    for (const json& row : data["costs"]["commands"]["rows"])
        EXPECT_LT(row["cycles"].get<std::uint64_t>(), 10'000u);
    for (const json& live : data["memory"]["over_run"]["state_buffer"]["live"])
        EXPECT_LE(live.get<std::uint64_t>(), std::uint64_t{1} << 63);
}

TEST(report, no_name_gets_out_of_the_data) {
    const std::string hostile[] = {"</script><script>alert(1)</script>", "<!-- <script>", "{{data}}{{script}}", "a\xe2\x80\xa8z\xe2\x80\xa9",
                                   "quote\" ' \\ \n \t", "&lt;/script&gt;", std::string("nul\0!", 5)};
    for (const std::string& name : hostile) {
        const json data{{"kind", "run"}, {"runs", json::array({{{"folder", name}}})}};
        const std::string text = script_json(data);
        EXPECT_EQ(text.find_first_of("<>&"), std::string::npos) << text;
        EXPECT_EQ(text.find("\xe2\x80\xa8"), std::string::npos);
        EXPECT_EQ(json::parse(text), data) << "and it still means the same";
        const std::string page = compose_page(name, data), harmless = compose_page("x", json{{"kind", "run"}});
        EXPECT_EQ(data_of(page), data);
        const auto count = [](const std::string& in, const std::string& what) {
            std::size_t n = 0;
            for (std::size_t at = in.find(what); at != std::string::npos; at = in.find(what, at + 1))
                ++n;
            return n;
        };
        EXPECT_EQ(count(page, "<script"), count(harmless, "<script"));
        EXPECT_EQ(count(page, "</script"), count(harmless, "</script"));
    }
    // Bytes that are no UTF-8.
    EXPECT_EQ(json::parse(script_json({{"name", "a\xff\xfe"}}))["name"], "a\xef\xbf\xbd\xef\xbf\xbd");
    EXPECT_EQ(html_text("<a href=\"x\">'&'"), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;");
}

TEST(report, the_page_asks_nobody_for_anything) {
    const run_files run;
    run.make_training_run();
    const std::string page = text_of(write_report(run.path()));
    for (const char* outside : {"src=\"http", "href=\"http", "url(http", "@import", "<link"})
        EXPECT_EQ(page.find(outside), std::string::npos) << outside;
    EXPECT_EQ(page.find("{{"), page.find("{{", page.find("</html>"))) << "a place was not filled";
    EXPECT_NE(page.find("Content-Security-Policy"), std::string::npos);
    if (report_has_charts()) {
        EXPECT_NE(page.find("Apache License"), std::string::npos);
        EXPECT_NE(page.find("globalThis.echarts="), std::string::npos);
    }
    const std::size_t charts = page.find("globalThis.echarts=");
    EXPECT_LT(page.size(), charts == std::string::npos ? 300'000u : 1'100'000u);
}

} // namespace
} // namespace retrace::test
