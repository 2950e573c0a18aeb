// A program for an array as data: loads, streams, freezes and collects with their matrices. It runs on any
// implementation, and can be turned into vectors for the RTL's ports.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "tests/unit/array/array_test_data.h"
#include "tlm/core/array/array_interface.h"

namespace retrace::test {

struct array_call {
    enum class kind { load, stream, freeze, collect } what;
    std::uint64_t cycle = 0; // collect: up to and including this one
    std::uint64_t count = 0; // freeze
    bool swap = false;
    const test_matrix* matrix = nullptr;
};

struct array_program {
    array_config config;
    std::deque<test_matrix> matrices;
    std::vector<array_call> calls;
    std::uint64_t end = 0; // by this cycle everything has come out
};

struct program_options {
    unsigned tiles = 6;
    bool freezes = true;
    unsigned longest_stream = 24;
};

// Legal, at the earliest cycles mostly: tiles of every tail shape, formats mixed, weights used for several streams
// or one, loads in the very cycle that becomes free, long and short freezes, collects in between.
array_program random_program(const array_config& config, std::uint32_t seed, const program_options& options = {});

// Every k and n that the array takes, m from 1 up, one format after the other.
array_program all_tail_shapes(const array_config& config, number_format format, std::uint32_t seed);

// Everything the array gave, oldest stream first, stamps of every word included.
std::vector<column_sums> run(array_interface& array, const array_program& program);

// Empty, or what is different, in one sentence.
std::string difference(const std::vector<column_sums>& expected, const std::vector<column_sums>& got);

} // namespace retrace::test
