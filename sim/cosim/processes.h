#pragma once
// Child processes, several at a time, with their output in a file each. While a process_pool lives, SIGINT and SIGTERM are taken
// by it: the children are stopped, and wait() says so.
#include <chrono>
#include <csignal>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <sys/types.h>

namespace retrace::cosim {

struct process_end {
    std::size_t id = 0;      ///< as start() got it
    std::optional<int> code; ///< exit code
    int signal = 0;          ///< that killed it
    bool timed_out = false;
    double seconds = 0;
};

/// SIGINT or SIGTERM came: the number.
class processes_interrupted : public std::runtime_error {
public:
    explicit processes_interrupted(int signal) : std::runtime_error("stopped by the user"), signal_(signal) {}
    int signal() const { return signal_; }

private:
    int signal_;
};

class process_pool {
public:
    explicit process_pool(std::chrono::milliseconds limit); ///< a child that runs longer is killed
    ~process_pool();                                        ///< stops what still runs
    process_pool(const process_pool&) = delete;
    process_pool& operator=(const process_pool&) = delete;

    /// Starts a program (absolute path first), standard output and error in `log`. Throws std::runtime_error.
    void start(std::size_t id, const std::vector<std::string>& arguments, const std::string& log);
    std::size_t running() const { return children_.size(); }
    /// Waits for one child. Throws processes_interrupted, after all children have ended.
    process_end wait();

private:
    struct child {
        std::size_t id;
        pid_t pid;
        std::chrono::steady_clock::time_point begin;
        bool killed = false;
    };
    std::optional<process_end> reap();
    void stop_all();

    std::chrono::milliseconds limit_;
    sigset_t handled_{}, before_{};
    std::vector<child> children_;
};

} // namespace retrace::cosim
