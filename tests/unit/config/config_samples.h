#pragma once
// A small valid configuration and what the loader says about changed ones.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "sim/config/load.h"

namespace retrace {

inline const std::string sample = R"(name: sample
npu:
  preset: tiny
network:
  inputs: 4
  layers:
    - {dense: 8, activation: relu, repeat: 3}
    - {dense: 2}
data:
  file: rows.csv
  classes: 2
  test_rows: 5
training:
  schedule: recompute
  steps: 3
  batch: 16
  optimizer: {learning_rate: 0.1}
)";

/// The sample with one piece of its text replaced; the piece must be there once.
inline std::string with(const std::string& piece, const std::string& replacement) {
    const std::size_t at = sample.find(piece);
    EXPECT_NE(at, std::string::npos) << piece;
    EXPECT_EQ(sample.find(piece, at + 1), std::string::npos) << piece;
    return std::string(sample).replace(at, piece.size(), replacement);
}

inline run_config parsed(const std::string& text, const std::vector<std::string>& overrides = {}) {
    return parse_config(text, "/configs/sample.yaml", overrides).config;
}

/// The message of the config_error that the text gives; "accepted" where there is none.
inline std::string fault(const std::string& text, const std::vector<std::string>& overrides = {}) {
    try {
        parse_config(text, "f.yaml", overrides);
    } catch (const config_error& error) {
        return error.what();
    }
    return "accepted";
}

} // namespace retrace
