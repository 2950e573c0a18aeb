#pragma once
// One case, from text to verdict: reference, device, comparison, report. One per process (SystemC).
#include <filesystem>

#include "sim/cosim/case_result.h"
#include "sim/cosim/coverage.h"
#include "sim/cosim/device_run.h"

namespace retrace::cosim {

struct worked_case {
    case_result result;
    coverage covered;
};

/// Throws case_error if the case cannot be emitted, std::logic_error if the reference finds it illegal, simulation_interrupted;
/// everything that the device does wrong is in the result.
/// `tamper`, `forge` (tests): called with the device's memory before it is compared, with its times before they are checked.
worked_case run_case(const test_case& c, const std::string& array, const std::function<void(memory_image&)>& tamper = {},
                     const std::function<void(timing_log&)>& forge = {}, const device_companion& companion = {});

/// Files of a worker in its folder.
inline constexpr const char *case_file = "case.json", *result_file = "result.json", *coverage_file = "coverage.json";

/// Runs the case and writes the three files, each whole or not at all. Throws std::runtime_error where it cannot write.
case_result work(const test_case& c, const std::string& array, const std::filesystem::path& folder, const device_companion& companion = {});

/// A whole file. Throws case_error when it cannot be read or is beyond 64 MiB.
std::string read_text(const std::filesystem::path& file);
/// Writes beside the file and renames. Throws std::runtime_error.
void write_text(const std::filesystem::path& file, const std::string& text);

} // namespace retrace::cosim
