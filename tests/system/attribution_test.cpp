// Where the cycles of a whole run went, as summary.json has it: every sum is exact, per phase, per engine and over time.
#include <numeric>
#include <set>

#include <nlohmann/json.hpp>

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

} // namespace
} // namespace retrace::test
