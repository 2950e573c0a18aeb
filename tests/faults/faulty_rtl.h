#pragma once
// The Verilated arrays that the faulty program runs on: 8 x 8 only, with the selected fault.

namespace retrace {

bool has_faulty_rtl();
void select_rtl_fault(unsigned number); ///< 0: none

} // namespace retrace
