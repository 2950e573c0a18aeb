#include "waves/save_file.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <set>

#include <fmt/format.h>

#include "waves/filters/float_script.h"
#include "waves/value_names.h"
#include "waves/wave_recorder.h"

namespace retrace {

namespace fs = std::filesystem;
using trace::probe;
using trace::probe_kind;

namespace {

// Trace flags of a save file (GTKWave, TraceEntFlagBits).
constexpr unsigned hexadecimal = 0x2, decimal = 0x4, binary = 0x8, right = 0x20, blank = 0x200, is_signed = 0x400, ascii = 0x800,
                   collapsed = 0x1000, by_table = 0x2000, by_process = 0x4000, analog_step = 0x8000, analog_height = 0x20000,
                   real = 0x40000, full_scale = 0x80000, closed = 0x400000, group_begin = 0x800000, group_end = 0x1000000;

constexpr std::size_t most_markers = 26;      // of those with a letter
constexpr std::uint64_t cycles_before = 20;   // left of the primary marker
constexpr std::uint64_t cycles_of_view = 33;  // in a window of the size below
constexpr double pixels_per_cycle = 25;       // room for a short number in every cycle
constexpr double pixels_per_unit = 200;       // GTKWave at zoom 0; a step of zoom is a factor of 2
constexpr std::size_t most_unfolded = 4;      // groups within a block

void write_text(const fs::path& file, const std::string& text) {
    std::ofstream out(file, std::ios::binary | std::ios::trunc);
    out << text;
    out.flush();
    if (!out)
        throw wave_error(fmt::format("{} cannot be written: is the folder there, is there room?", file.string()));
}

constexpr std::string_view first_line = "[*] retrace"; // GTKWave writes another one

/// Save files of an earlier FILE, but not what a reader has saved there.
void remove_our_save_files(const fs::path& folder) {
    std::error_code error;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
        std::string line;
        std::ifstream in(entry.path());
        if (entry.path().extension() == ".gtkw" && std::getline(in, line) && line == first_line)
            fs::remove(entry.path(), error);
    }
    if (fs::is_empty(folder, error) && !error)
        fs::remove(folder, error);
}

void make_folder(const fs::path& folder) {
    std::error_code error;
    fs::create_directories(folder, error);
    if (error)
        throw wave_error(fmt::format("{} cannot be made: {}", folder.string(), error.message()));
}

/// The files of FILE.filters.
class filter_files {
public:
    explicit filter_files(fs::path folder) : folder_(std::move(folder)) {
        make_folder(folder_);
        const fs::path script = folder_ / "float.sh";
        write_text(script, std::string(float_script));
        std::error_code error; // without the permission GTKWave shows hexadecimal digits
        fs::permissions(script, fs::perms::owner_exec | fs::perms::group_exec | fs::perms::others_exec, fs::perm_options::add, error);
        // A process is one word; after a blank comes its argument. Then the shell is the process, at the price of a path that cannot move.
        script_ = script.string();
        if (script_.find_first_of(" \t") != script_.npos)
            script_ = "sh " + script_;
        for (const char* format : {"fp8_e4m3", "fp8_e5m2"})
            table(format, 8);
    }

    const std::string& script() const { return script_; }

    /// Of a filter that has names; otherwise empty.
    std::string table(std::string_view filter, unsigned width) {
        const auto names = value_names(filter);
        if (names.empty())
            return {};
        // GTKWave looks up what it would show otherwise: hexadecimal digits, as many as the signal has.
        const fs::path file = folder_ / fmt::format("{}_{}.txt", filter, width);
        if (written_.insert(file.string()).second) {
            std::string text;
            for (const auto& [value, name] : names)
                if (width >= 64 || value >> width == 0)
                    text += fmt::format("{:0{}x} {}\n", value, (width + 3) / 4, name);
            write_text(file, text);
        }
        return file.string();
    }

private:
    fs::path folder_;
    std::string script_;
    std::set<std::string> written_;
};

struct group {
    std::string scope;
    std::vector<const probe*> signals;
};
struct block {
    std::string name;
    group own;
    std::vector<group> inner; ///< scopes within it
};

std::string scope_of(std::string_view name) {
    const std::size_t dot = name.rfind('.');
    return dot == name.npos ? "signals" : std::string(name.substr(0, dot));
}

std::vector<block> blocks_of(std::span<const probe> signals) {
    std::vector<block> blocks;
    for (const probe& p : signals) {
        const std::string scope = scope_of(p.name);
        const std::string name = scope.substr(0, scope.find('.', std::min(scope.find('.'), scope.size() - 1) + 1));
        auto b = std::find_if(blocks.begin(), blocks.end(), [&](const block& known) { return known.name == name; });
        if (b == blocks.end())
            b = blocks.insert(b, block{name, {name, {}}, {}});
        if (scope != name && (b->inner.empty() || b->inner.back().scope != scope))
            b->inner.push_back({scope, {}});
        (scope == name ? b->own : b->inner.back()).signals.push_back(&p);
    }
    return blocks;
}

/// The signals of a save file, line by line.
class signal_list {
public:
    signal_list(filter_files& filters, const wave_view& view) : filters_(filters), view_(view) {}

