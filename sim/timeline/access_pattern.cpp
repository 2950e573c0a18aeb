#include "sim/timeline/access_pattern.h"

#include <algorithm>

namespace retrace {

namespace {

using wide = unsigned __int128;

struct search {
    const access_pattern& pattern;
    const std::function<void(const std::array<std::uint64_t, 4>&)>& found;
    std::array<wide, 4> extent{}; ///< bytes that dimensions 0 .. d span
    std::array<std::uint64_t, 4> index{};
    unsigned steps = 0;

    /// Places at `rest` bytes from where dimensions 0 .. d begin.
    bool look(unsigned d, wide rest) {
        if (++steps > access_pattern::most_steps)
            return false;
        if (d == 0) {
            if (rest < pattern.sizes[0]) {
                index[0] = static_cast<std::uint64_t>(rest);
                found(index);
            }
            return true;
        }
        const wide stride = pattern.strides[d - 1], count = pattern.sizes[d];
        // Repetition i begins at i * stride and must reach the byte with its inner dimensions.
        wide first = 0, last = count - 1;
        if (stride != 0) {
            last = std::min(last, rest / stride);
            first = rest < extent[d - 1] ? 0 : (rest - extent[d - 1]) / stride + 1;
        } else if (rest >= extent[d - 1]) {
            return true;
        }
        for (wide i = first; i <= last; ++i) {
            index[d] = static_cast<std::uint64_t>(i);
            if (!look(d - 1, rest - i * stride))
                return false;
        }
        return true;
    }
};

} // namespace

bool access_pattern::places_of(std::uint64_t address,
                               const std::function<void(const std::array<std::uint64_t, 4>&)>& found) const {
    if (address < base || std::any_of(sizes.begin(), sizes.end(), [](std::uint64_t s) { return s == 0; }))
        return true;
    search s{*this, found};
    s.extent[0] = sizes[0];
    for (unsigned d = 1; d < 4; ++d)
        s.extent[d] = s.extent[d - 1] + wide{sizes[d] - 1} * strides[d - 1];
    const wide rest = address - base;
    return rest >= s.extent[3] || s.look(3, rest);
}

} // namespace retrace
