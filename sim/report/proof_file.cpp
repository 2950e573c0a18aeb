#include "sim/report/proof_file.h"

#include <nlohmann/json.hpp>

#include <fmt/format.h>

#include "sim/report/html_report.h"
#include "sim/report/report_error.h"

namespace retrace {

bool keep_proof(const std::filesystem::path& run, std::span<const proof_result> results) {
    nlohmann::ordered_json j{{"results", nlohmann::ordered_json::array()}};
    for (const proof_result& r : results)
        j["results"].push_back({{"name", r.check->name},
                                {"claim", r.check->claim},
                                {"outcome", to_string(r.outcome)},
                                {"looked_at", r.looked_at},
                                {"violations", r.violations},
                                {"examples", r.examples}});
    try {
        write_page(run / "proof.json",
                   j.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
    } catch (const report_error& e) {
        fmt::print(stderr, "retrace: the report will not tell of the proof: {}\n", e.what());
        return false;
    }
    return try_write_report(run);
}

} // namespace retrace
