#include "tests/timeline/trace_checker.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

namespace retrace::test {

namespace {

using nlohmann::json;

struct checker {
    checked_trace result;
    std::map<std::int64_t, std::string> processes;
    std::map<std::pair<std::int64_t, std::int64_t>, std::string> threads;

    void fault(const std::string& what, const json& event) {
        if (result.faults.size() < 20)
            result.faults.push_back(what + ": " + event.dump().substr(0, 300));
    }

    bool known_track(const json& e) { return threads.contains({e["pid"], e["tid"]}) && processes.contains(e["pid"]); }
    std::string track(const json& e) { return processes[e["pid"]] + "/" + threads[{e["pid"], e["tid"]}]; }

    /// As Perfetto reads it: microseconds times 1000, truncated.
    static std::uint64_t ns(const json& microseconds) { return static_cast<std::uint64_t>(microseconds.get<double>() * 1000.0); }
    static std::uint64_t rounded_ns(const json& microseconds) {
        return static_cast<std::uint64_t>(std::llround(microseconds.get<double>() * 1000.0));
    }

    bool shape(const json& e) {
        if (!e.is_object() || !e.contains("ph") || !e["ph"].is_string() || e["ph"].get<std::string>().size() != 1) {
            fault("no phase", e);
            return false;
        }
        const char kind = e["ph"].get<std::string>()[0];
        if (std::string("MXiCsf").find(kind) == std::string::npos) {
            fault("unknown phase", e);
            return false;
        }
        const auto integer = [&](const char* key) { return e.contains(key) && e[key].is_number_integer(); };
        const auto time = [&](const char* key) { return e.contains(key) && e[key].is_number() && e[key].get<double>() >= 0; };
        bool good = integer("pid") && e.contains("name") && e["name"].is_string() && !e["name"].get<std::string>().empty();
        good = good && (kind == 'C' || integer("tid")) && (kind == 'M' || time("ts"));
        good = good && (kind != 'X' || time("dur")) &&
               (kind != 's' && kind != 'f' ? e.contains("args") && e["args"].is_object() : integer("id") && e.contains("cat"));
        good = good && (kind != 'i' || (e.contains("s") && (e["s"] == "g" || e["s"] == "p" || e["s"] == "t")));
        good = good && (kind != 'f' || (e.contains("bp") && e["bp"] == "e"));
        if (!good)
            fault("members missing or of the wrong kind", e);
        return good;
    }

    void read(const json& events) {
        struct open_flow {
            json start, end;
        };
        std::map<std::int64_t, open_flow> flows;
        for (const json& e : events) {
            ++result.events;
            if (!shape(e))
                continue;
            const char kind = e["ph"].get<std::string>()[0];
            if (kind == 'M') {
                const std::string name = e["name"];
                if (name == "process_name")
                    processes[e["pid"]] = e["args"].value("name", "");
                else if (name == "thread_name")
                    threads[{e["pid"], e["tid"]}] = e["args"].value("name", "");
                continue;
            }
            if (kind == 'C') {
                const std::string name = processes[e["pid"]] + "/" + e["name"].get<std::string>();
                auto& samples = result.counters[name];
                if (!processes.contains(e["pid"]) || e["args"].size() != 1 || !e["args"].begin()->is_number())
                    fault("a counter without a process or a value", e);
                else if (!samples.empty() && samples.back().first > ns(e["ts"]))
                    fault("a counter goes back in time", e);
                else
                    samples.emplace_back(ns(e["ts"]), e["args"].begin()->get<std::int64_t>());
                continue;
            }
            if (!known_track(e)) {
                fault("a track without a name", e);
                continue;
            }
            if (kind == 'X') {
                const std::uint64_t begin = ns(e["ts"]);
                result.slices[track(e)].push_back({begin, begin + rounded_ns(e["dur"]), e["name"], e["args"]});
            } else if (kind == 'i') {
                result.instants.push_back(e["name"]);
            } else if (open_flow& f = flows[e["id"]]; kind == 's') {
                if (!f.start.is_null() || !f.end.is_null())
                    fault("a flow begins twice, or after its end", e);
                f.start = e;
            } else {
                if (f.start.is_null() || !f.end.is_null())
                    fault("a flow ends twice, or before it begins", e);
                f.end = e;
            }
        }
        for (auto& [name, slices] : result.slices) {
            std::stable_sort(slices.begin(), slices.end(),
                             [](const checked_slice& a, const checked_slice& b) { return a.begin < b.begin; });
            for (std::size_t i = 1; i < slices.size(); ++i)
                if (slices[i].begin < slices[i - 1].end)
                    fault("slices overlap on " + name + " at " + std::to_string(slices[i].begin), json(slices[i].name));
        }
        for (const auto& [id, f] : flows) {
            if (f.start.is_null() || f.end.is_null()) {
                fault("half a flow", f.start.is_null() ? f.end : f.start);
                continue;
            }
            for (const char* key : {"name", "cat"})
                if (f.start[key] != f.end[key])
                    fault("the ends of a flow have different names", f.end);
            if (ns(f.start["ts"]) > ns(f.end["ts"]))
                fault("a flow goes back in time", f.end);
            for (const json* e : {&f.start, &f.end})
                if (!in_slice(track(*e), ns((*e)["ts"])))
                    fault("a flow's end is in no slice", *e);
            result.arrows.push_back({track(f.start), track(f.end), ns(f.start["ts"]), ns(f.end["ts"]), f.start["name"]});
        }
    }

    bool in_slice(const std::string& name, std::uint64_t at) const {
        const auto found = result.slices.find(name);
        if (found == result.slices.end())
            return false;
        const auto after = std::upper_bound(found->second.begin(), found->second.end(), at,
                                            [](std::uint64_t value, const checked_slice& s) { return value < s.begin; });
        // Several may begin in the same ns, if they have no length.
        for (auto s = after; s != found->second.begin();) {
            --s;
            if (at < s->end || (s->begin == s->end && at == s->begin))
                return true;
            if (s->begin != at)
                return false;
        }
        return false;
    }
};

} // namespace

std::uint64_t checked_trace::length(const std::string& track) const {
    const auto found = slices.find(track);
    return found == slices.end()
               ? 0
               : std::accumulate(found->second.begin(), found->second.end(), std::uint64_t{0},
                                 [](std::uint64_t sum, const checked_slice& s) { return sum + (s.end - s.begin); });
}

checked_trace check_trace(const std::string& text) {
    checker c;
    try {
        const json j = json::parse(text);
        if (!j.is_object() || !j.contains("traceEvents") || !j["traceEvents"].is_array() ||
            j.value("displayTimeUnit", "") != "ns")
            c.fault("no object with traceEvents and displayTimeUnit", json());
        else
            c.read(j["traceEvents"]);
        if (j.is_object() && j.contains("metadata"))
            c.result.metadata = j["metadata"];
    } catch (const json::exception& e) {
        c.fault(e.what(), json());
    }
    return c.result;
}

} // namespace retrace::test
