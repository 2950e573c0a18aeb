#include "sim/report/html_report.h"

#include <fstream>
#include <sstream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "sim/report/downsample.h"
#include "sim/report/page/page_text.h"
#include "sim/report/report_error.h"
#include "sim/report/run_folder.h"
#include "sim/report/step_log.h"

namespace retrace {

namespace fs = std::filesystem;
using json = nlohmann::ordered_json;

namespace {

constexpr std::size_t config_characters = 64 * 1024; ///< more of a configuration is not shown
constexpr int deepest = 64;                          ///< of what this program writes, nothing is nested half as deep

bool there(const fs::path& file) {
    std::error_code error;
    return fs::is_regular_file(file, error);
}

std::string content_of(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    std::ostringstream text;
    if (!in || (in.peek() != std::ifstream::traits_type::eof() && !(text << in.rdbuf())))
        throw report_error(fmt::format("cannot read {}", file.string()));
    return std::move(text).str();
}

json parsed(const fs::path& file) {
    // Whatever walks through a document later does so by recursion.
    const auto flat_enough = [&](int depth, json::parse_event_t, json&) {
        if (depth > deepest)
            throw report_error(fmt::format("{} is nested deeper than {} levels: no run writes that", file.string(), deepest));
        return true;
    };
    json j = json::parse(content_of(file), flat_enough, false);
    if (!j.is_object())
        throw report_error(fmt::format(
            "{} is not whole: it is no JSON object; run again, or take the file from a copy", file.string()));
    return j;
}

json training_curve(const std::vector<training_step>& steps, std::size_t budget) {
    if (steps.empty())
        return nullptr;
    std::vector<double> losses;
    for (const training_step& s : steps)
        losses.push_back(s.loss);
    const std::vector<std::size_t> kept = extremes(losses, budget);
    json j{{"of", steps.size()},    {"step", json::array()},     {"epoch", json::array()},
           {"loss", json::array()}, {"accuracy", json::array()}, {"cycles", json::array()}};
    for (const std::size_t i : kept) {
        j["step"].push_back(steps[i].step);
        j["epoch"].push_back(steps[i].epoch);
        j["loss"].push_back(steps[i].loss);
        j["accuracy"].push_back(steps[i].accuracy);
        j["cycles"].push_back(steps[i].cycles);
    }
    return j;
}

/// A configuration, cut at a line's end where it is too long for the page.
void take_config(json& j, const std::string& text) {
    j["config"] = text;
    if (text.size() <= config_characters)
        return;
    const std::size_t line = text.rfind('\n', config_characters - 1);
    j["config"] = text.substr(0, line == std::string::npos ? config_characters : line + 1);
    j["config_bytes"] = text.size();
}

/// What the log tells; nothing where it holds no command.
void take_log(json& j, const std::string& events, const report_limits& limits) {
    log_reader log(events);
    const std::vector<logged_command> commands = read_commands(log);
    if (commands.empty())
        return;
    json schedule = schedule_of(log, commands, limits), memory = memory_of(log, commands, limits), costs = costs_of(log, commands, limits);
    j["schedule"] = std::move(schedule);
    j["memory"] = std::move(memory);
    j["costs"] = std::move(costs);
}

/// A reader's sentence without the place of the folder: where a run lies is no part of its page.
std::string log_problem(std::string text, const fs::path& events) {
    if (const std::size_t at = text.find(events.string()); at != std::string::npos)
        text.replace(at, events.string().size(), events.filename().string());
    return text;
}

json summary_of(const fs::path& file) {
    json s = parsed(file);
    if (!s.contains("cycles") || !s["cycles"].is_object() || !s.contains("run") || !s["run"].is_object())
        throw report_error(fmt::format(
            "{} is no summary of `retrace train` or `retrace gemm`: it has no cycles", file.string()));
    for (const char* machine :
         {"wall_seconds", "cpu_seconds", "simulated_cycles_per_cpu_second", "macs_per_cpu_second"})
        s["run"].erase(machine);
    return s;
}

} // namespace

json report_data(const fs::path& run, const report_limits& limits) {
    std::error_code error;
    if (!fs::is_directory(run, error))
        throw report_error(
            fmt::format("there is no folder {}; name the folder of a run, for example out/digits-recompute",
                        run.string()));
    const fs::path summary = run / "summary.json", events = run / "events.sqlite",
                   config = run / "config.resolved.yaml";
    if (!there(summary) && !there(events) && !there(run / "steps.csv"))
        throw report_error(fmt::format("{} is no run of `retrace train` or `retrace gemm`: it has neither "
                                       "summary.json nor events.sqlite",
                                       run.string()));
    const fs::path whole = fs::weakly_canonical(run, error);
    json j;
    j["folder"] = (error ? run : whole).filename().string();
    j["summary"] = there(summary) ? summary_of(summary) : json(nullptr);
    j["config"] = nullptr;
    if (there(config))
        take_config(j, content_of(config));
    j["steps"] = training_curve(read_steps(run / "steps.csv"), limits.training_steps);
    j["proof"] = there(run / "proof.json") ? parsed(run / "proof.json") : json(nullptr);
    j["schedule"] = j["memory"] = j["costs"] = nullptr;
    if (there(events)) {
        // A log that a killed run left is no reason to keep back what else there is.
        try {
            take_log(j, events.string(), limits);
        } catch (const log_reader_error& e) {
            if (j["summary"].is_null() && j["steps"].is_null())
                throw;
            j["log_problem"] = log_problem(e.what(), events);
        }
    }
    return j;
}

std::string script_json(const json& data) {
    const std::string text = data.dump(-1, ' ', false, json::error_handler_t::replace);
    std::string safe;
    safe.reserve(text.size() + text.size() / 64);
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (c == '<' || c == '>' || c == '&') {
            safe += c == '<' ? "\\u003c" : c == '>' ? "\\u003e" : "\\u0026";
        } else if (text.compare(i, 2, "\xe2\x80") == 0 && i + 2 < text.size() &&
                   (text[i + 2] == '\xa8' || text[i + 2] == '\xa9')) {
            safe += text[i + 2] == '\xa8' ? "\\u2028" : "\\u2029"; // ends of line in scripts
            i += 2;
        } else {
            safe += c;
        }
    }
    return safe;
}

