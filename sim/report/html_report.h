#pragma once
// report.html: one page that needs nothing else, made from what a run left in its folder (summary.json,
// steps.csv, events.sqlite, proof.json, config.resolved.yaml). What is not there is missing on the page too,
// and the page says so. The same run gives the same page: what the simulation took on this machine stays in
// summary.json.
#include <filesystem>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "sim/report/log_report.h"

namespace retrace {

/// What the page shows of a run: {"folder", "summary", "config", "steps", "proof", "schedule", "memory",
/// "costs"}, null where missing. `folder` is the last part of the path. "log_problem": a sentence, where there
/// is a log that cannot be read (what else there is of the run is shown all the same). "config_bytes": of the
/// whole configuration, where it was cut. Throws report_error: no folder, no run, or a file that cannot be
/// understood; log_reader_error: a log that cannot be read, and nothing else to show.
nlohmann::ordered_json report_data(const std::filesystem::path& run, const report_limits& limits = {});

/// The page around {"kind": "run" | "compare", "runs": [report_data], "comparison": rows}. Whatever the data
/// holds stays data: nothing in it can end the script element or become markup.
std::string compose_page(const std::string& title, const nlohmann::ordered_json& data);

/// JSON that may stand in a script element. Bytes that are no UTF-8 become U+FFFD.
std::string script_json(const nlohmann::ordered_json& data);
/// Text that may stand between tags or in a quoted attribute.
std::string html_text(const std::string& text);

/// Writes a page to a file, which is the old one or the new one at any time. Throws report_error.
void write_page(const std::filesystem::path& file, const std::string& text);

/// Writes the page of a run; an empty `file` means report.html in its folder. Returns the file. Throws
/// report_error.
std::filesystem::path write_report(const std::filesystem::path& run, std::filesystem::path file = {});

/// The same at the end of a run, which must not change how the run ends: a failure is a sentence on standard
/// error. False then.
bool try_write_report(const std::filesystem::path& run);

/// Whether this program was built with npm, so that its pages have charts.
bool report_has_charts();

} // namespace retrace
