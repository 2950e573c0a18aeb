#pragma once
// One line on standard error that says how far a long run is: rewritten in place on a terminal, a line now and then elsewhere.
#include <string>

namespace retrace {

class progress_line {
public:
    explicit progress_line(bool enabled);
    ~progress_line();

    /// Shows `text` behind a bar of done / total, at most a few times a second (always if it is the last step).
    void show(std::size_t done, std::size_t total, const std::string& text);
    /// Ends the line, so that other output starts on its own.
    void finish();

private:
    bool enabled_, terminal_;
    double last_ = -1;
    std::size_t width_ = 0;
};

} // namespace retrace
