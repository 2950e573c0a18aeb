#pragma once
// The speed lines that the project promises, each with what was measured: the table at the end of a benchmark run.
#include <string>

namespace retrace::bench {

enum class bound { at_least, below };

/// A promise. Made once per figure; lines of the table come in the order of their definition.
struct figure {
    std::string name;
    std::string unit; ///< after the number; empty for a ratio
    double target;
    bound kind = bound::at_least;
};

/// Defines a figure before the benchmarks run, so that the table names also what was not measured.
class figure_handle {
public:
    explicit figure_handle(const figure& definition);
    /// What was measured, and how; the last call counts.
    void measured(double value, const std::string& note) const;

private:
    std::size_t index_;
};

/// figure | measured | target | ratio. A ratio of 1 or more meets the target.
void print_figures();

} // namespace retrace::bench
