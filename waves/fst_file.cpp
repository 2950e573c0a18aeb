// FST through the writer that ships with Verilator (gtkwave/fstapi.c).
#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include <fmt/format.h>
#include <gtkwave/fstapi.h>

#include "waves/wave_file.h"

namespace retrace {

namespace {

class fst_file final : public wave_file {
public:
    fst_file(const std::string& path, std::span<const trace::probe> probes, wave_time time, std::uint64_t max_bytes)
        : path_(path), per_cycle_(time.per_cycle), piece_(std::clamp<std::uint64_t>(max_bytes / 4, 1u << 14, 1u << 24)) {
        // The writer tells nothing about a folder that is not there.
        std::FILE* probe_file = std::fopen(path.c_str(), "wb");
        if (!probe_file)
            throw wave_error(fmt::format("{} cannot be written: is the folder there?", path));
        std::fclose(probe_file);
        context_ = fstWriterCreate(path.c_str(), 1);
        if (!context_)
            throw wave_error(fmt::format("{} cannot be written", path));
        fstWriterSetPackType(context_, FST_WR_PT_LZ4);
        fstWriterSetTimescale(context_, time.unit);
        fstWriterSetVersion(context_, "retrace");
        fstWriterSetDate(context_, "-"); // the same run gives the same bytes
        walk_hierarchy(
            probes, [&](const std::string& scope) { fstWriterSetScope(context_, FST_ST_VCD_MODULE, scope.c_str(), nullptr); },
            [&](std::size_t i, const std::string& name) {
                const trace::probe& p = probes[i];
                signal s;
                if (p.kind == trace::probe_kind::bits) {
                    const std::string shown = p.width > 1 ? fmt::format("{} [{}:0]", name, p.width - 1) : name;
                    s = {fstWriterCreateVar(context_, FST_VT_VCD_WIRE, FST_VD_IMPLICIT, p.width, shown.c_str(), 0), p.width};
                } else if (p.kind == trace::probe_kind::text) {
                    s = {fstWriterCreateVar(context_, FST_VT_GEN_STRING, FST_VD_IMPLICIT, 0, name.c_str(), 0), 0};
                } else {
                    s = {fstWriterCreateVar(context_, FST_VT_VCD_REAL, FST_VD_IMPLICIT, 8, name.c_str(), 0), 0};
                }
                signals_.push_back(s);
            },
            [&] { fstWriterSetUpscope(context_); });
    }
    ~fst_file() override { finish(); }
    void time(std::uint64_t cycle) override {
        fstWriterEmitTimeChange(context_, cycle * per_cycle_);
        // The writer keeps up to 128 MB in memory: small pieces cost little, and a file that is cut off loses little. What is told
        // shrinks to a fraction on the disk, so a piece is no larger than what may still come.
        if (told_ > piece_) {
            fstWriterFlushContext(context_);
            told_ = 0;
        }
    }
    void bits(std::size_t s, std::uint64_t value) override {
        fstWriterEmitValueChange64(context_, signals_[s].handle, signals_[s].width, value);
        told_ += 2 + signals_[s].width / 8;
    }
    void real(std::size_t s, double value) override {
        fstWriterEmitValueChange(context_, signals_[s].handle, &value);
        told_ += 10;
    }
    void text(std::size_t s, const std::string& value) override {
        fstWriterEmitVariableLengthValueChange(context_, signals_[s].handle, value.data(), static_cast<std::uint32_t>(value.size()));
        told_ += 4 + value.size();
    }
    std::uint64_t bytes() const override {
        std::error_code error;
        const std::uint64_t written = std::filesystem::file_size(path_, error);
        return error ? 0 : written;
    }
    void close() override {
        const bool bad = context_ && fstWriterGetFseekFailed(context_);
        finish();
        std::error_code error;
        if (bad || std::filesystem::file_size(path_, error) == 0 || error)
            throw wave_error(fmt::format("{} could not be written whole: is there room?", path_));
    }

private:
    struct signal {
        fstHandle handle = 0;
        unsigned width = 0;
    };
    void finish() {
        if (context_)
            fstWriterClose(context_);
        context_ = nullptr;
    }
    std::string path_;
    std::uint64_t per_cycle_, piece_, told_ = 0;
    void* context_ = nullptr;
    std::vector<signal> signals_;
};

} // namespace

bool fst_available() { return true; }

std::unique_ptr<wave_file> make_fst(const std::string& path, std::span<const trace::probe> probes, wave_time time, std::uint64_t max_bytes) {
    return std::make_unique<fst_file>(path, probes, time, max_bytes);
}

} // namespace retrace
