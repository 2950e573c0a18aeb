#pragma once
#include <stdexcept>

namespace retrace {

/// A folder that is no run, or a file in it that cannot be read; the message says which and what to do.
class report_error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

} // namespace retrace
