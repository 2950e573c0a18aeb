#pragma once
// One run as data: the processor, the network, the data, the training and what is logged. Filled by
// sim/config/load.h; every field has a key of the same path in the YAML file (`retrace help config`,
// sim/config/schema.cpp).
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "host/graph/network.h"
#include "host/training/optimizer.h"
#include "tlm/core/npu_config.h"

namespace retrace {

struct data_config {
    std::string
        file; ///< absolute path of the CSV file; the configuration may write it relative to its own folder
    std::size_t classes = 0;
    double scale = 1;           ///< factor of every number in the file
    std::size_t train_rows = 0; ///< 0: every row that is not a test row
    std::size_t test_rows = 0;
};

struct optimizer_config {
    std::string kind = "sgd"; ///< sgd | momentum
    double learning_rate = 0.01;
    rate_decay decay = rate_decay::constant;
    double momentum = 0; ///< 0 exactly where the kind is sgd
    double weight_decay = 0;
};

struct training_config {
    std::string schedule; ///< store_all | recompute | interval | interval_overwrite
    std::size_t interval =
        0;                  ///< every n-th output is kept; at least 1 for the interval schedules, otherwise 0
    std::size_t epochs = 0; ///< exactly one of epochs and steps is not 0
    std::size_t steps = 0;
    std::size_t batch = 0;
    operand_format operands = operand_format::bf16;
    optimizer_config optimizer;
};

struct log_config {
    std::vector<std::uint64_t> steps{1,
                                     2}; ///< training steps, from 1, that are logged tile by tile; ascending
    bool events = true;                  ///< write events.sqlite at all
};

struct host_config {
    std::uint64_t step_cycles = 0; ///< device cycles that the host's computation takes in every training step
};

struct run_config {
    std::string name;
    std::uint64_t seed = 1;
    npu_config npu;
    network net; ///< key `network`; layers with `repeat` are written out
    data_config data;
    training_config training;
    log_config log;
    host_config host;
};

} // namespace retrace
