// Golden cycle counts. A change of cycles.json's numbers fails until it was looked at: `./retrace test
// --accept` (RETRACE_ACCEPT=1) prints the differences and writes the file anew.
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <set>

#include <nlohmann/json.hpp>

#include "sim/cli/training_run.h"
#include "tests/system/system_bench.h"

namespace retrace::test {
namespace {

using counts = std::map<std::string, std::map<std::string, std::uint64_t>>; ///< run -> number -> cycles

struct example {
    const char* config; ///< below examples/
    std::vector<std::string> overrides;
};

// Two steps and the evaluation.
const std::vector<example> examples{
    {"digits/recompute.yaml", {}},
    {"digits/store_all.yaml", {"npu.device_dram.regions.activations=64MiB"}},
};

std::map<std::string, std::uint64_t> cycles_of_example(const example& e) {
    const std::string text = in_child([&] {
        try {
            std::vector<std::string> overrides = e.overrides;
            overrides.insert(overrides.end(), {"training.epochs=null", "training.steps=2"});
            const loaded_config loaded =
                load_config(std::string(RETRACE_SOURCE_FOLDER) + "/examples/" + e.config, overrides);
            const plan p = retrace::plan_of(loaded.config);
            training_run run(loaded.config, p, load_data(loaded.config), nullptr);
            run.execute({});
            const run_summary s = run.summarise();
            return nlohmann::json{{"total", s.cycles}, {"array", s.array_cycles}}.dump();
        } catch (const std::exception& error) {
            return nlohmann::json{{"error", error.what()}}.dump();
        }
    });
    const nlohmann::json j = nlohmann::json::parse(text, nullptr, false);
    if (j.is_discarded() || j.contains("error")) {
        ADD_FAILURE() << e.config << ": " << text;
        return {};
    }
    return j.get<std::map<std::string, std::uint64_t>>();
}

counts measure() {
    counts all;
    for (const example& e : examples)
        all[std::string("examples/") + e.config] = cycles_of_example(e);
    for (const schedule_settings& s :
         {schedule_settings{schedule_kind::store_all, 1}, schedule_settings{schedule_kind::recompute, 1},
          schedule_settings{schedule_kind::interval, 2},
          schedule_settings{schedule_kind::interval_overwrite, 2}})
        for (const operand_format format : {operand_format::bf16, operand_format::fp32}) {
            small_run run;
            run.schedule = s;
            run.operands = format;
            const run_outcome outcome = execute(run);
            EXPECT_EQ(outcome.error, "");
            all[std::string("six layers of 16, tiny, ") + to_string(s.kind) + ", " + to_string(format)] = {
                {"total", outcome.cycles}};
        }
    return all;
}

TEST(golden_cycles, are_those_of_the_file) {
    counts golden;
    {
        std::ifstream file(RETRACE_CYCLES_FILE);
        const nlohmann::json j = nlohmann::json::parse(file, nullptr, false);
        if (!j.is_discarded())
            golden = j.get<counts>();
    }
    const counts measured = measure();
    std::set<std::string> runs;
    for (const auto& entry : golden)
        runs.insert(entry.first);
    for (const auto& entry : measured)
        runs.insert(entry.first);
    std::size_t differences = 0;
    for (const std::string& run : runs) {
        const counts::const_iterator was = golden.find(run), is = measured.find(run);
        if (was != golden.end() && is != measured.end() && was->second == is->second)
            continue;
        ++differences;
        const auto text = [](const counts& c, counts::const_iterator at) {
            return at == c.end() ? std::string("nothing") : nlohmann::json(at->second).dump();
        };
        std::cout << run << ": " << text(golden, was) << " in " << RETRACE_CYCLES_FILE << ", "
                  << text(measured, is) << " now\n";
    }
    const char* accept = std::getenv("RETRACE_ACCEPT");
    if (differences != 0 && accept && std::string(accept) == "1" && !HasFailure()) {
        std::ofstream file(RETRACE_CYCLES_FILE);
        file << nlohmann::json(measured).dump(2) << '\n';
        ASSERT_TRUE(file.flush()) << "cannot write " << RETRACE_CYCLES_FILE;
        std::cout << "accepted: " << RETRACE_CYCLES_FILE << " is written anew\n";
        return;
    }
    EXPECT_EQ(differences, 0u) << "look at the differences above; `./retrace test --accept` takes them over";
}

TEST(golden_cycles, cover_every_example) {
    std::set<std::string> covered, present;
    for (const example& e : examples)
        covered.insert(e.config);
    const std::filesystem::path folder = std::string(RETRACE_SOURCE_FOLDER) + "/examples";
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
        if (entry.path().extension() == ".yaml")
            present.insert(std::filesystem::relative(entry.path(), folder).generic_string());
    EXPECT_EQ(covered, present);
}

} // namespace
} // namespace retrace::test
