// The checker is checked: every seeded fault, run through the regression, is found; the table says by what. Without a fault the same
// program finds nothing in the same seeds.
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "sim/cli/seeded_faults.h"
#include "sim/cosim/regression.h"

namespace retrace::cosim {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t most_seeds = 96;

class faults : public testing::Test {
protected:
    void SetUp() override {
        folder_ = fs::path(testing::TempDir()) / ("faults_" + std::to_string(getpid()));
        fs::create_directories(folder_);
    }
    void TearDown() override { fs::remove_all(folder_); }

    regression_result run(const std::string& fault, std::uint64_t first, std::uint64_t count, unsigned shrink = 0) const {
        regression_options o;
        o.program = RETRACE_FAULTY_PROGRAM;
        o.array = "lockstep";
        o.first_seed = first;
        o.count = count;
        o.jobs = 2;
        o.quiet = true;
        o.shrink = shrink;
        o.out = folder_ / (fault.empty() ? "none" : fault);
        if (!fault.empty())
            o.worker_arguments = {"--fault", fault};
        return run_regression(o);
    }

    fs::path folder_;
};

TEST_F(faults, without_one_nothing_is_found) {
    const regression_result r = run("", 1, most_seeds);
    EXPECT_TRUE(r.passed()) << describe(r);
}

TEST_F(faults, every_one_is_found) {
    std::string table = fmt::format("{:<24}{:<16}{:>5}  {:<10}{}\n", "fault", "unit", "seed", "found by", "what the regression says");
    std::set<std::string> units;
    for (const seeded_fault_description& f : seeded_faults()) {
        const finished_case* found = nullptr;
        regression_result r;
        // Most show at once; the longer a fault hides, the more seeds at a time.
        for (std::uint64_t first = 1, count = 8; !found && first <= most_seeds; first += count, count = std::min(2 * count, most_seeds - first + 1)) {
            r = run(std::string(f.name), first, count);
            for (const finished_case& c : r.cases)
                if (!c.result.passed() && !found)
                    found = &c;
        }
        if (!found) {
            ADD_FAILURE() << f.name << " was not found with seeds 1 to " << most_seeds << ": " << f.what;
            table += fmt::format("{:<24}{:<16}{:>5}  {}\n", f.name, f.unit, "-", "NOT FOUND");
            continue;
        }
        EXPECT_NE(found->result.kind, "crash") << f.name << ": " << found->result.sentence << "\n" << found->log;
        EXPECT_FALSE(found->result.sentence.empty()) << f.name;
        units.insert(std::string(f.unit));
        table += fmt::format("{:<24}{:<16}{:>5}  {:<10}{}\n", f.name, f.unit, found->result.seed, found->result.kind,
                             found->result.sentence.substr(0, 120));
    }
    fmt::print("{}{} seeded faults in {} units\n", table, seeded_faults().size(), units.size());
    EXPECT_GE(seeded_faults().size(), 20u);
}

TEST_F(faults, a_mismatch_tells_everything_that_one_needs_to_find_it) {
    if (seeded_faults().front().unit != "RTL")
        GTEST_SKIP() << "needs Verilator";
    const regression_result r = run("dropped_sticky", 2, 1, 1);
    ASSERT_EQ(r.cases.size(), 1u);
    EXPECT_EQ(r.exit_code(), 4);
    const std::string text = r.cases[0].failure_text();
    SCOPED_TRACE(text);
    for (const char* part :
         {"reproduce: retrace cosim --seed 2 --count 1 --array lockstep --fault dropped_sticky", "shrunk.json --array lockstep --fault dropped_sticky",
          // one sentence of facts
          "pe_array, cycle ", "transaction ", "row ", "column ", "0x", "ULP", "operand history",
          "the last 32 transactions", "the case:", "matmul"})
        EXPECT_NE(text.find(part), std::string::npos) << part;
    // What is left is a product and what feeds it.
    const std::regex shrunk("shrunk from (\\d+) to (\\d+) operations");
    std::smatch found;
    ASSERT_TRUE(std::regex_search(text, found, shrunk));
    EXPECT_LT(std::stoul(found[2]), 9u);
}

TEST(seeded_faults, are_those_in_the_sources) {
    std::set<std::string> listed, used;
    for (const seeded_fault_description& f : seeded_faults()) {
        EXPECT_TRUE(listed.insert(std::string(f.name)).second) << f.name << " is there twice";
        EXPECT_FALSE(f.what.empty());
    }
    const std::regex use("RETRACE_FAULT\\((\\w+)\\)");
    for (const auto& file : fs::recursive_directory_iterator(RETRACE_TLM)) {
        if (file.path().extension() != ".cpp")
            continue;
        std::ifstream in(file.path());
        const std::string text{std::istreambuf_iterator<char>(in), {}};
        for (std::sregex_iterator i(text.begin(), text.end(), use), end; i != end; ++i)
            used.insert((*i)[1]);
    }
    for (const seeded_fault_description& f : seeded_faults())
        if (f.unit != "RTL") {
            EXPECT_TRUE(used.contains(std::string(f.name))) << f.name;
        }
    for (const std::string& name : used)
        EXPECT_TRUE(listed.contains(name)) << name;
}

} // namespace
} // namespace retrace::cosim
