#pragma once
// The program as a child process: what its user types, and what comes back.
#include <string>
#include <vector>

namespace retrace::test {

struct program_result {
    int exit = -1;   ///< exit code; minus the signal's number if a signal ended it
    std::string out; ///< standard output
    std::string err; ///< standard error
};

struct program_options {
    int signal = 0;                  ///< sent once standard error holds `signal_after`
    std::string signal_after;        ///< text of the progress to wait for
    unsigned long file_bytes = 0;    ///< largest file it may write; 0: no limit
};

program_result run_program(std::vector<std::string> arguments, const program_options& options = {});

/// Whole file; a test failure if there is none.
std::string text_of(const std::string& file);

} // namespace retrace::test
