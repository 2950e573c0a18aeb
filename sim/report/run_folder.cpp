#include "sim/report/run_folder.h"

#include <algorithm>
#include <fstream>

#include <fmt/format.h>

namespace retrace {

namespace fs = std::filesystem;

namespace {

/// Every run's folder holds this file; only a folder with it is ever replaced.
constexpr const char* mark = ".retrace-run";

} // namespace

void run_folder::check(const fs::path& path) {
    std::error_code error;
    if (!fs::exists(path, error))
        return;
    if (!fs::is_directory(path, error))
        throw run_folder_error(fmt::format("{} exists and is not a folder; name another with --out", path.string()));
    if (fs::is_empty(path, error) && !error)
        return;
    if (error)
        throw run_folder_error(fmt::format("{}: {}", path.string(), error.message()));
    if (!fs::exists(path / mark, error))
        throw run_folder_error(fmt::format("{} is not empty and holds no earlier run, so it is not replaced; name another folder with --out, "
                                           "or empty it",
                                           path.string()));
}

void run_folder::check_outside(const fs::path& path, const fs::path& input) {
    std::error_code error;
    const fs::path folder = fs::weakly_canonical(path, error), file = fs::weakly_canonical(input, error);
    if (std::search(file.begin(), file.end(), folder.begin(), folder.end()) == file.begin())
        throw run_folder_error(fmt::format("{} lies in {}, which this run would replace; name another folder with --out", input.string(),
                                           path.string()));
}

run_folder::run_folder(const fs::path& path) : path_(path) {
    check(path);
    std::error_code error;
    if (fs::exists(path / mark))
        for (const auto& entry : fs::directory_iterator(path))
            fs::remove_all(entry.path(), error);
    fs::create_directories(path, error);
    if (error)
        throw run_folder_error(fmt::format("cannot create the run's folder {}: {}", path.string(), error.message()));
    write(mark, "This folder belongs to a run of retrace; the next run with the same --out replaces it.\n");
}

void run_folder::write(const char* name, const std::string& text) const {
    const fs::path at = file(name);
    if (!replace_file(at, text))
        throw run_folder_error(fmt::format("cannot write {}: is the disk full, or the folder read-only?", at.string()));
}

bool replace_file(const fs::path& path, std::string_view text) {
    std::error_code error;
    // A link stays one: what it points to is replaced.
    const fs::path target = fs::is_symlink(path, error) ? fs::weakly_canonical(path, error) : path;
    const bool in_place = fs::exists(target, error) && !fs::is_regular_file(target, error);
    const fs::path at = in_place ? target : fs::path(target).concat(".part");
    std::ofstream out(at, std::ios::binary | std::ios::trunc);
    out << text;
    out.close();
    if (in_place)
        return !out.fail();
    std::error_code failed;
    if (!out.fail())
        fs::rename(at, target, failed);
    if (!out.fail() && !failed)
        return true;
    fs::remove(at, error);
    return false;
}

} // namespace retrace
