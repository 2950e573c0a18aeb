#pragma once
// Counting in whole pieces, and bytes of elements.
#include <cstdint>

#include "hw/spec/spec.h"

namespace retrace {

constexpr std::uint64_t ceil_div(std::uint64_t a, std::uint64_t b) { return (a + b - 1) / b; }

/// The smallest multiple of `unit` that is not below `value`.
constexpr std::uint64_t round_up(std::uint64_t value, std::uint64_t unit) {
    return ceil_div(value, unit) * unit;
}

/// Bytes of an element.
constexpr unsigned bytes_of(spec::number_format format) {
    switch (format) {
    case spec::number_format::fp32:
    case spec::number_format::int32:
        return 4;
    case spec::number_format::bf16:
        return 2;
    default:
        return 1;
    }
}

} // namespace retrace
