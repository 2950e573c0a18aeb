#pragma once
// Fewer points that show the same curve: what a page can carry of a long run. Nothing is averaged away: every
// point that is kept was measured, and the highest of every stretch is among them.
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace retrace {

/// Indices, ascending, of at most `budget` points of a curve: of each of budget/2 equal stretches its lowest
/// and its highest, and the first and last point of the curve. All of them where they are no more than the
/// budget. `budget` is at least 4. NaN counts as highest.
std::vector<std::size_t> extremes(std::span<const double> values, std::size_t budget);

/// Of `count` things in a row, the indices of at most `budget`: the first two, the last, and between them as
/// evenly spaced as it goes.
std::vector<std::size_t> spread(std::size_t count, std::size_t budget);

} // namespace retrace
