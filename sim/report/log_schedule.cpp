#include <algorithm>
#include <map>
#include <unordered_map>

#include <nlohmann/json.hpp>

#include "hw/spec/spec.h"
#include "sim/report/downsample.h"
#include "sim/report/log_report.h"
#include "sim/report/log_rows.h"

namespace retrace {

namespace {

const char* kind_of(std::span<const logged_command* const> commands) {
    bool backward = false, evaluate = false, transfers = true;
    for (const logged_command* c : commands) {
        const auto phase = static_cast<spec::phase>(c->phase);
        backward |= phase == spec::phase::backward || phase == spec::phase::loss_gradient;
        evaluate |= phase == spec::phase::evaluate;
        transfers &= phase == spec::phase::transfer || phase == spec::phase::none;
    }
    if (evaluate)
        return "evaluation";
    if (backward)
        return "training";
    return transfers && commands.front()->step == 0 ? "setup" : "work";
}

} // namespace

std::vector<logged_command> read_commands(log_reader& log) {
    std::vector<logged_command> commands;
    std::unordered_map<std::uint64_t, std::size_t> place;
    each(log,
         "SELECT sequence, phase, step, layer, begun FROM command WHERE device = 0 ORDER BY begun, sequence",
         [&](const log_query& r) {
             place[r.number(0)] = commands.size();
             commands.push_back({0, r.number(0), static_cast<unsigned>(r.number(1)), r.number(2), r.number(3),
                                 r.number(4), 0, 0});
         });
    each(log, "SELECT sequence, cycle, status FROM command_moment WHERE device = 0 AND moment = 'ended'",
         [&](const log_query& r) {
             if (const auto at = place.find(r.number(0)); at != place.end()) {
                 commands[at->second].ended = r.number(1);
                 commands[at->second].status = static_cast<unsigned>(r.number(2));
             }
         });
    return commands;
}

nlohmann::ordered_json schedule_of(log_reader& log, const std::vector<logged_command>& commands,
                                   const report_limits& limits) {
    using json = nlohmann::ordered_json;
    json j;
    json& phases = j["phases"] = json::array();
    for (unsigned p = 0; p < spec::phase_count; ++p)
        phases.push_back(spec::name_of(static_cast<spec::phase>(p)));
    j["commands"] = commands.size();
    j["failed"] = std::count_if(commands.begin(), commands.end(),
                                [](const logged_command& c) { return c.ended != 0 && c.status != 0; });
    j["unfinished"] =
        std::count_if(commands.begin(), commands.end(), [](const logged_command& c) { return c.ended == 0; });
    j["stale_reads"] = number(log, "SELECT COUNT(*) FROM stale_read");
    j["devices"] = commands.empty() ? 0 : number(log, "SELECT COUNT(DISTINCT device) FROM command");

    std::map<std::uint64_t, std::vector<const logged_command*>> steps;
    for (const logged_command& c : commands)
        steps[c.step].push_back(&c);
    j["steps_in_run"] = steps.size();
    std::vector<const std::vector<const logged_command*>*> in_order;
    for (const auto& [step, its] : steps)
        in_order.push_back(&its);

    // As many whole steps as the page takes, beginning, end and a spread between them.
    std::size_t wanted = in_order.size();
    const auto commands_in = [&](const std::vector<std::size_t>& chosen) {
        std::size_t sum = 0;
        for (const std::size_t s : chosen)
            sum += in_order[s]->size();
        return sum;
    };
    while (wanted > 1 && commands_in(spread(in_order.size(), wanted)) > limits.commands)
        wanted = wanted > 64 ? wanted * 3 / 4 : wanted - 1;
    json& shown = j["steps"] = json::array();
    for (const std::size_t s : spread(in_order.size(), wanted)) {
        const auto& its = *in_order[s];
        json step{{"step", its.front()->step}, {"kind", kind_of(its)}};
        const std::uint64_t first = its.front()->begun;
        std::uint64_t last = first;
        json begun = json::array(), duration = json::array(), phase = json::array(), layer = json::array(),
             sequence = json::array();
        for (const logged_command* c : its) {
            last = std::max({last, c->begun, c->ended});
            if (begun.size() == limits.commands)
                continue;
            begun.push_back(less(c->begun, first));
            if (c->ended != 0)
                duration.push_back(less(c->ended, c->begun));
            else
                duration.push_back(-1);
            phase.push_back(c->phase);
            layer.push_back(c->layer);
            sequence.push_back(c->sequence);
        }
        step["first"] = first;
        step["last"] = last;
        step["commands"] = its.size();
        step["begun"] = std::move(begun);
        step["duration"] = std::move(duration);
        step["phase"] = std::move(phase);
        step["layer"] = std::move(layer);
        step["sequence"] = std::move(sequence);
        shown.push_back(std::move(step));
    }
    return j;
}

} // namespace retrace
