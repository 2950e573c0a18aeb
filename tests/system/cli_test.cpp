// The commands as people type them: exit codes, messages, files, and that a refused run leaves no trace.
#include <csignal>
#include <filesystem>
#include <fstream>
#include <numeric>

#include <nlohmann/json.hpp>

#include "tests/system/program.h"
#include "tests/system/system_bench.h"

namespace retrace::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const std::string digits = std::string(RETRACE_SOURCE_FOLDER) + "/examples/digits/";

/// `train` on the digits example for a few steps; more arguments behind.
std::vector<std::string> train(const std::string& config, const std::string& out, std::vector<std::string> more = {}, int steps = 2) {
    std::vector<std::string> a{"train", digits + config, "--set", "training.epochs=null", "--set", "training.steps=" + std::to_string(steps),
                               "--set", "data.test_rows=100", "--out", out};
    a.insert(a.end(), more.begin(), more.end());
    return a;
}

std::vector<std::string> gemm(const std::string& out, std::vector<std::string> more) {
    std::vector<std::string> a{"gemm", "--out", out};
    a.insert(a.end(), more.begin(), more.end());
    return a;
}

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::uint64_t sum_of(const json& stalls) {
    return std::accumulate(stalls.begin(), stalls.end(), std::uint64_t{0},
                           [](std::uint64_t sum, const json& value) { return sum + value.get<std::uint64_t>(); });
}

TEST(cli, training_reports_what_the_manual_of_the_summary_promises) {
    const scratch_folder folder;
    const program_result r = run_program(train("recompute.yaml", folder.file("run")));
    ASSERT_EQ(r.exit, 0) << r.err;
    EXPECT_TRUE(holds(r.out, "Where the array's cycles went")) << r.out;
    EXPECT_TRUE(holds(r.out, "100.00 %")) << r.out;
    EXPECT_TRUE(holds(r.err, "epoch")) << r.err; // progress goes to standard error
    const json s = json::parse(text_of(folder.file("run/summary.json")));
    const std::uint64_t total = s.at("cycles").at("total").get<std::uint64_t>();
    EXPECT_EQ(sum_of(s.at("cycles").at("stalls")), total);
    EXPECT_LE(s.at("cycles").at("stalls").at("other").get<std::uint64_t>() * 100, total);
    EXPECT_LE(s.at("cycles").at("array").get<std::uint64_t>(), total);
    EXPECT_NEAR(s.at("work").at("utilisation").get<double>(),
                s.at("work").at("macs").get<double>() / (32.0 * 32.0 * static_cast<double>(total)), 1e-12);
    for (const auto& [name, memory] : s.at("memory").items())
        for (const char* key : {"capacity_bytes", "peak_bytes", "planned_peak_bytes"})
            EXPECT_TRUE(memory.at(key).is_number_unsigned()) << name << " " << key;
    EXPECT_EQ(s.at("schedule").at("name"), "recompute");
    EXPECT_EQ(s.at("schedule").at("forward_executions"), 90);
    EXPECT_EQ(s.at("run").at("status"), "complete");
    EXPECT_EQ(s.at("run").at("config_sha256").get<std::string>().size(), 64u);
    EXPECT_EQ(s.at("result").at("weights_sha256").get<std::string>().size(), 64u);
    EXPECT_GT(s.at("result").at("test_accuracy").get<double>(), 0.05);
}

TEST(cli, keeping_everything_is_refused_before_simulation_and_equal_where_it_fits) {
    const scratch_folder folder;
    const program_result refused = run_program(train("store_all.yaml", folder.file("refused")));
    EXPECT_EQ(refused.exit, 2);
    EXPECT_TRUE(holds(refused.err, "needs 1086464 bytes, 163840 are available")) << refused.err;
    EXPECT_TRUE(holds(refused.err, "smallest capacity")) << refused.err;
    EXPECT_FALSE(fs::exists(folder.file("refused")));
    ASSERT_EQ(run_program(train("store_all.yaml", folder.file("all"), {"--set", "npu.device_dram.regions.activations=64MiB"})).exit, 0);
    ASSERT_EQ(run_program(train("recompute.yaml", folder.file("recompute"))).exit, 0);
    const auto weights = [&](const char* run) {
        return json::parse(text_of(folder.file(run) + "/summary.json")).at("result").at("weights_sha256").get<std::string>();
    };
    EXPECT_EQ(weights("all"), weights("recompute"));
}

