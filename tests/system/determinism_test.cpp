// The program as its user runs it: the same files from two processes, and the proofs on the digits example.
#include <nlohmann/json.hpp>

#include "tests/system/program.h"
#include "tests/system/system_bench.h"

namespace retrace::test {
namespace {

int train_digits(const std::string& out) {
    return run_program({"train", std::string(RETRACE_SOURCE_FOLDER) + "/examples/digits/recompute.yaml",
                        "--set", "training.epochs=null", "--set", "training.steps=3", "--set",
                        "data.test_rows=200", "--quiet", "--out", out}).exit;
}

TEST(program, two_runs_write_the_same_files) {
    const scratch_folder folder;
    const std::string a = folder.file("a"), b = folder.file("another_name");
    ASSERT_EQ(train_digits(a), 0);
    ASSERT_EQ(train_digits(b), 0);
    for (const char* name : {"/events.sqlite", "/config.resolved.yaml"}) {
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
