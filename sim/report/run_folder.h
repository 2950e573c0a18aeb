#pragma once
// The folder of a run: created or, if it holds an earlier run, replaced. Anything else that is not empty is left alone.
#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>

namespace retrace {

class run_folder_error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// Writes a file beside `path` and gives it that name when it is whole: whoever looks finds the old file or the new one, and a failure
/// leaves the old one. What is no regular file (a terminal, a pipe) is written as it stands. False if it cannot be written.
bool replace_file(const std::filesystem::path& path, std::string_view text);

class run_folder {
public:
    /// Whether the folder could be used: throws run_folder_error if it is a file, or holds something that is not a run. Touches nothing.
    static void check(const std::filesystem::path& path);
    /// Throws run_folder_error if `input`, a file the run reads, lies in the folder: replacing it would delete the input.
    static void check_outside(const std::filesystem::path& path, const std::filesystem::path& input);

    /// check(), then an empty folder with the mark of a run.
    explicit run_folder(const std::filesystem::path& path);

    std::filesystem::path file(const char* name) const { return path_ / name; }
    /// Writes a whole file; throws run_folder_error (disk full, no permission).
    void write(const char* name, const std::string& text) const;

private:
    std::filesystem::path path_;
};

} // namespace retrace
