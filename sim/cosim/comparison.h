#pragma once
// Memory of the device against memory of the reference, byte by byte, and what is said about the first difference.
#include <functional>
#include <optional>
#include <string>

#include "sim/cosim/device_run.h"

namespace retrace::cosim {

struct memory_difference {
    std::string kind;                        ///< "memory": bytes; "liveness": live bytes or stale reads
    std::string sentence;                    ///< the facts
    std::string history;                     ///< of the operands; may be empty
    std::uint64_t cycle = ~std::uint64_t{0}; ///< at which the device wrote the bytes, if known
};

/// When did the device finish writing with this instruction (sequence of the reference, engine, pc)? Nothing: not known.
using finish_cycle = std::function<std::optional<std::uint64_t>(std::uint32_t sequence, unsigned engine, std::uint32_t pc)>;

/// Nothing: equal. Of several differences the one is told whose last writer comes first. `expected_host` as device_run makes it.
std::optional<memory_difference> compare(const test_case& c, const prepared_case& p, const interpreter& reference,
                                         const memory_image& device, const std::vector<std::byte>& expected_host,
                                         const finish_cycle& cycle_of);

/// The access as one line; `command` as it is numbered in the case.
std::string describe(const trace::access_event& e, std::size_t command);

} // namespace retrace::cosim
