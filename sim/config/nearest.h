#pragma once
// The candidate that a mistyped word most likely meant.
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace retrace {

/// Edits (insert, delete, replace, swap of neighbours) that turn one word into the other; case does not
/// count.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// The candidate with the smallest edit distance, the first of several; empty where there are no candidates.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

/// " (did you mean 'x'?)", or nothing where there are no candidates.
std::string suggestion(std::string_view word, const std::vector<std::string>& candidates);

/// A piece of input as a message may show it: shortened, without control characters.
std::string shown(std::string_view text);

} // namespace retrace
