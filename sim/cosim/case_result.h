#pragma once
// What running one case came to, as the worker process writes it and the regression reads it. Nothing in it depends on the
// machine it ran on or how long it took: the same case gives the same bytes.
#include <cstdint>
#include <optional>
#include <string>

namespace retrace::cosim {

enum class verdict : std::uint8_t {
    pass,
    mismatch, ///< device and reference, or two arrays, disagree (exit 4)
    hang,     ///< nothing moves any more (exit 3)
    failure   ///< a command failed, the model stopped itself, or the process died (exit 4)
};
const char* name_of(verdict v);

struct case_result {
    std::uint64_t seed = 0;
    verdict what = verdict::failure;
    std::string kind;     ///< of failure, for the shrinker: "memory", "liveness", "array", "command", "model", "hang", "crash"
    std::string sentence; ///< the facts, one sentence; empty for a pass
    std::string report;   ///< operand history and last transactions
    std::uint64_t cycles = 0, commands = 0, operations = 0, instructions = 0;
    std::optional<std::uint64_t> failed_at; ///< cycle in which it went wrong, as far as known
    std::string look_at;                    ///< signals that show it: "npu0.array.pe_*_3"; may be empty
    std::string checksum; ///< of all memory at the end; empty without an end

    bool passed() const { return what == verdict::pass; }
};

std::string to_json(const case_result& r);
/// Throws std::runtime_error for text that is none.
case_result parse_result(const std::string& text);

} // namespace retrace::cosim
