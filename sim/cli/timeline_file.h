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

/// Closes the log and draws it, and says on standard error what was left out. Does nothing without a log or a choice.
void draw_timeline(const run_folder& folder, sqlite_log* log, const std::optional<timeline_options>& choice);

} // namespace retrace::cli
