#include "sim/cosim/junit.h"

#include <algorithm>

#include <fmt/format.h>

namespace retrace::cosim {

namespace {

/// Length of the UTF-8 character at `at`, 0 if there is none.
std::size_t character(const std::string& s, std::size_t at) {
    const auto byte = [&](std::size_t i) { return i < s.size() ? static_cast<unsigned char>(s[i]) : 0u; };
    const auto tail = [&](std::size_t i) { return (byte(i) & 0xc0) == 0x80; };
    const unsigned first = byte(at);
    if (first < 0x80)
        return 1;
    if (first >= 0xc2 && first < 0xe0)
        return tail(at + 1) ? 2 : 0;
    if (first >= 0xe0 && first < 0xf0) {
        const unsigned second = byte(at + 1);
        const bool overlong = first == 0xe0 && second < 0xa0, surrogate = first == 0xed && second >= 0xa0;
        const bool non_character = first == 0xef && second == 0xbf && byte(at + 2) >= 0xbe;
        return tail(at + 1) && tail(at + 2) && !overlong && !surrogate && !non_character ? 3 : 0;
    }
    if (first >= 0xf0 && first < 0xf5) {
        const unsigned second = byte(at + 1);
        const bool outside = (first == 0xf0 && second < 0x90) || (first == 0xf4 && second >= 0x90);
        return tail(at + 1) && tail(at + 2) && tail(at + 3) && !outside ? 4 : 0;
    }
    return 0;
}

/// XML 1.0, 2.2 and 2.4: no control characters but tab and line ends; markup and quotes as entities.
std::string escaped(const std::string& text) {
    std::string out;
    for (std::size_t i = 0; i < text.size();) {
        const std::size_t length = character(text, i);
        const char c = text[i];
        if (length == 0 || (length == 1 && (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) && c != '\t' && c != '\n'))
            out += '?';
        else if (c == '&')
            out += "&amp;";
        else if (c == '<')
            out += "&lt;";
        else if (c == '>')
            out += "&gt;";
        else if (c == '"')
            out += "&quot;";
        else
            out.append(text, i, length);
        i += std::max<std::size_t>(1, length);
    }
    return out;
}

} // namespace

std::string to_junit(const std::string& suite, const std::vector<junit_case>& cases) {
    double seconds = 0;
    std::size_t failures = 0;
    for (const junit_case& c : cases) {
        seconds += c.seconds;
        failures += c.failed;
    }
    std::string text =
        fmt::format("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites tests=\"{0}\" failures=\"{1}\" time=\"{2:.3f}\">\n"
                    "  <testsuite name=\"{3}\" tests=\"{0}\" failures=\"{1}\" errors=\"0\" skipped=\"0\" time=\"{2:.3f}\">\n",
                    cases.size(), failures, seconds, escaped(suite));
    for (const junit_case& c : cases) {
        text +=
            fmt::format("    <testcase classname=\"{}\" name=\"{}\" time=\"{:.3f}\"", escaped(suite), escaped(c.name), c.seconds);
        if (c.failed)
            text += fmt::format(">\n      <failure message=\"{}\">{}</failure>\n    </testcase>\n", escaped(c.message),
                                escaped(c.detail));
        else
            text += "/>\n";
    }
    return text + "  </testsuite>\n</testsuites>\n";
}

} // namespace retrace::cosim
