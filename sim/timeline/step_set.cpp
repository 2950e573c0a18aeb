#include "sim/timeline/step_set.h"

#include <algorithm>

#include "sim/config/quantity.h"

namespace retrace {

step_set::step_set(std::string_view text) {
    const std::string all(text);
    for (;;) {
        const std::string_view part = text.substr(0, text.find(','));
        const std::size_t dash = part.find('-');
        try {
            const std::uint64_t first = parse_whole(part.substr(0, dash));
            const std::uint64_t last = dash == std::string_view::npos ? first : parse_whole(part.substr(dash + 1));
            if (last < first)
                throw value_error("a range goes upwards");
            add(first, last);
        } catch (const value_error& e) {
            throw value_error("'" + all + "' is no list of steps such as 1,4-6: " + e.what());
        }
        if (part.size() == text.size())
            return;
        text.remove_prefix(part.size() + 1);
    }
}

bool step_set::contains(std::uint64_t step) const {
    return std::any_of(ranges_.begin(), ranges_.end(), [step](const range& r) { return step >= r.first && step <= r.last; });
}

step_set step_set::without(const step_set& other) const {
    const auto ascending = [](std::vector<range> ranges) {
        std::sort(ranges.begin(), ranges.end(), [](const range& a, const range& b) { return a.first < b.first; });
        return ranges;
    };
    step_set rest;
    std::uint64_t told = 0; // steps below it have been looked at
    bool all_told = false;
    const std::vector<range> taken = ascending(other.ranges_);
    for (const range& r : ascending(ranges_)) {
        std::uint64_t from = std::max(r.first, told);
        for (const range& t : taken) {
            if (all_told || from > r.last || t.first > r.last)
                break;
            if (t.last < from)
                continue;
            if (t.first > from)
                rest.add(from, t.first - 1);
            all_told = t.last == ~std::uint64_t{0};
            from = t.last + 1;
        }
        if (all_told)
            break;
        if (from <= r.last)
            rest.add(from, r.last);
        all_told = r.last == ~std::uint64_t{0};
        told = std::max(told, r.last + 1);
    }
    return rest;
}

std::string step_set::text() const {
    constexpr std::size_t long_list = 800; // characters
    std::string out;
    for (std::size_t i = 0; i < ranges_.size(); ++i) {
        if (out.size() > long_list)
            return out + " and " + std::to_string(ranges_.size() - i) + " more ranges";
        const range& r = ranges_[i];
        out += (out.empty() ? "" : ",") + std::to_string(r.first) + (r.last == r.first ? "" : "-" + std::to_string(r.last));
    }
    return out;
}

} // namespace retrace
