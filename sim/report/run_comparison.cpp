#include "sim/report/run_comparison.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "sim/log/printable.h"
#include "sim/report/bytes_text.h"
#include "sim/report/html_report.h"

namespace retrace {

using json = nlohmann::ordered_json;

namespace {

/// The value at a path of keys, or null.
const json& at(const json& j, std::initializer_list<const char*> path) {
    static const json nothing;
    const json* here = &j;
    for (const char* key : path) {
        if (!here->is_object() || !here->contains(key))
            return nothing;
        here = &(*here)[key];
    }
    return *here;
}

std::optional<double> number(const json& j) {
    return j.is_number() ? std::optional<double>(j.get<double>()) : std::nullopt;
}

std::optional<double> number(const json& j, std::initializer_list<const char*> path) {
    return number(at(j, path));
}

/// The keys of both objects, the first's order first.
std::vector<std::string> keys_of(const json& first, const json& second) {
    std::vector<std::string> keys;
    for (const json* j : {&first, &second})
        if (j->is_object())
            for (const auto& [key, value] : j->items())
                if (std::find(keys.begin(), keys.end(), key) == keys.end())
                    keys.push_back(key);
    return keys;
}

class table {
public:
    void add(const char* group, std::string name, const char* unit, std::optional<double> first,
             std::optional<double> second) {
        if (first || second)
            rows.push_back({group, std::move(name), unit, first, second});
    }
    std::vector<compared_number> rows;
};

std::optional<double> seconds(const json& summary) {
    const auto cycles = number(summary, {"cycles", "total"}),
               clock = number(summary, {"machine", "clock_hz"});
    return cycles && clock && *clock > 0 ? std::optional<double>(*cycles / *clock) : std::nullopt;
}

/// Cycles from the end of the first step to the end of the last, per step.
std::optional<double> cycles_per_step(const json& run) {
    const json& steps = at(run, {"steps"});
    if (!steps.is_object() || steps.at("step").size() < 2)
        return std::nullopt;
    const json &step = steps.at("step"), &cycles = steps.at("cycles");
    const double between = step.back().get<double>() - step.front().get<double>();
    return between > 0
               ? std::optional<double>((cycles.back().get<double>() - cycles.front().get<double>()) / between)
               : std::nullopt;
}

std::string value_text(const compared_number& n, std::optional<double> value) {
    if (!value)
        return "-";
    if (n.unit == "bytes")
        return bytes_text(*value);
    if (n.unit == "share")
        return fmt::format("{:.2f} %", 100 * *value);
    if (n.unit == "s")
        return *value < 1e-3 ? fmt::format("{:.3f} us", 1e6 * *value)
               : *value < 1  ? fmt::format("{:.3f} ms", 1e3 * *value)
                             : fmt::format("{:.3f} s", *value);
    if (n.unit == "cycles")
        return fmt::format("{:.0f}", *value);
    return *value == std::floor(*value) && std::abs(*value) < 1e15 ? fmt::format("{:.0f}", *value)
                                                                   : fmt::format("{:.4f}", *value);
}

std::string change_text(const compared_number& n) {
    if (!n.first || !n.second)
        return "";
    if (const auto change = n.change())
        return *change == 0 ? "same" : fmt::format("{:+.2f} %", 100 * *change);
    return "new";
}

std::string text_at(const json& j, std::initializer_list<const char*> path) {
    const json& value = at(j, path);
    return value.is_string() ? value.get<std::string>() : "";
}

} // namespace

std::optional<double> compared_number::change() const {
    if (!first || !second)
        return std::nullopt;
    if (*first == *second)
        return 0.0;
    if (*first == 0)
        return std::nullopt;
    return (*second - *first) / std::abs(*first);
}

std::vector<compared_number> compare_runs(const json& first, const json& second) {
    const json &a = at(first, {"summary"}), &b = at(second, {"summary"});
    table t;
    const auto both = [&](const char* group, const char* name, const char* unit,
                          std::initializer_list<const char*> path) {
        t.add(group, name, unit, number(a, path), number(b, path));
    };
    both("result", "test accuracy", "share", {"result", "test_accuracy"});
    both("result", "loss of the last step", "", {"result", "loss"});
    both("time", "cycles", "cycles", {"cycles", "total"});
    t.add("time", "simulated time", "s", seconds(a), seconds(b));
    t.add("time", "cycles per training step", "cycles", cycles_per_step(first), cycles_per_step(second));
    both("time", "cycles with a tile in the array", "cycles", {"cycles", "array"});
    both("time", "multiply-adds", "", {"work", "macs"});
    both("time", "utilisation of the array's peak", "share", {"work", "utilisation"});
    both("time", "forward executions", "", {"schedule", "forward_executions"});
    for (const std::string& name : keys_of(at(a, {"cycles", "stalls"}), at(b, {"cycles", "stalls"}))) {
        const auto one = number(a, {"cycles", "stalls", name.c_str()}),
                   other = number(b, {"cycles", "stalls", name.c_str()});
        if (one.value_or(0) != 0 || other.value_or(0) != 0)
            t.add("stalls", name, "cycles", one, other);
    }
    for (const std::string& name : keys_of(at(a, {"cycles", "by_phase"}), at(b, {"cycles", "by_phase"}))) {
        const auto one = number(a, {"cycles", "by_phase", name.c_str(), "total"}),
                   other = number(b, {"cycles", "by_phase", name.c_str(), "total"});
        if (one.value_or(0) != 0 || other.value_or(0) != 0)
            t.add("phases", name, "cycles", one, other);
    }
    for (const std::string& name : keys_of(at(a, {"memory"}), at(b, {"memory"}))) {
        t.add("memory", name + ", peak", "bytes", number(a, {"memory", name.c_str(), "peak_bytes"}),
              number(b, {"memory", name.c_str(), "peak_bytes"}));
        t.add("memory", name + ", capacity", "bytes", number(a, {"memory", name.c_str(), "capacity_bytes"}),
              number(b, {"memory", name.c_str(), "capacity_bytes"}));
    }
    return t.rows;
}

std::vector<std::string> remarks_on(const json& first, const json& second) {
    std::vector<std::string> remarks;
    const json &a = at(first, {"summary"}), &b = at(second, {"summary"});
    for (const json* run : {&first, &second}) {
        const json& summary = at(*run, {"summary"});
        const std::string status = text_at(summary, {"run", "status"});
        const char* which = run == &first ? "The first run" : "The second run";
        if (!summary.is_object())
            remarks.push_back(fmt::format("{} was cut short: it has no summary.", which));
        else if (status != "complete")
            remarks.push_back(fmt::format("{} did not end well ({}): {}", which,
                                          status.empty() ? "no status" : status,
                                          text_at(summary, {"run", "reason"})));
        if (const std::string problem = text_at(*run, {"log_problem"}); !problem.empty())
            remarks.push_back(fmt::format("{} is compared without its event log: {}.", which, problem));
    }
    for (const char* what : {"weights_sha256", "checksum"}) {
        const std::string one = text_at(a, {"result", what}), other = text_at(b, {"result", what});
        const char* noun = what == std::string("checksum") ? "product" : "trained weights";
        if (!one.empty() && !other.empty())
            remarks.push_back(one == other ? fmt::format("Both have the same {}, bit for bit.", noun)
                                           : fmt::format("Their {} differ.", noun));
    }
    if (const json& one = at(first, {"steps", "of"}), &other = at(second, {"steps", "of"});
        one.is_number() && other.is_number() && one != other)
        remarks.push_back(fmt::format("They ran {} and {} training steps: of totals, compare those per step.",
                                      one.get<std::uint64_t>(), other.get<std::uint64_t>()));
    for (const char* what : {"preset", "rows", "columns", "clock_hz"})
        if (const json& one = at(a, {"machine", what}), &other = at(b, {"machine", what});
            !one.is_null() && !other.is_null() && one != other) {
            remarks.emplace_back("They ran on different machines.");
            break;
        }
    if (text_at(a, {"run", "command"}) != text_at(b, {"run", "command"}))
        remarks.emplace_back("They are runs of different commands.");
    return remarks;
}

std::string describe(const std::vector<compared_number>& numbers, const std::string& first,
                     const std::string& second) {
    const std::string a = printable(first), b = printable(second);
    const std::size_t width = std::max<std::size_t>({16, a.size() + 2, b.size() + 2});
    std::string text = fmt::format("{:<34}{:>{}}{:>{}}{:>14}\n", "", a, width, b, width, "difference"), group;
    for (const compared_number& n : numbers) {
        if (n.group != group) {
            group = n.group;
            text += group + "\n";
        }
        text += fmt::format("  {:<32}{:>{}}{:>{}}{:>14}\n", printable(n.name), value_text(n, n.first), width,
                            value_text(n, n.second), width, change_text(n));
    }
    return text;
}

json to_json(const std::vector<compared_number>& numbers) {
    json rows = json::array();
    const auto value = [](std::optional<double> v) { return v ? json(*v) : json(nullptr); };
    for (const compared_number& n : numbers)
        rows.push_back({{"group", n.group},
                        {"name", n.name},
                        {"unit", n.unit},
                        {"first", value(n.first)},
                        {"second", value(n.second)},
                        {"change", value(n.change())}});
    return rows;
}

run_comparison compare(const std::filesystem::path& first, const std::filesystem::path& second) {
    // Half of the page for each.
    report_limits limits;
    limits.commands /= 2;
    limits.memory_points /= 2;
    limits.tensor_changes /= 2;
    json a = report_data(first, limits), b = report_data(second, limits);
    if (a["folder"] == b["folder"]) { // two folders of one name are told apart by their paths
        a["folder"] = first.string();
        b["folder"] = second.string();
    }
    const std::vector<compared_number> numbers = compare_runs(a, b);
    const std::vector<std::string> remarks = remarks_on(a, b);
    const std::string one = a["folder"].get<std::string>(), other = b["folder"].get<std::string>();
    run_comparison c;
    c.text = describe(numbers, one, other);
    for (const std::string& r : remarks)
        c.text += printable(r) + "\n";
    json data{
        {"kind", "compare"}, {"comparison", to_json(numbers)}, {"remarks", remarks}, {"runs", json::array()}};
    data["runs"].push_back(std::move(a));
    data["runs"].push_back(std::move(b));
    c.page = compose_page(one + " and " + other + " - Retrace", data);
    return c;
}

} // namespace retrace
