#pragma once
// Waves of a run, from what the command line says: which file, which signals, when; and the waves before a failure, which a second process
// records that does the same again.
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/cli/wave_options.h"
#include "sim/platform/failure_point.h"
#include "sim/platform/platform.h"
#include "waves/save_file.h"
#include "waves/wave_recorder.h"

namespace retrace::cli {

/// The settings; nothing where no waves are wanted. Makes a PE array with registers run where PEs are to be drawn. Throws wave_error,
/// config_error.
std::optional<wave_settings> wave_choice(const wave_options& options, npu_config& config);
/// The options as a command line has them, for a process that does the recording; none without a file.
std::vector<std::string> arguments_of(const wave_options& options);
/// The marker of `failure`. Throws config_error.
std::optional<failure_point> expected_failure(const wave_options& options);

/// Records from the device's first cycle on; the file is closed and readable whatever ends the run: an error, a signal, abort(). Lives no
/// longer than the port.
class wave_session {
public:
    /// `integers`: the array works on int8.
    wave_session(const wave_settings& settings, simulated_port& port, bool integers = false);
    ~wave_session();
    wave_session(const wave_session&) = delete;
    wave_session& operator=(const wave_session&) = delete;

    void mark(const failure_point& point);
    /// Closes the file, writes its save file, and says on standard error what a user should know. Throws std::runtime_error.
    void finish();
    bool covers(std::uint64_t cycle) const { return recorder_.covers(cycle); }

private:
    static void on_abort(int signal);
    void close();

    wave_settings settings_;
    wave_recorder recorder_;
    std::vector<wave_marker> markers_;
    wave_view view_;
    bool closed_ = false;
};

/// Runs this program again with the same arguments up to the failure, recording the cycles before it into FOLDER/failure.fst (.vcd without
/// FST), with a save file that has a marker there. Says on standard error what it does and what came of it; never throws.
void record_failure(const std::filesystem::path& folder, const failure_point& point, const npu_config& config);
/// The exit code of such a second run that failed there or elsewhere or not at all, with a word about it.
int judge_again(const failure_point& expected, const std::optional<failure_point>& found);
/// What main() got; record_failure() needs it.
void remember_command_line(int argc, char** argv);

} // namespace retrace::cli
