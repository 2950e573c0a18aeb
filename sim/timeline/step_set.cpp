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

std::string step_set::text() const {
    std::string out;
    for (const range& r : ranges_)
        out += (out.empty() ? "" : ",") + std::to_string(r.first) + (r.last == r.first ? "" : "-" + std::to_string(r.last));
    return out;
}

} // namespace retrace
