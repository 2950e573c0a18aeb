#pragma once
// Whether what a run writes fits on the disk: asked before the run creates anything, because a disk that fills after hours costs the
// hours, and everybody else on that disk theirs.
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "sim/report/run_folder.h"

namespace retrace {

/// The run would fill the disk; it is refused (exit 2).
class disk_room_error : public run_folder_error {
public:
    using run_folder_error::run_folder_error;
};

/// Bytes that a run is going to write, at most or about.
struct disk_needs {
    std::uint64_t log = 0;      ///< events.sqlite
    std::uint64_t log_tiles = 0; ///< of them, for steps that are logged instruction by instruction
    std::uint64_t timeline = 0; ///< timeline.json, within its limit
    std::uint64_t waves = 0;    ///< within their limit; 0 where none were asked for
    std::string wave_file;      ///< empty: in the run's folder
    std::uint64_t other = 0;    ///< report, summary, steps
    std::string fewer_tiles = "name fewer log.steps, or none with --set 'log.steps=[]'"; ///< how the user gets less of log_tiles
    std::string no_log = "run without a log (--set log.events=false)";                   ///< empty: there is no such way
    std::uint64_t total() const;
};

/// What the waves (.fst) of all engines take while so many instructions are executed, within the limit (--wave-max).
std::uint64_t wave_bytes(std::uint64_t instructions, std::uint64_t limit);

/// report.html, summary.json, config.resolved.yaml, steps.csv of so many steps.
std::uint64_t other_bytes(std::uint64_t steps);

/// Free bytes of the file system that `path` lies on, for who may not use what is kept for root. The nearest folder that exists counts.
/// Throws run_folder_error.
std::uint64_t free_bytes(const std::filesystem::path& path);

struct disk_room {
    std::uint64_t free = 0;
    std::uint64_t replaced = 0; ///< of the earlier run that this one replaces
    std::uint64_t available() const { return free + replaced; }
};
using free_space = std::function<std::uint64_t(const std::filesystem::path&)>;

/// What there is for a run in `out`.
disk_room room_for(const std::filesystem::path& out, const free_space& free = free_bytes);
/// Throws disk_room_error, which says what is needed, what is free and where, and what to change. Waves that go to another file system
/// are held against what is free there.
void check_room(const std::filesystem::path& out, const disk_needs& needs, const free_space& free = free_bytes);

/// "15.7 MB": three digits, powers of 1000, as --timeline-max and --wave-max count.
std::string bytes_text(std::uint64_t bytes);

} // namespace retrace
