// Fuzz target of the configuration parser. Whatever comes in, the only way out but success is config_error;
// and what is accepted must survive being written and read again.
//
// Input: the text of a configuration; lines that begin with "#set " are taken as --set assignments as well.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "sim/config/load.h"

namespace {

std::vector<std::string> assignments(std::string_view text) {
    constexpr std::string_view mark = "#set ";
    std::vector<std::string> result;
    for (std::size_t start = 0; start < text.size() && result.size() < 8;) {
        const std::size_t end = std::min(text.find('\n', start), text.size());
        const std::string_view line = text.substr(start, end - start);
        if (line.substr(0, mark.size()) == mark)
            result.emplace_back(line.substr(mark.size()));
        start = end + 1;
    }
    return result;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    std::string resolved;
    try {
        resolved =
            retrace::to_yaml(retrace::parse_config(text, "/fuzz/input.yaml", assignments(text)).config);
    } catch (const retrace::config_error& error) {
        if (std::string_view(error.what()).empty())
            std::abort();
        return 0;
    }
    try {
        if (retrace::to_yaml(retrace::parse_config(resolved, "/fuzz/input.yaml").config) == resolved)
            return 0;
        std::fputs("written and read again, the configuration has changed:\n", stderr);
    } catch (const retrace::config_error& error) {
        std::fprintf(stderr, "the written configuration is refused: %s\n", error.what());
    }
    std::fputs(resolved.c_str(), stderr);
    std::abort();
}
