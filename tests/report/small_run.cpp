#include "tests/report/small_run.h"

#include <fstream>
#include <sstream>
#include <stdexcept>

#include <fmt/format.h>
#include <sqlite3.h>
#include <stdlib.h>

#include "hw/spec/spec.h"
#include "sim/log/sqlite_log.h"

namespace retrace::test {

namespace fs = std::filesystem;

run_files::run_files() {
    std::string name = (fs::temp_directory_path() / "retrace-report-XXXXXX").string();
    if (!mkdtemp(name.data()))
        throw std::runtime_error("cannot make a folder for the test");
    path_ = name;
}

run_files::~run_files() {
    std::error_code error;
    fs::remove_all(path_, error);
}

void run_files::write(const char* name, const std::string& text) const { std::ofstream(path_ / name, std::ios::binary) << text; }

void run_files::make_log() const {
    sqlite_log log((path_ / "events.sqlite").string(), {1});
    log.close();
}

void run_files::sql(const std::string& statements) const {
    sqlite3* database = nullptr;
    if (sqlite3_open_v2((path_ / "events.sqlite").string().c_str(), &database, SQLITE_OPEN_READWRITE, nullptr) != SQLITE_OK ||
        sqlite3_exec(database, ("PRAGMA synchronous=OFF; BEGIN;" + statements + "; COMMIT").c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
        const std::string reason = sqlite3_errmsg(database);
        sqlite3_close(database);
        throw std::runtime_error(reason);
    }
    sqlite3_close(database);
}

void run_files::make_training_run() const {
    write("summary.json", small_summary(2000, 400));
    write("steps.csv", "step,epoch,loss,accuracy,cycles\n1,1,2,0.25,1000\n2,1,1,0.5,2000\n");
    make_log();
    std::string rows = "INSERT INTO tensor VALUES(1, 'IO_1'), (2, 'IO_2');";
    const auto number = [](spec::phase p) { return static_cast<unsigned>(p); };
    const unsigned phases[] = {number(spec::phase::forward), number(spec::phase::forward), number(spec::phase::loss_gradient),
                               number(spec::phase::backward), number(spec::phase::recompute), number(spec::phase::backward)};
    const unsigned layers[] = {1, 2, 2, 2, 1, 1};
    const auto dram = static_cast<unsigned>(spec::memory_kind::device_dram), buffer = static_cast<unsigned>(spec::memory_kind::state_buffer);
    for (unsigned step = 1; step <= 2; ++step)
        for (unsigned i = 0; i < 6; ++i) {
            const unsigned sequence = (step - 1) * 6 + i + 1, begun = step * 1000 + i * 150, ended = begun + 100;
            rows += fmt::format("INSERT INTO command VALUES(0,{},0,{},{},{},{},2);"
                                "INSERT INTO command_moment VALUES(0,{},'ended',{},0);"
                                "INSERT INTO operand VALUES(0,{},0,{},0,4096,0,0,3);",
                                sequence, phases[i], step, layers[i], begun, sequence, ended, sequence, buffer);
            if (i < 2 || i == 4) { // forward and recompute write the layer's output over the other's
                const unsigned tag = layers[i], other = 3 - tag;
                rows += fmt::format("INSERT INTO operand VALUES(0,{},1,{},512,64,{},{},2);"
                                    "INSERT INTO tensor_life VALUES({},0,'complete',{},{},{},{},64,0);",
                                    sequence, dram, tag, step, ended, dram, tag, step, sequence);
                if (i > 0)
                    rows += fmt::format("INSERT INTO tensor_life VALUES({},0,'overwritten',{},{},{},{},64,0);", ended, dram, other, step, sequence);
            }
            rows += fmt::format("INSERT INTO occupancy VALUES({},0,'activations',{},64,64);", ended, sequence);
        }
    sql(rows);
}

std::string small_summary(unsigned cycles, unsigned dram, const std::string& name) {
    return fmt::format(R"({{"result": {{"test_accuracy": 0.5, "loss": 1.0, "weights_sha256": "aa"}},
"cycles": {{"total": {0}, "array": {1}, "stalls": {{"compute": {1}, "dram": {2}, "host": 0}}}},
"work": {{"macs": 1000, "utilisation": 0.25}},
"memory": {{"device_dram": {{"capacity_bytes": 4096, "peak_bytes": 64, "planned_peak_bytes": 64}},
"activations": {{"capacity_bytes": 1024, "peak_bytes": 64, "planned_peak_bytes": 64}}}},
"machine": {{"preset": "tiny", "rows": 8, "columns": 8, "clock_hz": 1e9, "array": "kernel"}},
"run": {{"command": "train", "name": "{3}", "seed": 1, "status": "complete", "wall_seconds": 12.5, "cpu_seconds": 3.5,
"simulated_cycles_per_cpu_second": 7, "macs_per_cpu_second": 9}}}})",
                       cycles, cycles - dram, dram, name);
}

std::string text_of(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
}

} // namespace retrace::test
