#include "waves/save_file.h"

#include <filesystem>
#include <fstream>
#include <set>

#include <fmt/format.h>

#include "waves/value_names.h"

namespace retrace {

namespace fs = std::filesystem;
using trace::probe_kind;

namespace {

// Trace flags of a save file (GTKWave, TraceEntFlagBits).
constexpr unsigned hexadecimal = 0x2, decimal = 0x4, binary = 0x8, right = 0x20, blank = 0x200, ascii = 0x800, translated = 0x2000, analog_step = 0x8000,
                   real = 0x40000, full_scale = 0x80000;

void write_text(const fs::path& file, const std::string& text) {
    std::ofstream out(file, std::ios::binary | std::ios::trunc);
    out << text;
    out.flush();
    if (!out)
        throw wave_error(fmt::format("{} cannot be written: is the folder there, is there room?", file.string()));
}

std::string reference(const trace::probe& p) {
    return p.kind == probe_kind::bits && p.width > 1 ? fmt::format("{}[{}:0]", p.name, p.width - 1) : p.name;
}

/// Counts and levels: easier seen as a height.
bool is_level(const trace::probe& p) { return p.values == "level"; }

} // namespace

std::string write_save_file(const std::string& waves, std::span<const trace::probe> signals, wave_time time, std::span<const wave_marker> markers) {
    const fs::path dump = fs::absolute(waves), folder = dump.string() + ".filters", save = dump.string() + ".gtkw";
    std::error_code error;
    fs::create_directories(folder, error);
    if (error)
        throw wave_error(fmt::format("{} cannot be made: {}", folder.string(), error.message()));

    std::set<std::string> written;
    const auto filter_of = [&](const trace::probe& p) -> std::string {
        const auto names = value_names(p.values);
        if (p.kind != probe_kind::bits || names.empty())
            return {};
        // GTKWave looks up what it would show otherwise: hexadecimal digits, as many as the signal has.
        const fs::path file = folder / fmt::format("{}_{}.txt", p.values, p.width);
        if (written.insert(file.string()).second) {
            std::string text;
            for (const auto& [value, name] : names)
                if (p.width >= 64 || value >> p.width == 0)
                    text += fmt::format("{:0{}x} {}\n", value, (p.width + 3) / 4, name);
            write_text(file, text);
        }
        return file.string();
    };

    std::string text = fmt::format("[*] retrace\n[dumpfile] \"{}\"\n[timestart] {}\n[sst_width] 200\n[signals_width] 260\n", dump.string(),
                                   markers.empty() ? 0 : (markers[0].cycle < 200 ? 0 : markers[0].cycle - 200) * time.per_cycle);
    // *ZOOM PRIMARY A B C ...; -1: none
    std::string times;
    for (std::size_t m = 0; m < 26; ++m)
        times += m < markers.size() ? fmt::format(" {}", markers[m].cycle * time.per_cycle) : " -1";
    text += fmt::format("*-6.0 {}{}\n", markers.empty() ? -1 : static_cast<std::int64_t>(markers[0].cycle * time.per_cycle), times);
    for (std::size_t m = 0; m < markers.size() && m < 26; ++m)
        text += fmt::format("[markername] {}{}\n", static_cast<char>('A' + m), markers[m].name);

    std::string group;
    unsigned flags = 0;
    const auto with = [&](unsigned wanted) {
        if (flags != wanted)
            text += fmt::format("@{:x}\n", wanted);
        flags = wanted;
    };
    for (const trace::probe& p : signals) {
        const std::string scope = p.name.substr(0, p.name.rfind('.'));
        if (scope != group) {
            with(blank);
            text += fmt::format("-{}\n", scope);
            group = scope;
        }
        if (const std::string filter = filter_of(p); !filter.empty()) {
            with(hexadecimal | right | translated);
            text += fmt::format("^1 {}\n", filter);
        } else if (p.kind == probe_kind::text) {
            with(ascii | right);
        } else if (p.kind == probe_kind::real) {
            with(analog_step | real | full_scale | right);
        } else if (is_level(p)) {
            with(decimal | right | analog_step | full_scale);
        } else {
            with((p.width == 1 ? binary : p.values == "word" || p.width > 16 ? hexadecimal : decimal) | right);
        }
        text += reference(p) + "\n";
    }
    write_text(save, text);
    return save.string();
}

} // namespace retrace
