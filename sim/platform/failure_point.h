#pragma once
// Where in time a run went wrong, as far as that is known: what waves should show.
#include <cstdint>
#include <exception>
#include <optional>
#include <string>

namespace retrace {

class simulated_port;

struct failure_point {
    std::uint64_t cycle = 0;
    std::string what;  ///< "hang", "mismatch", "fault of dma0", ...
    std::string scope; ///< signals to look at first: a pattern ("npu0.array.pe_*_3"); may be empty
};

/// Nothing for what has no place in time: a user's interruption, a full disk. `port`: null if it is gone.
std::optional<failure_point> locate(const std::exception& error, const simulated_port* port);

} // namespace retrace
