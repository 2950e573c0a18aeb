#pragma once
// timeline.json in a run's folder, from what the command line says about it.
#include <optional>
#include <string>

#include "sim/log/sqlite_log.h"
#include "sim/report/run_folder.h"
#include "sim/timeline/machine.h"
#include "sim/timeline/timeline.h"

namespace retrace::cli {

/// Of --timeline-steps and --timeline-max; nothing where no timeline is wanted. Throws config_error.
std::optional<timeline_options> timeline_choice(const std::string& steps, const std::string& bytes);

/// Closes the log, if there is one, and draws it, if that was chosen; says on standard error what was left out.
void draw_timeline(const run_folder& folder, sqlite_log* log, const std::optional<timeline_options>& choice);

/// The same at the end of a run, which must not change how the run ends: a failure is a sentence on standard error, and nothing is left of
/// the file. Whether there is a timeline now.
bool try_draw_timeline(const run_folder& folder, sqlite_log* log, const std::optional<timeline_options>& choice);

} // namespace retrace::cli
