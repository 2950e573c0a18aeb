// Where the cycles of a whole run went, as summary.json has it: every sum is exact, per phase, per engine and over time.
#include <algorithm>
#include <fstream>
#include <numeric>
#include <optional>
#include <set>

#include <nlohmann/json.hpp>

#include "sim/log/log_reader.h"
#include "tests/system/program.h"
#include "tests/system/system_bench.h"

namespace retrace::test {
namespace {

using nlohmann::json;
using count = std::uint64_t;

count sum_of(const json& values) {
    return std::accumulate(values.begin(), values.end(), count{0}, [](count sum, const json& value) { return sum + value.get<count>(); });
}

void expect_exact(const json& cycles) {
    const count total = cycles.at("total");
    EXPECT_GT(total, 0u);
    EXPECT_EQ(sum_of(cycles.at("stalls")), total);

    count phases = 0;
    std::map<std::string, count> stalls;
    for (const auto& [name, phase] : cycles.at("by_phase").items()) {
        EXPECT_EQ(sum_of(phase.at("stalls")), phase.at("total").get<count>()) << name;
        phases += phase.at("total").get<count>();
        for (const auto& [entry, value] : phase.at("stalls").items())
            stalls[entry] += value.get<count>();
    }
    EXPECT_EQ(phases, total);
    for (const auto& [entry, value] : cycles.at("stalls").items())
        EXPECT_EQ(stalls[entry], value.get<count>()) << entry;

    const json& over = cycles.at("over_time");
    const count interval = over.at("interval"), intervals = over.at("count");
    EXPECT_EQ(intervals, (total + interval - 1) / interval);
    EXPECT_LE(intervals, 1024u);
    EXPECT_TRUE(interval == 1 || (total + interval / 2 - 1) / (interval / 2) > 1024);
    for (const auto& [name, engine] : cycles.at("engines").items()) {
        EXPECT_EQ(engine.at("busy").get<count>() + engine.at("idle").get<count>() + sum_of(engine.at("waiting")), total) << name;
        EXPECT_FALSE(engine.at("waiting").contains(name)) << name << " waits for itself";
        const json& busy = over.at("engines").at(name);
        EXPECT_EQ(busy.size(), intervals);
        EXPECT_EQ(sum_of(busy), engine.at("busy").get<count>()) << name;
    }
    std::vector<count> filled(intervals);
    for (const auto& [entry, list] : over.at("stalls").items()) {
        ASSERT_EQ(list.size(), intervals);
        EXPECT_EQ(sum_of(list), cycles.at("stalls").at(entry).get<count>()) << entry;
        for (std::size_t i = 0; i < intervals; ++i)
            filled[i] += list[i].get<count>();
    }
    for (std::size_t i = 0; i < intervals; ++i)
        EXPECT_EQ(filled[i], std::min(interval, total - i * interval)) << "interval " << i;
    EXPECT_EQ(cycles.at("engines").at("pe").at("busy"), cycles.at("array"));
}

TEST(attribution, of_a_training_run_is_exact_at_every_level) {
    const scratch_folder folder;
    const program_result r =
        run_program({"train", std::string(RETRACE_SOURCE_FOLDER) + "/examples/digits/recompute.yaml", "--set", "training.epochs=null", "--set",
                     "training.steps=2", "--set", "data.test_rows=300", "--set", "host.step_cycles=5000", "--out", folder.file("run")});
    ASSERT_EQ(r.exit, 0) << r.err;
    const json cycles = json::parse(text_of(folder.file("run/summary.json"))).at("cycles");
    expect_exact(cycles);
    for (const char* phase : {"forward", "loss", "recompute", "backward", "transfer", "evaluate", "none"})
        EXPECT_GT(cycles.at("by_phase").at(phase).at("total").get<count>(), 0u) << phase;
    EXPECT_EQ(cycles.at("by_phase").at("none").at("stalls").at("compute"), 0);
    EXPECT_EQ(cycles.at("by_phase").at("none").at("stalls").at("host"), cycles.at("stalls").at("host"));
    EXPECT_GT(cycles.at("stalls").at("host").get<count>(), 0u);
    // Recomputing every layer costs more than running it once.
    EXPECT_GT(cycles.at("by_phase").at("recompute").at("total").get<count>(), cycles.at("by_phase").at("forward").at("total").get<count>());
    EXPECT_NE(r.out.find("Per phase"), std::string::npos) << r.out;
    EXPECT_NE(r.out.find("  recompute "), std::string::npos) << r.out;
    EXPECT_NE(r.out.find("  pe is busy "), std::string::npos) << r.out;
}

TEST(attribution, of_a_product_is_exact_too) {
    const scratch_folder folder;
    const program_result r = run_program({"gemm", "--m", "96", "--k", "64", "--n", "64", "--preset", "tiny", "--out", folder.file("run")});
    ASSERT_EQ(r.exit, 0) << r.err;
    expect_exact(json::parse(text_of(folder.file("run/summary.json"))).at("cycles"));
}

TEST(attribution, with_injected_stalls_the_array_is_busy_when_it_is_held) {
    const scratch_folder folder;
    const program_result r = run_program({"gemm", "--m", "96", "--k", "64", "--n", "64", "--preset", "tiny", "--set", "npu.array.stress.mean_gap=20", "--set",
                                          "npu.array.stress.longest=15", "--out", folder.file("run")});
    ASSERT_EQ(r.exit, 0) << r.err;
    const json cycles = json::parse(text_of(folder.file("run/summary.json"))).at("cycles");
    EXPECT_GT(cycles.at("stalls").at("bank_conflict").get<count>(), 100u);
    const json& pe = cycles.at("engines").at("pe");
    EXPECT_EQ(pe.at("busy").get<count>() + pe.at("idle").get<count>() + sum_of(pe.at("waiting")), cycles.at("total").get<count>());
    EXPECT_EQ(pe.at("busy"), cycles.at("array"));
}

/// Who waited for whom, cycle by cycle, from the event log of a run that has every step at tile level: programs, semaphores' units, bursts.
class replayed_waits {
public:
    using table = std::map<std::string, std::map<std::string, count>>; ///< engine -> whom it waits for, or "semaphore" -> cycles

