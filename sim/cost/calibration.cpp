#include "sim/cost/calibration.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "sim/config/load.h"
#include "sim/cosim/processes.h"

namespace retrace {

namespace fs = std::filesystem;

namespace {

/// A folder that disappears with this object, however the block is left.
class temporary_folder {
public:
    explicit temporary_folder(const fs::path& where) {
        std::error_code error;
        const fs::path parent = where.empty() ? fs::temp_directory_path(error) : where;
        std::string name = ((error ? fs::path("/tmp") : parent) / "retrace-plan-XXXXXX").string();
        if (!mkdtemp(name.data()))
            throw calibration_error(fmt::format("no temporary folder {}: {}", name, std::strerror(errno)));
        path_ = name;
    }
    ~temporary_folder() {
        std::error_code ignored; // what is left lies in the system's temporary folder
        fs::remove_all(path_, ignored);
    }
    temporary_folder(const temporary_folder&) = delete;
    temporary_folder& operator=(const temporary_folder&) = delete;
    const fs::path& path() const { return path_; }

private:
    fs::path path_;
};

/// What the process said of its end: the line that begins as errors of this program do.
std::string complaint(const fs::path& file) {
    constexpr std::string_view name = "retrace: ";
    std::ifstream in(file, std::ios::binary);
    std::string line;
    while (std::getline(in, line))
        if (line.starts_with(name))
            return line.substr(name.size());
    return {};
}

calibration read(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    const nlohmann::json j = nlohmann::json::parse(in, nullptr, false);
    calibration c;
    try {
        c.steps = j.at("steps");
        c.part_of_step = j.at("part_of_step");
        c.start_cycles = j.at("start_cycles");
        c.step_cycles = j.at("step_cycles");
        c.start_seconds = j.at("start_seconds");
        c.step_seconds = j.at("step_seconds");
        c.logged_step_seconds = j.at("logged_step_seconds");
        c.log_end_seconds = j.at("log_end_seconds");
        c.report_seconds = j.at("report_seconds");
        c.log_bytes = j.at("log_bytes");
        c.timeline_bytes = j.at("timeline_bytes");
        c.tile_steps = j.at("tile_steps");
        c.run_peak_bytes = j.at("run_peak_bytes");
        c.peak_bytes = j.at("peak_bytes");
    } catch (const nlohmann::json::exception&) {
        throw calibration_error("its process left no measurement behind");
    }
    return c;
}

} // namespace

calibration calibrate(const run_config& config, const calibration_options& options) {
    // Signals first: from here on they end wait(), and the folder goes in order.
    cosim::process_pool processes(std::chrono::milliseconds(static_cast<long>(options.kill_seconds * 1000)));
    const temporary_folder folder(options.temporary);
    std::ofstream(folder.path() / "config.yaml", std::ios::binary) << to_yaml(config);
    const fs::path words = folder.path() / "output";
    cosim::process_end end;
    try {
        processes.start(0, {options.program, "plan", (folder.path() / "config.yaml").string(), "--first-steps", folder.path().string(),
                            "--first-steps-time", fmt::format("{},{}", options.seconds, options.hard_seconds)},
                        words.string());
        end = processes.wait();
    } catch (const cosim::processes_interrupted& e) {
        throw calibration_interrupted(e.signal());
    } catch (const calibration_error&) {
        throw;
    } catch (const std::exception& e) {
        throw calibration_error(e.what());
    }
    if (end.timed_out)
        throw calibration_error(fmt::format("they did not come to an end within {:.0f} s", options.kill_seconds));
    if (end.signal != 0)
        throw calibration_error(fmt::format("their process was ended by signal {} ({})", end.signal, strsignal(end.signal)));
    if (end.code != 0) {
        const std::string said = complaint(words);
        throw calibration_error(said.empty() ? fmt::format("their process ended with exit code {}", end.code.value_or(-1)) : said);
    }
    return read(folder.path() / "calibration.json");
}

} // namespace retrace
