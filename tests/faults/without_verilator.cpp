#include "tests/faults/faulty_rtl.h"

namespace retrace {

bool has_faulty_rtl() { return false; }
void select_rtl_fault(unsigned) {}

} // namespace retrace
