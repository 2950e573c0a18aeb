// What `retrace plan` says a run will cost, held against runs: rows and bytes of the log, timeline, cycles, time, memory; and that a
// measurement which fails costs nothing but its figures.
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>

#include <nlohmann/json.hpp>
#include <sys/resource.h>
#include <unistd.h>

#include "host/compiler/transfer.h"
#include "sim/cli/training_run.h"
#include "sim/cost/run_cost.h"
#include "sim/log/log_reader.h"
#include "sim/platform/capabilities.h"
#include "tests/system/program.h"
#include "tests/system/system_bench.h"

namespace retrace::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const std::string digits = std::string(RETRACE_SOURCE_FOLDER) + "/examples/digits/";

constexpr double log_tolerance = 0.20, timeline_tolerance = 0.30; ///< what the plan promises

std::vector<std::string> sets(const std::vector<std::string>& values) {
    std::vector<std::string> arguments;
    for (const std::string& v : values)
        arguments.insert(arguments.end(), {"--set", v});
    return arguments;
}

std::vector<std::string> operator+(std::vector<std::string> a, const std::vector<std::string>& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

/// The digits with few, narrow layers.
std::vector<std::string> small_network(const std::string& preset, int steps, const std::string& logged) {
    return {"npu.preset=" + preset, "npu.device_dram.regions=null", "network.layers.0.dense=40", "network.layers.0.repeat=4",
            "training.epochs=null", "training.steps=" + std::to_string(steps), "training.batch=48", "log.steps=[" + logged + "]",
            "data.test_rows=100"};
}

std::uint64_t rows(log_reader& log, const std::string& table) {
    log_query q(log, "SELECT count(*) FROM " + table);
    q.next();
    return q.number(0);
}

double off(std::uint64_t estimate, std::uintmax_t real) { return static_cast<double>(estimate) / static_cast<double>(real) - 1; }

/// Runs it, and compares what was written with what was said before.
void expect_size_as_planned(const std::vector<std::string>& settings) {
    const scratch_folder folder;
    const std::string out = folder.file("run");
    const program_result r = run_program(std::vector<std::string>{"train", digits + "recompute.yaml", "--quiet", "--out", out} + sets(settings));
    ASSERT_EQ(r.exit, 0) << r.err;
    const loaded_config loaded = load_config(digits + "recompute.yaml", settings);
    const retrace::plan p = retrace::plan_of(loaded.config);
    const run_length length = length_of(loaded.config, load_data(loaded.config).rows());
    const log_size size = log_of_training(loaded.config, p, length);

    log_reader log(out + "/events.sqlite");
    const log_rows& n = size.rows;
    for (const auto& [table, planned] : {std::pair{"command", n.commands}, {"command_moment", n.moments}, {"command_wait", n.waits},
                                         {"operand", n.operands}, {"occupancy", n.occupancies}, {"host_event", n.host_events},
                                         {"tensor", n.tensors}, {"program", n.programs}, {"instruction", n.instructions},
                                         {"access", n.accesses}, {"program_code", n.codes}})
        EXPECT_EQ(planned, rows(log, table)) << table;
    // How the last versions end, and how often the core's mover runs, the plan does not say exactly.
    EXPECT_NEAR(off(n.lives, rows(log, "tensor_life")), 0, 0.25);
    if (n.grants != 0) {
        EXPECT_NEAR(off(n.grants, rows(log, "grant_")), 0, 0.10);
    }

    EXPECT_NEAR(off(size.bytes, fs::file_size(out + "/events.sqlite")), 0, log_tolerance) << size.bytes;
    EXPECT_NEAR(off(size.timeline_bytes, fs::file_size(out + "/timeline.json")), 0, timeline_tolerance) << size.timeline_bytes;
    std::uintmax_t whole = 0;
    for (const auto& entry : fs::directory_iterator(out))
        whole += entry.file_size();
    EXPECT_NEAR(off(needs_of(loaded.config, p, length).total(), whole), 0, timeline_tolerance);
}

TEST(run_cost, the_log_of_the_demo_has_the_size_that_was_said) { expect_size_as_planned({"training.epochs=1"}); }

TEST(run_cost, so_has_one_by_commands_alone) { expect_size_as_planned(small_network("tiny", 60, "")); }

TEST(run_cost, so_has_one_of_many_channels_and_segments) {
    expect_size_as_planned(small_network("large", 6, "2,5") + std::vector<std::string>{"training.schedule=interval_overwrite", "training.interval=2"});
}

TEST(run_cost, so_has_one_with_the_evaluation_and_fp32) {
    expect_size_as_planned(small_network("tiny", 8, "1,3,9") +
                           std::vector<std::string>{"training.schedule=store_all", "training.operands=fp32"});
}

TEST(run_cost, products_too) {
    const scratch_folder folder;
    const auto real = [&](const std::vector<std::string>& more) {
        const program_result r = run_program(std::vector<std::string>{"gemm", "--m", "200", "--k", "300", "--n", "100", "--preset", "tiny", "--dtype",
                                                                     "fp32", "--quiet", "--out", folder.file("g")} + more);
        EXPECT_EQ(r.exit, 0) << r.err;
        return fs::file_size(folder.file("g/events.sqlite"));
    };
    const npu_config npu = load_npu("tiny");
    const device_capabilities device = capabilities_of(npu);
    compiler::gemm_shape shape;
    shape.m = 200, shape.k = 300, shape.n = 100, shape.source = spec::number_format::fp32;
    const compiler::gemm_program product = compiler::compile_gemm(shape, device, compiler::whole_state_buffer(device));
    std::vector<compiler::compiled_kernel> copies;
    for (const std::uint64_t bytes : {200 * 300 * 4, 300 * 100 * 4, 200 * 100 * 4})
        copies.push_back(compiler::compile_transfer({1, bytes, bytes, bytes}, device));
    EXPECT_NEAR(off(log_of_product(npu, product, copies, false).bytes, real({})), 0, log_tolerance);
    EXPECT_NEAR(off(log_of_product(npu, product, copies, true).bytes, real({"--timeline-steps", "1"})), 0, log_tolerance);
}

TEST(run_cost, the_measurement_extrapolates_to_the_run) {
    const scratch_folder folder;
    const auto settings = std::vector<std::string>{"training.epochs=4"};
    const auto begun = std::chrono::steady_clock::now();
    const program_result r =
        run_program(std::vector<std::string>{"train", digits + "recompute.yaml", "--quiet", "--out", folder.file("run")} + sets(settings));
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
    ASSERT_EQ(r.exit, 0) << r.err;
    rusage used{};
    getrusage(RUSAGE_CHILDREN, &used);

    const loaded_config loaded = load_config(digits + "recompute.yaml", settings);
    const retrace::plan p = retrace::plan_of(loaded.config);
    calibration_options options;
    options.program = RETRACE_PROGRAM;
    options.temporary = folder.file("");
    const calibration m = calibrate(loaded.config, options);
    ASSERT_GT(m.steps, 0u);
    const run_cost cost = cost_of(loaded.config, p, length_of(loaded.config, load_data(loaded.config).rows()), {}, m);
    EXPECT_EQ(cost.length.steps, 20u);

    const json s = json::parse(text_of(folder.file("run/summary.json")));
    const auto cycles = s.at("cycles").at("total").get<std::uint64_t>();
    EXPECT_NEAR(off(cost.cycles, cycles), 0, 0.05);
    EXPECT_NEAR(off(m.step_cycles, cycles / 20), 0, 0.08); // of the total, start and evaluation have a share
    EXPECT_NEAR(off(cost.memory_bytes, static_cast<std::uint64_t>(used.ru_maxrss) * 1024), 0, 0.30);
    // Other work on this computer may come between: a factor only.
    EXPECT_GT(cost.wall_seconds(), seconds / 4);
    EXPECT_LT(cost.wall_seconds(), seconds * 4);
}

TEST(run_cost, a_step_that_takes_too_long_is_measured_in_part) {
    const scratch_folder folder;
    const auto settings = std::vector<std::string>{"npu.preset=tiny", "npu.array.implementation=stepped", "data.test_rows=100",
                                                   "log.steps=[]"};
    run_config config = load_config(digits + "recompute.yaml", settings).config;
    calibration_options options;
    options.program = RETRACE_PROGRAM;
    options.temporary = folder.file("");
    options.seconds = 0.1;
    options.hard_seconds = 1;
    const auto begun = std::chrono::steady_clock::now();
    const calibration m = calibrate(config, options);
    EXPECT_LT(std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count(), 8);
    EXPECT_EQ(m.steps, 0u);
    EXPECT_GT(m.part_of_step, 0);
    EXPECT_LT(m.part_of_step, 1);
    const run_cost cost = cost_of(config, retrace::plan_of(config), length_of(config, load_data(config).rows()), {}, m);
    EXPECT_GT(cost.step_seconds, 0.9);
    EXPECT_GT(cost.wall_seconds(), 0.9 * static_cast<double>(cost.length.steps));
}

TEST(run_cost, plan_says_the_plan_first_and_then_the_cost) {
    const scratch_folder folder;
    const std::string out = folder.file("run");
    const std::vector<std::string> settings{"training.epochs=1"};
    const loaded_config loaded = load_config(digits + "recompute.yaml", settings);
    const std::string text = describe(retrace::plan_of(loaded.config));
    const auto plan = std::vector<std::string>{"plan", digits + "recompute.yaml", "--out", out} + sets(settings);

    const program_result measured = run_program(plan);
    ASSERT_EQ(measured.exit, 0) << measured.err;
    EXPECT_EQ(measured.out.substr(0, text.size()), text);
    for (const char* line : {"from its first", "5   then 517 rows", "wall time ", "memory ", "event log ", "timeline.json ", "--wave-max", " are free"})
        EXPECT_NE(measured.out.find(line, text.size()), std::string::npos) << line << measured.out;

    const program_result planned = run_program(plan + std::vector<std::string>{"--no-calibration"});
    ASSERT_EQ(planned.exit, 0) << planned.err;
    EXPECT_EQ(planned.out.substr(0, text.size()), text);
    EXPECT_EQ(planned.out.find("wall time"), std::string::npos) << planned.out;
    EXPECT_NE(planned.out.find("event log "), std::string::npos) << planned.out;
    EXPECT_FALSE(fs::exists(out));
    EXPECT_FALSE(fs::exists("out")) << "a plan left something in the working folder";
}

/// A program in place of the simulator.
std::string script(const scratch_folder& folder, const std::string& text) {
    const std::string file = folder.file("program");
    std::ofstream(file) << "#!/bin/sh\n" << text << "\n";
    fs::permissions(file, fs::perms::owner_all);
    return file;
}

TEST(run_cost, a_measurement_that_fails_says_why_and_leaves_nothing) {
    const run_config config = load_config(digits + "recompute.yaml").config;
    const auto expect = [&](const std::string& text, const std::string& message) {
        const scratch_folder folder;
        fs::create_directory(folder.file("temporary"));
        calibration_options options;
        options.program = text.empty() ? folder.file("none") : script(folder, text);
        options.temporary = folder.file("temporary");
        options.kill_seconds = 1;
        try {
            calibrate(config, options);
            ADD_FAILURE() << text << " was taken for a measurement";
        } catch (const calibration_error& e) {
            EXPECT_NE(std::string(e.what()).find(message), std::string::npos) << e.what();
        }
        EXPECT_TRUE(fs::is_empty(folder.file("temporary"))) << text;
    };
    expect("", "exit code 127");
    expect("exit 3", "exit code 3");
    expect("echo one; echo 'retrace: the device stopped' >&2; exit 1", "the device stopped");
    expect("kill -SEGV $$", "signal 11");
    expect("exec sleep 60", "did not come to an end within 1 s");
    expect("exit 0", "left no measurement");
    expect("echo '{\"steps\": 3}' > \"$4/calibration.json\"", "left no measurement");
    expect("echo 'nothing of that kind' > \"$4/calibration.json\"", "left no measurement");
    calibration_options options;
    options.temporary = "/no/such/folder";
    EXPECT_THROW(calibrate(config, options), calibration_error);
}

TEST(run_cost, ctrl_c_ends_the_measurement_and_leaves_nothing) {
    const run_config config = load_config(digits + "recompute.yaml").config;
    const scratch_folder folder;
    fs::create_directory(folder.file("temporary"));
    calibration_options options;
    options.program = script(folder, "echo $$ > '" + folder.file("pid") + "'; exec sleep 60");
    options.temporary = folder.file("temporary");
    const pid_t presser = fork();
    if (presser == 0) {
        for (int i = 0; i < 500 && (!fs::exists(folder.file("pid")) || fs::file_size(folder.file("pid")) == 0); ++i)
            usleep(10'000);
        kill(getppid(), SIGINT);
        _exit(0);
    }
    try {
        calibrate(config, options);
        ADD_FAILURE() << "it was not stopped";
    } catch (const calibration_interrupted& e) {
        EXPECT_EQ(e.signal(), SIGINT);
    }
    EXPECT_TRUE(fs::is_empty(folder.file("temporary")));
    pid_t child = 0;
    std::ifstream(folder.file("pid")) >> child;
    ASSERT_GT(child, 1);
    EXPECT_NE(kill(child, 0), 0) << "the measured process still runs";
}

TEST(run_cost, plan_without_a_measurement_still_plans) {
    // The device hangs in its first step, which the plan cannot know.
    const program_result r = run_program({"plan", digits + "recompute.yaml", "--set", "npu.watchdog_cycles=1000"});
    EXPECT_EQ(r.exit, 0) << r.err;
    EXPECT_NE(r.out.find("could not be measured: hang: "), std::string::npos) << r.out;
    EXPECT_NE(r.out.find("event log "), std::string::npos) << r.out;
}

} // namespace
} // namespace retrace::test
