#include "tests/unit/array/array_test_data.h"

#include <cstring>

#include "tlm/core/array/gemm_reference.h"
#include "tlm/core/array/kernel_array.h"
#include "tlm/core/array/stepped_array.h"

namespace retrace::test {
namespace {

struct layout {
    unsigned exponent_bits, mantissa_bits;
    bool has_infinity;
};

layout layout_of(number_format format) {
    switch (format) {
    case number_format::fp32:
        return {8, 23, true};
    case number_format::bf16:
        return {8, 7, true};
    case number_format::fp8_e4m3:
        return {4, 3, false};
    default:
        return {5, 2, true};
    }
}

std::uint32_t draw(std::mt19937& engine, std::uint32_t limit) {
    return static_cast<std::uint32_t>(engine()) % limit;
}

std::uint32_t float_code(number_format format, flavour kind, std::mt19937& engine) {
    const layout f = layout_of(format);
    const std::uint32_t top = (1u << f.exponent_bits) - 1;
    const std::uint32_t bias = top / 2;
    const std::uint32_t mantissa_mask = (1u << f.mantissa_bits) - 1;
    const std::uint32_t sign = draw(engine, 2) << (f.exponent_bits + f.mantissa_bits);
    const std::uint32_t mantissa = static_cast<std::uint32_t>(engine()) & mantissa_mask;
    const auto code = [&](std::uint32_t exponent, std::uint32_t m) {
        return sign | (exponent << f.mantissa_bits) | m;
    };
    switch (kind) {
    case flavour::cancelling: {
        const std::uint32_t choices[] = {
            code(0, 0),    code(bias, 0), code(bias, 1),     code(bias, mantissa_mask),
            code(bias, 0), code(0, 1),    code(bias + 1, 0), code(bias - 3, 1)};
        return choices[draw(engine, 8)];
    }
    case flavour::moderate:
        return code(bias - 2 + draw(engine, 5), mantissa);
    case flavour::tiny:
        return code(draw(engine, 4) == 0 ? bias : draw(engine, 2), mantissa);
    case flavour::huge:
        return code(draw(engine, 3) == 0 ? bias : top - 1 - draw(engine, 2), mantissa);
    case flavour::special:
        if (draw(engine, 40) == 0) {
            const std::uint32_t specials[] = {code(top, 0), code(top, 1), code(top, mantissa_mask),
                                              code(top, mantissa), code(0, 0)};
            return specials[draw(engine, 5)];
        }
        return code(bias - 2 + draw(engine, 5), mantissa);
    default:
        return static_cast<std::uint32_t>(engine());
    }
}

std::uint32_t int_code(flavour kind, std::mt19937& engine) {
    constexpr std::uint32_t corners[] = {0x80, 0x7f, 0xff, 0x01, 0x00, 0x81};
    switch (kind) {
    case flavour::huge:
        return corners[draw(engine, 2)];
    case flavour::cancelling:
        return corners[draw(engine, 6)];
    default:
        return static_cast<std::uint32_t>(engine());
    }
}

} // namespace

test_matrix::test_matrix(unsigned rows, unsigned columns, number_format format, flavour kind,
                         std::mt19937& engine)
    : rows_(rows), columns_(columns), format_(format),
      pitch_(std::size_t{columns} * bytes_of(format) + draw(engine, 5)), memory_(1 + pitch_ * rows + 8) {
    for (unsigned row = 0; row < rows; ++row) {
        for (unsigned column = 0; column < columns; ++column) {
            const std::uint32_t code =
                is_integer(format) ? int_code(kind, engine) : float_code(format, kind, engine);
            std::memcpy(memory_.data() + 1 + row * pitch_ + std::size_t{column} * bytes_of(format), &code,
                        bytes_of(format));
        }
    }
}

std::vector<named_array> all_arrays(const array_config& config) {
    std::vector<named_array> arrays;
    arrays.push_back({"kernel", std::make_unique<kernel_array>(config)});
    arrays.push_back({"stepped", std::make_unique<stepped_array>(config)});
    arrays.push_back(
        {"stepped, scalar", std::make_unique<stepped_array>(config, stepped::instruction_set::scalar)});
    return arrays;
}

std::vector<std::uint32_t> reference_tile(const matrix_view& a, const matrix_view& w) {
    std::vector<std::uint32_t> bits(std::size_t{a.rows} * w.columns);
    gemm_reference(a, w, w.rows, bits.data(), w.columns);
    return bits;
}

} // namespace retrace::test
