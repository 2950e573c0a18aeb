#pragma once
// Bytes as people read them in the tables of a terminal.
#include <string>

#include <fmt/format.h>

namespace retrace {

/// "160 B", "12.5 KiB", "2.00 MiB"
inline std::string bytes_text(double bytes) {
    constexpr const char* units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    unsigned u = 0;
    for (; bytes >= 1024 && u < 4; ++u)
        bytes /= 1024;
    return fmt::format("{:.{}f} {}", bytes, u < 2 ? u : 2, units[u]);
}

} // namespace retrace
