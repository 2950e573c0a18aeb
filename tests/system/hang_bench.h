#pragma once
// A run that must hang, and what the watchdog says of it.
#include <functional>
#include <sstream>

#include "tests/module/npu_bench.h"

namespace retrace::test {

inline npu_config watched(std::uint64_t cycles = 200'000) {
    npu_config c = whole_config();
    c.watchdog_cycles = cycles;
    return c;
}

struct hang {
    std::string text, first; ///< all of it, and its first line
    wait_graph graph;
    wait_analysis analysis;

    bool says(const std::string& part) const { return text.find(part) != std::string::npos; }
    /// What the first line says of the cause.
    bool begins(const std::string& part) const { return first.find(part) != std::string::npos; }
    wait_cause::kind cause() const { return analysis.causes.empty() ? wait_cause::kind{} : analysis.causes.front().what; }
};

/// `body` on a device whose watchdog strikes.
inline hang hang_of(const std::function<void()>& body) {
    try {
        body();
    } catch (const simulation_hang& e) {
        hang h{e.what(), {}, e.graph(), analyse(e.graph())};
        h.first = h.text.substr(0, h.text.find('\n'));
        std::istringstream lines(h.text);
        std::size_t count = 0;
        for (std::string line; std::getline(lines, line); ++count)
            EXPECT_LE(line.size(), 1100u) << line;
        EXPECT_LE(count, 45u) << h.text;
        EXPECT_TRUE(h.begins("no engine has finished an instruction since cycle ")) << h.text;
        return h;
    }
    ADD_FAILURE() << "it ended";
    return {};
}

inline hang hang_of(npu_bench& bench, const spec::command& command) {
    return hang_of([&] { static_cast<void>(bench.execute(command)); });
}

} // namespace retrace::test
