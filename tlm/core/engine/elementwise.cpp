#include "tlm/core/engine/elementwise.h"

#include <bit>
#include <cstring>

#include "hw/spec/counter_random.h"
#include "tlm/core/numeric/fma_row.h"
#include "tlm/core/numeric/formats_bulk.h"
#include "tlm/core/numeric/functions.h"
#include "tlm/core/seeded_fault.h"

namespace retrace {

using spec::broadcast;
using spec::engine_fault;
using spec::opcode;
using spec::vector_operation;

namespace {

number_format checked_format(std::uint8_t code) {
    if (code >= number_format_count)
        throw engine_error{engine_fault::bad_format, code};
    return static_cast<number_format>(code);
}

bool is_copy_of_int32(const spec::matrix_instruction& i) {
    // No arithmetic: what asks for some is no copy.
    return i.source_format == static_cast<unsigned>(number_format::int32) && i.result_format == i.source_format && i.flags == 0 &&
           i.function == static_cast<unsigned>(unary_function::identity) && i.scale == std::bit_cast<std::uint32_t>(1.0f);
}

std::uint32_t nan_or(float value) {
    return canonical_fp32(std::bit_cast<std::uint32_t>(value));
}

bool is_nan(std::uint32_t bits) { return (bits & 0x7fffffffu) > 0x7f800000u; }

/// The larger value; +0 is larger than -0; a NaN wins.
std::uint32_t larger(std::uint32_t x, std::uint32_t y) {
    if (is_nan(x) || is_nan(y))
        return canonical_nan_fp32;
    const float a = std::bit_cast<float>(x), b = std::bit_cast<float>(y);
    if (a == b)
        return RETRACE_FAULT(max_of_zeros) ? x | y : x & y; // differs only for zeros: +0 unless both are -0
    return a > b ? x : y;
}

std::uint32_t smaller(std::uint32_t x, std::uint32_t y) {
    if (is_nan(x) || is_nan(y))
        return canonical_nan_fp32;
    const float a = std::bit_cast<float>(x), b = std::bit_cast<float>(y);
    if (a == b)
        return x | y;
    return a < b ? x : y;
}

template <typename Operation>
void combine(std::span<std::uint32_t> a, const std::uint32_t* b, bool repeat_b, Operation operation) {
    for (std::size_t c = 0; c < a.size(); ++c)
        a[c] = operation(a[c], b[repeat_b ? 0 : c]);
}

void binary_row(vector_operation operation, std::span<std::uint32_t> a, const std::uint32_t* b, bool repeat_b) {
    const auto arithmetic = [&](auto f) {
        combine(a, b, repeat_b, [f](std::uint32_t x, std::uint32_t y) { return nan_or(f(std::bit_cast<float>(x), std::bit_cast<float>(y))); });
    };
    switch (operation) {
    case vector_operation::add: return arithmetic([](float x, float y) { return x + y; });
    case vector_operation::subtract: return arithmetic([](float x, float y) { return x - y; });
    case vector_operation::multiply: return arithmetic([](float x, float y) { return x * y; });
    case vector_operation::divide: return arithmetic([](float x, float y) { return x / y; });
    case vector_operation::max: return combine(a, b, repeat_b, larger);
    case vector_operation::min: return combine(a, b, repeat_b, smaller);
    case vector_operation::select_positive:
        return combine(a, b, repeat_b, [](std::uint32_t x, std::uint32_t y) {
            return (RETRACE_FAULT(select_nan) ? !(std::bit_cast<float>(y) <= 0.0f) : std::bit_cast<float>(y) > 0.0f) ? canonical_fp32(x) : 0u;
        });
    }
}

void store_row(number_format format, std::span<const std::uint32_t> row, std::byte* to) { narrow_row(format, row, to); }

void activate(const spec::matrix_instruction& i, const operand_bytes& a, const operand_bytes& b, const rounding_key& key,
              std::vector<std::byte>& d) {
    const auto from = checked_format(i.source_format), to = checked_format(i.result_format);
    const std::size_t row_bytes = std::size_t{i.columns} * bytes_of(to);
    if (is_copy_of_int32(i)) {
        for (unsigned r = 0; r < i.rows; ++r)
            std::memcpy(d.data() + r * row_bytes, a.data + r * a.pitch, row_bytes);
        return;
    }
    std::vector<std::uint32_t> row(i.columns), bias, random;
    if (i.flags & spec::activate_bias) {
        bias.resize(i.columns);
        widen_row(checked_format(i.second_format), b.data, bias);
    }
    const auto function = static_cast<unary_function>(i.function);
    const float scale = std::bit_cast<float>(i.scale);
    const bool stochastic = i.flags & spec::activate_stochastic;
    for (unsigned r = 0; r < i.rows; ++r) {
        widen_row(from, a.data + r * a.pitch, row);
        scale_bias_row(row, scale, bias);
        if (function != unary_function::identity)
            apply_function_row(function, row);
        if (!stochastic) {
            store_row(to, row, d.data() + r * row_bytes);
            continue;
        }
        random.resize(i.columns);
        for (unsigned c = 0; c < i.columns; ++c)
            random[c] = counter_random(key.seed, key.step, key.operator_id, i.element_base + std::uint64_t{r} * (RETRACE_FAULT(random_index) ? i.columns : i.b.pitch) + c);
        narrow_row_stochastic(to, row, random, d.data() + r * row_bytes);
    }
}

void binary(const spec::matrix_instruction& i, const operand_bytes& a, const operand_bytes& b, std::vector<std::byte>& d) {
    const auto from = checked_format(i.source_format), second = checked_format(i.second_format), to = checked_format(i.result_format);
    const std::size_t row_bytes = std::size_t{i.columns} * bytes_of(to);
    const auto repeat = static_cast<broadcast>(i.broadcast);
    std::vector<std::uint32_t> row(i.columns), other(repeat == broadcast::column ? 1 : i.columns);
    for (unsigned r = 0; r < i.rows; ++r) {
        widen_row(from, a.data + r * a.pitch, row);
        if (repeat != broadcast::row || r == 0)
            widen_row(second, b.data + r * b.pitch, other);
        binary_row(static_cast<vector_operation>(i.function), row, other.data(), repeat == broadcast::column);
        store_row(to, row, d.data() + r * row_bytes);
    }
}

void reduce_rows(const spec::matrix_instruction& i, const operand_bytes& a, std::vector<std::byte>& d) {
    const auto from = checked_format(i.source_format);
    const bool maximum = static_cast<vector_operation>(i.function) == vector_operation::max;
    std::vector<std::uint32_t> row(i.columns);
    for (unsigned r = 0; r < i.rows; ++r) {
        widen_row(from, a.data + r * a.pitch, row);
        std::uint32_t result = canonical_fp32(row[0]);
        for (unsigned c = 1; c < i.columns; ++c)
            result = maximum ? larger(result, row[c]) : nan_or(std::bit_cast<float>(result) + std::bit_cast<float>(row[c]));
        std::memcpy(d.data() + r * 4, &result, 4);
    }
}

void reduce_columns(const spec::matrix_instruction& i, const operand_bytes& a, const operand_bytes& previous, std::vector<std::byte>& d) {
    const auto from = checked_format(i.source_format);
    std::vector<std::uint32_t> sums(i.columns, 0), row(i.columns);
    if (i.flags & spec::reduce_columns_accumulate)
        widen_row(number_format::fp32, previous.data, sums);
    for (unsigned r = 0; r < i.rows; ++r) {
        widen_row(from, a.data + (RETRACE_FAULT(sum_from_below) ? i.rows - 1 - r : r) * a.pitch, row);
        binary_row(vector_operation::add, sums, row.data(), false);
    }
    std::memcpy(d.data(), sums.data(), sums.size() * 4);
}

} // namespace

elementwise_shape shape_of(const spec::matrix_instruction& i) {
    if (i.rows == 0 || i.columns == 0)
        throw engine_error{engine_fault::bad_shape, 0};
    const auto from = checked_format(i.source_format), to = checked_format(i.result_format), second = checked_format(i.second_format);
    const std::uint64_t a_bytes = std::uint64_t{i.columns} * bytes_of(from), d_bytes = std::uint64_t{i.columns} * bytes_of(to);
    const auto refuse = [](engine_fault fault, std::uint32_t detail) { throw engine_error{fault, detail}; };
    if (i.reserved != 0)
        refuse(engine_fault::reserved_bits, i.reserved);
    switch (static_cast<opcode>(i.opcode)) {
    case opcode::activate: {
        if (i.function >= unary_function_count)
            refuse(engine_fault::bad_shape, i.function);
        if (to == number_format::int32 && !is_copy_of_int32(i))
            refuse(engine_fault::bad_format, i.result_format);
        const bool stochastic = i.flags & spec::activate_stochastic, bias = i.flags & spec::activate_bias;
        if (stochastic && (to == number_format::fp32 || is_integer(to)))
            refuse(engine_fault::bad_format, i.result_format);
        return {i.rows, a_bytes, bias ? 1u : 0u, bias ? std::uint64_t{i.columns} * bytes_of(second) : 0, i.rows, d_bytes, false};
    }
    case opcode::binary: {
        if (i.function > static_cast<unsigned>(vector_operation::select_positive))
            refuse(engine_fault::bad_shape, i.function);
        if (i.broadcast >= spec::broadcast_count)
            refuse(engine_fault::bad_shape, i.broadcast);
        if (to == number_format::int32)
            refuse(engine_fault::bad_format, i.result_format);
        const auto repeat = static_cast<broadcast>(i.broadcast);
        return {i.rows, a_bytes, repeat == broadcast::row ? 1u : i.rows,
                (repeat == broadcast::column ? 1 : std::uint64_t{i.columns}) * bytes_of(second), i.rows, d_bytes, false};
    }
    case opcode::reduce_rows:
        if (i.function != static_cast<unsigned>(vector_operation::add) && i.function != static_cast<unsigned>(vector_operation::max))
            refuse(engine_fault::bad_shape, i.function);
        if (to != number_format::fp32)
            refuse(engine_fault::bad_format, i.result_format);
        return {i.rows, a_bytes, 0, 0, i.rows, 4, false};
    case opcode::reduce_columns:
        if (i.function != static_cast<unsigned>(vector_operation::add))
            refuse(engine_fault::bad_shape, i.function);
        if (to != number_format::fp32)
            refuse(engine_fault::bad_format, i.result_format);
        return {i.rows, a_bytes, 0, 0, 1, std::uint64_t{i.columns} * 4, (i.flags & spec::reduce_columns_accumulate) != 0};
    default: break;
    }
    throw engine_error{engine_fault::illegal_opcode, i.opcode};
}

void compute_elementwise(const spec::matrix_instruction& i, const operand_bytes& a, const operand_bytes& b, const operand_bytes& previous,
                         const rounding_key& key, std::vector<std::byte>& d) {
    const elementwise_shape shape = shape_of(i);
    d.resize(shape.d_rows * shape.d_row_bytes);
    switch (static_cast<opcode>(i.opcode)) {
    case opcode::activate: return activate(i, a, b, key, d);
    case opcode::binary: return binary(i, a, b, d);
    case opcode::reduce_rows: return reduce_rows(i, a, d);
    default: return reduce_columns(i, a, previous, d);
    }
}

} // namespace retrace
