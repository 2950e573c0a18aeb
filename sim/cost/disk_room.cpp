#include "sim/cost/disk_room.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

namespace retrace {

namespace fs = std::filesystem;

namespace {

/// Sums and products of estimates must not wrap around.
std::uint64_t clamped(double bytes) { return bytes < 9e18 ? static_cast<std::uint64_t>(bytes) : std::uint64_t{9'000'000'000'000'000'000}; }

fs::path nearest_existing(const fs::path& path) {
    std::error_code error;
    fs::path at = fs::absolute(path, error);
    while (!fs::exists(at, error) && at.has_relative_path())
        at = at.parent_path();
    return at;
}

bool same_file_system(const fs::path& a, const fs::path& b) {
    struct stat first{}, second{};
    return stat(nearest_existing(a).c_str(), &first) != 0 || stat(nearest_existing(b).c_str(), &second) != 0 || first.st_dev == second.st_dev;
}

/// Bytes that stand there; 0 unless it is a run, which run_folder replaces.
std::uint64_t bytes_of_run(const fs::path& folder) {
    std::error_code error;
    if (!fs::exists(folder / ".retrace-run", error))
        return 0;
    std::uint64_t bytes = 0;
    for (const auto& entry : fs::directory_iterator(folder, error))
        if (entry.is_regular_file(error) && !entry.is_symlink(error) && entry.hard_link_count(error) == 1)
            bytes += entry.file_size(error);
    return bytes;
}

} // namespace

std::uint64_t disk_needs::total() const {
    double sum = 0;
    for (const std::uint64_t part : {log, timeline, waves, other})
        sum += static_cast<double>(part);
    return clamped(sum);
}

// Measured on training steps: 42 bytes an instruction on a small network on `tiny`, 36 for the digits on `small`, 31 on `tiny`; and the
// names of the signals.
std::uint64_t wave_bytes(std::uint64_t instructions, std::uint64_t limit) {
    return std::min(limit, clamped(40'000 + 34.0 * static_cast<double>(instructions)));
}

// The page with its charts is 0.9 MB; a step adds a line of steps.csv and, until the report thins them out, points of its curves.
std::uint64_t other_bytes(std::uint64_t steps) { return 1'000'000 + std::min<std::uint64_t>(steps, 1'000) * 5'000 + steps * 50; }

std::uint64_t free_bytes(const fs::path& path) {
    const fs::path at = nearest_existing(path);
    struct statvfs info{};
    if (statvfs(at.c_str(), &info) != 0)
        throw run_folder_error(fmt::format("cannot ask how much is free where {} lies: {}", at.string(), std::strerror(errno)));
    if (info.f_blocks == 0)
        return clamped(1e19); // a file system that does not count
    return clamped(static_cast<double>(info.f_bavail) * static_cast<double>(info.f_frsize));
}

disk_room room_for(const fs::path& out, const free_space& free) { return {free(out), bytes_of_run(out)}; }

void check_room(const fs::path& out, const disk_needs& all, const free_space& free) {
    disk_needs needs = all;
    if (needs.waves != 0 && !needs.wave_file.empty() && !same_file_system(out, needs.wave_file)) {
        if (const std::uint64_t there = free(needs.wave_file); needs.waves > there)
            throw disk_room_error(fmt::format(
                "the waves would fill the disk: they take up to {}, but where {} would lie ({}) {} are free. Nothing was created. To change that: "
                "lower --wave-max; name a file on another disk with --waves",
                bytes_text(needs.waves), needs.wave_file, nearest_existing(needs.wave_file).string(), bytes_text(there)));
        needs.waves = 0;
    }
    const disk_room room = room_for(out, free);
    if (needs.total() <= room.available())
        return;
    std::string parts = fmt::format("event log {}", bytes_text(needs.log));
    if (needs.log_tiles != 0)
        parts += fmt::format(", of which {} instruction by instruction", bytes_text(needs.log_tiles));
    if (needs.timeline != 0)
        parts += fmt::format("; timeline.json {}", bytes_text(needs.timeline));
    if (needs.waves != 0)
        parts += fmt::format("; waves up to {}", bytes_text(needs.waves));
    std::string advice;
    if (needs.log_tiles != 0)
        advice += needs.fewer_tiles + "; ";
    if (!needs.no_log.empty() && needs.log != 0)
        advice += needs.no_log + "; ";
    if (needs.timeline != 0)
        advice += "lower --timeline-max; ";
    if (needs.waves != 0)
        advice += "lower --wave-max; ";
    const std::string replaced =
        room.replaced != 0 ? fmt::format(", and {} when the earlier run there is replaced", bytes_text(room.available())) : "";
    throw disk_room_error(fmt::format("the run would fill the disk: it writes about {} ({}), but where {} would lie ({}) {} are free{}. "
                                      "Nothing was created. To change that: {}name another disk with --out",
                                      bytes_text(needs.total()), parts, out.string(), nearest_existing(out).string(), bytes_text(room.free),
                                      replaced, advice));
}

std::string bytes_text(std::uint64_t bytes) {
    constexpr const char* units[] = {"bytes", "kB", "MB", "GB", "TB", "PB", "EB"};
    auto value = static_cast<double>(bytes);
    unsigned unit = 0;
    while (value >= 999.5 && unit < 6) {
        value /= 1000;
        ++unit;
    }
    if (unit == 0)
        return fmt::format("{} bytes", bytes);
    return fmt::format("{:.{}f} {}", value, value < 9.995 ? 2 : value < 99.95 ? 1 : 0, units[unit]);
}

} // namespace retrace
