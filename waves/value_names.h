#pragma once
// Translate filters with a name for every value: how a reader wants to see a number. A probe names its filter (trace/probes.h);
// GTKWave gets a file with one line per value. Filters without names: "word" (a PE's register: binary32, or an integer), "fp32",
// "bf16", "level" (a curve), "address" (hexadecimal); other numbers are decimal.
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace retrace {

/// Values and their names; empty if there is no such filter, or if it is one that has no names.
std::vector<std::pair<std::uint64_t, std::string>> value_names(std::string_view filter);
/// Every filter that has names.
std::span<const std::string_view> named_filters();

} // namespace retrace
