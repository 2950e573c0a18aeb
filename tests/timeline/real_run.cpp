#include "tests/timeline/real_run.h"

#include <cstdlib>
#include <fstream>
#include <random>

namespace retrace::test {

real_run::real_run() {
    std::string name = (std::filesystem::temp_directory_path() / "retrace-timeline-XXXXXX").string();
    if (!mkdtemp(name.data()))
        throw std::runtime_error("cannot create a folder for the test");
    folder_ = name;
    std::ofstream data(folder_ / "data.csv");
    std::mt19937 random(3);
    for (int row = 0; row < 40; ++row) {
        for (int column = 0; column < 20; ++column)
            data << random() % 17 << ",";
        data << random() % 5 << "\n";
    }
    std::ofstream(folder_ / "small.yaml") << R"(name: small
npu:
  preset: tiny
network:
  inputs: 20
  layers:
    - {dense: 24, activation: relu, repeat: 3}
    - {dense: 5}
  loss: softmax_cross_entropy
data: {file: data.csv, classes: 5, scale: 0.0625, test_rows: 8}
training:
  schedule: recompute
  steps: 2
  batch: 16
  operands: bf16
  optimizer: {kind: momentum, learning_rate: 0.015, momentum: 0.9}
log:
  steps: [1, 2, 3]
)";
}

real_run::~real_run() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
}

program_result real_run::train(std::vector<std::string> more) {
    more.insert(more.begin(), {"train", config(), "--quiet", "--out", run()});
    return run_program(more);
}

program_result real_run::gemm(std::vector<std::string> more) {
    more.insert(more.begin(), {"gemm", "--quiet", "--out", run(), "--preset", "tiny"});
    return run_program(more);
}

program_result real_run::inspect(std::vector<std::string> question) const {
    question.insert(question.begin(), {"inspect", run()});
    return run_program(question);
}

nlohmann::json real_run::summary() const { return nlohmann::json::parse(text_of(file("summary.json"))); }

} // namespace retrace::test