TEST(cli, faults_of_configuration_and_data_are_exit_2_and_create_nothing) {
    const scratch_folder folder;
    const std::string out = folder.file("run");
    std::ofstream(folder.file("empty.yaml")).close();
    std::ofstream(folder.file("short.csv")) << "1,2,3\n";
    const auto expect = [&](const std::vector<std::string>& arguments, const char* text) {
        const program_result r = run_program(arguments);
        EXPECT_EQ(r.exit, 2) << r.err;
        EXPECT_TRUE(holds(r.err, text)) << r.err;
        EXPECT_FALSE(fs::exists(out));
    };
    expect(train("recompute.yaml", out, {"--set", "npu.aray.rows=8"}), "array");
    expect(train("recompute.yaml", out, {"--set", "log.steps=[4294967297]"}), "log.steps");
    expect(train("recompute.yaml", out, {"--set", "data.file=" + folder.file("short.csv")}), "short.csv:1");
    expect(train("recompute.yaml", out, {"--set", "data.file=" + folder.file("none.csv")}), "none.csv");
    expect(train("no_such.yaml", out), "no_such.yaml");
    expect({"train", folder.file("empty.yaml"), "--out", out}, "empty.yaml:1");
    expect({"train", digits + "recompute.yaml", "--aray", "kernel"}, "--aray");
    expect(gemm(out, {"--m", "64", "--k", "64"}), "--n");
    expect(gemm(out, {"--m", "64", "--k", "64", "--n", "64", "--preset", "smal"}), "small");
    expect(gemm(out, {"--m", "64", "--k", "64", "--n", "64", "--set", "npu.device_dram.regions.programs=64"}), "programs");
    expect(gemm(out, {"--m", "65536", "--k", "65536", "--n", "16"}), "device memory");
    expect({"core", digits + "digits.csv"}, "digits.csv");
    expect({"prove", folder.file("none")}, "none");
}

TEST(cli, an_earlier_run_is_replaced_and_nothing_else_ever_is) {
    const scratch_folder folder;
    const std::string out = folder.file("run");
    const std::vector<std::string> small{"--m", "9", "--k", "10", "--n", "11", "--preset", "tiny"};
    ASSERT_EQ(run_program(gemm(out, small)).exit, 0);
    std::ofstream(out + "/left_over.txt") << "old";
    ASSERT_EQ(run_program(gemm(out, small)).exit, 0);
    EXPECT_FALSE(fs::exists(out + "/left_over.txt"));

    fs::create_directories(folder.file("mine"));
    std::ofstream(folder.file("mine/thesis.txt")) << "precious";
    const program_result refused = run_program(gemm(folder.file("mine"), small));
    EXPECT_EQ(refused.exit, 2);
    EXPECT_TRUE(holds(refused.err, "not replaced")) << refused.err;
    EXPECT_EQ(text_of(folder.file("mine/thesis.txt")), "precious");

    // The folder of a run may hold the data of the next one: replacing it would delete what is to be read.
    fs::copy_file(digits + "digits.csv", out + "/digits.csv");
    const program_result inside = run_program(train("recompute.yaml", out, {"--set", "data.file=" + out + "/digits.csv"}));
    EXPECT_EQ(inside.exit, 2);
    EXPECT_TRUE(holds(inside.err, "digits.csv lies in")) << inside.err;
    EXPECT_TRUE(fs::exists(out + "/digits.csv"));
}

TEST(cli, gemm_in_serial_form_takes_the_textbook_cycles) {
    const scratch_folder folder;
    struct shape {
        unsigned m, k, n;
        const char* dtype;
    };
    for (const shape& s : {shape{64, 64, 64, "bf16"}, shape{33, 70, 41, "int8"}, shape{1, 1, 1, "bf16"}, shape{100, 31, 33, "bf16"}}) {
        const std::vector<std::string> arguments{"--m", std::to_string(s.m), "--k", std::to_string(s.k), "--n", std::to_string(s.n), "--dtype",
                                                 s.dtype, "--preset", "small"};
        const auto cycles = [&](const std::vector<std::string>& more) {
            std::vector<std::string> all = arguments;
            all.insert(all.end(), more.begin(), more.end());
            const program_result r = run_program(gemm(folder.file("g"), all));
            EXPECT_EQ(r.exit, 0) << r.err;
            EXPECT_TRUE(holds(r.out, "equal against the scalar reference")) << r.out;
            const json j = json::parse(text_of(folder.file("g/summary.json")));
            EXPECT_EQ(j.at("result").at("verified"), true);
            EXPECT_EQ(sum_of(j.at("cycles").at("stalls")), j.at("cycles").at("total").get<std::uint64_t>());
            return std::pair(j.at("cycles").at("array").get<std::uint64_t>(), j.at("result").at("checksum").get<std::string>());
        };
        const auto ceil = [](unsigned a, unsigned b) { return std::uint64_t{(a + b - 1) / b}; };
        const std::uint64_t tiles = ceil(s.k, 32) * ceil(s.n, 32), textbook = tiles * (s.m + 2 * 32 + 32 - 2);
        const auto serial = cycles({"--serial"}), overlapped = cycles({}), stepped = cycles({"--array", "stepped"});
        EXPECT_EQ(serial.first, textbook);
        EXPECT_EQ(serial.second, overlapped.second);
        EXPECT_EQ(stepped, overlapped);
        EXPECT_LE(overlapped.first, textbook - (tiles > 1));
    }
}

