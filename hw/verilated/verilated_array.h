// The MAC array of hw/rtl, Verilated, behind array_interface: same bits and same cycles as the model's arrays.
//
// What runs. hw/rtl/mac_array.sv with hw/rtl/psum_adder.sv beside it, built once per size that the CMake variable
// RETRACE_RTL_ARRAYS names. The C++ around it is what a controller would be in hardware: it puts rows on the
// ports in their cycles, holds them while the array stalls, and takes sums when a column says they are valid. It
// knows none of the array's latencies: a stamp is the clock's value when the sum stood at the output.
//
// Cycles in which nothing is on the way are jumped over, the clock stands still for them. Of a freeze that meets
// a busy array, the first 16 cycles are clocked with the stall input high; longer ones are jumped over from
// there on.
//
// Errors: array_protocol_error as array_interface.h says, most of them seen by the RTL itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>
#include <vector>

#include "tlm/core/array/array_interface.h"

namespace retrace {

// This build has no RTL of that size, or none at all. The message names the sizes there are and the command that
// builds the missing one.
class rtl_unavailable : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

// The RTL did what no array may do, whatever its input: a sum that no stream owes, sums that never come, or
// parameters other than those it was built for.
class rtl_error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

struct rtl_size {
    unsigned rows = 0, columns = 0, fma_depth = 0;
    bool operator==(const rtl_size&) const = default;
};

// What this build has; empty when it was made without Verilator.
std::vector<rtl_size> rtl_sizes();

class rtl_array : public array_interface {
public:
    // Clocks that the RTL was stepped through, one by one: the denominator of a speed measurement.
    virtual std::uint64_t cycles_stepped() const = 0;
};

// Throws rtl_unavailable for a size that this build does not have, array_protocol_error for a configuration that
// is none, rtl_error when the RTL reports other parameters than the configuration's.
std::unique_ptr<rtl_array> make_rtl_array(const array_config& config);

// hw/rtl/fma_f32.sv alone, with one register: binary32 a * b + c, rounded once to nearest even; NaN are
// 0x7fc00000.
class rtl_fma {
public:
    rtl_fma(); // throws rtl_unavailable when the build was made without Verilator
    ~rtl_fma();
    rtl_fma(rtl_fma&&) noexcept;
    rtl_fma& operator=(rtl_fma&&) noexcept;

    std::uint32_t operator()(std::uint32_t a, std::uint32_t b, std::uint32_t c);

    struct triple {
        std::uint32_t a, b, c;
    };
    // results[i] of operands[i]; sizes are equal (rtl_error).
    void operator()(std::span<const triple> operands, std::span<std::uint32_t> results);

private:
    struct model;
    std::unique_ptr<model> model_;
};

} // namespace retrace
