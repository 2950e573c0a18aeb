#pragma once
// Runs of the program that the tests look at: a small network on the smallest processor, every step at tile level.
#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/system/program.h"

namespace retrace::test {

class real_run {
public:
    real_run();
    ~real_run();
    real_run(const real_run&) = delete;
    real_run& operator=(const real_run&) = delete;

    /// `train` on 40 random rows, two steps and the evaluation (step 3), with more arguments; the run's folder is run().
    program_result train(std::vector<std::string> more = {});
    program_result gemm(std::vector<std::string> more = {});
    program_result inspect(std::vector<std::string> question) const;

    std::string config() const { return (folder_ / "small.yaml").string(); }
    std::string run() const { return (folder_ / "run").string(); }
    std::string file(const std::string& name) const { return (folder_ / "run" / name).string(); }
    std::string log() const { return file("events.sqlite"); }
    nlohmann::json summary() const;

private:
    std::filesystem::path folder_;
};

} // namespace retrace::test
