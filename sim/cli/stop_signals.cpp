#include "sim/cli/stop_signals.h"

#include <csignal>

#include "sim/platform/platform.h"

namespace retrace::cli {

namespace {

volatile std::sig_atomic_t first_signal = 0;

void on_signal(int number) {
    std::signal(number, SIG_DFL);
    if (first_signal == 0)
        first_signal = number;
    simulated_port::request_stop();
}

} // namespace

stop_signals::stop_signals() {
    std::signal(SIGINT, on_signal);
    std::signal(SIGTERM, on_signal);
}

stop_signals::~stop_signals() {
    std::signal(SIGINT, SIG_DFL);
    std::signal(SIGTERM, SIG_DFL);
}

int stop_signals::received() { return first_signal; }

} // namespace retrace::cli
