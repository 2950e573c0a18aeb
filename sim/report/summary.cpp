#include "sim/report/summary.h"

#include <chrono>
#include <ctime>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace retrace {

namespace {

double wall_now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

double cpu_now() {
    timespec t{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

std::string bytes_text(std::uint64_t bytes) {
    if (bytes < 1024)
        return fmt::format("{} B", bytes);
    if (bytes < 1024 * 1024)
        return fmt::format("{:.1f} KiB", static_cast<double>(bytes) / 1024);
    return fmt::format("{:.2f} MiB", static_cast<double>(bytes) / 1024 / 1024);
}

} // namespace

stopwatch::stopwatch() : wall_(wall_now()), cpu_(cpu_now()) {}
double stopwatch::wall() const { return wall_now() - wall_; }
double stopwatch::cpu() const { return cpu_now() - cpu_; }

void read_device(run_summary& s, const npu_config& config, npu& device) {
    const stall_account& account = device.stalls();
    s.cycles = account.total();
    s.array_cycles = account.array_cycles();
    s.stalls.clear();
    for (unsigned c = 0; c < stall_count; ++c)
        s.stalls.emplace_back(name_of(static_cast<stall>(c)), account.of(static_cast<stall>(c)));
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
    using json = nlohmann::ordered_json;
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
    j["work"]["macs"] = s.macs;
    j["work"]["utilisation"] = s.utilisation;
    for (const memory_summary& m : s.memory)
        j["memory"][m.name] = {{"capacity_bytes", m.capacity_bytes}, {"peak_bytes", m.peak_bytes}, {"planned_peak_bytes", m.planned_peak_bytes}};
    if (!s.schedule.empty()) {
        j["schedule"]["name"] = s.schedule;
        j["schedule"]["forward_executions"] = s.forward_executions;
    }
    json& run = j["run"];
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
    return j.dump(2) + "\n";
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
    text += "Memory                  peak       planned      capacity\n";
    for (const memory_summary& m : s.memory)
        text += fmt::format("  {:<14}{:>12}  {:>12}  {:>12}  {:>5.1f} %\n", m.name, bytes_text(m.peak_bytes), bytes_text(m.planned_peak_bytes),
                            bytes_text(m.capacity_bytes),
                            m.capacity_bytes ? 100.0 * static_cast<double>(m.peak_bytes) / static_cast<double>(m.capacity_bytes) : 0.0);
    return text;
}

} // namespace retrace
