#pragma once
// Rows as an aligned table.
#include <string>
#include <string_view>
#include <vector>

#include "sim/log/printable.h"

namespace retrace {

class text_table {
public:
    explicit text_table(std::vector<std::string> columns) : columns_(std::move(columns)), words_(columns_.size()) {}

    /// Begins a row with as many cells as there are columns; numbers stand to the right.
    void row(std::vector<std::string> cells);
    /// A column with anything that is no number stands to the left.
    void is_text(std::size_t column) { words_[column] = true; }
    std::string str() const;
    std::size_t rows() const { return rows_.size(); }

private:
    std::vector<std::string> columns_;
    std::vector<std::vector<std::string>> rows_;
    std::vector<bool> words_;
};

} // namespace retrace
