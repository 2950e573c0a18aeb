#include "sim/timeline/text_table.h"

#include <algorithm>

namespace retrace {

namespace {

/// Characters, not bytes, of UTF-8.
std::size_t width_of(const std::string& text) {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

} // namespace

void text_table::row(std::vector<std::string> cells) {
    cells.resize(columns_.size());
    rows_.push_back(std::move(cells));
}

std::string text_table::str() const {
    std::vector<std::size_t> width;
    for (const std::string& c : columns_)
        width.push_back(width_of(c));
    for (const auto& r : rows_)
        for (std::size_t c = 0; c < r.size(); ++c)
            width[c] = std::max(width[c], width_of(r[c]));
    std::string out;
    const auto line = [&](const std::vector<std::string>& cells) {
        std::string text;
        for (std::size_t c = 0; c < cells.size(); ++c) {
            const std::string gap(width[c] - width_of(cells[c]), ' ');
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
