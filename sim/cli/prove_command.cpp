#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <fmt/format.h>

#include "sim/cli/commands.h"
#include "sim/config/load.h"
#include "sim/log/log_reader.h"
#include "sim/proof/proof.h"
#include "sim/report/proof_file.h"
#include "sim/report/run_folder.h"

namespace retrace::cli {

namespace {

std::string text_of(const std::filesystem::path& file, const std::filesystem::path& folder) {
    std::ifstream in(file, std::ios::binary);
    std::ostringstream text;
    if (!in || !(text << in.rdbuf()))
        throw run_folder_error("cannot read " + file.string() + ": " + folder.string() +
                               " is no folder of `retrace train`");
    return text.str();
}

} // namespace

int prove(const prove_options& options) {
    const std::filesystem::path folder(options.run), config = folder / "config.resolved.yaml",
                                                     events = folder / "events.sqlite";
    const loaded_config loaded = parse_config(text_of(config, folder), config.string());
    if (!std::filesystem::is_regular_file(events))
        throw run_folder_error("there is no " + events.string() + ": train with log.events: true");
    recover_log(events.string());
    const proof_expectations expectations = expectations_of(loaded.config);
    const std::vector<proof_result> results = retrace::prove(events.string(), expectations);
    const auto failed =
        std::count_if(results.begin(), results.end(), [](const proof_result& r) { return r.failed(); });
    fmt::print("{}\n{}: schedule {}, {} layers, {} executions of F and F' a step: {}\n", describe(results),
               options.run, expectations.schedule, expectations.layers, expectations.executions,
               failed == 0 ? "every claim that applies holds" : fmt::format("{} claims FAIL", failed));
    keep_proof(folder, results);
    return failed == 0 ? success : program_fault;
}

} // namespace retrace::cli
