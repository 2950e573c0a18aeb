// The array at the speed of a BLAS call: values from kernel_simd when a stream is called, cycles from the
// closed forms of array_timing.h. Same bits and stamps as the stepped array; see array_interface.h for the
// contract.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "tlm/core/array/array_interface.h"
#include "tlm/core/array/array_timing.h"
#include "tlm/core/array/frozen_time.h"

namespace retrace {

class kernel_array final : public array_interface {
public:
    explicit kernel_array(const array_config& config);

    void load_weights(std::uint64_t cycle, const matrix_view& w) override;
    void stream(std::uint64_t cycle, const matrix_view& a, bool swap) override;
    void freeze(std::uint64_t cycle, std::uint64_t count) override;
    bool collect(std::uint64_t now, column_sums& out) override;
    void want_stamps(bool wanted) override { want_stamps_ = wanted; }
    void accumulate(std::span<std::uint32_t> accumulator, std::span<const std::uint32_t> sums,
                    bool integer) override;

private:
    struct weight_tile {
        std::vector<float> packed;
        unsigned k = 0, n = 0;
        bool present = false;
        bool integer = false;
        std::uint64_t complete = 0; // own cycle from which a stream may take it
    };
    struct result {
        column_sums sums;
        std::uint64_t start = 0; // own cycle
        number_format format = number_format::fp32;
        bool stamps = false;
    };

    void check_not_past(std::uint64_t cycle, const char* what) const;
    void check_stream(std::uint64_t own, const matrix_view& a, bool swap) const;

    array_config config_;
    array_timing timing_;
    frozen_time time_;
    weight_tile active_, shadow_;
    std::deque<result> results_;
    std::vector<std::vector<std::uint32_t>> spare_; // storage of collected results
    std::uint64_t last_swap_ = 0;                   // own cycle
    std::uint64_t next_stream_ = 0;                 // own cycle
    std::uint64_t next_cycle_ = 0;                  // first cycle that collect() has not passed
    bool swapped_ = false;
    bool want_stamps_ = false;
};

} // namespace retrace
