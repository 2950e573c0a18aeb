#include "sim/report/progress.h"

#include <chrono>
#include <cstdio>
#include <sys/ioctl.h>
#include <unistd.h>

#include <fmt/format.h>

namespace retrace {

namespace {

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

} // namespace

progress_line::progress_line(bool enabled) : enabled_(enabled), terminal_(isatty(STDERR_FILENO) != 0) {}

progress_line::~progress_line() { finish(); }

void progress_line::show(std::size_t done, std::size_t total, const std::string& text) {
    if (!enabled_)
        return;
    const double interval = terminal_ ? 0.1 : 5.0;
    if (last_ >= 0 && now() - last_ < interval && done != total)
        return;
    last_ = now();
    constexpr std::size_t cells = 24;
    const std::size_t filled = total ? done * cells / total : cells;
    std::string line = fmt::format("[{}{}] {}", std::string(filled, '='), std::string(cells - filled, ' '), text);
    if (winsize size{}; terminal_ && ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 && line.size() >= size.ws_col)
        line.resize(size.ws_col - 1u); // a wrapped line could not be rewritten in place
    const std::size_t length = line.size();
    if (terminal_ && length < width_)
        line.append(width_ - length, ' ');
    width_ = length;
    std::fputs(((terminal_ ? "\r" : "") + line + (terminal_ ? "" : "\n")).c_str(), stderr);
    std::fflush(stderr);
}

void progress_line::finish() {
    if (enabled_ && terminal_ && width_ != 0)
        std::fputc('\n', stderr);
    width_ = 0;
}

} // namespace retrace