std::string html_text(const std::string& text) {
    std::string safe;
    for (const char c : text) {
        switch (c) {
        case '<':
            safe += "&lt;";
            break;
        case '>':
            safe += "&gt;";
            break;
        case '&':
            safe += "&amp;";
            break;
        case '"':
            safe += "&quot;";
            break;
        case '\'':
            safe += "&#39;";
            break;
        default:
            safe += c;
        }
    }
    return safe;
}

std::string compose_page(const std::string& title, const json& data) {
    // Only the template is searched for places; what fills one is never looked at again.
    const std::string_view page = page::html();
    std::string out;
    out.reserve(page.size() + page::charts().size() + page::script().size() + (1u << 20));
    for (std::size_t at = 0; at < page.size();) {
        const std::size_t open = page.find("{{", at), close = page.find("}}", open);
        if (open == std::string_view::npos || close == std::string_view::npos) {
            out += page.substr(at);
            break;
        }
        out += page.substr(at, open - at);
        const std::string_view place = page.substr(open + 2, close - open - 2);
        if (place == "title")
            out += html_text(title);
        else if (place == "style")
            out += page::style();
        else if (place == "script")
            out += page::script();
        else if (place == "charts")
            out += page::charts();
        else if (place == "licences")
            out += html_text(std::string(page::licences()));
        else if (place == "data")
            out += script_json(data);
        else
            throw std::logic_error(
                fmt::format("the page's template has a place '{}' that nothing fills", place));
        at = close + 2;
    }
    return out;
}

fs::path write_report(const fs::path& run, fs::path file) {
    json data{{"kind", "run"}, {"runs", json::array({report_data(run)})}};
    json& its = data["runs"][0];
    std::string name = its["folder"].get<std::string>();
    if (its["summary"].is_object() && its["summary"]["run"].contains("name") &&
        its["summary"]["run"]["name"].is_string()) {
        name = its["summary"]["run"]["name"].get<std::string>();
        its.erase("folder"); // where a run lies is no part of it
    }
    if (file.empty())
        file = run / "report.html";
    write_page(file, compose_page(name + " - Retrace", data));
    return file;
}

void write_page(const fs::path& file, const std::string& text) {
    if (!replace_file(file, text))
        throw report_error(fmt::format(
            "cannot write {}: is its folder there, the disk full, or the folder read-only?", file.string()));
}

bool try_write_report(const fs::path& run) {
    try {
        write_report(run);
        return true;
    } catch (const std::exception& e) {
        fmt::print(stderr, "retrace: no report.html: {}\n", e.what());
    }
    return false;
}

bool report_has_charts() { return !page::charts().empty(); }

} // namespace retrace
