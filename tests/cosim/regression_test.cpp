// The regression and its processes. A shell script stands for the worker where it has to misbehave.
#include <csignal>
#include <fstream>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim/cosim/case_rules.h"
#include "sim/cosim/generator.h"
#include "sim/cosim/processes.h"
#include "sim/cosim/regression.h"
#include "sim/cosim/worker.h"
#include "sim/report/run_folder.h"
#include "tests/cosim/small_case.h"

namespace retrace::cosim {
namespace {

namespace fs = std::filesystem;

class regression_run : public testing::Test {
protected:
    void SetUp() override {
        folder_ = fs::path(testing::TempDir()) / ("cosim_regression_" + std::to_string(getpid()));
        fs::create_directories(folder_);
        options_.array = "kernel";
        options_.jobs = 2;
        options_.quiet = true;
        options_.out = folder_ / "out";
        options_.shrink = 0;
        options_.program = RETRACE_PROGRAM;
    }
    void TearDown() override { fs::remove_all(folder_); }

    /// The worker is this script: $seed and $out are set.
    void worker_is(const std::string& body) {
        const fs::path script = folder_ / "worker.sh";
        std::ofstream(script) << "#!/bin/sh\nwhile [ $# -gt 0 ]; do case $1 in --seed) seed=$2;; --out) out=$2;; --case) "
                                 "case=$2;; esac; shift; done\n"
                              << body << "\n";
        fs::permissions(script, fs::perms::owner_all);
        options_.program = script.string();
    }
    /// Shell text that leaves a result and coverage, as a worker would.
    static std::string leave(const std::string& verdict, const std::string& kind = "", const std::string& seed = "$seed") {
        return "echo '{}' > $out/coverage.json; cat > $out/result.json <<END\n{\"seed\":" + seed + ",\"verdict\":\"" + verdict +
               "\",\"kind\":\"" + kind +
               "\",\"sentence\":\"told\",\"report\":\"\",\"cycles\":1,\"commands\":1,\"operations\":1,\"instructions\":1,"
               "\"checksum\":\"\"}\nEND\n";
    }
    const finished_case& only(const regression_result& r) {
        EXPECT_EQ(r.cases.size(), 1u);
        return r.cases.at(0);
    }

