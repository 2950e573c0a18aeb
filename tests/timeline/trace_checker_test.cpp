// The checker finds what it is there to find.
#include <gtest/gtest.h>

#include "tests/timeline/trace_checker.h"

namespace retrace::test {
namespace {

const std::string names =
    R"({"ph":"M","pid":1,"tid":0,"name":"process_name","args":{"name":"p"}},{"ph":"M","pid":1,"tid":1,"name":"thread_name","args":{"name":"a"}},)"
    R"({"ph":"M","pid":1,"tid":2,"name":"thread_name","args":{"name":"b"}},)";
const std::string slices =
    R"({"ph":"X","pid":1,"tid":1,"ts":1.0001,"dur":0.5,"name":"x","args":{}},{"ph":"X","pid":1,"tid":2,"ts":2.0001,"dur":0.5,"name":"y","args":{}})";

std::string fault_of(const std::string& events) {
    const checked_trace t = check_trace("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[" + events + "]}");
    return t.faults.empty() ? "" : t.faults.front();
}
std::string flow(const char* kind, const char* tid, const char* ts, const char* more = "") {
    return std::string(R"(,{"ph":")") + kind + R"(","pid":1,"tid":)" + tid + R"(,"ts":)" + ts +
           R"(,"id":7,"cat":"c","name":"n")" + more + "}";
}
bool finds(const std::string& events, const char* what) {
    const std::string fault = fault_of(events);
    return fault.find(what) != std::string::npos ? true : (ADD_FAILURE() << "'" << fault << "'", false);
}

TEST(trace_checker, accepts_what_is_right) {
    EXPECT_EQ(fault_of(names + slices + flow("s", "1", "1.4991") + flow("f", "2", "2.0001", R"(,"bp":"e")")), "");
    const checked_trace t = check_trace("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[" + names + slices + "]}");
    EXPECT_EQ(t.slices.at("p/a").at(0).begin, 1000u);
    EXPECT_EQ(t.slices.at("p/a").at(0).end, 1500u);
    EXPECT_EQ(t.length("p/b"), 500u);
}

TEST(trace_checker, finds_overlaps_nesting_and_half_flows) {
    finds(names + slices + R"(,{"ph":"X","pid":1,"tid":1,"ts":1.4991,"dur":0.5,"name":"z","args":{}})", "overlap");
    finds(names + slices + R"(,{"ph":"X","pid":1,"tid":1,"ts":1.1001,"dur":0.1,"name":"z","args":{}})", "overlap");
    finds(names + slices + R"(,{"ph":"X","pid":1,"tid":3,"ts":9.1,"dur":0.1,"name":"z","args":{}})", "without a name");
    finds(names + slices + flow("s", "1", "1.4991"), "half a flow");
    finds(names + slices + flow("f", "2", "2.0001", R"(,"bp":"e")"), "before it begins");
    finds(names + slices + flow("s", "1", "1.5001") + flow("f", "2", "2.0001", R"(,"bp":"e")"), "in no slice");
    finds(names + slices + flow("s", "2", "2.1001") + flow("f", "1", "1.2001", R"(,"bp":"e")"), "back in time");
    finds(names + slices + flow("s", "1", "1.4991") + flow("f", "2", "2.0001"), "members");
}

TEST(trace_checker, finds_bad_members_and_counters_that_go_back) {
    finds(names + R"({"ph":"X","pid":1,"tid":1,"ts":-1,"dur":0.1,"name":"z","args":{}})", "members");
    finds(names + R"({"ph":"X","pid":1,"tid":1,"ts":1,"name":"z","args":{}})", "members");
    finds(names + R"({"ph":"Q","pid":1,"tid":1,"ts":1,"name":"z","args":{}})", "unknown phase");
    finds(names + R"({"ph":"C","pid":1,"ts":2,"name":"c","args":{"v":1}},{"ph":"C","pid":1,"ts":1,"name":"c","args":{"v":1}})",
          "goes back");
    finds("[", "parse");
}

} // namespace
} // namespace retrace::test
