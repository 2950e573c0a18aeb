// The array clock by clock: every register of every PE, and what moves through them. Written independently of
// the kernel: it shares no arithmetic and no timing code with it, and computes no cycle in advance. A stamp
// is the value of the clock when a sum stands in the bottom register; a protocol violation is what a register
// sees (an unswapped shadow about to be overwritten, a swap that meets an incomplete shadow, an entrance
// still occupied).
//
// Registers (pe_registers and below): per PE active and shadow weight with their modes, shadow state,
// fma_depth partial sums; per PE row k a line of D*k skew registers and C operand registers, each with valid
// and swap flags; at the top of column c, c skew registers for weights and for the step and done signals.
//
// Time advances lazily: collect() steps up to its `now`, and jumps over cycles in which nothing is on the
// way. An array that has thrown is in no defined state.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "tlm/core/array/array_interface.h"
#include "tlm/core/array/stepped_pe.h"

namespace retrace {

class stepped_array final : public array_interface {
public:
    explicit stepped_array(const array_config& config,
                           stepped::instruction_set host = stepped::instruction_set::best);

    void load_weights(std::uint64_t cycle, const matrix_view& w) override;
    void stream(std::uint64_t cycle, const matrix_view& a, bool swap) override;
    void freeze(std::uint64_t cycle, std::uint64_t count) override;
    bool collect(std::uint64_t now, column_sums& out) override;
    void want_stamps(bool wanted) override { want_stamps_ = wanted; }
    void accumulate(std::span<std::uint32_t> accumulator, std::span<const std::uint32_t> sums,
                    bool integer) override;
    void show(const array_probes& probes) override { probes_ = &probes; }
    void settle(std::uint64_t cycle) override;

    // Clocks stepped one by one so far (idle ones are jumped over): the denominator of a speed measurement.
    std::uint64_t cycles_stepped() const { return steps_; }

private:
    // A load or a stream, waiting for its cycle or entering row by row.
    struct command {
        std::uint64_t cycle = 0;
        std::vector<std::uint32_t> words; // rows x columns
        unsigned rows = 0, columns = 0;
        unsigned row_cycles = 1;
        std::uint32_t mode = stepped::mode_off;
        bool swap = false;
    };
    // The entrance of the operands or of the weights: the row that enters and the cycle within its slot.
    struct entrance {
        command now;
        bool busy = false;
        unsigned row = 0, phase = 0;
    };
    struct tile_shape {
        unsigned k = 0, n = 0;
        std::uint32_t mode = stepped::mode_off;
        bool present = false;
    };
    struct pause {
        std::uint64_t cycle, count;
    };
    struct result {
        column_sums sums;
        bool stamps = false;
        bool complete = false;
    };
    struct column_exit {
        std::size_t stream = 0; // index in results_ of the stream whose sums leave this column
        unsigned row = 0;
    };

    void check_callable(std::uint64_t cycle, const char* what) const;
    command capture(std::uint64_t cycle, const matrix_view& view) const;
    void advance(std::uint64_t now);
    bool idle() const;
    std::uint64_t next_event(std::uint64_t limit) const;
    void step();
    void begin(std::deque<command>& queue, entrance& entry, const char* what);
    void enter_operands();
    void enter_weights();
    void collect_column_input();
    void leave();
    void leave_column(unsigned column, std::uint32_t bits);
    void tell_registers() const;
    [[noreturn]] void fail(const char* what) const;

    array_config config_;
    stepped::passes passes_;
    stepped::pe_registers pe_;

    // Operand lines. All registers of all lines move by one in every step: the window moves down instead.
    std::size_t line_pitch_;
    std::size_t line_base_;
    std::vector<std::uint32_t> line_values_, line_flags_;

    // Weight skew: slot `skew_head_` holds the row that enters now, the slots after it those of the cycles
    // before.
    unsigned skew_head_ = 0;
    std::vector<std::uint32_t> skew_weight_, skew_mode_; // C slots x C columns
    std::vector<std::uint32_t> skew_step_, skew_done_;   // C slots
    unsigned signals_on_the_way_ = 0;
    stepped::column_input column_input_;

    std::vector<std::uint8_t>
        bottom_valid_; // depth slots x C: the flags of the sums in the bottom row's stages
    std::vector<column_exit> exits_;

    std::deque<command> loads_, streams_;
    std::deque<pause> pauses_;
    std::uint64_t pauses_end_ = 0;
    entrance weight_entrance_, operand_entrance_;
    tile_shape called_active_, called_shadow_; // shapes by order of calls: what a result will look like
    std::deque<result> results_;

    std::uint64_t clock_ = 0;
    std::uint64_t passed_ = 0; // cycles below this have been collected
    std::uint64_t steps_ = 0;
    std::uint64_t sums_on_the_way_ = 0;
    unsigned swaps_on_the_way_ = 0;
    std::uint32_t modes_ =
        stepped::mode_float; // of all active weights, while swaps are on the way of both tiles
    std::uint32_t newest_mode_ = stepped::mode_float;
    bool want_stamps_ = false;
    const array_probes* probes_ = nullptr;
};

} // namespace retrace
