// Fused multiply-adds against vectors: a file in Berkeley TestFloat's text format, or a sweep by operand
// class against the oracle.
#pragma once

#include <cstdint>
#include <istream>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "tlm/core/array/fma_functions.h"

namespace retrace {

struct fma_difference {
    std::uint64_t number = 0; // of the line, from 1; of the triple in a sweep, from 0
    std::string classes;      // of the operands; empty for a file
    std::uint32_t a = 0, b = 0, c = 0, expected = 0, got = 0;
};

struct fma_tally {
    std::string name;
    std::uint64_t wrong = 0;
    std::vector<fma_difference> first; // of the wrong ones
};

struct fma_report {
    std::uint64_t vectors = 0;
    std::vector<fma_tally> functions;     // in the order they were given
    std::uint64_t class_combinations = 0; // of a sweep: how many came up
    bool passed() const;
};

// A line per function, and one per difference that was kept.
std::string describe(const fma_report& report);

// The input is not what it should be: names the file and the line.
class fma_vector_error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

// Lines `a b c result flags` in hexadecimal: eight digits each, flags one to eight (ignored), as
// testfloat_gen writes f32_mulAdd for rounding to nearest even. Blank lines and CR LF are allowed. Any NaN
// equals any NaN. `name` stands in messages. Throws fma_vector_error for a malformed line, for a stream that
// fails and for one without any vector.
fma_report check_fma_vectors(std::istream& in, const std::string& name, std::span<const named_fma> functions,
                             std::size_t keep = 10);
// The same from a file; reads it in pieces.
fma_report check_fma_file(const std::string& path, std::span<const named_fma> functions,
                          std::size_t keep = 10);

// `count` triples against the oracle, bit by bit: a NaN must be the canonical one. Triple i belongs to
// combination i mod fma_class_combinations() of operand classes and is a function of (seed, i) alone.
fma_report sweep_fma(std::uint64_t seed, std::uint64_t count, std::span<const named_fma> functions,
                     std::size_t keep = 10);

} // namespace retrace
