#pragma once
// Labelled examples from a CSV file, their fixed split, and the order in which training takes them.
//
// File: text, one example per line, no header: `features` numbers and one integer label in 0..classes-1,
// separated by commas; blanks around a value, CR LF line ends and a missing last line end are accepted.
// Numbers are decimal, read without regard to the locale, and multiplied by `scale` in binary32.

#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace retrace {

// What is wrong with a data file: the message starts with file:line.
class data_error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

struct dataset_description {
    std::size_t features = 0; // numbers per row, without the label
    std::size_t classes = 0;  // labels run from 0 to classes - 1
    float scale = 1;          // factor of every number
};

struct dataset_split {
    std::vector<std::uint32_t> train; // row numbers from 0, ascending
    std::vector<std::uint32_t> test;
};

class dataset {
public:
    // Parses a whole file's text; `name` stands for the file in messages.
    static dataset parse(std::string_view text, const std::string& name,
                         const dataset_description& description);
    // Reads and parses a file.
    static dataset load(const std::string& path, const dataset_description& description);

    std::size_t rows() const { return labels_.size(); }
    std::size_t features() const { return description_.features; }
    std::size_t classes() const { return description_.classes; }
    std::span<const float> values(std::size_t row) const;
    std::uint32_t label(std::size_t row) const { return labels_.at(row); }

    // A fixed split that needs no random numbers and spreads the held-out rows evenly over the file: row i of
    // n is held out where floor((i + 1) * test / n) > floor(i * test / n). Training takes the first
    // `train_rows` of the others. Throws data_error at the file's end where it has too few rows, or where one
    // part would be empty.
    dataset_split split(std::size_t train_rows, std::size_t test_rows) const;

    // Fills inputs [n, features] and one-hot targets [n, classes] with the given rows, in their order; n
    // follows from the spans and may exceed rows.size(): what remains is zero. Throws std::invalid_argument
    // for spans that do not fit.
    void gather(std::span<const std::uint32_t> rows, std::span<float> inputs, std::span<float> targets) const;

private:
    dataset(std::string name, const dataset_description& description)
        : name_(std::move(name)), description_(description) {}
    void parse_line(std::string_view line);
    [[noreturn]] void fail(const std::string& what) const;

    std::string name_;
    dataset_description description_;
    std::size_t line_ = 0; // the last line seen, from 1
    std::vector<float> values_;
    std::vector<std::uint32_t> labels_;
};

// The rows of each training step: every epoch visits `rows` in a new order, a pure function of seed and
// epoch, in batches of `batch` rows. Rows that do not fill a last batch are left out of that epoch.
class batch_sampler {
public:
    // Throws std::invalid_argument where there is not one full batch.
    batch_sampler(std::vector<std::uint32_t> rows, std::size_t batch, std::uint64_t seed);

    std::size_t steps_per_epoch() const { return rows_.size() / batch_; }
    // Steps count from 0 over all epochs and may be asked for in any order.
    std::vector<std::uint32_t> rows_of_step(std::size_t step) const;
    std::vector<std::uint32_t> epoch_order(std::size_t epoch) const;

private:
    std::vector<std::uint32_t> rows_;
    std::size_t batch_;
    std::uint64_t seed_;
};

} // namespace retrace
