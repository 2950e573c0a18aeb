#pragma once
// The `retrace` program as a child process: one simulation each.
#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace retrace::bench {

struct child_run {
    double cpu_seconds; ///< user and system time of the whole process, from its start to its end
    nlohmann::json summary;
};

/// `retrace ARGUMENTS --quiet --out FOLDER` in a folder of its own, which is gone afterwards. Throws
/// std::runtime_error with the program's own words if it fails.
child_run run_retrace(const std::vector<std::string>& arguments);

/// Root of the examples.
std::filesystem::path examples();

} // namespace retrace::bench
