// Puts loads, streams and freezes on the ports of an array model, cycle by cycle, and takes the sums it gives.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "hw/verilated/rtl_model.h"

namespace retrace::rtl {

class array_driver final : public rtl_array {
public:
    array_driver(const array_config& config, std::unique_ptr<array_model> model,
                 std::unique_ptr<adder_model> adder);

    void load_weights(std::uint64_t cycle, const matrix_view& w) override;
    void stream(std::uint64_t cycle, const matrix_view& a, bool swap) override;
    void freeze(std::uint64_t cycle, std::uint64_t count) override;
    bool collect(std::uint64_t now, column_sums& out) override;
    void want_stamps(bool wanted) override { want_stamps_ = wanted; }
    void accumulate(std::span<std::uint32_t> accumulator, std::span<const std::uint32_t> sums,
                    bool integer) override;
    std::uint64_t cycles_stepped() const override { return steps_; }
    void show(const array_probes& probes) override { probes_ = &probes; }
    void settle(std::uint64_t cycle) override { run_until(cycle); }

private:
    // A matrix that waits for its cycle, or enters row by row.
    struct entry {
        std::uint64_t cycle = 0;
        std::vector<std::uint32_t> codes; // rows x columns
        unsigned rows = 0, columns = 0;
        number_format format = number_format::fp32;
        bool swap = false;
    };
    // One of the two ports: what enters through it now, and where it has got to.
    struct port {
        std::deque<entry> waiting;
        entry now;
        bool busy = false;
        unsigned row = 0;  // rows that have entered
        unsigned held = 0; // cycles that the current row has had
    };
    struct tile {
        unsigned k = 0, n = 0;
        bool present = false, integer = false;
    };
    struct span_of_cycles {
        std::uint64_t begin, end;
    };
    struct owed {
        column_sums sums;
        bool stamps = false;
        unsigned columns_done = 0;
    };
    struct column_position {
        std::size_t stream = 0; // index in owed_
        unsigned row = 0;
    };

    entry capture(std::uint64_t cycle, const matrix_view& view, const char* what) const;
    void run_until(std::uint64_t end);
    std::uint64_t next_event(std::uint64_t end) const;
    bool quiet() const;
    void start_due(port& p, const char* overlap);
    void present_operands();
    void present_weights();
    void clock(bool stall);
    void advance(port& p, unsigned rows);
    void take_sums();
    void tell_registers();
    void take_sum(unsigned column, std::uint32_t bits);

    array_config config_;
    std::unique_ptr<array_model> model_;
    std::unique_ptr<adder_model> adder_;
    array_inputs inputs_;
    array_outputs outputs_;

    port operands_, weights_;
    std::deque<span_of_cycles> freezes_;
    std::uint64_t freezes_end_ = 0;
    tile active_, shadow_; // by order of calls
    std::deque<owed> owed_;
    std::vector<column_position> positions_;

    std::uint64_t now_ = 0;    // the cycle that the next clock edge ends
    std::uint64_t passed_ = 0; // cycles below this have been collected
    std::uint64_t steps_ = 0;
    std::uint64_t sums_inside_ = 0;     // operand rows x columns that have entered and not left
    unsigned weights_inside_ = 0;       // cycles until the skew registers of the weights are empty
    std::uint64_t since_operand_ = 0;   // unstalled cycles
    std::uint64_t longest_silence_ = 0; // more than any sum needs
    bool want_stamps_ = false;
    const array_probes* probes_ = nullptr;
    std::vector<pe_registers> registers_; // once somebody has asked for them
};

} // namespace retrace::rtl
