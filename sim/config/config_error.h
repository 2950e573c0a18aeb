#pragma once
// What is wrong with a configuration: one message, "where: what (did you mean 'x'?)". Where is file:line, or
// --set key.
#include <stdexcept>
#include <string>

namespace retrace {

class config_error : public std::runtime_error {
public:
    config_error(const std::string& where, const std::string& what)
        : std::runtime_error(where + ": " + what) {}

    /// With the key in front of what is wrong with its value, unless the place already is that key.
    config_error(const std::string& where, const std::string& key, const std::string& what)
        : std::runtime_error(where + ": " + (where == "--set " + key ? "" : key + ": ") + what) {}
};

} // namespace retrace