TEST(cli, the_array_may_be_chosen_by_option_or_by_key) {
    const scratch_folder folder;
    const program_result r = run_program(gemm(folder.file("g"), {"--m", "8", "--k", "8", "--n", "8", "--set", "npu.preset=tiny", "--set",
                                                                 "npu.array.implementation=stepped"}));
    EXPECT_EQ(r.exit, 0) << r.err;
    EXPECT_TRUE(holds(r.out, "preset tiny (8x8), array stepped")) << r.out;
}

TEST(cli, arrays_agree_and_windows_change_nothing) {
    const scratch_folder folder;
    const auto run = [&](const std::vector<std::string>& more) {
        std::vector<std::string> all{"--m", "100", "--k", "70", "--n", "33", "--preset", "tiny"};
        all.insert(all.end(), more.begin(), more.end());
        const program_result r = run_program(gemm(folder.file("g"), all));
        EXPECT_EQ(r.exit, 0) << r.err;
        const json j = json::parse(text_of(folder.file("g/summary.json")));
        return std::pair(j.at("result").at("checksum").get<std::string>(), j.at("cycles").dump());
    };
    const auto kernel = run({});
    EXPECT_EQ(run({"--array", "lockstep"}), kernel);
    EXPECT_EQ(run({"--array-window", "0:94000=stepped", "--array-window", "95000:98000=lockstep"}), kernel);
    // A window in which nothing happens is told: whoever asked for it expects to see something.
    const program_result unused = run_program(gemm(folder.file("g"), {"--m", "8", "--k", "8", "--n", "8", "--preset", "tiny", "--array-window",
                                                                      "5:9=stepped", "--array-window", "10:999999=stepped"}));
    EXPECT_EQ(unused.exit, 0);
    EXPECT_TRUE(holds(unused.err, "no tile of the array began in cycles 5 to 9")) << unused.err;
    EXPECT_FALSE(holds(unused.err, "cycles 10 to")) << unused.err;
    // Nobody builds RTL of 32 x 24.
    const program_result r = run_program(gemm(folder.file("x"), {"--m", "8", "--k", "8", "--n", "8", "--preset", "small", "--set",
                                                                 "npu.array.columns=24", "--array", "rtl"}));
    EXPECT_EQ(r.exit, 2) << r.err;
    EXPECT_TRUE(holds(r.err, "cmake") || holds(r.err, "Verilator")) << r.err;
    EXPECT_EQ(run_program(gemm(folder.file("x"), {"--m", "8", "--k", "8", "--n", "8", "--array-window", "9:3=rtl"})).exit, 2);
    EXPECT_FALSE(fs::exists(folder.file("x")));
}

TEST(cli, fma_checks_every_array_against_vectors) {
    const scratch_folder folder;
    std::ofstream(folder.file("good")) << "3f800000 3f800000 3f800000 40000000 00\r\n\n7fc00000 0 0 ffffffff 10\n";
    std::ofstream(folder.file("right")) << "3f800000 3f800000 3f800000 40000000 00\n7fc00000 00000000 00000000 ffffffff 10\n";
    std::ofstream(folder.file("wrong")) << "3f800000 3f800000 3f800000 40000001 01\n";
    EXPECT_EQ(run_program({"fma", folder.file("good")}).exit, 2); // operands have eight digits
    EXPECT_EQ(run_program({"fma", folder.file("right")}).exit, 0);
    const program_result wrong = run_program({"fma", folder.file("wrong")});
    EXPECT_EQ(wrong.exit, 4);
    EXPECT_TRUE(holds(wrong.out, "stepped: 1 of 1 wrong")) << wrong.out;
    EXPECT_EQ(run_program({"fma", "--sweep", "200000"}).exit, 0);
}

