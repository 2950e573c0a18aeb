#include "tests/system/program.h"

#include <cerrno>
#include <csignal>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace retrace::test {

program_result run_program(std::vector<std::string> arguments, const program_options& options) {
    arguments.insert(arguments.begin(), RETRACE_PROGRAM);
    std::vector<char*> pointers;
    for (std::string& a : arguments)
        pointers.push_back(a.data());
    pointers.push_back(nullptr);
    int out[2], err[2];
    program_result result;
    if (pipe(out) != 0 || pipe(err) != 0) {
        ADD_FAILURE() << "no pipes";
        return result;
    }
    const pid_t child = fork();
    if (child == 0) {
        dup2(out[1], STDOUT_FILENO);
        dup2(err[1], STDERR_FILENO);
        for (const int descriptor : {out[0], out[1], err[0], err[1]})
            close(descriptor);
        if (options.file_bytes != 0) {
            const rlimit limit{options.file_bytes, options.file_bytes};
            setrlimit(RLIMIT_FSIZE, &limit);
            std::signal(SIGXFSZ, SIG_IGN); // a write past the limit fails, as on a full disk
        }
        execv(pointers[0], pointers.data());
        _exit(127);
    }
    close(out[1]);
    close(err[1]);
    bool sent = options.signal == 0;
    std::vector<pollfd> ends{{out[0], POLLIN, 0}, {err[0], POLLIN, 0}};
    while (ends[0].fd >= 0 || ends[1].fd >= 0) {
        if (poll(ends.data(), ends.size(), -1) < 0 && errno != EINTR)
            break;
        for (pollfd& end : ends) {
            if (end.fd < 0 || end.revents == 0)
                continue;
            char block[4096];
            const ssize_t count = read(end.fd, block, sizeof block);
            if (count > 0) {
                (&end == &ends[0] ? result.out : result.err).append(block, static_cast<std::size_t>(count));
            } else {
                close(end.fd);
                end.fd = -1;
            }
        }
        if (!sent && result.err.find(options.signal_after) != std::string::npos) {
            sent = true;
            kill(child, options.signal);
        }
    }
    int status = 0;
    waitpid(child, &status, 0);
    result.exit = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    return result;
}

std::string text_of(const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    EXPECT_TRUE(in.is_open()) << file;
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
}

} // namespace retrace::test
