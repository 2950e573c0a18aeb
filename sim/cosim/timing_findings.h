#pragma once
// What the timing checker has found so far.
#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "sim/cosim/timing_checker.h"

namespace retrace::cosim::timing {

using time = std::optional<std::uint64_t>; ///< nothing: what it follows from is missing in the log

inline time later(time a, time b) { return a && b ? time(std::max(*a, *b)) : time(); }
inline time plus(time a, std::uint64_t cycles) { return a ? time(*a + cycles) : time(); }

/// Findings of the same cycle are told in the order in which one thing leads to another.
enum class stage : unsigned { resumed, ended, begun, taken, requested, granted, burst };

class findings {
public:
    void add(stage s, std::string_view rule, std::uint64_t cycle, std::string sentence) {
        all_.push_back({s, {std::string(rule), cycle, fmt::format("{} (manual, {})", sentence, rule)}});
    }
    /// The cycle of `what`; expected nothing: cannot be said. `who()` is called for what is told only.
    template <class Name>
    void cycle(stage s, std::string_view rule, const Name& who, std::string_view what, time expected,
               std::uint64_t got) {
        if (expected && *expected != got)
            add(s, rule, std::min(*expected, got),
                fmt::format("{}: {} in cycle {}, expected {}", who(), what, got, *expected));
    }
    template <class Name>
    void value(stage s, std::string_view rule, std::uint64_t cycle, const Name& who, std::string_view what,
               std::uint64_t expected, std::uint64_t got) {
        if (expected != got)
            add(s, rule, cycle, fmt::format("{}: {} {:#x}, expected {:#x}", who(), what, got, expected));
    }
    std::vector<timing_finding> first(std::size_t most) && {
        std::stable_sort(all_.begin(), all_.end(), [](const one& a, const one& b) {
            return a.told.cycle != b.told.cycle ? a.told.cycle < b.told.cycle : a.when < b.when;
        });
        std::vector<timing_finding> result;
        for (std::size_t i = 0; i < std::min(most, all_.size()); ++i)
            result.push_back(std::move(all_[i].told));
        return result;
    }

private:
    struct one {
        stage when;
        timing_finding told;
    };
    std::vector<one> all_;
};

} // namespace retrace::cosim::timing
