#include "hw/verilated/verilated_array.h"

#include <string>
#include <utility>

#include "hw/verilated/rtl_model.h"

namespace retrace {
namespace {

std::string name_of(const rtl_size& s) {
    return std::to_string(s.rows) + "x" + std::to_string(s.columns) + "x" + std::to_string(s.fma_depth);
}

constexpr const char* without_verilator =
    "RTL: this build was made without Verilator; install it (Debian: apt-get install verilator) and build again";

// The command that adds a size to those there are.
std::string build_command(const rtl_size& missing) {
    std::string sizes;
    for (const rtl_size& s : rtl_sizes()) {
        sizes += name_of(s) + ";";
    }
    return "cmake --preset default -DRETRACE_RTL_ARRAYS='" + sizes + name_of(missing) +
           "' && cmake --build --preset default";
}

} // namespace

std::vector<rtl_size> rtl_sizes() {
    std::vector<rtl_size> sizes;
    for (const rtl::array_registration& r : rtl::registered_arrays()) {
        sizes.push_back(r.size);
    }
    return sizes;
}

std::unique_ptr<rtl_array> make_rtl_array(const array_config& config) {
    check_array_config(config);
    const rtl_size wanted{config.rows, config.columns, config.fma_depth};
    std::string available;
    for (const rtl::array_registration& r : rtl::registered_arrays()) {
        if (r.size == wanted) {
            return rtl::drive(config, r.make(0), rtl::make_adder());
        }
        available += (available.empty() ? "" : ", ") + name_of(r.size);
    }
    if (available.empty()) {
        throw rtl_unavailable(without_verilator);
    }
    throw rtl_unavailable("RTL: there is no array of " + name_of(wanted) +
                          " (rows x columns x fma_depth) in this build, only " + available +
                          "; this builds it: " + build_command(wanted));
}

struct rtl_fma::model {
    std::unique_ptr<rtl::fma_model> rtl;
};

rtl_fma::rtl_fma() : model_(std::make_unique<model>(model{rtl::make_fma()})) {
    if (model_->rtl == nullptr) {
        throw rtl_unavailable(without_verilator);
    }
}

rtl_fma::~rtl_fma() = default;
rtl_fma::rtl_fma(rtl_fma&&) noexcept = default;
rtl_fma& rtl_fma::operator=(rtl_fma&&) noexcept = default;

std::uint32_t rtl_fma::operator()(std::uint32_t a, std::uint32_t b, std::uint32_t c) {
    return model_->rtl->fma(a, b, c);
}

void rtl_fma::operator()(std::span<const triple> operands, std::span<std::uint32_t> results) {
    if (operands.size() != results.size()) {
        throw rtl_error("RTL: " + std::to_string(operands.size()) + " multiply-adds have " +
                        std::to_string(results.size()) + " places for their results");
    }
    for (std::size_t i = 0; i < operands.size(); ++i) {
        results[i] = model_->rtl->fma(operands[i].a, operands[i].b, operands[i].c);
    }
}

} // namespace retrace
