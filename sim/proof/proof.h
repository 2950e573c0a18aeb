#pragma once
// Proves from the event log of a training run that the device did what its schedule promises. Every claim is
// a named check: SQL that finds what contradicts it, and SQL that counts what it looked at. A claim about
// nothing is no claim: a check that finds nothing to look at fails.
//
// Checks whose name ends in `_tiles` look at single instructions, in the steps that were logged tile by tile
// (log.steps); the others look at every command of the run.
#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace retrace {

struct run_config;

/// The log cannot be read, or is not one.
class proof_error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// What the log is held against: a whole network trained on one device.
struct proof_expectations {
    struct memory {
        std::string name; ///< as in the log's occupancy: "activations", "state_buffer", ...
        std::uint64_t base = 0, bytes = 0;
        bool region = false; ///< of device DRAM; base is then its first address
    };
    std::string schedule;         ///< "store_all", "recompute", "interval", "interval_overwrite"
    std::size_t layers = 0;       ///< dense layers of the network
    std::size_t spacing = 1;      ///< n of the interval schedules
    std::size_t batch = 0;        ///< rows of every activation
    std::uint64_t executions = 0; ///< F and F' of a step
    std::vector<bool> bias;       ///< by layer, from 1 (0 unused): a bias gradient is owed
    std::vector<memory> memories; ///< capacities
    /// The run is to demonstrate that the activations' region is smaller than input + IO_1 + IO_2.
    bool small_activations = false;
};

/// F and F' of a training step with `layers` equal layers, from the closed forms of the schedules (spacing
/// need not divide layers). Throws std::invalid_argument for an unknown schedule.
std::uint64_t expected_executions(const std::string& schedule, std::size_t layers, std::size_t spacing);

/// What the configuration of a run promises. `small_activations` is set where the configured region is that
/// small.
proof_expectations expectations_of(const run_config& config);

enum class proof_outcome : std::uint8_t {
    holds,
    fails,            ///< something contradicts the claim
    nothing_to_check, ///< fails, too: the log holds nothing that the claim speaks about
    does_not_apply    ///< the schedule promises no such thing
};
const char* to_string(proof_outcome outcome);

/// Which schedules promise it.
enum class proof_scope : std::uint8_t {
    always,
    regenerates,      ///< those with more executions than layers
    in_place,         ///< recompute with at least two layers
    small_activations ///< proof_expectations::small_activations
};

struct proof_check {
    const char* name;
    const char* claim; ///< one sentence
    proof_scope scope;
    const char* violations; ///< SQL: a row for everything that contradicts the claim
    const char* looked_at;  ///< SQL: one number, how much there was to look at
};

/// All checks, in the order in which they are reported. The tables they ask are those of the log and of
/// sim/proof/tables.cpp.
std::span<const proof_check> proof_checks();

struct proof_result {
    const proof_check* check = nullptr;
    proof_outcome outcome = proof_outcome::holds;
    std::uint64_t looked_at = 0, violations = 0;
    std::vector<std::string> examples; ///< the first violating rows, "column=value, ..."

    bool failed() const {
        return outcome == proof_outcome::fails || outcome == proof_outcome::nothing_to_check;
    }
};

/// Holds the log against the expectations; changes nothing in the file. Throws proof_error.
std::vector<proof_result> prove(const std::string& events_sqlite, const proof_expectations& expectations);

/// A table for people: check, outcome, how much it looked at, and what contradicts it.
std::string describe(std::span<const proof_result> results);

} // namespace retrace