    replayed_waits(const std::string& log_file, count first, count total) : log_(log_file), first_(first), total_(total) {
        log_query engines(log_, "SELECT name FROM code WHERE kind = 'engine' ORDER BY value");
        while (engines.next())
            engines_.push_back({std::string(engines.text(0)), std::vector<int>(total, nothing), std::vector<int>(total, nothing),
                                std::vector<bool>(total), std::vector<bool>(total)});
        read_programs();
        read_instructions();
        for (cycle_ = 0; cycle_ < total; ++cycle_)
            for (std::size_t e = 0; e < engines_.size(); ++e)
                if (engines_[e].program[cycle_] != nothing && !works(e)) {
                    std::set<std::size_t> visited;
                    const std::optional<std::size_t> end = end_of(e, visited);
                    ++waits_[engines_[e].name][end ? engines_[*end].name : "semaphore"];
                    behind_sequencer_ += end == spec::engine_pe && engines_[spec::engine_pe].semaphore[cycle_] != nothing;
                }
    }
    const table& waits() const { return waits_; }
    /// Cycles of waits for a tile while the PE array's sequencer waits for something else.
    count behind_sequencer() const { return behind_sequencer_; }
    count tile_cycles() const { return static_cast<count>(std::count(engines_[spec::engine_pe].busy.begin(), engines_[spec::engine_pe].busy.end(), true)); }

private:
    static constexpr int nothing = -1;
    struct program {
        count sequence;
        std::set<int> signals;
    };
    struct engine {
        std::string name;
        std::vector<int> program, semaphore; ///< by cycle: its program's index; semaphore that its sequencer waits for
        std::vector<bool> busy, at_port;     ///< by cycle: something handed over is at work; waits for banks
    };

