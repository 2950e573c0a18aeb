#pragma once
// Two runs side by side: the numbers of their summaries, and how far the second is from the first.
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace retrace {

struct compared_number {
    std::string group;                   ///< "result", "time", "stalls", "phases", "memory"
    std::string name;                    ///< "loss of the last step", "dram", "activations peak", ...
    std::string unit;                    ///< "cycles", "bytes", "share", "s", "" (a plain number)
    std::optional<double> first, second; ///< none: the run has no such number

    /// (second - first) / first; none where a number is missing or the first is 0 and the second is not.
    std::optional<double> change() const;
};

/// From two report_data(). Numbers that neither has, and stalls that are 0 in both, are left out.
std::vector<compared_number> compare_runs(const nlohmann::ordered_json& first,
                                          const nlohmann::ordered_json& second);

/// Sentences about what cannot be a number: same weights bit for bit, another machine, a run that did not
/// end.
std::vector<std::string> remarks_on(const nlohmann::ordered_json& first,
                                    const nlohmann::ordered_json& second);

/// A table for a terminal.
std::string describe(const std::vector<compared_number>& numbers, const std::string& first,
                     const std::string& second);

nlohmann::ordered_json to_json(const std::vector<compared_number>& numbers);

/// What `retrace compare` shows: text for the terminal, and the page. Throws report_error.
struct run_comparison {
    std::string text, page;
};
run_comparison compare(const std::filesystem::path& first, const std::filesystem::path& second);

} // namespace retrace
