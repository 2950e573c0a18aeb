// Value change dump, IEEE 1364-2005 clause 18, with GTKWave's `string` variables.
#include <cstdio>

#include <fmt/format.h>

#include "waves/wave_file.h"

namespace retrace {

namespace {

/// Identifier codes: printable characters, shortest first.
std::string code_of(std::size_t i) {
    std::string code;
    do {
        code += static_cast<char>('!' + i % 94);
        i /= 94;
    } while (i-- != 0);
    return code;
}

class vcd_file final : public wave_file {
public:
    vcd_file(const std::string& path, std::span<const trace::probe> probes, wave_time time)
        : path_(path), per_cycle_(time.per_cycle), file_(std::fopen(path.c_str(), "w")) {
        if (!file_)
            throw wave_error(fmt::format("{} cannot be written: is the folder there?", path));
        std::string header = fmt::format("$version retrace $end\n$timescale 1 {} $end\n", time.unit == -9 ? "ns" : time.unit == -12 ? "ps" : "fs");
        walk_hierarchy(
            probes, [&](const std::string& scope) { header += fmt::format("$scope module {} $end\n", scope); },
            [&](std::size_t i, const std::string& name) {
                const trace::probe& p = probes[i];
                codes_.push_back(code_of(i));
                widths_.push_back(p.width);
                if (p.kind == trace::probe_kind::bits)
                    header += fmt::format("$var wire {} {} {}{} $end\n", p.width, codes_[i], name, p.width > 1 ? fmt::format(" [{}:0]", p.width - 1) : "");
                else
                    header += fmt::format("$var {} 1 {} {} $end\n", p.kind == trace::probe_kind::text ? "string" : "real", codes_[i], name);
            },
            [&] { header += "$upscope $end\n"; });
        put(header + "$enddefinitions $end\n");
    }
    ~vcd_file() override {
        if (file_)
            std::fclose(file_);
    }
    void time(std::uint64_t cycle) override { put(fmt::format("#{}\n", cycle * per_cycle_)); }
    void bits(std::size_t s, std::uint64_t value) override {
        put(widths_[s] == 1 ? fmt::format("{}{}\n", value & 1, codes_[s]) : fmt::format("b{:b} {}\n", value, codes_[s]));
    }
    void real(std::size_t s, double value) override { put(fmt::format("r{:.16g} {}\n", value, codes_[s])); }
    void text(std::size_t s, const std::string& value) override {
        // The format knows no blanks in strings; GTKWave shows these escapes as what they stand for.
        std::string escaped;
        for (const char c : value)
            escaped += c > ' ' && c < 127 && c != '\\' ? std::string(1, c) : fmt::format("\\{:03o}", static_cast<unsigned char>(c));
        put(fmt::format("s{} {}\n", escaped, codes_[s]));
    }
    std::uint64_t bytes() const override { return bytes_; }
    void close() override {
        const bool good = file_ && std::fflush(file_) == 0 && !std::ferror(file_);
        if (file_)
            std::fclose(file_);
        file_ = nullptr;
        if (!good)
            throw wave_error(fmt::format("{} could not be written whole: is there room?", path_));
    }

private:
    void put(const std::string& text) {
        if (file_)
            std::fwrite(text.data(), 1, text.size(), file_);
        bytes_ += text.size();
    }
    std::string path_;
    std::uint64_t per_cycle_, bytes_ = 0;
    std::FILE* file_;
    std::vector<std::string> codes_;
    std::vector<unsigned> widths_;
};

} // namespace

wave_time time_of(std::uint64_t femtoseconds) {
    for (const auto& [unit, size] : {std::pair{-9, std::uint64_t{1'000'000}}, {-12, std::uint64_t{1000}}})
        if (femtoseconds % size == 0)
            return {unit, femtoseconds / size};
    return {-15, femtoseconds};
}

std::unique_ptr<wave_file> make_vcd(const std::string& path, std::span<const trace::probe> probes, wave_time time) {
    return std::make_unique<vcd_file>(path, probes, time);
}

} // namespace retrace
