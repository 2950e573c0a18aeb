#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "sim/report/html_report.h"
#include "sim/report/report_error.h"
#include "sim/report/run_comparison.h"
#include "tests/report/small_run.h"

namespace retrace::test {
namespace {

using json = nlohmann::ordered_json;

const compared_number& row(const std::vector<compared_number>& rows, const std::string& name) {
    for (const compared_number& r : rows)
        if (r.name == name)
            return r;
    throw std::runtime_error("no row " + name);
}

json run_of(const std::string& summary) { return {{"folder", "x"}, {"summary", json::parse(summary)}, {"steps", nullptr}}; }

TEST(comparison, numbers_and_differences) {
    const std::vector<compared_number> rows = compare_runs(run_of(small_summary(2000, 400)), run_of(small_summary(1500, 600)));
    EXPECT_EQ(row(rows, "cycles").first, 2000);
    EXPECT_EQ(row(rows, "cycles").second, 1500);
    EXPECT_DOUBLE_EQ(*row(rows, "cycles").change(), -0.25);
    EXPECT_DOUBLE_EQ(*row(rows, "dram").change(), 0.5);
    EXPECT_DOUBLE_EQ(*row(rows, "simulated time").first, 2e-6);
    EXPECT_EQ(*row(rows, "test accuracy").change(), 0);
    EXPECT_EQ(row(rows, "activations, peak").unit, "bytes");
    EXPECT_THROW(row(rows, "host"), std::runtime_error) << "0 in both";
}

TEST(comparison, of_missing_numbers_and_from_zero_there_is_no_difference) {
    EXPECT_FALSE((compared_number{"", "", "", 1, std::nullopt}.change()));
    EXPECT_FALSE((compared_number{"", "", "", 0, 3}.change()));
    EXPECT_EQ(*(compared_number{"", "", "", 0, 0}.change()), 0);
    EXPECT_DOUBLE_EQ(*(compared_number{"", "", "", -2, -1}.change()), 0.5);

    json other = run_of(small_summary(1500, 600));
    other["summary"]["result"] = json::object();
    other["summary"]["cycles"]["stalls"]["link"] = 5;
    const std::vector<compared_number> rows = compare_runs(run_of(small_summary(2000, 400)), other);
    EXPECT_FALSE(row(rows, "loss of the last step").second);
    EXPECT_FALSE(row(rows, "link").first);
    const std::string text = describe(rows, "a", "b");
    EXPECT_NE(text.find("-25.00 %"), std::string::npos) << text;
    EXPECT_NE(text.find("+50.00 %"), std::string::npos) << text;
    EXPECT_NE(text.find("same"), std::string::npos) << text;
}

TEST(comparison, steps_give_cycles_per_step) {
    json first = run_of(small_summary(2000, 400));
    first["steps"] = {{"of", 3}, {"step", {1, 3}}, {"cycles", {100, 700}}};
    json second = first;
    second["steps"] = {{"of", 2}, {"step", {1, 2}}, {"cycles", {100, 250}}};
    const std::vector<compared_number> rows = compare_runs(first, second);
    EXPECT_EQ(row(rows, "cycles per training step").first, 300);
    EXPECT_EQ(row(rows, "cycles per training step").second, 150);
    const std::vector<std::string> remarks = remarks_on(first, second);
    EXPECT_NE(std::find_if(remarks.begin(), remarks.end(), [](const std::string& r) { return r.find("3 and 2 training steps") != r.npos; }),
              remarks.end());
}

TEST(comparison, remarks_name_what_is_no_number) {
    const auto says = [](const json& a, const json& b, const std::string& what) {
        for (const std::string& r : remarks_on(a, b))
            if (r.find(what) != std::string::npos)
                return true;
        return false;
    };
    const json a = run_of(small_summary(2000, 400));
    EXPECT_TRUE(says(a, a, "same trained weights, bit for bit"));
    json b = a;
    b["summary"]["result"]["weights_sha256"] = "bb";
    b["summary"]["machine"]["rows"] = 16;
    b["summary"]["run"]["status"] = "hang";
    b["summary"]["run"]["reason"] = "nothing moves";
    EXPECT_TRUE(says(a, b, "trained weights differ"));
    EXPECT_TRUE(says(a, b, "different machines"));
    EXPECT_TRUE(says(a, b, "nothing moves"));
    b["summary"] = nullptr;
    EXPECT_TRUE(says(a, b, "The second run was cut short"));
    EXPECT_FALSE(says(a, b, "The first run"));
}

TEST(comparison, of_folders_is_a_table_and_a_page) {
    const run_files a, b;
    a.make_training_run();
    b.make_training_run();
    b.write("summary.json", small_summary(1000, 400));
    const run_comparison c = compare(a.path(), b.path());
    EXPECT_NE(c.text.find("-50.00 %"), std::string::npos) << c.text;
    EXPECT_NE(c.page.find("\"kind\":\"compare\""), std::string::npos);
    EXPECT_THROW(compare(a.path(), b.path() / "nothing"), report_error);
    // A name with control characters must not reach the terminal as it is.
    EXPECT_EQ(describe(compare_runs(run_of(small_summary(1, 0)), run_of(small_summary(1, 0))), "\x1b[31m", "b").find('\x1b'), std::string::npos);
    const std::string c1 = describe(compare_runs(run_of(small_summary(1, 0)), run_of(small_summary(1, 0))), "\xc2\x9b" "31m gr\xc3\xbcn", "\x9b" "31m");
    EXPECT_EQ(c1.find('\x9b'), std::string::npos) << c1;
    EXPECT_NE(c1.find("gr\xc3\xbcn"), std::string::npos) << c1;
}

} // namespace
} // namespace retrace::test
