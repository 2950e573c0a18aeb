#pragma once
// Which classes of operands and results an interpreter has met, for coverage.
#include <array>
#include <cstdint>

namespace retrace::cosim {

enum class number_class : std::uint8_t { positive_zero, negative_zero, subnormal, normal, infinity, nan };
inline constexpr unsigned number_class_count = 6;

constexpr const char* name_of(number_class c) {
    constexpr const char* names[number_class_count] = {"positive_zero", "negative_zero", "subnormal",
                                                       "normal",        "infinity",      "nan"};
    return names[static_cast<unsigned>(c)];
}

constexpr number_class class_of(std::uint32_t bits) {
    const std::uint32_t magnitude = bits & 0x7fffffffu;
    if (magnitude == 0)
        return bits ? number_class::negative_zero : number_class::positive_zero;
    if (magnitude < 0x00800000u)
        return number_class::subnormal;
    if (magnitude < 0x7f800000u)
        return number_class::normal;
    return magnitude == 0x7f800000u ? number_class::infinity : number_class::nan;
}

struct value_census {
    using counts = std::array<std::uint64_t, number_class_count>;
    counts array_operands{}, array_weights{}, array_sums{}, accumulated{}, elementwise_operands{}, elementwise_results{};
    std::uint64_t cancelled = 0;  ///< a product and a sum, neither zero, make zero
    std::uint64_t overflowed = 0; ///< finite operands make an infinity
    std::uint64_t invalid = 0;    ///< operands without a NaN make one
    std::uint64_t wrapped = 0;    ///< an int32 sum passed the end of the range

    static void add(counts& to, std::uint32_t bits) { ++to[static_cast<unsigned>(class_of(bits))]; }
};

} // namespace retrace::cosim
