#pragma once
// Faults seeded on purpose, one at a time, to show that the co-simulation regression finds them (tests/faults has their list). Only that
// test's own objects are compiled with RETRACE_SEEDED_FAULTS; everywhere else RETRACE_FAULT is `false`, and no trace of it is left.
#ifdef RETRACE_SEEDED_FAULTS
#include <string_view>

namespace retrace {
extern std::string_view seeded_fault; ///< name of the one that is in effect; empty: none
}
#define RETRACE_FAULT(name) (::retrace::seeded_fault == #name)
#else
#define RETRACE_FAULT(name) false
#endif
