#include "host/training/host_numeric.h"

#include <stdexcept>
#include <string>

namespace retrace::host_numeric {

namespace {

void check_lengths(std::size_t from, std::size_t to) {
    if (from != to)
        throw std::invalid_argument("conversion of " + std::to_string(from) + " elements into room for " +
                                    std::to_string(to));
}

} // namespace

// Both loops are free of branches, so that the compiler turns them into vector code.
void narrow(std::span<const float> from, std::span<std::uint16_t> to) {
    check_lengths(from.size(), to.size());
    for (std::size_t i = 0; i < from.size(); ++i)
        to[i] = bf16_from_fp32(from[i]);
}

void widen(std::span<const std::uint16_t> from, std::span<float> to) {
    check_lengths(from.size(), to.size());
    for (std::size_t i = 0; i < from.size(); ++i)
        to[i] = fp32_from_bf16(from[i]);
}

} // namespace retrace::host_numeric