TEST(cli, core_writes_the_signature_and_logs_instructions) {
    const scratch_folder folder;
    const std::string guests = RETRACE_GUEST_PROGRAMS;
    const program_result plain = run_program({"core", guests + "/signature.elf", "--signature", folder.file("words")});
    EXPECT_EQ(plain.exit, 0) << plain.err;
    EXPECT_EQ(text_of(folder.file("words")), "600df00d\n11111111\n9ff20ff2\n"); // one word, the untouched one, the first one's complement
    // A line per instruction, then the summary as without.
    const program_result traced = run_program({"core", guests + "/signature.elf", "--trace"});
    EXPECT_EQ(traced.exit, 0) << traced.err;
    unsigned long long instructions = 0;
    ASSERT_EQ(std::sscanf(plain.out.c_str() + plain.out.find('\n') + 1, "%llu instructions", &instructions), 1) << plain.out;
    EXPECT_GT(instructions, 5u);
    EXPECT_EQ(static_cast<unsigned long long>(std::count(traced.out.begin(), traced.out.end(), '\n')), instructions + 2) << traced.out;
    EXPECT_TRUE(holds(traced.out, "80000000")) << traced.out;
    EXPECT_EQ(traced.out.substr(traced.out.size() - plain.out.size()), plain.out);
    // A program without the symbols, and a file that cannot be written.
    const program_result without = run_program({"core", guests + "/memory.elf", "--signature", folder.file("none")});
    EXPECT_EQ(without.exit, 2);
    EXPECT_TRUE(holds(without.err, "begin_signature")) << without.err;
    EXPECT_FALSE(fs::exists(folder.file("none")));
    EXPECT_EQ(run_program({"core", guests + "/signature.elf", "--signature", folder.file("no/such/folder")}).exit, 2);
    // Suites: a failing test's number, and exit 1.
    EXPECT_EQ(run_program({"core", folder.file("words")}).exit, 2); // no ELF
}

TEST(cli, a_stopped_run_leaves_a_readable_log_and_says_how_far_it_came) {
    for (const int signal : {SIGINT, SIGTERM}) {
        const scratch_folder folder;
        const program_result r = run_program(train("recompute.yaml", folder.file("run"), {}, 1000), {signal, "epoch", 0});
        EXPECT_EQ(r.exit, 128 + signal) << r.err;
        EXPECT_TRUE(holds(r.err, "stopped by the user")) << r.err;
        const json s = json::parse(text_of(folder.file("run/summary.json")));
        EXPECT_EQ(s.at("run").at("status"), "interrupted");
        EXPECT_GT(s.at("cycles").at("total").get<std::uint64_t>(), 0u);
        EXPECT_FALSE(s.at("result").contains("weights_sha256"));
        const program_result proof = run_program({"prove", folder.file("run")});
        EXPECT_TRUE(proof.exit == 0 || proof.exit == 1) << proof.err; // readable; the last step may be cut
    }
}

TEST(cli, plan_says_what_a_run_will_do_without_running_it) {
    const program_result r = run_program({"plan", digits + "recompute.yaml"});
    EXPECT_EQ(r.exit, 0) << r.err;
    EXPECT_TRUE(holds(r.out, "recompute")) << r.out;
}

TEST(cli, a_hang_is_exit_3_with_the_list_of_who_waits) {
    const scratch_folder folder;
    const program_result r = run_program(train("recompute.yaml", folder.file("run"), {"--set", "npu.watchdog_cycles=1000"}));
    EXPECT_EQ(r.exit, 3) << r.err;
    EXPECT_TRUE(holds(r.err, "hang: no engine has finished an instruction since cycle")) << r.err;
    EXPECT_EQ(json::parse(text_of(folder.file("run/summary.json"))).at("run").at("status"), "hang");
}

TEST(cli, a_log_that_cannot_be_written_is_an_error_not_an_empty_log) {
    const scratch_folder folder;
    const program_result r = run_program(train("recompute.yaml", folder.file("run")), {0, "", 200'000});
    EXPECT_EQ(r.exit, 1) << r.err;
    EXPECT_TRUE(holds(r.err, "event log")) << r.err;
}

TEST(cli, a_broken_log_is_a_fault_of_the_input) {
    const scratch_folder folder;
    ASSERT_EQ(run_program(train("recompute.yaml", folder.file("run"))).exit, 0);
    EXPECT_EQ(run_program({"prove", folder.file("run")}).exit, 0);
    std::ofstream(folder.file("run/events.sqlite"), std::ios::binary | std::ios::trunc) << "not a database, whatever its name";
    const program_result r = run_program({"prove", folder.file("run")});
    EXPECT_EQ(r.exit, 2) << r.err;
    EXPECT_TRUE(holds(r.err, "events.sqlite")) << r.err;
}

TEST(cli, help_teaches_every_topic) {
    for (const char* topic : {"config", "log", "exit"})
        EXPECT_GT(run_program({"help", topic}).out.size(), 200u) << topic;
    EXPECT_TRUE(holds(run_program({"help"}).out, "retrace train"));
    EXPECT_EQ(run_program({"help", "nonsense"}).exit, 2);
    EXPECT_TRUE(holds(run_program({"--version"}).out, "retrace"));
}

} // namespace
} // namespace retrace::test
