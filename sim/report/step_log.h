#pragma once
// steps.csv: loss and accuracy of every training step, a line as soon as the step is over, so that also a run
// that did not end has its curve. Columns: step, epoch, loss, accuracy, cycles.
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <vector>

namespace retrace {

struct training_step {
    std::uint64_t step = 0, epoch = 0; ///< both from 1
    double loss = 0;                   ///< mean over the batch
    double accuracy = 0;               ///< share of the batch, 0 to 1
    std::uint64_t cycles = 0;          ///< of the device, when the host had the step's results
};

class step_log {
public:
    /// Creates the file. Throws run_folder_error, as add() does (disk full, no permission).
    explicit step_log(const std::filesystem::path& file);
    void add(const training_step& step);

private:
    void check() const;

    std::filesystem::path file_;
    std::ofstream out_;
};

/// All steps of a file; none if there is no file. A last line that was cut off is left out. Throws
/// report_error if it is not a step log.
std::vector<training_step> read_steps(const std::filesystem::path& file);

} // namespace retrace
