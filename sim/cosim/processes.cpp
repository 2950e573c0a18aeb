#include "sim/cosim/processes.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace retrace::cosim {

using clock = std::chrono::steady_clock;

process_pool::process_pool(std::chrono::milliseconds limit) : limit_(limit) {
    sigemptyset(&handled_);
    for (const int s : {SIGCHLD, SIGINT, SIGTERM})
        sigaddset(&handled_, s);
    pthread_sigmask(SIG_BLOCK, &handled_, &before_);
}

process_pool::~process_pool() {
    stop_all();
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

void process_pool::start(std::size_t id, const std::vector<std::string>& arguments, const std::string& log) {
    const int file = open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (file < 0)
        throw std::runtime_error(fmt::format("{} cannot be written: {}", log, std::strerror(errno)));
    std::vector<char*> argv;
    for (const std::string& a : arguments)
        argv.push_back(const_cast<char*>(a.c_str()));
    argv.push_back(nullptr);
    const pid_t parent = getpid(), pid = fork();
    if (pid < 0) {
        const int error = errno;
        close(file);
        throw std::runtime_error(fmt::format("no process can be started: {}", std::strerror(error)));
    }
    if (pid == 0) {
        // A killed parent must not leave simulations behind. Only calls that are safe after fork.
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(127);
        pthread_sigmask(SIG_SETMASK, &before_, nullptr);
        const int nothing = open("/dev/null", O_RDONLY);
        dup2(nothing, STDIN_FILENO);
        dup2(file, STDOUT_FILENO);
        dup2(file, STDERR_FILENO);
        execv(argv.front(), argv.data());
        _exit(127);
    }
    close(file);
    children_.push_back({id, pid, clock::now()});
}

std::optional<process_end> process_pool::reap() {
    for (auto c = children_.begin(); c != children_.end(); ++c) {
        int status = 0;
        if (waitpid(c->pid, &status, WNOHANG) != c->pid)
            continue;
        process_end end;
        end.id = c->id;
        end.timed_out = c->killed;
        end.seconds = std::chrono::duration<double>(clock::now() - c->begin).count();
        if (WIFEXITED(status))
            end.code = WEXITSTATUS(status);
        else
            end.signal = WTERMSIG(status);
        children_.erase(c);
        return end;
    }
    return {};
}

process_end process_pool::wait() {
    if (children_.empty())
        throw std::logic_error("nothing to wait for");
    for (;;) {
        if (const auto end = reap())
            return *end;
        for (child& c : children_)
            if (!c.killed && clock::now() - c.begin > limit_) {
                kill(c.pid, SIGKILL);
                c.killed = true;
            }
        const timespec patience{0, 100'000'000};
        const int number = sigtimedwait(&handled_, nullptr, &patience);
        if (number == SIGINT || number == SIGTERM) {
            stop_all();
            throw processes_interrupted(number);
        }
    }
}

void process_pool::stop_all() {
    for (const child& c : children_)
        kill(c.pid, SIGTERM);
    const auto patience = clock::now() + std::chrono::seconds(2);
    while (!children_.empty() && clock::now() < patience)
        if (!reap()) {
            const timespec pause{0, 5'000'000};
            nanosleep(&pause, nullptr);
        }
    for (const child& c : children_) {
        kill(c.pid, SIGKILL);
        waitpid(c.pid, nullptr, 0);
    }
    children_.clear();
}

} // namespace retrace::cosim
