#include "tlm/core/array/gemm_reference.h"

#include <cmath>
#include <cstring>
#include <limits>

namespace retrace {
namespace {

// Value of a small float from its fields; ldexp is exact here.
float decode(std::uint32_t code, int exponent_bits, int mantissa_bits, int bias, bool has_infinity) {
    const int field = static_cast<int>(code >> mantissa_bits) & ((1 << exponent_bits) - 1);
    const int fraction = static_cast<int>(code) & ((1 << mantissa_bits) - 1);
    const bool top = field == (1 << exponent_bits) - 1;
    float magnitude;
    if (top && has_infinity) {
        magnitude =
            fraction == 0 ? std::numeric_limits<float>::infinity() : std::numeric_limits<float>::quiet_NaN();
    } else if (top && fraction == (1 << mantissa_bits) - 1) {
        magnitude = std::numeric_limits<float>::quiet_NaN();
    } else if (field == 0) {
        magnitude = std::ldexp(static_cast<float>(fraction), 1 - bias - mantissa_bits);
    } else {
        magnitude =
            std::ldexp(static_cast<float>(fraction + (1 << mantissa_bits)), field - bias - mantissa_bits);
    }
    return (code >> (exponent_bits + mantissa_bits)) != 0 ? -magnitude : magnitude;
}

std::uint64_t raw(const matrix_view& m, unsigned row, unsigned column, unsigned bytes) {
    const std::byte* p = m.data + row * m.row_pitch_bytes + std::size_t{column} * bytes;
    std::uint64_t word = 0;
    for (unsigned i = 0; i < bytes; ++i) {
        word |= std::to_integer<std::uint64_t>(p[i]) << (8 * i);
    }
    return word;
}

float float_at(const matrix_view& m, unsigned row, unsigned column) {
    switch (m.format) {
    case number_format::fp32: {
        const auto bits = static_cast<std::uint32_t>(raw(m, row, column, 4));
        float value;
        std::memcpy(&value, &bits, sizeof(value));
        return value;
    }
    case number_format::bf16:
        return decode(static_cast<std::uint32_t>(raw(m, row, column, 2)), 8, 7, 127, true);
    case number_format::fp8_e4m3:
        return decode(static_cast<std::uint32_t>(raw(m, row, column, 1)), 4, 3, 7, false);
    case number_format::fp8_e5m2:
        return decode(static_cast<std::uint32_t>(raw(m, row, column, 1)), 5, 2, 15, true);
    default:
        throw array_protocol_error("gemm reference: not a float format");
    }
}

std::int64_t int_at(const matrix_view& m, unsigned row, unsigned column) {
    const auto byte = static_cast<std::int64_t>(raw(m, row, column, 1));
    return byte < 128 ? byte : byte - 256;
}

std::uint32_t result_bits(float value) {
    if (std::isnan(value)) {
        return 0x7fc00000u;
    }
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof(bits));
    return bits;
}

// Columns of b are read over and over: hold each once, decoded.
template <typename T>
std::vector<T> decode_column(const matrix_view& b, unsigned column,
                             T (*at)(const matrix_view&, unsigned, unsigned)) {
    std::vector<T> values(b.rows);
    for (unsigned k = 0; k < b.rows; ++k) {
        values[k] = at(b, k, column);
    }
    return values;
}

template <typename T>
std::vector<T> decode_row(const matrix_view& a, unsigned row,
                          T (*at)(const matrix_view&, unsigned, unsigned)) {
    std::vector<T> values(a.columns);
    for (unsigned k = 0; k < a.columns; ++k) {
        values[k] = at(a, row, k);
    }
    return values;
}

std::uint32_t element(const std::vector<float>& a, const std::vector<float>& b, unsigned array_rows) {
    float total = 0.0f;
    for (std::size_t tile = 0; tile < a.size(); tile += array_rows) {
        float sum = 0.0f;
        for (std::size_t k = tile; k < a.size() && k < tile + array_rows; ++k) {
            sum = std::fma(a[k], b[k], sum);
        }
        total = tile == 0 ? sum : total + sum;
    }
    return result_bits(total);
}

std::uint32_t element(const std::vector<std::int64_t>& a, const std::vector<std::int64_t>& b, unsigned) {
    // Wrapping at the end equals wrapping at every step: addition modulo 2^32 is associative.
    std::uint64_t total = 0;
    for (std::size_t k = 0; k < a.size(); ++k) {
        total += static_cast<std::uint64_t>(a[k] * b[k]);
    }
    return static_cast<std::uint32_t>(total);
}

void check(const matrix_view& a, const matrix_view& b, unsigned array_rows) {
    const bool a_integer = a.format == number_format::int8;
    const bool b_integer = b.format == number_format::int8;
    if (a.data == nullptr || b.data == nullptr || a.rows == 0 || b.columns == 0 || a.columns == 0 ||
        a.columns != b.rows || a_integer != b_integer || array_rows == 0) {
        throw array_protocol_error(
            "gemm reference: a is M x K, b is K x N, both of float formats or both int8");
    }
}

template <typename T>
void whole(const matrix_view& a, const matrix_view& b, unsigned array_rows, std::uint32_t* c,
           std::size_t c_pitch, T (*at)(const matrix_view&, unsigned, unsigned)) {
    std::vector<std::vector<T>> rows;
    for (unsigned i = 0; i < a.rows; ++i) {
        rows.push_back(decode_row(a, i, at));
    }
    for (unsigned j = 0; j < b.columns; ++j) {
        const std::vector<T> column = decode_column(b, j, at);
        for (unsigned i = 0; i < a.rows; ++i) {
            c[i * c_pitch + j] = element(rows[i], column, array_rows);
        }
    }
}

} // namespace

void gemm_reference(const matrix_view& a, const matrix_view& b, unsigned array_rows, std::uint32_t* c,
                    std::size_t c_pitch) {
    check(a, b, array_rows);
    if (a.format == number_format::int8) {
        whole<std::int64_t>(a, b, array_rows, c, c_pitch, int_at);
    } else {
        whole<float>(a, b, array_rows, c, c_pitch, float_at);
    }
}

std::vector<gemm_sample> gemm_reference_sample(const matrix_view& a, const matrix_view& b,
                                               unsigned array_rows, std::uint64_t seed, std::size_t count) {
    check(a, b, array_rows);
    const unsigned last_row = a.rows - 1, last_column = b.columns - 1;
    std::vector<gemm_sample> samples{
        {0, 0, 0}, {0, last_column, 0}, {last_row, 0, 0}, {last_row, last_column, 0}};
    samples.resize(count < samples.size() ? count : samples.size());
    std::uint64_t state = seed;
    const auto draw = [&state](unsigned limit) { // splitmix64 (Steele, Lea, Flood, OOPSLA 2014)
        std::uint64_t z = (state += 0x9e3779b97f4a7c15u);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return static_cast<unsigned>((z ^ (z >> 31)) % limit);
    };
    while (samples.size() < count) {
        const unsigned row = draw(a.rows);
        samples.push_back({row, draw(b.columns), 0});
    }
    for (gemm_sample& s : samples) {
        s.bits =
            a.format == number_format::int8
                ? element(decode_row(a, s.row, int_at), decode_column(b, s.column, int_at), array_rows)
                : element(decode_row(a, s.row, float_at), decode_column(b, s.column, float_at), array_rows);
    }
    return samples;
}

} // namespace retrace
