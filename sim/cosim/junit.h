#pragma once
// Results as JUnit XML, which CI servers read.
#include <string>
#include <vector>

namespace retrace::cosim {

struct junit_case {
    std::string name;
    double seconds = 0;
    bool failed = false;
    std::string message; ///< one line
    std::string detail;
};

/// One test suite. Any text may stand in messages: what XML cannot hold is replaced.
std::string to_junit(const std::string& suite, const std::vector<junit_case>& cases);

} // namespace retrace::cosim
