#pragma once
// A run's folder made by hand, small enough to know every number in it.
#include <filesystem>
#include <string>

namespace retrace::test {

/// A folder of its own, gone at the end.
class run_files {
public:
    run_files();
    ~run_files();
    run_files(const run_files&) = delete;
    run_files& operator=(const run_files&) = delete;

    const std::filesystem::path& path() const { return path_; }
    void write(const char* name, const std::string& text) const;
    /// An empty event log: all tables, no rows. Then statements on it.
    void make_log() const;
    void sql(const std::string& statements) const;

    /// Two layers trained with recompute for two steps, 1000 cycles each, with a log; loss 2 then 1.
    void make_training_run() const;

private:
    std::filesystem::path path_;
};

/// summary.json of a run of `cycles` cycles, of which `dram` waited for DRAM and the others computed.
std::string small_summary(unsigned cycles, unsigned dram, const std::string& name = "small");

std::string text_of(const std::filesystem::path& file);

} // namespace retrace::test
