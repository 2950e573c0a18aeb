// The seeded faults of the RTL, in the order of their numbers; hw/rtl/faults.svh has the same numbers and names
// for the SystemVerilog, a test compares the two.
#pragma once

#include <array>
#include <string_view>

namespace retrace {

struct rtl_fault {
    unsigned number;
    std::string_view name;
    std::string_view description;
};

inline constexpr std::array<rtl_fault, 22> rtl_faults{{
    {1, "dropped_sticky", "alignment loses what leaves the window instead of or-ing it into the last bit"},
    {2, "round_half_up", "ties round up instead of to even"},
    {3, "flushed_subnormal", "subnormal results become zero"},
    {4, "nan_payload", "a NaN result is not the canonical one"},
    {5, "lost_zero_sign", "a result that rounds to -0 becomes +0"},
    {6, "overflow_saturates", "overflow gives the largest finite number instead of infinity"},
    {7, "infinity_times_zero", "infinity times zero is not a NaN"},
    {8, "short_alignment", "the alignment shift misses its highest bit"},
    {9, "subnormal_exponent", "a subnormal factor counts with exponent field 0 instead of 1"},
    {10, "swapped_skew", "the skew registers of operand rows 1 and 2 are exchanged"},
    {11, "stuck_weight_bit", "bit 16 of the active weight in PE (1, 1) is stuck at 0"},
    {12, "lost_row_mask", "PEs beyond the tile multiply with zeros instead of passing the sum"},
    {13, "late_shadow", "a swap takes effect one operand row late"},
    {14, "late_drain", "the last column's sums are marked valid one cycle late"},
    {15, "leaky_stall", "one operand skew register goes on during a stall"},
    {16, "unsigned_int8", "an int8 operand is not sign-extended in the PE"},
    {17, "adder_overwrites", "the PSUM adder stores a float sum instead of accumulating it"},
    {18, "adder_lost_carry", "the PSUM adder's integer add loses the carry out of bit 15"},
    {19, "bf16_subnormal", "subnormal bf16 operands are read as zero"},
    {20, "e4m3_infinity", "256 in E4M3FN is read as an infinity"},
    {21, "late_weight_column", "the last column's weights have one skew register too many"},
    {22, "deaf_to_swap", "PE (0, 2) does not see swaps after its first"},
}};

} // namespace retrace
