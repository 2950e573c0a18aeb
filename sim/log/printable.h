#pragma once
// Text of a file that may come from anywhere, for a terminal: no control characters, neither those of ASCII nor the ones of Latin-1
// (C1), which begin escape sequences, too.
#include <string>
#include <string_view>

namespace retrace {

/// One line. What is a control character or no UTF-8 becomes '?'; a very long text is cut.
inline std::string printable(std::string_view text) {
    constexpr std::size_t longest = 400;
    std::string out;
    const auto byte = [&](std::size_t at) { return at < text.size() ? static_cast<unsigned char>(text[at]) : 0u; };
    for (std::size_t at = 0; at < text.size();) {
        if (out.size() >= longest)
            return out + "...";
        const unsigned first = byte(at);
        const std::size_t length = first < 0x80 ? 1 : first >= 0xc2 && first < 0xe0 ? 2 : first >= 0xe0 && first < 0xf0 ? 3 : first >= 0xf0 && first < 0xf5 ? 4 : 0;
        bool good = length != 0 && first >= 0x20 && first != 0x7f;
        for (std::size_t i = 1; i < length; ++i)
            good = good && (byte(at + i) & 0xc0) == 0x80;
        // Longer than need be, halves of a pair, beyond the last character; C1.
        good = good && !(first == 0xe0 && byte(at + 1) < 0xa0) && !(first == 0xed && byte(at + 1) >= 0xa0) &&
               !(first == 0xf0 && byte(at + 1) < 0x90) && !(first == 0xf4 && byte(at + 1) >= 0x90) && !(first == 0xc2 && byte(at + 1) < 0xa0);
        if (good)
            out += text.substr(at, length);
        else
            out += '?';
        at += good ? length : 1;
    }
    return out;
}

} // namespace retrace
