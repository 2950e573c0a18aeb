#pragma once
// What the command line says about waves.
#include <cstdint>
#include <string>
#include <vector>

namespace retrace::cli {

struct wave_options {
    std::string file;
    std::vector<std::string> scopes;
    std::uint64_t start = 0, stop = ~std::uint64_t{0};
    std::string trigger;
    std::uint64_t before = 10'000;
    std::string max = "200MB";
    bool no_failure_waves = false;
    std::string failure; ///< CYCLE=NAME or CYCLE=NAME=SCOPE: this process runs again what has failed there, for the waves alone
};

} // namespace retrace::cli