    template <typename List, typename Value>
    void fill(List& list, count from, count to, Value value) const {
        for (count c = std::max(from, first_); c < std::min(to, first_ + total_); ++c)
            list[c - first_] = value;
    }
    void read_programs() {
        std::map<count, std::set<int>> signals;
        log_query code(log_, "SELECT code, signal0, signal0_count, signal1, signal1_count FROM program_code");
        while (code.next())
            for (const int s : {1, 3})
                if (code.number(s + 1) != 0)
                    signals[code.number(0)].insert(static_cast<int>(code.number(s)));
        log_query q(log_, "SELECT engine, sequence, begun, ended, code FROM program");
        while (q.next()) {
            fill(engines_.at(q.number(0)).program, q.number(2), q.number(3), static_cast<int>(programs_.size()));
            programs_.push_back({q.number(1), signals[q.number(4)]});
        }
    }
    void read_instructions() {
        log_query issue(log_, "SELECT value FROM machine WHERE key = 'sequencer.issue_cycles'");
        ASSERT_TRUE(issue.next());
        constexpr const char* sql = "SELECT i.sequence, i.engine, i.taken, i.begun, i.requested, i.started, i.ended, c.wait0, c.wait0_count, c.wait1, "
                                    "c.wait1_count, c.signal0, c.signal0_count, c.signal1, c.signal1_count FROM instruction i "
                                    "JOIN program p ON p.engine = i.engine AND p.sequence = i.sequence "
                                    "JOIN program_code c ON c.code = p.code AND c.pc = i.pc ORDER BY ";
        std::map<std::pair<count, int>, std::vector<count>> units; // by command and semaphore: when they were given
        for (log_query q(log_, std::string(sql) + "i.ended"); q.next();)
            for (const int s : {11, 13})
                for (count n = q.number(s + 1); n > 0; --n)
                    units[{q.number(0), static_cast<int>(q.number(s))}].push_back(q.number(6));
        std::map<std::pair<count, int>, std::size_t> taken;
        for (log_query q(log_, std::string(sql) + "i.begun, i.engine, i.pc"); q.next();) {
            engine& e = engines_.at(q.number(1));
            const count begun = q.number(3);
            count now = q.number(2) + issue.number(0);
            for (const int w : {7, 9}) {
                if (q.number(w + 1) == 0)
                    continue;
                const std::pair key{q.number(0), static_cast<int>(q.number(w))};
                const std::size_t last = taken[key] += q.number(w + 1);
                const count there = std::max(now, units[key].at(last - 1));
                fill(e.semaphore, now, there, key.second);
                now = there;
            }
            EXPECT_EQ(now, begun);
            if (q.number(1) == spec::engine_pe) { // a burst of weights, or from the first row to the last sum
                fill(e.at_port, q.number(4), q.number(5), true);
                fill(e.busy, q.number(5), q.null(5) ? 0 : q.number(6), true);
            } else if (q.number(1) >= spec::engine_dma) {
                fill(e.busy, begun, q.number(6), true); // its places, then its chunks
            }
        }
    }
    bool works(std::size_t e) const { return engines_[e].busy[cycle_] || engines_[e].at_port[cycle_] || engines_[e].semaphore[cycle_] == nothing; }
    std::optional<std::size_t> end_of(std::size_t e, std::set<std::size_t>& visited) const {
        visited.insert(e);
        if (works(e))
            return e;
        const auto program_of = [this](std::size_t n) { return engines_[n].program[cycle_]; };
        for (std::size_t o = 0; o < engines_.size(); ++o)
            if (!visited.contains(o) && program_of(o) != nothing &&
                programs_[static_cast<std::size_t>(program_of(o))].sequence == programs_[static_cast<std::size_t>(program_of(e))].sequence &&
                programs_[static_cast<std::size_t>(program_of(o))].signals.contains(engines_[e].semaphore[cycle_]))
                if (const auto end = end_of(o, visited))
                    return end;
        return std::nullopt;
    }

    log_reader log_;
    count first_, total_, cycle_ = 0, behind_sequencer_ = 0;
    std::vector<engine> engines_;
    std::vector<program> programs_;
    table waits_;
};

TEST(attribution, waits_of_engines_are_those_that_the_event_log_tells) {
    const scratch_folder folder;
    {
        std::ofstream data(folder.file("data.csv"));
        for (unsigned row = 0; row < 40; ++row) {
            for (unsigned column = 0; column < 20; ++column)
                data << (row * 7 + column * 5 + row * column) % 17 << ",";
            data << row % 5 << "\n";
        }
    }
    std::ofstream(folder.file("small.yaml")) << R"(name: small
npu: {preset: tiny}
network:
  inputs: 20
  layers:
    - {dense: 24, activation: relu, repeat: 3}
    - {dense: 5}
  loss: softmax_cross_entropy
data: {file: data.csv, classes: 5, test_rows: 8}
training:
  schedule: recompute
  steps: 1
  batch: 16
  operands: bf16
  optimizer: {kind: sgd, learning_rate: 0.01}
log: {steps: [1, 2]} # and the evaluation
)";
    const program_result r = run_program({"train", folder.file("small.yaml"), "--quiet", "--out", folder.file("run")});
    ASSERT_EQ(r.exit, 0) << r.err;
    const json cycles = json::parse(text_of(folder.file("run/summary.json"))).at("cycles");
    expect_exact(cycles);
    const replayed_waits replay(folder.file("run/events.sqlite"), cycles.at("over_time").at("first"), cycles.at("total"));
    replayed_waits::table told;
    for (const auto& [name, engine] : cycles.at("engines").items())
        for (const auto& [whom, value] : engine.at("waiting").items())
            if (value != 0 && whom != "banks" && whom != "issue" && whom != "instructions")
                told[name][whom] = value;
    EXPECT_EQ(told, replay.waits());
    EXPECT_EQ(replay.tile_cycles(), cycles.at("array").get<count>());
    EXPECT_GT(replay.behind_sequencer(), 1000u);
    for (const char* engine : {"activation", "vector", "dma0"})
        EXPECT_GT(told[engine]["pe"], 0u) << engine;
}

} // namespace
} // namespace retrace::test