    fs::path folder_;
    regression_options options_;
};

TEST_F(regression_run, good_cases_pass_and_leave_their_files) {
    options_.first_seed = 11;
    options_.count = 4;
    const regression_result r = run_regression(options_);
    EXPECT_TRUE(r.passed()) << describe(r);
    EXPECT_EQ(r.exit_code(), 0);
    ASSERT_EQ(r.cases.size(), 4u);
    coverage sum;
    for (std::uint64_t i = 0; i < 4; ++i) {
        const fs::path at = options_.out / ("seed_" + std::to_string(11 + i));
        EXPECT_EQ(r.cases[i].result.seed, 11 + i);
        EXPECT_EQ(read_text(at / "case.json"), to_text(generate(11 + i)));
        sum.add_json(read_text(at / "coverage.json"));
    }
    EXPECT_EQ(sum.hits(), r.covered.hits());
    EXPECT_NE(read_text(options_.out / "junit.xml").find("tests=\"4\" failures=\"0\""), std::string::npos);
    EXPECT_NE(read_text(options_.out / "summary.txt").find("seed 14 pass"), std::string::npos);
    EXPECT_EQ(read_text(options_.out / "coverage.json"), r.covered.to_json());
}

TEST_F(regression_run, a_worker_that_dies_is_a_failure) {
    worker_is("echo last words; kill -SEGV $$");
    const regression_result r = run_regression(options_);
    EXPECT_EQ(r.exit_code(), 4);
    EXPECT_EQ(only(r).result.kind, "crash");
    EXPECT_NE(only(r).result.sentence.find("signal 11"), std::string::npos) << only(r).result.sentence;
    EXPECT_NE(describe(r).find("last words"), std::string::npos);
    EXPECT_NE(describe(r).find("retrace cosim --seed 1 --count 1 --array kernel"), std::string::npos);
    EXPECT_NE(read_text(options_.out / "junit.xml").find("failures=\"1\""), std::string::npos);
    EXPECT_NE(read_text(options_.out / "seed_1" / "report.txt").find("signal 11"), std::string::npos);
}

TEST_F(regression_run, a_worker_that_says_nothing_is_a_failure) {
    worker_is("exit 0");
    const regression_result r = run_regression(options_);
    EXPECT_EQ(r.exit_code(), 4);
    EXPECT_NE(only(r).result.sentence.find("left no result"), std::string::npos);
}

TEST_F(regression_run, a_result_that_does_not_fit_its_process_is_a_failure) {
    worker_is(leave("pass") + "exit 1");
    EXPECT_EQ(run_regression(options_).exit_code(), 4);
    worker_is(leave("mismatch", "memory") + "exit 0");
    EXPECT_EQ(run_regression(options_).exit_code(), 4);
    worker_is(leave("pass", "", "999") + "exit 0");
    EXPECT_EQ(run_regression(options_).exit_code(), 4);
    worker_is(leave("splendid") + "exit 0");
    EXPECT_EQ(run_regression(options_).exit_code(), 4);
    worker_is(leave("pass") + "echo nonsense > $out/coverage.json; exit 0");
    EXPECT_EQ(run_regression(options_).exit_code(), 4);
    worker_is(leave("pass") + "exit 0");
    EXPECT_EQ(run_regression(options_).exit_code(), 0) << "the script is right when it is right";
}

TEST_F(regression_run, a_worker_that_does_not_end_is_killed_and_counts_as_a_hang) {
    worker_is("sleep 600");
    options_.limit = std::chrono::milliseconds(300);
    const auto begin = std::chrono::steady_clock::now();
    const regression_result r = run_regression(options_);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(30));
    EXPECT_EQ(r.exit_code(), 3);
    EXPECT_EQ(only(r).result.what, verdict::hang);
}

TEST_F(regression_run, a_mismatch_weighs_more_than_a_hang) {
    options_.count = 3;
    worker_is("if [ $seed = 1 ]; then " + leave("hang", "hang") + "exit 3; fi; if [ $seed = 2 ]; then " +
              leave("mismatch", "memory") + "exit 4; fi; " + leave("pass") + "exit 0");
    const regression_result r = run_regression(options_);
    EXPECT_EQ(r.exit_code(), 4);
    EXPECT_EQ(r.cases[0].result.what, verdict::hang);
    EXPECT_EQ(r.cases[1].result.what, verdict::mismatch);
    EXPECT_TRUE(r.cases[2].result.passed());
}

// The script fails whenever the case has a transpose in it: the regression shrinks to a case with nothing else.
TEST_F(regression_run, a_failure_is_shrunk_and_the_shrunk_case_can_be_run) {
    std::uint64_t seed = 1;
    const auto transposes = [](const test_case& c) { return to_text(c).find("\"transpose\"") != std::string::npos; };
    while (!transposes(generate(seed)))
        ++seed;
    options_.first_seed = seed;
    options_.shrink = 1;
    std::ofstream(folder_ / "original.json") << to_text(generate(seed));
    worker_is("if [ -z \"$case\" ]; then case=" + (folder_ / "original.json").string() + "; fi; seed=" + std::to_string(seed) +
              "; if grep -q '\"transpose\"' $case; then " + leave("mismatch", "memory") + "exit 4; fi; " + leave("pass") +
              "exit 0");
    const regression_result r = run_regression(options_);
    EXPECT_EQ(r.exit_code(), 4);
    const fs::path file = options_.out / ("seed_" + std::to_string(seed)) / "shrunk.json";
    const test_case small = parse_case(read_text(file), "shrunk");
    EXPECT_FALSE(find_fault(small));
    EXPECT_TRUE(transposes(small));
    std::size_t operations = 0;
    for (const command& k : small.commands)
        operations += k.operations.size();
    EXPECT_LE(operations, 2u) << describe(small) << "a transpose, and what makes its source live";
    EXPECT_NE(only(r).shrunk.find("--case " + file.string()), std::string::npos) << only(r).shrunk;
    EXPECT_NE(describe(r).find("the case:\n" + describe(small)), std::string::npos);
    EXPECT_FALSE(fs::exists(file.parent_path() / "shrink")) << "trials leave nothing";
    // And it runs: on the real worker it passes.
    options_.case_file = file;
    options_.out = folder_ / "again";
    options_.program = RETRACE_PROGRAM;
    EXPECT_EQ(run_regression(options_).exit_code(), 0);
}

TEST_F(regression_run, folders_and_files_of_others_are_left_alone) {
    fs::create_directories(options_.out);
    std::ofstream(options_.out / "mine.txt") << "mine";
    EXPECT_THROW(run_regression(options_), run_folder_error);
    EXPECT_EQ(read_text(options_.out / "mine.txt"), "mine");
    options_.out = folder_ / "other";
    options_.case_file = folder_ / "nothing.json";
    EXPECT_THROW(run_regression(options_), case_error);
    EXPECT_FALSE(fs::exists(options_.out));
}

/// Whether a process has the text on its command line.
bool somebody_runs(const std::string& text) {
    for (const auto& entry : fs::directory_iterator("/proc")) {
        std::ifstream in(entry.path() / "cmdline", std::ios::binary);
        const std::string line{std::istreambuf_iterator<char>(in), {}};
        if (line.find(text) != line.npos)
            return true;
    }
    return false;
}

TEST_F(regression_run, ctrl_c_stops_the_workers_and_keeps_what_is_done) {
    const std::string out = (folder_ / "stopped").string();
    const pid_t pid = fork();
    if (pid == 0) {
        execl(RETRACE_PROGRAM, RETRACE_PROGRAM, "cosim", "--count", "100000", "--jobs", "2", "--array", "kernel", "--quiet",
              "--out", out.c_str(), nullptr);
        _exit(127);
    }
    for (unsigned i = 0; i < 600 && !fs::exists(out + "/seed_5/result.json"); ++i)
        usleep(50'000);
    ASSERT_TRUE(fs::exists(out + "/seed_5/result.json"));
    kill(pid, SIGINT); // to the parent alone, as a job server does
    int status = 0;
    ASSERT_EQ(waitpid(pid, &status, 0), pid);
    ASSERT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 130);
    EXPECT_FALSE(somebody_runs(out + "/seed_"));
    EXPECT_NE(read_text(out + "/junit.xml").find("<testcase "), std::string::npos);
}

TEST_F(regression_run, hostile_cases_end_with_exit_code_2_and_touch_nothing) {
    std::ofstream(folder_ / "hostile.json") << "{\"format\": \"retrace cosim case 1\", \"seed\": 1}";
    const std::string command = std::string(RETRACE_PROGRAM) + " cosim --case " + (folder_ / "hostile.json").string() +
                                " --out " + (folder_ / "untouched").string() + " 2> " + (folder_ / "message").string();
    EXPECT_EQ(WEXITSTATUS(std::system(command.c_str())), 2);
    EXPECT_NE(read_text(folder_ / "message").find("'machine' is missing"), std::string::npos);
    EXPECT_FALSE(fs::exists(folder_ / "untouched"));
}

} // namespace
} // namespace retrace::cosim
