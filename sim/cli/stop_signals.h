#pragma once
// Ctrl-C and SIGTERM while a simulation runs: the first asks the platform to stop, so that log and report are closed in order; the
// second ends the program as if nobody listened. Outside of such a span the program dies of them like any other.

namespace retrace::cli {

class stop_signals {
public:
    stop_signals();
    ~stop_signals();
    stop_signals(const stop_signals&) = delete;
    stop_signals& operator=(const stop_signals&) = delete;

    /// The first signal that came, 0 if none did.
    static int received();
};

} // namespace retrace::cli
