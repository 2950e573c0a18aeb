#include "sim/cosim/case_result.h"

#include <stdexcept>

#include <nlohmann/json.hpp>

namespace retrace::cosim {

const char* name_of(verdict v) {
    switch (v) {
    case verdict::pass:
        return "pass";
    case verdict::mismatch:
        return "mismatch";
    case verdict::hang:
        return "hang";
    case verdict::failure:
        return "failure";
    }
    return "?";
}

std::string to_json(const case_result& r) {
    nlohmann::ordered_json j{{"seed", r.seed},         {"verdict", name_of(r.what)}, {"kind", r.kind},
                                   {"sentence", r.sentence}, {"report", r.report},         {"cycles", r.cycles},
                                   {"commands", r.commands}, {"operations", r.operations}, {"instructions", r.instructions},
                                   {"checksum", r.checksum}};
    if (r.failed_at)
        j["failed_at"] = *r.failed_at, j["look_at"] = r.look_at;
    // What a model says may hold any bytes.
    return j.dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

case_result parse_result(const std::string& text) {
    try {
        const auto j = nlohmann::json::parse(text);
        case_result r;
        r.seed = j.at("seed").get<std::uint64_t>();
        const auto what = j.at("verdict").get<std::string>();
        bool known = false;
        for (const verdict v : {verdict::pass, verdict::mismatch, verdict::hang, verdict::failure})
            if (what == name_of(v))
                r.what = v, known = true;
        if (!known)
            throw std::runtime_error("unknown verdict " + what);
        j.at("kind").get_to(r.kind);
        j.at("sentence").get_to(r.sentence);
        j.at("report").get_to(r.report);
        j.at("cycles").get_to(r.cycles);
        j.at("commands").get_to(r.commands);
        j.at("operations").get_to(r.operations);
        j.at("instructions").get_to(r.instructions);
        j.at("checksum").get_to(r.checksum);
        if (j.contains("failed_at")) {
            r.failed_at = j.at("failed_at").get<std::uint64_t>();
            j.at("look_at").get_to(r.look_at);
        }
        return r;
    } catch (const nlohmann::json::exception& e) {
        throw std::runtime_error(std::string("not the result of a case: ") + e.what());
    }
}

} // namespace retrace::cosim
