#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <tuple>
#include <unordered_map>

#include <nlohmann/json.hpp>

#include "hw/spec/spec.h"
#include "sim/report/log_report.h"
#include "sim/report/log_rows.h"

namespace retrace {

namespace {

using json = nlohmann::ordered_json;

struct cost {
    std::uint64_t count = 0, cycles = 0, longest = 0, waited = 0;

    void add(std::uint64_t duration, std::uint64_t wait) {
        ++count;
        cycles = saturating_sum(cycles, duration);
        waited = saturating_sum(waited, wait);
        longest = std::max(longest, duration);
    }
};

/// Rows by falling cycles, at most `budget`, and how many were left out.
json ranked(std::vector<std::pair<std::uint64_t, json>> rows, std::size_t budget) {
    std::stable_sort(rows.begin(), rows.end(),
                     [](const auto& a, const auto& b) { return a.first > b.first; });
    json j{{"rows", json::array()}, {"left_out", rows.size() - std::min(rows.size(), budget)}};
    for (std::size_t i = 0; i < std::min(rows.size(), budget); ++i)
        j["rows"].push_back(std::move(rows[i].second));
    return j;
}

std::string phase_name(unsigned phase) {
    return phase < spec::phase_count ? std::string(spec::name_of(static_cast<spec::phase>(phase)))
                                     : std::to_string(phase);
}

std::string name_in(const std::map<std::uint64_t, std::string>& names, std::uint64_t value) {
    const auto name = names.find(value);
    return name == names.end() ? std::to_string(value) : name->second;
}

json command_costs(const std::vector<logged_command>& commands, std::size_t budget) {
    std::map<std::pair<unsigned, std::uint64_t>, cost> costs;
    for (const logged_command& c : commands)
        if (c.ended != 0)
            costs[{c.phase, c.layer}].add(less(c.ended, c.begun), 0);
    std::vector<std::pair<std::uint64_t, json>> rows;
    for (const auto& [key, c] : costs)
        rows.emplace_back(c.cycles, json{{"phase", phase_name(key.first)},
                                         {"layer", key.second},
                                         {"count", c.count},
                                         {"cycles", c.cycles},
                                         {"longest", c.longest}});
    return ranked(std::move(rows), budget);
}

} // namespace

json costs_of(log_reader& log, const std::vector<logged_command>& commands, const report_limits& limits) {
    json j{{"commands", command_costs(commands, limits.cost_rows)}};
    if (number(log, "SELECT EXISTS(SELECT 1 FROM instruction)") == 0)
        return j;

    std::map<std::uint64_t, std::string> opcodes, engines;
    each(log, "SELECT value, name FROM code WHERE kind = 'opcode'",
         [&](const log_query& r) { opcodes[r.number(0)] = std::string(r.text(1)); });
    each(log, "SELECT value, name FROM code WHERE kind = 'engine'",
         [&](const log_query& r) { engines[r.number(0)] = std::string(r.text(1)); });
    std::unordered_map<std::uint64_t, const logged_command*> command_of;
    for (const logged_command& c : commands)
        command_of[c.sequence] = &c;
    std::map<std::tuple<std::uint64_t, std::uint64_t, unsigned, std::uint64_t>, cost>
        costs; // engine, opcode, phase, layer
    std::set<std::uint64_t> steps;
    // Issuing takes its time even where nothing is waited for.
    const std::uint64_t issue = number(log, "SELECT value FROM machine WHERE key = 'sequencer.issue_cycles'");
    each(log, "SELECT engine, opcode, sequence, taken, begun, ended FROM instruction WHERE device = 0",
         [&](const log_query& r) {
             const std::uint64_t engine = r.number(0), opcode = r.number(1), taken = r.number(3),
                                 begun = r.number(4), ended = r.number(5);
             const auto command = command_of.find(r.number(2));
             const logged_command none{};
             const logged_command& c = command == command_of.end() ? none : *command->second;
             costs[{engine, opcode, c.phase, c.layer}].add(
                 less(ended, begun), less(less(begun, taken), issue));
             steps.insert(c.step);
         });
    std::vector<std::pair<std::uint64_t, json>> rows;
    for (const auto& [key, c] : costs) {
        const auto& [engine, opcode, phase, layer] = key;
        json row{{"engine", name_in(engines, engine)},
                 {"opcode", name_in(opcodes, opcode)},
                 {"phase", phase_name(phase)},
                 {"layer", layer},
                 {"count", c.count},
                 {"cycles", c.cycles},
                 {"longest", c.longest},
                 {"waited", c.waited}};
        rows.emplace_back(c.cycles, std::move(row));
    }
    json instructions = ranked(std::move(rows), limits.cost_rows);
    instructions["steps"] = steps;
    j["instructions"] = std::move(instructions);
    return j;
}

} // namespace retrace
