// The activation and vector engine's arithmetic against scalar code of its own: values by table search in
// binary64 instead of bit manipulation, one element at a time. Only the unary functions are taken from the
// library (tests/unit/numeric covers them).
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <optional>
#include <random>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "hw/spec/counter_random.h"
#include "tlm/core/engine/elementwise.h"
#include "tlm/core/numeric/formats.h"
#include "tlm/core/numeric/functions.h"

namespace retrace {
namespace {

using format = number_format;
using spec::engine_fault;
using spec::opcode;
using spec::vector_operation;

constexpr float nan_value = std::numeric_limits<float>::quiet_NaN();

// ---- scalar reference
// ---------------------------------------------------------------------------------------------

/// Value of a code by the definition of its format.
float value_of(format f, std::uint32_t code) {
    const auto small = [](std::uint32_t bits, unsigned exponent_bits, unsigned mantissa_bits, int bias,
                          bool infinity) -> float {
        const std::uint32_t mantissa = bits & ((1u << mantissa_bits) - 1),
                            exponent = bits >> mantissa_bits & ((1u << exponent_bits) - 1);
        const double sign = bits >> (exponent_bits + mantissa_bits) & 1 ? -1 : 1;
        const std::uint32_t top = (1u << exponent_bits) - 1;
        if (infinity && exponent == top)
            return mantissa ? nan_value : static_cast<float>(sign) * std::numeric_limits<float>::infinity();
        if (!infinity && exponent == top && mantissa == (1u << mantissa_bits) - 1)
            return nan_value;
        const double significand =
            mantissa + (exponent ? std::ldexp(1.0, static_cast<int>(mantissa_bits)) : 0.0);
        return static_cast<float>(sign * std::ldexp(significand, static_cast<int>(exponent ? exponent : 1) -
                                                                     bias - static_cast<int>(mantissa_bits)));
    };
    switch (f) {
    case format::fp32:
        return std::bit_cast<float>(code);
    case format::bf16:
        return small(code, 8, 7, 127, true);
    case format::fp8_e4m3:
        return small(code, 4, 3, 7, false);
    case format::fp8_e5m2:
        return small(code, 5, 2, 15, true);
    case format::int8:
        return static_cast<float>(static_cast<std::int8_t>(code));
    default:
        return static_cast<float>(static_cast<std::int32_t>(code));
    }
}

/// Magnitudes of a format in ascending order (the index is the code); the last is what would follow the
/// largest finite one.
const std::vector<double>& magnitudes(format f) {
    static std::map<format, std::vector<double>> tables;
    std::vector<double>& t = tables[f];
    if (t.empty()) {
        for (std::uint32_t code = 0;; ++code) {
            const float v = value_of(f, code);
            if (!std::isfinite(v))
                break;
            t.push_back(v);
        }
        t.push_back(t.back() + (t.back() - t[t.size() - 2]));
    }
    return t;
}

std::uint32_t code_of(format f, float x, std::optional<std::uint32_t> random = {}) {
    if (f == format::fp32)
        return std::isnan(x) ? 0x7fc00000u : std::bit_cast<std::uint32_t>(x);
    if (f == format::int8) {
        if (std::isnan(x))
            return 0;
        return static_cast<std::uint8_t>(
            static_cast<int>(std::nearbyint(std::clamp(static_cast<double>(x), -128.0, 127.0))));
    }
    const bool has_infinity = f != format::fp8_e4m3;
    const std::uint32_t sign_bit = f == format::bf16 ? 0x8000u : 0x80u;
    const std::uint32_t not_a_number = f == format::bf16 ? 0x7fc0u : f == format::fp8_e4m3 ? 0x7fu : 0x7eu;
    if (std::isnan(x))
        return not_a_number;
    const std::vector<double>& t = magnitudes(f);
    const double magnitude = std::fabs(static_cast<double>(x));
    std::size_t code =
        static_cast<std::size_t>(std::upper_bound(t.begin(), t.end(), magnitude) - t.begin()) - 1;
    if (code + 1 < t.size()) {
        const double fraction = (magnitude - t[code]) / (t[code + 1] - t[code]);
        if (random)
            code += std::floor(fraction * 0x1p32) + *random >= 0x1p32;
        else
            code += fraction > 0.5 || (fraction == 0.5 && code % 2 == 1);
    }
    if (code + 1 >= t.size()) // out of range; an infinity's code follows the largest finite one
        return has_infinity ? (static_cast<std::uint32_t>(t.size() - 1) | (std::signbit(x) ? sign_bit : 0))
                            : not_a_number;
    return static_cast<std::uint32_t>(code) | (std::signbit(x) ? sign_bit : 0);
}

float operate(vector_operation o, float x, float y) {
    const bool zeros = x == 0 && y == 0;
    switch (o) {
    case vector_operation::add:
        return x + y;
    case vector_operation::subtract:
        return x - y;
    case vector_operation::multiply:
        return x * y;
    case vector_operation::divide:
        return x / y;
    case vector_operation::max:
        return std::isnan(x) || std::isnan(y) ? nan_value
               : zeros                        ? (std::signbit(x) && std::signbit(y) ? -0.0f : 0.0f)
               : x > y                        ? x
                                              : y;
    case vector_operation::min:
        return std::isnan(x) || std::isnan(y) ? nan_value
               : zeros                        ? (std::signbit(x) || std::signbit(y) ? -0.0f : 0.0f)
               : x < y                        ? x
                                              : y;
    default:
        return y > 0 ? x : 0.0f;
    }
}

// ---- test data
// ----------------------------------------------------------------------------------------------------

constexpr std::uint32_t corners[] = {0x00000000, 0x80000000, 0x00000001, 0x80000001, 0x007fffff, 0x00800000,
                                     0x3f800000, 0xbf800000, 0x7f7fffff, 0xff7fffff, 0x7f800000, 0xff800000,
                                     0x7fc00000, 0xffc00001, 0x7f800001, 0x3f808000, 0x3f818000, 0x33000000,
                                     0x43fa0000, 0x43e80000, 0x47700000, 0x4b000001, 0x42fe8000, 0xc3000000};

/// A matrix with padded rows that starts unaligned.
struct matrix {
    format f;
    unsigned rows, columns;
    std::size_t pitch;
    std::vector<std::byte> memory;

