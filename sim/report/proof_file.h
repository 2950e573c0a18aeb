#pragma once
// proof.json: what `retrace prove` found, for the report.
#include <filesystem>
#include <span>

#include "sim/proof/proof.h"

namespace retrace {

/// Writes proof.json of a run and makes its report again; false, and a sentence on standard error, where that
/// cannot be written.
bool keep_proof(const std::filesystem::path& run, std::span<const proof_result> results);

} // namespace retrace
