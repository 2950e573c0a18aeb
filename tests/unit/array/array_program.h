// A legal sequence of calls that can be played on any array: loads, streams, freezes, collects and
// accumulates at mostly the earliest cycles.
#pragma once

#include <functional>

#include "tests/unit/array/array_test_data.h"

namespace retrace::test {

struct array_call {
    enum class kind { load, stream, freeze, collect, accumulate } what;
    std::uint64_t cycle = 0; // collect: now
    std::uint64_t count = 0;
    std::size_t matrix = 0; // load, stream
    bool swap = false, integer = false;
    std::vector<std::uint32_t> words, sums; // accumulate
};

struct array_program {
    std::vector<test_matrix> matrices;
    std::vector<array_call> calls;
    std::uint64_t end = 0; // every sum is there by this cycle
};

struct program_options {
    unsigned tiles = 6;
    bool freezes = true;
    bool accumulates = false;
};

array_program random_program(const array_config& config, std::uint32_t seed,
                             const program_options& options = {});

// What an array gave: its streams, and the results of accumulates in a row.
struct array_outcome {
    std::vector<column_sums> streams;
    std::vector<std::uint32_t> accumulated;
};
bool same(const array_outcome& a, const array_outcome& b);

// Plays all calls and collects what is left. `before_call` sees every call first.
array_outcome play(const array_program& p, array_interface& array, bool stamps = true,
                   const std::function<void(const array_call&)>& before_call = {});

} // namespace retrace::test
