#include <filesystem>

#include <fmt/format.h>

#include "sim/cli/commands.h"
#include "sim/timeline/inspect.h"

namespace retrace::cli {

namespace {

constexpr std::uint64_t rows_of_sql = 1000, rows_of_waits = 20;

std::string answer(log_reader& log, const inspect_options& o) {
    const std::uint64_t argument_count = o.question.size();
    if (argument_count == 0)
        return inspect_overview(log);
    const std::string& what = o.question.front();
    const auto argument = [&](const char* name) -> const std::string& {
        if (argument_count != 2)
            throw log_reader_error(what + " asks for " + name);
        return o.question[1];
    };
    if (what == "who-wrote")
        return inspect_who_wrote(log, argument("ADDRESS@CYCLE"), o.memory);
    if (what == "live-at")
        return inspect_live_at(log, argument("CYCLE"));
    if (what == "waits")
        return inspect_waits(log, argument("ENGINE"), o.limit ? o.limit : rows_of_waits);
    if (argument_count != 1 || what.find_first_of(" \t\n(") == std::string::npos)
        throw log_reader_error("there is no question '" + what +
                               "'; there are who-wrote, live-at, waits, and SQL in quotes: \"SELECT ...\"");
    return inspect_sql(log, what, o.limit ? o.limit : rows_of_sql);
}

} // namespace

int inspect(const inspect_options& options) {
    std::filesystem::path events = options.run;
    std::error_code error;
    if (std::filesystem::is_directory(events, error))
        events /= "events.sqlite";
    if (!std::filesystem::is_regular_file(events, error))
        throw log_reader_error("there is no " + events.string() + ": train with log.events: true, or name a run's folder");
    log_reader log(events.string());
    fmt::print("{}", answer(log, options));
    return success;
}

} // namespace retrace::cli
