#pragma once
// Which implementation of the PE array a device runs, chosen at run time: same bits, same cycles.
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "tlm/core/array/array_interface.h"
#include "tlm/core/npu_config.h"

namespace retrace {

/// What was asked for is not in this build, or makes no sense (exit 2); the text says what to do.
class array_choice_error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// "kernel", "stepped", "rtl", "lockstep".
const std::vector<std::string>& array_implementations();

/// Parses START:STOP=IMPLEMENTATION, in cycles. Throws array_choice_error.
array_implementation_window parse_array_window(const std::string& text);

/// The arrays that `lockstep` compares for this shape: kernel, stepped and, where this build has one of the size, rtl.
std::vector<std::string> lockstep_members(const array_config& shape);

/// Throws array_choice_error: an unknown name, an RTL array that this build does not have, windows that overlap.
/// `tiles`: an entry per window, counts the tiles that ran in it; outlives the array.
std::unique_ptr<array_interface> make_array(const array_settings& settings, const array_config& shape,
                                            std::vector<std::uint64_t>* tiles = nullptr);

/// A line per window in which no tile ran, for the user: what was asked for did not happen.
std::string describe_unused_windows(const array_settings& settings, const std::vector<std::uint64_t>& tiles, std::uint64_t cycles);

/// The same check without an array, before a run creates anything.
void check_array_choice(const npu_config& config);

} // namespace retrace
