#include <fmt/format.h>

#include "sim/cli/commands.h"
#include "sim/report/html_report.h"
#include "sim/report/run_comparison.h"

namespace retrace::cli {

int report(const report_options& options) {
    const std::filesystem::path file = write_report(options.run, options.out);
    fmt::print("{}\n", file.string());
    if (!report_has_charts())
        fmt::print(stderr,
                   "retrace: this program was built without npm, so the page has tables, but no charts\n");
    return success;
}

int compare(const compare_options& options) {
    const run_comparison c = retrace::compare(options.first, options.second);
    const std::filesystem::path file =
        options.out.empty() ? std::filesystem::path("compare.html") : std::filesystem::path(options.out);
    write_page(file, c.page);
    fmt::print("{}\nSide by side: {}\n", c.text, file.string());
    return success;
}

} // namespace retrace::cli
