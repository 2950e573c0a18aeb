// Stands in for the generated list of Verilated models (hw/verilated/rtl_models.cpp.in): the facade finds the faulty ones there.
#include "tests/faults/faulty_rtl.h"

#include <vector>

#include "hw/verilated/rtl_model.h"

namespace retrace {

namespace {

unsigned selected = 0;

} // namespace

namespace rtl {

std::span<const array_registration> faulty_registered_arrays();
std::unique_ptr<adder_model> make_faulty_adder(unsigned fault);

namespace {

template <std::size_t Index>
std::unique_ptr<array_model> make_selected(unsigned) {
    return faulty_registered_arrays()[Index].make(selected);
}

} // namespace

std::span<const array_registration> registered_arrays() {
    static const std::vector<array_registration> arrays{{faulty_registered_arrays()[0].size, make_selected<0>},
                                                        {faulty_registered_arrays()[1].size, make_selected<1>}};
    return arrays;
}

std::unique_ptr<adder_model> make_adder() { return make_faulty_adder(selected); }
std::unique_ptr<fma_model> make_fma() { return nullptr; } // the unit alone has no faults: `fma` is for the ordinary program

} // namespace rtl

bool has_faulty_rtl() { return true; }
void select_rtl_fault(unsigned number) { selected = number; }

} // namespace retrace
