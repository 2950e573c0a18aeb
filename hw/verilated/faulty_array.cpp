#include "hw/verilated/faulty_array.h"

#include <string>

#include "hw/verilated/rtl_model.h"

namespace retrace {

namespace rtl {
// Generated, as registered_arrays() and make_adder() are.
std::span<const array_registration> faulty_registered_arrays();
std::unique_ptr<adder_model> make_faulty_adder(unsigned fault);
} // namespace rtl

std::vector<rtl_size> faulty_rtl_sizes() {
    std::vector<rtl_size> sizes;
    for (const rtl::array_registration& r : rtl::faulty_registered_arrays()) {
        sizes.push_back(r.size);
    }
    return sizes;
}

std::unique_ptr<rtl_array> make_faulty_rtl_array(const array_config& config, unsigned fault) {
    check_array_config(config);
    if (fault > rtl_faults.size()) {
        throw std::out_of_range("RTL: there is no fault " + std::to_string(fault) + ", the last one is " +
                                std::to_string(rtl_faults.size()));
    }
    for (const rtl::array_registration& r : rtl::faulty_registered_arrays()) {
        if (r.size == rtl_size{config.rows, config.columns, config.fma_depth}) {
            return rtl::drive(config, r.make(fault), rtl::make_faulty_adder(fault));
        }
    }
    throw rtl_unavailable("RTL: arrays with seeded faults are 8 x 8, with fma_depth 1 or 3");
}

} // namespace retrace
