#include <algorithm>
#include <map>

#include <nlohmann/json.hpp>

#include "hw/spec/spec.h"
#include "sim/report/downsample.h"
#include "sim/report/log_report.h"
#include "sim/report/log_rows.h"

namespace retrace {

namespace {

using json = nlohmann::ordered_json;

struct curve {
    std::vector<std::uint64_t> cycles;
    std::vector<double> live;

    void add(std::uint64_t cycle, std::uint64_t bytes) {
        cycles.push_back(cycle);
        live.push_back(static_cast<double>(bytes));
    }
};

json to_json(const curve& c, const std::vector<std::size_t>& kept, std::uint64_t from) {
    json cycles = json::array(), live = json::array();
    for (const std::size_t i : kept) {
        cycles.push_back(less(c.cycles[i], from));
        live.push_back(static_cast<std::uint64_t>(c.live[i]));
    }
    return {{"cycles", std::move(cycles)}, {"live", std::move(live)}};
}

json to_json(const curve& c, std::size_t budget) { return to_json(c, extremes(c.live, budget), 0); }

/// The curve between two cycles, with the value it had when the stretch began.
curve between(const curve& c, std::uint64_t first, std::uint64_t last) {
    curve part;
    const auto from = std::upper_bound(c.cycles.begin(), c.cycles.end(), first),
               to = std::upper_bound(from, c.cycles.end(), last);
    if (from != c.cycles.begin())
        part.add(first,
                 static_cast<std::uint64_t>(c.live[static_cast<std::size_t>(from - c.cycles.begin()) - 1]));
    for (auto i = from; i != to; ++i)
        part.add(*i, static_cast<std::uint64_t>(c.live[static_cast<std::size_t>(i - c.cycles.begin())]));
    return part;
}

/// State buffer and PSUM are held by commands, whole, from begin to end (hw/README.md, "Memory").
curve working_set(log_reader& log, const std::vector<logged_command>& commands, spec::memory_kind memory) {
    std::map<std::uint64_t, std::uint64_t> bytes; // by sequence
    each(log,
         "SELECT sequence, SUM(bytes) FROM operand WHERE device = 0 AND memory = " +
             std::to_string(static_cast<unsigned>(memory)) + " GROUP BY sequence",
         [&](const log_query& r) { bytes[r.number(0)] = r.number(1); });
    std::map<std::uint64_t, std::pair<std::uint64_t, std::uint64_t>> changes; // by cycle: begun, ended
    for (const logged_command& c : commands)
        if (const auto held = bytes.find(c.sequence); held != bytes.end()) {
            std::uint64_t& begun = changes[c.begun].first;
            begun = saturating_sum(begun, held->second);
            if (c.ended != 0) {
                std::uint64_t& ended = changes[c.ended].second;
                ended = saturating_sum(ended, held->second);
            }
        }
    curve whole;
    std::uint64_t live = 0;
    for (const auto& [cycle, change] : changes)
        whole.add(cycle, live = less(saturating_sum(live, change.first), change.second));
    return whole;
}

struct stretch {
    std::uint64_t step, first, last;
};

/// Training steps (those with a loss gradient, or any where nothing was trained), as many as the page shows.
std::vector<stretch> steps_shown(const std::vector<logged_command>& commands, std::size_t budget) {
    std::map<std::uint64_t, stretch> steps, training;
    for (const logged_command& c : commands) {
        auto [at, added] = steps.try_emplace(c.step, stretch{c.step, c.begun, c.begun});
        at->second.last = std::max({at->second.last, c.begun, c.ended});
    }
    for (const logged_command& c : commands)
        if (static_cast<spec::phase>(c.phase) == spec::phase::loss_gradient)
            training[c.step] = steps[c.step];
    if (training.empty())
        training = steps;
    std::vector<stretch> all, shown;
    for (const auto& [step, s] : training)
        all.push_back(s);
    for (const std::size_t i : spread(all.size(), budget))
        shown.push_back(all[i]);
    return shown;
}

/// What tensor_life tells of device DRAM: a tensor's bytes count from the end of the command that wrote it to
/// the loss of its last byte.
struct tensor_changes {
    struct change {
        std::uint64_t cycle, bytes;
        std::size_t tensor;
    };
    std::vector<std::string> names;
    std::vector<std::uint64_t> placed;
    std::vector<change> changes;
};

tensor_changes read_tensors(log_reader& log) {
    tensor_changes t;
    const std::string dram = std::to_string(static_cast<unsigned>(spec::memory_kind::device_dram));
    std::map<std::uint64_t, std::uint64_t> places;
    each(log,
         "SELECT tag, MIN(base) FROM operand WHERE device = 0 AND tag <> 0 AND memory = " + dram +
             " GROUP BY tag",
         [&](const log_query& r) { places[r.number(0)] = r.number(1); });
    std::map<std::uint64_t, std::size_t> number;
    std::map<std::size_t, std::pair<std::uint64_t, std::uint64_t>> live; // version, bytes
    each(log,
         "SELECT l.cycle, l.moment, l.tag, l.version, l.bytes, n.name FROM tensor_life l LEFT JOIN tensor n "
         "ON n.tag = l.tag "
         "WHERE l.device = 0 AND l.memory = " +
             dram + " AND l.moment <> 'live' ORDER BY l.cycle, l.rowid",
         [&](const log_query& r) {
             const std::uint64_t tag = r.number(2), version = r.number(3);
             const auto [at, added] = number.try_emplace(tag, t.names.size());
             if (added) {
                 t.names.push_back(r.null(5) ? "tensor " + std::to_string(tag) : std::string(r.text(5)));
                 const auto place = places.find(tag);
                 t.placed.push_back(place == places.end() ? 0 : place->second);
             }
             const bool complete = r.text(1) == "complete";
             auto& now = live[at->second];
             // The last byte of an old version may go after the new one is there.
             if (!complete && now.first != version)
                 return;
             const std::uint64_t bytes = complete ? r.number(4) : 0;
             if (now.second != bytes)
                 t.changes.push_back({r.number(0), bytes, at->second});
             now = {version, bytes};
         });
    return t;
}

/// By memory and region; a run that was killed has no summary that tells them.
json capacities(log_reader& log) {
    constexpr std::string_view whole = ".capacity", region = "device_dram.regions.";
    json bytes = json::object();
    each(log, "SELECT key, value FROM machine ORDER BY key LIMIT 1000", [&](const log_query& r) {
        const std::string_view key = r.text(0);
        if (key.ends_with(whole))
            bytes[std::string(key.substr(0, key.size() - whole.size()))] = r.number(1);
        else if (key.starts_with(region))
            bytes[std::string(key.substr(region.size()))] = r.number(1);
    });
    return bytes;
}

} // namespace

json memory_of(log_reader& log, const std::vector<logged_command>& commands, const report_limits& limits) {
    std::map<std::string, curve> curves;
    each(log, "SELECT cycle, name, live FROM occupancy WHERE device = 0 ORDER BY rowid",
         [&](const log_query& r) {
             curve& c = curves[std::string(r.text(1))];
             if (!c.cycles.empty() &&
                 c.cycles.back() == r.number(0)) // two commands that end together: what holds after both
                 c.live.back() = static_cast<double>(r.number(2));
             else
                 c.add(r.number(0), r.number(2));
         });
    for (const spec::memory_kind m : {spec::memory_kind::state_buffer, spec::memory_kind::psum})
        if (curve c = working_set(log, commands, m); !c.cycles.empty())
            curves[std::string(spec::name_of(m))] = std::move(c);

    json j;
    json& over_run = j["over_run"] = json::object();
    for (const auto& [name, c] : curves)
        over_run[name] = to_json(c, limits.memory_points);
    j["capacities"] = capacities(log);
    const tensor_changes tensors = read_tensors(log);
    j["tensors"] = tensors.names;
    j["placed"] = tensors.placed;

    json& steps = j["steps"] = json::array();
    std::size_t changes_shown = 0;
    std::size_t left_out = 0;
    for (const stretch& s : steps_shown(commands, limits.tensor_steps)) {
        std::map<std::size_t, std::uint64_t> live;
        auto change = tensors.changes.begin();
        for (; change != tensors.changes.end() && change->cycle < s.first; ++change)
            live[change->tensor] = change->bytes;
        const auto end =
            std::find_if(change, tensors.changes.end(), [&](const auto& c) { return c.cycle > s.last; });
        const auto count = static_cast<std::size_t>(end - change);
        if (changes_shown + count > limits.tensor_changes) {
            ++left_out;
            continue;
        }
        changes_shown += count;
        json step{{"step", s.step}, {"first", s.first}, {"last", s.last}};
        json& start = step["start"] = json::array();
        for (const auto& [tensor, bytes] : live)
            if (bytes != 0)
                start.push_back({tensor, bytes});
        json& its = step["changes"] = json::array();
        for (; change != end; ++change)
            its.push_back({less(change->cycle, s.first), change->tensor, change->bytes});
        json& occupancy = step["occupancy"] = json::object();
        for (const auto& [name, c] : curves) {
            const curve part = between(c, s.first, s.last);
            occupancy[name] = to_json(part, extremes(part.live, 2 * limits.memory_points), s.first);
        }
        steps.push_back(std::move(step));
    }
    j["steps_too_big"] = left_out;
    return j;
}

} // namespace retrace
