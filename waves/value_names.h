#pragma once
// Translate filters: how a reader wants to see a number. A probe names its filter (trace/probes.h); GTKWave gets a file with one line per
// value, or shows the bits as a binary32 number.
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace retrace {

/// States of a sequencer, as its probe `state` has them.
enum class sequencer_state : std::uint8_t { idle, fetches, issues, waits, executes };

/// Values and their names; empty if there is no such filter, or if it is one that has no names ("word", "fp32").
std::vector<std::pair<std::uint64_t, std::string>> value_names(std::string_view filter);
/// Every filter that has names.
std::span<const std::string_view> named_filters();

} // namespace retrace
