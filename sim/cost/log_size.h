#pragma once
// How large an event log and its timeline.json will be, before anything runs: the rows that every command will write are counted from
// the plan and its engine programs (what a row costs, from how SQLite stores numbers). Takes milliseconds, so `train` and `gemm` can
// refuse a run that would fill the disk. Measured against real logs: tests/system/run_cost_test.cpp.
#include <cstdint>
#include <vector>

#include "host/compiler/gemm.h"
#include "host/training/plan.h"
#include "sim/config/run_config.h"

namespace retrace {

/// Rows by table (sim/log/log_schema.cpp). The second line is tile level, of logged steps only.
struct log_rows {
    std::uint64_t commands = 0, moments = 0, waits = 0, operands = 0, lives = 0, occupancies = 0, host_events = 0, tensors = 0;
    std::uint64_t programs = 0, instructions = 0, accesses = 0, grants = 0, movers = 0, codes = 0;
    // Not rows: what the timeline draws of the grants.
    std::uint64_t chunks = 0; ///< of DMA
    std::uint64_t bursts = 0; ///< grants of device DRAM

    log_rows& operator+=(const log_rows& more);
    /// The tables of the second line.
    std::uint64_t tile_level() const { return programs + instructions + accesses + grants + movers + codes; }
};
log_rows operator*(log_rows rows, std::uint64_t times);

struct log_size {
    log_rows rows;
    std::uint64_t bytes = 0;      ///< of events.sqlite, closed
    std::uint64_t tile_bytes = 0; ///< of them, what logging steps instruction by instruction adds
    std::uint64_t timeline_bytes = 0; ///< of timeline.json without a limit and with all steps that the log has so
};

/// What a run of a plan's commands will be.
struct run_length {
    std::uint64_t steps = 0;     ///< training steps
    std::uint64_t test_rows = 0; ///< evaluated once, after the last step
};

/// Cycles that the plan predicts for all of it.
std::uint64_t predicted_cycles(const plan& p, const run_length& length);

/// Of a training run that logs events; log.steps says which steps at tile level.
log_size log_of_training(const run_config& config, const plan& p, const run_length& length);

/// Of `retrace gemm`: the product, and the copies that bring A and B down and C up. One of each, in this order.
log_size log_of_product(const npu_config& npu, const compiler::gemm_program& product, const std::vector<compiler::compiled_kernel>& copies,
                        bool tile_level);

} // namespace retrace
