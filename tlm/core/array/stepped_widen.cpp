#include "tlm/core/array/stepped_widen.h"

#include <array>
#include <cstring>

namespace retrace::stepped {
namespace {

// Binary32 bits of an 8-bit float: the fields move to their places, a subnormal is shifted until its leading
// one becomes the implicit one.
std::uint32_t expand(std::uint32_t code, int mantissa_bits, int bias, bool has_infinity) {
    const std::uint32_t sign = (code >> 7) << 31;
    const std::uint32_t magnitude = code & 0x7fu;
    const std::uint32_t first_special = has_infinity ? 0x7fu >> mantissa_bits << mantissa_bits : 0x7fu;
    if (magnitude >= first_special) {
        const bool infinite = has_infinity && magnitude == first_special;
        return infinite ? sign | 0x7f800000u : 0x7fc00000u;
    }
    int exponent = static_cast<int>(magnitude >> mantissa_bits) - bias;
    std::uint32_t mantissa = magnitude & ((1u << mantissa_bits) - 1u);
    if (magnitude == 0) {
        return sign;
    }
    if (exponent == -bias) {
        exponent += 1;
        while ((mantissa >> mantissa_bits) == 0) {
            mantissa <<= 1;
            exponent -= 1;
        }
        mantissa &= (1u << mantissa_bits) - 1u;
    }
    return sign | (static_cast<std::uint32_t>(exponent + 127) << 23) | (mantissa << (23 - mantissa_bits));
}

using byte_table = std::array<std::uint32_t, 256>;

byte_table make_table(number_format format) {
    byte_table table{};
    for (std::uint32_t code = 0; code < 256; ++code) {
        table[code] = format == number_format::fp8_e4m3   ? expand(code, 3, 7, false)
                      : format == number_format::fp8_e5m2 ? expand(code, 2, 15, true)
                                                          : (code ^ 0x80u) - 0x80u; // int8: sign extension
    }
    return table;
}

const byte_table& table_of(number_format format) {
    static const byte_table e4m3 = make_table(number_format::fp8_e4m3);
    static const byte_table e5m2 = make_table(number_format::fp8_e5m2);
    static const byte_table int8 = make_table(number_format::int8);
    return format == number_format::fp8_e4m3 ? e4m3 : format == number_format::fp8_e5m2 ? e5m2 : int8;
}

} // namespace

std::vector<std::uint32_t> widen_matrix(const matrix_view& view) {
    std::vector<std::uint32_t> words;
    words.reserve(std::size_t{view.rows} * view.columns);
    for (unsigned row = 0; row < view.rows; ++row) {
        const std::byte* from = view.data + row * view.row_pitch_bytes;
        for (unsigned column = 0; column < view.columns; ++column) {
            if (view.format == number_format::fp32) {
                std::uint32_t word;
                std::memcpy(&word, from + std::size_t{column} * 4, 4);
                words.push_back(word);
            } else if (view.format == number_format::bf16) {
                std::uint16_t half;
                std::memcpy(&half, from + std::size_t{column} * 2, 2);
                words.push_back(static_cast<std::uint32_t>(half) << 16);
            } else {
                words.push_back(table_of(view.format)[std::to_integer<unsigned>(from[column])]);
            }
        }
    }
    return words;
}

} // namespace retrace::stepped
