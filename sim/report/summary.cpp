#include "sim/report/summary.h"

#include <algorithm>
#include <chrono>
#include <ctime>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "sim/report/bytes_text.h"
#include "tlm/core/accounting/engine_label.h"

namespace retrace {

namespace {

using json = nlohmann::ordered_json;

double wall_now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

double cpu_now() {
    timespec t{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

std::uint64_t sum_of(const auto& cycles) {
    std::uint64_t sum = 0;
    for (const std::uint64_t c : cycles)
        sum += c;
    return sum;
}

std::string_view stall_name(std::size_t s) { return name_of(static_cast<stall>(s)); }

/// Phases in the order of a training step; "none" last.
constexpr std::array phase_order{spec::phase::forward, spec::phase::loss_gradient, spec::phase::recompute, spec::phase::backward,
                                 spec::phase::transfer, spec::phase::evaluate, spec::phase::none};
static_assert(phase_order.size() == spec::phase_count);

/// What an engine waits for: an engine that is at work, or one of the reasons that no engine stands for.
std::string waits_for(std::size_t activity) {
    switch (activity) {
    case engine_issues: return "issue";
    case engine_instructions: return "instructions";
    case engine_banks: return "banks";
    case engine_semaphore: return "semaphore";
    default: return engine_label(static_cast<unsigned>(activity) - on_engine);
    }
}

json phases_json(const cycle_attribution& a) {
    json j = json::object();
    for (const spec::phase p : phase_order) {
        const auto& cycles = a.phases[static_cast<unsigned>(p)];
        json& phase = j[std::string(report_name_of(p))];
        phase["total"] = sum_of(cycles);
        for (std::size_t s = 0; s < stall_count; ++s)
            phase["stalls"][std::string(stall_name(s))] = cycles[s];
    }
    return j;
}

json engines_json(const cycle_attribution& a) {
    json j = json::object();
    for (std::size_t e = 0; e < a.engines.size(); ++e) {
        const std::vector<std::uint64_t>& cycles = a.engines[e];
        json& engine = j[engine_label(static_cast<unsigned>(e))];
        engine["busy"] = cycles[engine_busy];
        engine["waiting"] = json::object();
        for (std::size_t w = engine_issues; w < cycles.size(); ++w)
            if (cycles[w] != 0)
                engine["waiting"][waits_for(w)] = cycles[w];
        engine["idle"] = cycles[engine_idle];
    }
    return j;
}

json over_time_json(const cycle_attribution& a) {
    json j = {{"first", a.first}, {"interval", a.interval}, {"count", a.intervals()}, {"engines", json::object()}, {"stalls", json::object()}};
    for (std::size_t e = 0; e < a.busy.size(); ++e)
        j["engines"][engine_label(static_cast<unsigned>(e))] = a.busy[e];
    for (std::size_t s = 0; s < stall_count; ++s)
        if (sum_of(a.stalls[s]) != 0)
            j["stalls"][std::string(stall_name(s))] = a.stalls[s];
    return j;
}

/// Lists of numbers on one line each: thousands of lines less to read past.
std::string with_short_lists(const std::string& text) {
    std::string out;
    bool in_string = false;
    int depth = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (c == '"' && (i == 0 || text[i - 1] != '\\'))
            in_string = !in_string;
        if (!in_string)
            depth += (c == '[') - (c == ']');
        if (in_string || depth == 0 || (c != '\n' && c != ' '))
            out += c;
    }
    return out;
}

std::string percent(std::uint64_t part, std::uint64_t whole) {
    return fmt::format("{:.1f} %", whole ? 100.0 * static_cast<double>(part) / static_cast<double>(whole) : 0.0);
}

/// The largest `count` shares of `whole`, as "dma 45.0 %, compute 30.1 %".
template <typename Name>
std::string largest(const std::vector<std::pair<std::uint64_t, std::size_t>>& shares, std::uint64_t whole, std::size_t count, Name&& name) {
    std::vector<std::pair<std::uint64_t, std::size_t>> sorted = shares;
    std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
    std::string text;
    for (std::size_t i = 0; i < std::min(count, sorted.size()) && sorted[i].first != 0; ++i)
        text += fmt::format("{}{} {}", i ? ", " : "", name(sorted[i].second), percent(sorted[i].first, whole));
    return text;
}

std::string describe_attribution(const cycle_attribution& a) {
    if (a.engines.empty())
        return {};
    std::string text = "Per phase                 cycles     share  mostly (of the phase)\n";
    for (const spec::phase p : phase_order) {
        const auto& cycles = a.phases[static_cast<unsigned>(p)];
        const std::uint64_t sum = sum_of(cycles);
        if (sum == 0)
            continue;
        std::vector<std::pair<std::uint64_t, std::size_t>> shares;
        for (std::size_t s = 0; s < stall_count; ++s)
            shares.emplace_back(cycles[s], s);
        text += fmt::format("  {:<14}{:>16}  {:>8}  {}\n", report_name_of(p), sum, percent(sum, a.total), largest(shares, sum, 2, stall_name));
    }
    const std::vector<std::uint64_t>& pe = a.engines[spec::engine_pe];
    std::vector<std::pair<std::uint64_t, std::size_t>> waits;
    for (std::size_t w = engine_issues; w < pe.size(); ++w)
        waits.emplace_back(pe[w], w);
    const std::string whom = largest(waits, a.total, 3, waits_for);
    return text + fmt::format("  pe is busy {}, without a program {}{}{}\n", percent(pe[engine_busy], a.total), percent(pe[engine_idle], a.total),
                              whom.empty() ? "" : ", waits for ", whom);
}

} // namespace

stopwatch::stopwatch() : wall_(wall_now()), cpu_(cpu_now()) {}
double stopwatch::wall() const { return wall_now() - wall_; }
double stopwatch::cpu() const { return cpu_now() - cpu_; }

void read_device(run_summary& s, const npu_config& config, npu& device) {
    s.machine = {config.preset, config.array.implementation, config.array.rows, config.array.columns, config.clock_hz};
    const stall_account& account = device.stalls();
    s.cycles = account.total();
    s.array_cycles = account.array_cycles();
    s.stalls.clear();
    for (unsigned c = 0; c < stall_count; ++c)
        s.stalls.emplace_back(name_of(static_cast<stall>(c)), account.of(static_cast<stall>(c)));
    s.attribution = account.attribution();
    s.macs = device.pe().macs();
    const double peak = static_cast<double>(config.array.rows) * config.array.columns * static_cast<double>(s.cycles);
    s.utilisation = peak > 0 ? static_cast<double>(s.macs) / peak : 0;
    s.memory.clear();
    for (const tagged_memory* m : {&device.buffer(), &device.psum(), &device.dram()}) {
        s.memory.push_back({m->name(), m->capacity(), m->peak_bytes(), 0});
        for (const tagged_memory::region& r : m->regions())
            s.memory.push_back({r.name, r.bytes, r.peak, 0});
    }
}

std::string to_json(const run_summary& s) {
    json j;
    json& result = j["result"] = json::object();
    if (s.test_accuracy)
        result["test_accuracy"] = *s.test_accuracy;
    if (s.loss)
        result["loss"] = *s.loss;
    if (s.weights_sha256)
        result["weights_sha256"] = *s.weights_sha256;
    if (s.checksum)
        result["checksum"] = *s.checksum;
    if (s.verified)
        result["verified"] = *s.verified;
    j["cycles"]["total"] = s.cycles;
    j["cycles"]["array"] = s.array_cycles;
    for (const auto& [name, value] : s.stalls)
        j["cycles"]["stalls"][name] = value;
    if (!s.attribution.engines.empty()) {
        j["cycles"]["by_phase"] = phases_json(s.attribution);
        j["cycles"]["engines"] = engines_json(s.attribution);
        j["cycles"]["over_time"] = over_time_json(s.attribution);
    }
    j["work"]["macs"] = s.macs;
    j["work"]["utilisation"] = s.utilisation;
    for (const memory_summary& m : s.memory)
        j["memory"][m.name] = {{"capacity_bytes", m.capacity_bytes}, {"peak_bytes", m.peak_bytes}, {"planned_peak_bytes", m.planned_peak_bytes}};
    if (!s.schedule.empty()) {
        j["schedule"]["name"] = s.schedule;
        j["schedule"]["forward_executions"] = s.forward_executions;
    }
    const machine_summary& m = s.machine;
    j["machine"] = {{"preset", m.preset}, {"rows", m.rows}, {"columns", m.columns}, {"clock_hz", m.clock_hz}, {"array", m.array}};
    json& run = j["run"];
    if (!s.command.empty())
        run["command"] = s.command;
    if (!s.name.empty())
        run["name"] = s.name;
    if (!s.config_sha256.empty())
        run["config_sha256"] = s.config_sha256;
    run["seed"] = s.seed;
    run["status"] = s.status;
    if (!s.reason.empty())
        run["reason"] = s.reason;
    run["wall_seconds"] = s.wall_seconds;
    run["cpu_seconds"] = s.cpu_seconds;
    const auto per_second = [&](std::uint64_t count) { return s.cpu_seconds > 0 ? static_cast<double>(count) / s.cpu_seconds : 0; };
    run["simulated_cycles_per_cpu_second"] = per_second(s.cycles);
    run["macs_per_cpu_second"] = per_second(s.macs);
    return with_short_lists(j.dump(2)) + "\n";
}

std::string describe(const run_summary& s) {
    std::string text = "Where the array's cycles went\n";
    std::uint64_t sum = 0;
    for (const auto& [name, value] : s.stalls) {
        sum += value;
        if (value == 0)
            continue;
        const double share = 100.0 * static_cast<double>(value) / static_cast<double>(s.cycles);
        text += fmt::format("  {:<14}{:>16}  {:>6.2f} %  {}\n", name, value, share, std::string(static_cast<std::size_t>(share / 2.5), '#'));
    }
    text += fmt::format("  {:<14}{:>16}  {:>6.2f} %\n", "total", sum,
                        s.cycles ? 100.0 * static_cast<double>(sum) / static_cast<double>(s.cycles) : 100.0);
    text += fmt::format("  {:.2f} G MAC, {:.1f} % of the array's peak\n\n", static_cast<double>(s.macs) / 1e9, 100 * s.utilisation);
    if (const std::string phases = describe_attribution(s.attribution); !phases.empty())
        text += phases + "\n";
    text += "Memory                  peak       planned      capacity\n";
    const auto in_words = [](std::uint64_t bytes) { return bytes_text(static_cast<double>(bytes)); };
    for (const memory_summary& m : s.memory)
        text += fmt::format("  {:<14}{:>12}  {:>12}  {:>12}  {:>5.1f} %\n", m.name, in_words(m.peak_bytes), in_words(m.planned_peak_bytes), in_words(m.capacity_bytes),
                            m.capacity_bytes ? 100.0 * static_cast<double>(m.peak_bytes) / static_cast<double>(m.capacity_bytes) : 0.0);
    return text;
}

} // namespace retrace
