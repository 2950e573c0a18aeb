#pragma once
// A choice of training steps as people write it: "3", "1,4-6".
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace retrace {

class step_set {
public:
    step_set() = default;
    /// Throws value_error (sim/config/quantity.h) with a message without a place.
    explicit step_set(std::string_view text);

    bool contains(std::uint64_t step) const;
    bool empty() const { return ranges_.empty(); }
    void add(std::uint64_t first, std::uint64_t last) { ranges_.push_back({first, last}); }
    /// The steps of this one that are not in the other; ascending.
    step_set without(const step_set& other) const;
    /// "1,4-6"; of a very long list the first ranges, and how many more there are.
    std::string text() const;

private:
    struct range {
        std::uint64_t first, last;
    };
    std::vector<range> ranges_;
};

} // namespace retrace
