#include "sim/timeline/text_table.h"

#include <algorithm>

namespace retrace {

std::string printable(std::string_view text) {
    constexpr std::size_t longest = 400;
    std::string out;
    for (const char c : text.substr(0, longest))
        out += c >= 0x20 && c < 0x7f ? c : '?';
    return text.size() > longest ? out + "..." : out;
}

void text_table::row(std::vector<std::string> cells) {
    cells.resize(columns_.size());
    rows_.push_back(std::move(cells));
}

std::string text_table::str() const {
    std::vector<std::size_t> width;
    for (const std::string& c : columns_)
        width.push_back(c.size());
    for (const auto& r : rows_)
        for (std::size_t c = 0; c < r.size(); ++c)
            width[c] = std::max(width[c], r[c].size());
    std::string out;
    const auto line = [&](const std::vector<std::string>& cells) {
        std::string text;
        for (std::size_t c = 0; c < cells.size(); ++c) {
            const std::string gap(width[c] - cells[c].size(), ' ');
            text += (c ? "  " : "") + (words_[c] ? cells[c] + gap : gap + cells[c]);
        }
        text.erase(text.find_last_not_of(' ') + 1);
        out += text + "\n";
    };
    line(columns_);
    for (const auto& r : rows_)
        line(r);
    return out;
}

} // namespace retrace
