#pragma once
// Which bytes an access of the log touches: a run of bytes, repeated in up to three dimensions with a stride each
// (trace::access_event).
#include <array>
#include <cstdint>
#include <functional>

namespace retrace {

struct access_pattern {
    std::uint64_t base = 0;
    std::array<std::uint64_t, 4> sizes{};   ///< bytes of a run, then counts; below 2^33
    std::array<std::uint64_t, 3> strides{}; ///< bytes; below 2^33

    /// Calls `found` with the indices {byte in the run, run, second, third dimension} of every place of the pattern that is this
    /// byte: none, one, or several where runs overlap. Returns false, having found some, if that takes more than `most_steps`
    /// steps: no program of a device is like that.
    static constexpr unsigned most_steps = 1'000'000;
    bool places_of(std::uint64_t address, const std::function<void(const std::array<std::uint64_t, 4>&)>& found) const;
};

} // namespace retrace
