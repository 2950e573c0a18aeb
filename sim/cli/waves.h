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

/// What becomes of a trigger.
enum class trigger_mode {
    run_again, ///< long runs: only watched; when it has come, another run draws
    in_place   ///< short ones: everything is recorded, and what was before the trigger is kept in memory
};

/// The settings; nothing where no waves are wanted. Makes a PE array with registers run where PEs are to be drawn, or watched. Throws
/// wave_error, config_error.
std::optional<wave_settings> wave_choice(const wave_options& options, npu_config& config, trigger_mode mode = trigger_mode::run_again);
/// The options as a command line has them, for a process that does the recording; none without a file.
std::vector<std::string> arguments_of(const wave_options& options);
/// The marker of `failure`. Throws config_error.
std::optional<failure_point> expected_failure(const wave_options& options);

/// Looks out for the first cycle in which a signal is other than 0.
class trigger_watch final : public trace::probe_listener {
public:
    trigger_watch(const wave_settings& settings, trace::probe_registry& probes);
    ~trigger_watch() override { probes_.listen(nullptr, {}); }
    std::optional<std::uint64_t> cycle() const { return cycle_; }

    void change(trace::probe_id, trace::cycle_t cycle, std::uint64_t bits) override;
    void change(trace::probe_id, trace::cycle_t, double) override {}
    void change(trace::probe_id, trace::cycle_t, std::string) override {}

private:
    trace::probe_registry& probes_;
    std::uint64_t start_, stop_;
    std::optional<std::uint64_t> cycle_;
};

/// Waves of a device: recorded from its first cycle on, the file closed and readable whatever ends the run: an error, a signal, abort().
/// With a trigger only that is watched, at no cost; when it has come, the end of the session runs this program again to draw the cycles
/// around it. Lives no longer than the port.
class wave_session {
public:
    /// `integers`: the array works on int8.
    wave_session(const wave_settings& settings, simulated_port& port, bool integers = false, trigger_mode mode = trigger_mode::run_again);
    ~wave_session();
    wave_session(const wave_session&) = delete;
    wave_session& operator=(const wave_session&) = delete;

    void mark(const failure_point& point);
    /// Closes the file, writes its save file, and says on standard error what a user should know. Throws std::runtime_error.
    void finish();
    /// Whether this process draws; with a trigger another one does.
    bool draws() const { return recorder_.has_value(); }
    bool covers(std::uint64_t cycle) const { return recorder_ && recorder_->covers(cycle); }

private:
    static void on_abort(int signal);
    void close();

    wave_settings settings_;
    std::optional<wave_recorder> recorder_;
    std::optional<trigger_watch> watch_;
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
