// The program as its user runs it: the same files from two processes, whatever else the machine does, and the proofs on the digits
// example.
#include <atomic>
#include <algorithm>
#include <csignal>
#include <filesystem>

#include <nlohmann/json.hpp>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/system/program.h"
#include "tests/system/system_bench.h"

namespace retrace::test {
namespace {

int train_digits(const std::string& out) {
    return run_program({"train", std::string(RETRACE_SOURCE_FOLDER) + "/examples/digits/recompute.yaml",
                        "--set", "training.epochs=null", "--set", "training.steps=3", "--set",
                        "data.test_rows=200", "--quiet", "--out", out}).exit;
}

/// Processes that keep every processor busy; they end with it, and with this process however it ends.
class busy_machine {
public:
    explicit busy_machine(unsigned processes) {
        const pid_t parent = getpid();
        for (unsigned i = 0; i < processes; ++i) {
            const pid_t child = fork();
            if (child == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                if (getppid() != parent)
                    _exit(1);
                for (std::atomic<unsigned> spins = 0;; ++spins) {
                }
            }
            if (child > 0)
                children_.push_back(child);
        }
        EXPECT_EQ(children_.size(), processes);
    }
    ~busy_machine() {
        for (const pid_t child : children_) {
            kill(child, SIGKILL);
            int status = 0;
            waitpid(child, &status, 0);
            EXPECT_TRUE(WIFSIGNALED(status)) << "it was busy to the end";
        }
    }
    busy_machine(const busy_machine&) = delete;
    busy_machine& operator=(const busy_machine&) = delete;

private:
    std::vector<pid_t> children_;
};

/// Two folders of training runs: every file the same, and of the summary all but what the run took on this machine.
void expect_same_run(const std::string& a, const std::string& b) {
    for (const char* name : {"/events.sqlite", "/config.resolved.yaml", "/steps.csv", "/report.html", "/timeline.json"}) {
        const std::string first = text_of(a + name);
        EXPECT_FALSE(first.empty());
        EXPECT_TRUE(first == text_of(b + name)) << name << " differs";
    }
    nlohmann::json first = nlohmann::json::parse(text_of(a + "/summary.json")),
                   second = nlohmann::json::parse(text_of(b + "/summary.json"));
    for (nlohmann::json* summary : {&first, &second})
        for (const char* time :
             {"wall_seconds", "cpu_seconds", "simulated_cycles_per_cpu_second", "macs_per_cpu_second"})
            EXPECT_EQ(summary->at("run").erase(time), 1u) << time;
    EXPECT_EQ(first.dump(), second.dump());
}

/// Names of a folder's files, however deep.
std::vector<std::string> files_in(const std::string& folder) {
    namespace fs = std::filesystem;
    std::vector<std::string> names;
    for (const auto& entry : fs::recursive_directory_iterator(folder))
        if (entry.is_regular_file())
            names.push_back(fs::relative(entry.path(), folder).string());
    std::sort(names.begin(), names.end());
    return names;
}

TEST(program, two_runs_write_the_same_files) {
    const scratch_folder folder;
    const std::string a = folder.file("a"), b = folder.file("another_name");
    ASSERT_EQ(train_digits(a), 0);
    ASSERT_EQ(train_digits(b), 0);
    expect_same_run(a, b);
}

TEST(program, a_busy_machine_changes_nothing) {
    const scratch_folder folder;
    const std::string alone = folder.file("alone"), crowded = folder.file("crowded");
    ASSERT_EQ(train_digits(alone), 0);
    {
        const busy_machine others(4);
        ASSERT_EQ(train_digits(crowded), 0);
    }
    expect_same_run(alone, crowded);
}

TEST(program, a_regression_is_the_same_however_many_processes_share_it) {
    const scratch_folder folder;
    const std::string one = folder.file("one"), eight = folder.file("eight");
    const auto regression = [](const std::string& jobs, const std::string& out) {
        return run_program({"cosim", "--seed", "501", "--count", "16", "--jobs", jobs, "--quiet", "--out", out}).exit;
    };
    ASSERT_EQ(regression("1", one), 0);
    ASSERT_EQ(regression("8", eight), 0);
    const std::vector<std::string> names = files_in(one);
    EXPECT_EQ(names, files_in(eight));
    EXPECT_GT(names.size(), 16u * 3);
    for (const std::string& name : names)
        if (name != "junit.xml") { // it tells how long each case took
            EXPECT_TRUE(text_of(one + "/" + name) == text_of(eight + "/" + name)) << name << " differs";
        }
}

TEST(program, the_digits_example_proves_its_schedule) {
    const scratch_folder folder;
    const std::string out = folder.file("run");
    ASSERT_EQ(train_digits(out), 0);
    const loaded_config loaded = load_config(out + "/config.resolved.yaml");
    const proof_expectations expectations = retrace::expectations_of(loaded.config);
    EXPECT_TRUE(expectations.small_activations); // its region holds less than the input and two outputs
    EXPECT_EQ(expectations.executions, 45u);
    EXPECT_EQ(failed_checks(out + "/events.sqlite", expectations), std::vector<std::string>{});
    EXPECT_EQ(run_program({"prove", out}).exit, 0);
    EXPECT_EQ(run_program({"prove", folder.file("nothing")}).exit, 2);
}

} // namespace
} // namespace retrace::test
