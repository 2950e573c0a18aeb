#pragma once
// Temporary tables over a log that the checks share.

namespace retrace::proof {

/// SQL that creates the tables of expectations, to be filled before derived_tables() runs.
const char* expectation_tables();
/// SQL that derives the other ones from the log.
const char* derived_tables();

} // namespace retrace::proof