    void add(const block& b) {
        begin(b.name, false);
        for (const probe* p : b.own.signals)
            add(*p);
        for (const group& g : b.inner) {
            const bool folded = b.inner.size() > most_unfolded && !matches(view_.unfolded, g.scope);
            begin(g.scope, folded);
            for (const probe* p : g.signals)
                add(*p);
            end(g.scope, folded);
        }
        end(b.name, false);
    }
    const std::string& text() const { return text_; }

private:
    void with(unsigned flags) {
        if (flags_ != flags)
            text_ += fmt::format("@{:x}\n", flags);
        flags_ = flags;
    }
    void begin(const std::string& scope, bool folded) {
        with(blank | group_begin | (folded ? closed : 0));
        text_ += fmt::format("-{}\n", scope);
    }
    void end(const std::string& scope, bool folded) {
        with(blank | group_end | (folded ? closed | collapsed : 0));
        text_ += fmt::format("-{}\n", scope);
    }
    void add(const probe& p) {
        bool tall = false; // a curve gets the height of two signals
        if (p.kind == probe_kind::text) {
            with(ascii | right);
        } else if (p.kind == probe_kind::real) {
            with(analog_step | real | full_scale | right);
            tall = true;
        } else if (p.values == "level") {
            with(decimal | analog_step | full_scale | right);
            tall = true;
        } else if (p.values == "word" && view_.integer_words) {
            with(is_signed | right);
        } else if (p.values == "word" || p.values == "fp32" || p.values == "bf16") {
            with(hexadecimal | by_process | right);
            text_ += fmt::format("^>1 {}\n", filters_.script());
        } else if (const std::string table = filters_.table(p.values, p.width); !table.empty()) {
            with(hexadecimal | by_table | right);
            text_ += fmt::format("^1 {}\n", table);
        } else {
            with((p.width == 1 ? binary : p.values == "address" || p.width > 32 ? hexadecimal : decimal) | right);
        }
        text_ += p.name;
        if (p.kind == probe_kind::bits && p.width > 1)
            text_ += fmt::format("[{}:0]", p.width - 1);
        text_ += '\n';
        if (tall) {
            with(analog_height);
            text_ += "-\n";
        }
    }

    filter_files& filters_;
    const wave_view& view_;
    std::string text_;
    unsigned flags_ = 0;
};

/// Which dump, which markers, where the view begins.
std::string header_of(const fs::path& dump, const fs::path& save, std::span<const block> blocks, wave_time time,
                      std::span<const wave_marker> markers, std::uint64_t last) {
    // With the save file's own name GTKWave finds dump and filters after all of them have been moved.
    std::string text = fmt::format("{}\n[dumpfile] \"{}\"\n[savefile] \"{}\"\n", first_line, dump.string(), save.string());
    if (!markers.empty()) {
        const std::uint64_t first = std::min(markers[0].cycle - std::min(markers[0].cycle, cycles_before), last - std::min(last, cycles_of_view));
        text += fmt::format("[timestart] {}\n", first * time.per_cycle);
    }
    text += "[size] 1400 850\n[pos] -1 -1\n";
    if (!markers.empty()) {
        // *ZOOM PRIMARY A B C ...; -1: none. Without markers GTKWave shows all of the time.
        const double zoom = std::log2(pixels_per_cycle / pixels_per_unit / static_cast<double>(time.per_cycle));
        text += fmt::format("*{:.6f} {}", zoom, markers[0].cycle * time.per_cycle);
        for (std::size_t m = 0; m < most_markers; ++m)
            text += m < markers.size() ? fmt::format(" {}", markers[m].cycle * time.per_cycle) : " -1";
        text += '\n';
    }
    for (std::size_t m = 0; m < markers.size() && m < most_markers; ++m)
        text += fmt::format("[markername] {}{}\n", static_cast<char>('A' + m), markers[m].name);
    std::set<std::string> open; // in the tree of scopes
    for (const block& b : blocks)
        if (const std::size_t dot = b.name.find('.'); dot != b.name.npos && open.insert(b.name.substr(0, dot + 1)).second)
            text += fmt::format("[treeopen] {}\n", b.name.substr(0, dot + 1));
    return text + "[sst_width] 190\n[signals_width] 330\n[sst_expanded] 1\n";
}

} // namespace

std::string write_save_file(const std::string& waves, std::span<const probe> signals, wave_time time, std::span<const wave_marker> markers,
                            const wave_view& view) {
    const fs::path dump = fs::absolute(waves).lexically_normal();
    const fs::path all = dump.string() + ".gtkw", folder = dump.string() + ".blocks";
    filter_files filters(dump.string() + ".filters");
    const std::vector<block> blocks = blocks_of(signals);

    signal_list everything(filters, view);
    for (const block& b : blocks)
        everything.add(b);
    write_text(all, header_of(dump, all, blocks, time, markers, view.last) + everything.text());

    remove_our_save_files(folder);
    if (blocks.size() > 1) {
        make_folder(folder);
        for (const block& b : blocks) {
            const fs::path save = folder / (b.name + ".gtkw");
            signal_list one(filters, view);
            one.add(b);
            write_text(save, header_of(dump, save, {&b, 1}, time, markers, view.last) + one.text());
        }
    }
    return all.string();
}

} // namespace retrace
