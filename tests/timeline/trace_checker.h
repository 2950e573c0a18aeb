#pragma once
// Holds a file in Chrome's trace event format against the rules of the format, and those that a picture without overlaps has.
// Reads the JSON by itself; shares nothing with what writes it.
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace retrace::test {

struct checked_slice {
    std::uint64_t begin = 0, end = 0; ///< ns
    std::string name;
    nlohmann::json arguments;
};

struct checked_arrow {
    std::string from, to; ///< tracks
    std::uint64_t begin = 0, end = 0;
    std::string name;
};

struct checked_trace {
    std::vector<std::string> faults;                          ///< what breaks a rule, at most 20
    std::map<std::string, std::vector<checked_slice>> slices; ///< by "process/track", in the order of time
    std::map<std::string, std::vector<std::pair<std::uint64_t, std::int64_t>>> counters; ///< by "process/counter": ns, value
    std::vector<checked_arrow> arrows;
    std::vector<std::string> instants;
    nlohmann::json metadata;
    std::size_t events = 0;

    /// Sum of the slices' lengths, in ns.
    std::uint64_t length(const std::string& track) const;
};

checked_trace check_trace(const std::string& text);

} // namespace retrace::test