    matrix(format number, unsigned r, unsigned c, std::mt19937& engine)
        : f(number), rows(r), columns(c), pitch(c * bytes_of(f) + engine() % 5), memory(1 + r * pitch + 4) {
        for (std::byte& b : memory)
            b = static_cast<std::byte>(engine());
        const unsigned flavour = engine() % 3;
        for (unsigned i = 0; i < r; ++i)
            for (unsigned j = 0; j < c; ++j) {
                std::uint32_t code = engine();
                if (f == format::fp32)
                    code = flavour == 0 || engine() % 4 == 0 ? corners[engine() % std::size(corners)]
                           : flavour == 1
                               ? std::bit_cast<std::uint32_t>(
                                     static_cast<float>(static_cast<int>(engine() % 2001) - 1000) / 64)
                               : code;
                if (f == format::int32 && flavour == 1)
                    code = engine() % 401 - 200;
                std::memcpy(at(i, j), &code, bytes_of(f));
            }
    }
    std::byte* at(unsigned i, unsigned j) { return memory.data() + 1 + i * pitch + j * bytes_of(f); }
    float value(unsigned i, unsigned j) {
        std::uint32_t code = 0;
        std::memcpy(&code, at(i, j), bytes_of(f));
        return value_of(f, code);
    }
    operand_bytes view() const { return {memory.data() + 1, pitch}; }
};

spec::matrix_instruction instruction(opcode o, format a, format d, unsigned rows, unsigned columns) {
    spec::matrix_instruction i;
    i.opcode = static_cast<std::uint8_t>(o);
    i.source_format = static_cast<std::uint8_t>(a);
    i.result_format = static_cast<std::uint8_t>(d);
    i.rows = static_cast<std::uint16_t>(rows);
    i.columns = static_cast<std::uint16_t>(columns);
    i.scale = std::bit_cast<std::uint32_t>(1.0f);
    return i;
}

std::uint32_t result_code(const std::vector<std::byte>& d, format f, std::size_t index) {
    std::uint32_t code = 0;
    std::memcpy(&code, d.data() + index * bytes_of(f), bytes_of(f));
    return code;
}

constexpr format targets[] = {format::fp32, format::bf16, format::fp8_e4m3, format::fp8_e5m2, format::int8};

// ---- the tests
// ----------------------------------------------------------------------------------------------------

class every_format : public testing::TestWithParam<unsigned> {
protected:
    format from() const { return static_cast<format>(GetParam()); }
    std::mt19937 engine{GetParam() + 1};
};

TEST_P(every_format, binary_operations_with_every_broadcast_and_result) {
    for (unsigned second = 0; second < number_format_count; ++second)
        for (const format to : targets)
            for (unsigned operation = 0; operation < spec::vector_operation_count; ++operation)
                for (unsigned repeat = 0; repeat < spec::broadcast_count; ++repeat) {
                    const unsigned rows = 1 + engine() % 4, columns = 1 + engine() % 37;
                    auto i = instruction(opcode::binary, from(), to, rows, columns);
                    i.second_format = static_cast<std::uint8_t>(second);
                    i.function = static_cast<std::uint8_t>(operation);
                    i.broadcast = static_cast<std::uint8_t>(repeat);
                    matrix a(from(), rows, columns, engine);
                    matrix b(static_cast<format>(second), repeat == 1 ? 1 : rows, repeat == 2 ? 1 : columns,
                             engine);
                    const elementwise_shape shape = shape_of(i);
                    EXPECT_EQ(shape.b_rows, b.rows);
                    EXPECT_EQ(shape.b_row_bytes, b.columns * bytes_of(b.f));
                    EXPECT_EQ(shape.d_row_bytes, columns * bytes_of(to));
                    std::vector<std::byte> d;
                    compute_elementwise(i, a.view(), b.view(), {}, {}, d);
                    ASSERT_EQ(d.size(), rows * columns * bytes_of(to));
                    for (unsigned r = 0; r < rows; ++r)
                        for (unsigned c = 0; c < columns; ++c) {
                            const float x = a.value(r, c),
                                        y = b.value(repeat == 1 ? 0 : r, repeat == 2 ? 0 : c);
                            ASSERT_EQ(result_code(d, to, r * columns + c),
                                      code_of(to, operate(static_cast<vector_operation>(operation), x, y)))
                                << fmt::format("{} {} {} {} -> {}", operation, x, y, name_of(from()),
                                               name_of(to));
                        }
                }
}

TEST_P(every_format, activation_scales_adds_bias_applies_and_narrows) {
    for (const format to : targets)
        for (unsigned function = 0; function < unary_function_count; ++function)
            for (const bool with_bias : {false, true})
                for (unsigned second = 0; second < number_format_count;
                     second += with_bias ? 1 : number_format_count) {
                    const unsigned rows = 1 + engine() % 3, columns = 1 + engine() % 37;
                    auto i = instruction(opcode::activate, from(), to, rows, columns);
                    const float scale = std::array{1.0f, -0.5f, 0.0f, 3.1415927f}[engine() % 4];
                    i.scale = std::bit_cast<std::uint32_t>(scale);
                    i.function = static_cast<std::uint8_t>(function);
                    i.flags = with_bias ? spec::activate_bias : 0;
                    i.second_format = static_cast<std::uint8_t>(second);
                    matrix a(from(), rows, columns, engine),
                        bias(static_cast<format>(second), 1, columns, engine);
                    EXPECT_EQ(shape_of(i).b_rows, with_bias ? 1u : 0u);
                    std::vector<std::byte> d;
                    compute_elementwise(i, a.view(), bias.view(), {}, {}, d);
                    for (unsigned r = 0; r < rows; ++r)
                        for (unsigned c = 0; c < columns; ++c) {
                            const float y =
                                std::fma(a.value(r, c), scale, with_bias ? bias.value(0, c) : 0.0f);
                            const std::uint32_t canonical =
                                std::isnan(y) ? 0x7fc00000u : std::bit_cast<std::uint32_t>(y);
                            const float z = std::bit_cast<float>(
                                apply_function(static_cast<unary_function>(function), canonical));
                            ASSERT_EQ(result_code(d, to, r * columns + c), code_of(to, z))
                                << fmt::format("function {} of {} * {}", function, a.value(r, c), scale);
                        }
                }
}

TEST_P(every_format, reductions_run_in_ascending_order) {
    for (unsigned trial = 0; trial < 60; ++trial) {
        const unsigned rows = 1 + engine() % 9, columns = 1 + engine() % 40;
        matrix a(from(), rows, columns, engine), previous(format::fp32, 1, columns, engine);
        for (const vector_operation o : {vector_operation::add, vector_operation::max}) {
            auto i = instruction(opcode::reduce_rows, from(), format::fp32, rows, columns);
            i.function = static_cast<std::uint8_t>(o);
            std::vector<std::byte> d;
            compute_elementwise(i, a.view(), {}, {}, {}, d);
            ASSERT_EQ(d.size(), rows * 4);
            for (unsigned r = 0; r < rows; ++r) {
                float s = a.value(r, 0);
                for (unsigned c = 1; c < columns; ++c)
                    s = operate(o, s, a.value(r, c));
                ASSERT_EQ(result_code(d, format::fp32, r), code_of(format::fp32, s));
            }
        }
        for (const bool accumulate : {false, true}) {
            auto i = instruction(opcode::reduce_columns, from(), format::fp32, rows, columns);
            i.flags = accumulate ? spec::reduce_columns_accumulate : 0;
            EXPECT_EQ(shape_of(i).reads_destination, accumulate);
            EXPECT_EQ(shape_of(i).d_rows, 1u);
            std::vector<std::byte> d;
            compute_elementwise(i, a.view(), {}, previous.view(), {}, d);
            ASSERT_EQ(d.size(), columns * 4);
            for (unsigned c = 0; c < columns; ++c) {
                float s = accumulate ? previous.value(0, c) : 0.0f;
                for (unsigned r = 0; r < rows; ++r)
                    s += a.value(r, c);
                ASSERT_EQ(result_code(d, format::fp32, c), code_of(format::fp32, s));
            }
        }
    }
}

INSTANTIATE_TEST_SUITE_P(formats, every_format, testing::Range(0u, number_format_count),
                         [](const auto& i) { return name_of(static_cast<format>(i.param)); });

TEST(elementwise, every_pair_of_corner_values_under_every_operation) {
    constexpr auto n = static_cast<unsigned>(std::size(corners));
    auto i = instruction(opcode::binary, format::fp32, format::fp32, n, n);
    i.broadcast = static_cast<std::uint8_t>(spec::broadcast::column);
    std::vector<std::uint32_t> x;
    for (unsigned r = 0; r < n; ++r)
        x.insert(x.end(), std::begin(corners), std::end(corners));
    for (unsigned operation = 0; operation < spec::vector_operation_count; ++operation) {
        i.function = static_cast<std::uint8_t>(operation);
        std::vector<std::byte> d;
        compute_elementwise(i, {reinterpret_cast<const std::byte*>(x.data()), n * 4},
                            {reinterpret_cast<const std::byte*>(corners), 4}, {}, {}, d);
        for (unsigned r = 0; r < n; ++r)
            for (unsigned c = 0; c < n; ++c)
                ASSERT_EQ(result_code(d, format::fp32, r * n + c),
                          code_of(format::fp32, operate(static_cast<vector_operation>(operation),
                                                        std::bit_cast<float>(corners[c]),
                                                        std::bit_cast<float>(corners[r]))))
                    << fmt::format("{} {:08x} {:08x}", operation, corners[c], corners[r]);
    }
}

TEST(elementwise, stochastic_rounding_is_keyed_by_the_logical_element) {
    std::mt19937 engine(5);
    const rounding_key key{77, 3, 12};
    for (const format to : {format::bf16, format::fp8_e4m3, format::fp8_e5m2})
        for (unsigned trial = 0; trial < 50; ++trial) {
            const unsigned rows = 1 + engine() % 4, columns = 1 + engine() % 20,
                           logical = columns + engine() % 10, base = engine() % 1000;
            matrix a(format::fp32, rows, columns, engine);
            auto i = instruction(opcode::activate, format::fp32, to, rows, columns);
            i.flags = spec::activate_stochastic;
            i.element_base = base;
            i.b.pitch = logical;
            std::vector<std::byte> d;
            compute_elementwise(i, a.view(), {}, {}, key, d);
            for (unsigned r = 0; r < rows; ++r)
                for (unsigned c = 0; c < columns; ++c)
                    ASSERT_EQ(result_code(d, to, r * columns + c),
                              code_of(to, a.value(r, c) + 0.0f,
                                      counter_random(77, 3, 12, base + std::uint64_t{r} * logical + c)))
                        << name_of(to) << " " << a.value(r, c);
            // The same matrix as two tiles of columns gives the same bits.
            if (columns < 2)
                continue;
            const unsigned left = 1 + engine() % (columns - 1);
            auto tile = i;
            tile.columns = static_cast<std::uint16_t>(columns - left);
            tile.element_base = base + left;
            std::vector<std::byte> part;
            compute_elementwise(tile, {a.at(0, left), a.pitch}, {}, {}, key, part);
            for (unsigned r = 0; r < rows; ++r)
                for (unsigned c = left; c < columns; ++c)
                    ASSERT_EQ(result_code(part, to, r * (columns - left) + c - left),
                              result_code(d, to, r * columns + c));
        }
}

TEST(elementwise, int32_is_copied_bit_by_bit) {
    std::mt19937 engine(6);
    matrix a(format::int32, 3, 17, engine);
    std::vector<std::byte> d;
    compute_elementwise(instruction(opcode::activate, format::int32, format::int32, 3, 17), a.view(), {}, {},
                        {}, d);
    for (unsigned r = 0; r < 3; ++r)
        EXPECT_EQ(std::memcmp(d.data() + r * 68, a.at(r, 0), 68), 0);
}

TEST(elementwise, what_the_engines_do_not_have_is_refused) {
    const auto fault = [](const spec::matrix_instruction& i) {
        try {
            shape_of(i);
        } catch (const engine_error& e) {
            return e.fault;
        }
        return engine_fault::none;
    };
    const auto good = instruction(opcode::binary, format::bf16, format::fp32, 2, 3);
    EXPECT_EQ(fault(good), engine_fault::none);
    const auto with = [](spec::matrix_instruction i, auto change) {
        change(i);
        return i;
    };
    EXPECT_EQ(fault(with(good, [](auto& i) { i.rows = 0; })), engine_fault::bad_shape);
    EXPECT_EQ(fault(with(good, [](auto& i) { i.columns = 0; })), engine_fault::bad_shape);
    EXPECT_EQ(fault(with(good, [](auto& i) { i.source_format = 6; })), engine_fault::bad_format);
    EXPECT_EQ(fault(with(good, [](auto& i) { i.second_format = 255; })), engine_fault::bad_format);
    EXPECT_EQ(fault(with(good, [](auto& i) { i.result_format = 6; })), engine_fault::bad_format);
    EXPECT_EQ(fault(with(good, [](auto& i) { i.result_format = 5; })), engine_fault::bad_format);
    EXPECT_EQ(fault(with(good, [](auto& i) { i.function = 7; })), engine_fault::bad_shape);
    try {
        shape_of(with(good, [](auto& i) { i.broadcast = 9; }));
        ADD_FAILURE() << "taken";
    } catch (const engine_error& e) {
        EXPECT_EQ(e.fault, engine_fault::bad_shape);
        EXPECT_EQ(e.detail, 9u);
    }
    EXPECT_EQ(fault(with(good, [](auto& i) { i.reserved = 1; })), engine_fault::reserved_bits);
    EXPECT_EQ(fault(with(good, [](auto& i) { i.opcode = 0x11; })), engine_fault::illegal_opcode);
    const auto rows = instruction(opcode::reduce_rows, format::bf16, format::fp32, 2, 3);
    EXPECT_EQ(fault(with(rows, [](auto& i) { i.function = 1; })), engine_fault::bad_shape);
    EXPECT_EQ(fault(with(rows, [](auto& i) { i.result_format = 1; })), engine_fault::bad_format);
    const auto columns = instruction(opcode::reduce_columns, format::bf16, format::fp32, 2, 3);
    EXPECT_EQ(fault(with(columns, [](auto& i) { i.result_format = 1; })), engine_fault::bad_format);
    EXPECT_EQ(fault(with(columns, [](auto& i) { i.function = 4; })), engine_fault::bad_shape); // only sums
    const auto act = instruction(opcode::activate, format::fp32, format::bf16, 2, 3);
    EXPECT_EQ(fault(with(act, [](auto& i) { i.function = 10; })), engine_fault::bad_shape);
    EXPECT_EQ(fault(with(act, [](auto& i) { i.result_format = 5; })), engine_fault::bad_format);
    EXPECT_EQ(fault(with(act, [](auto& i) { i.flags = 2, i.result_format = 0; })), engine_fault::bad_format);
    EXPECT_EQ(fault(with(act, [](auto& i) { i.flags = 2, i.result_format = 4; })), engine_fault::bad_format);
    const auto copy = instruction(opcode::activate, format::int32, format::int32, 2, 3);
    EXPECT_EQ(fault(copy), engine_fault::none);
    // An int32 copy has no arithmetic: nothing that asks for some may be dropped silently.
    EXPECT_EQ(fault(with(copy, [](auto& i) { i.flags = 1; })), engine_fault::bad_format);
    EXPECT_EQ(fault(with(copy, [](auto& i) { i.flags = 2; })), engine_fault::bad_format);
    EXPECT_EQ(fault(with(copy, [](auto& i) { i.function = 1; })), engine_fault::bad_format);
    EXPECT_EQ(fault(with(copy, [](auto& i) { i.scale = 0x40000000; })), engine_fault::bad_format);
}

} // namespace
} // namespace retrace
