#include "tests/bench/child.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>

namespace retrace::bench {

namespace {

/// A folder in the system's place for temporary files, removed with everything in it.
class temporary_folder {
public:
    temporary_folder() {
        std::string name = (std::filesystem::temp_directory_path() / "retrace-bench-XXXXXX").string();
        if (mkdtemp(name.data()) == nullptr)
            throw std::runtime_error(fmt::format("cannot create a folder {}: {}", name, std::strerror(errno)));
        path_ = name;
    }
    ~temporary_folder() {
        std::error_code ignored; // what is left over lies in the system's temporary folder
        std::filesystem::remove_all(path_, ignored);
    }
    temporary_folder(const temporary_folder&) = delete;
    temporary_folder& operator=(const temporary_folder&) = delete;
    const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

std::string text_of(const std::filesystem::path& file) {
    std::ostringstream text;
    text << std::ifstream(file).rdbuf();
    return text.str();
}

double seconds(const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6; }

[[noreturn]] void become(const std::vector<std::string>& arguments, const std::filesystem::path& messages) {
    std::vector<char*> argv;
    for (const std::string& a : arguments)
        argv.push_back(const_cast<char*>(a.c_str()));
    argv.push_back(nullptr);
    const int nothing = open("/dev/null", O_RDWR), errors = open(messages.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(nothing, STDIN_FILENO);
    dup2(nothing, STDOUT_FILENO);
    dup2(errors, STDERR_FILENO);
    execv(argv[0], argv.data());
    _exit(127);
}

} // namespace

child_run run_retrace(const std::vector<std::string>& arguments) {
    const temporary_folder folder;
    const std::filesystem::path out = folder.path() / "out", messages = folder.path() / "messages";
    std::vector<std::string> all{RETRACE_PROGRAM};
    all.insert(all.end(), arguments.begin(), arguments.end());
    all.insert(all.end(), {"--quiet", "--out", out.string()});

    const pid_t child = fork();
    if (child < 0)
        throw std::runtime_error(fmt::format("cannot start {}: {}", all[0], std::strerror(errno)));
    if (child == 0)
        become(all, messages);
    int status = 0;
    rusage used{};
    while (wait4(child, &status, 0, &used) < 0)
        if (errno != EINTR)
            throw std::runtime_error(fmt::format("lost {}: {}", all[0], std::strerror(errno)));
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        throw std::runtime_error(fmt::format("`{}` failed: {}", fmt::join(all, " "), text_of(messages)));
    return {seconds(used.ru_utime) + seconds(used.ru_stime), nlohmann::json::parse(text_of(out / "summary.json"))};
}

std::filesystem::path examples() { return RETRACE_EXAMPLES; }

} // namespace retrace::bench
