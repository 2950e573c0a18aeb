#include "sim/cosim/reference_numbers.h"

#include <bit>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>

#include <fmt/format.h>

namespace retrace::cosim {

using spec::activation_function;
using spec::number_format;
using spec::vector_operation;

namespace {

float value(std::uint32_t bits) { return std::bit_cast<float>(bits); }
std::uint32_t bits_of(float v) { return canonical(std::bit_cast<std::uint32_t>(v)); }

/// A float format that is narrower than binary32: sign, exponent, `mantissa` bits.
struct small_float {
    int mantissa, bias, width;
    bool infinity; ///< E4M3FN has none: only the largest code of a sign is special, a NaN
    std::uint32_t largest, nan;
    int smallest_exponent() const { return 1 - bias; }
};

small_float layout_of(number_format format) {
    switch (format) {
    case number_format::bf16:
        return {7, 127, 16, true, 0x7f7f, 0x7fc0};
    case number_format::fp8_e4m3:
        return {3, 7, 8, false, 0x7e, 0x7f};
    case number_format::fp8_e5m2:
        return {2, 15, 8, true, 0x7b, 0x7e};
    default:
        throw std::logic_error("no narrow float format: " + std::string(spec::name_of(format)));
    }
}

/// Magnitude of a finite code.
double magnitude(const small_float& f, std::uint32_t code) {
    const std::uint32_t exponent = code >> f.mantissa, fraction = code & ((1u << f.mantissa) - 1);
    const double significand = fraction + (exponent ? double(1u << f.mantissa) : 0.0);
    return std::ldexp(significand, static_cast<int>(exponent ? exponent : 1) - f.bias - f.mantissa);
}

/// `up(whole, rest)` says whether the truncated magnitude is incremented.
template <typename Rule>
std::uint32_t narrow_float(const small_float& f, std::uint32_t bits, Rule&& up) {
    if (is_nan(bits))
        return f.nan;
    const std::uint32_t sign = bits >> 31 << (f.width - 1);
    const std::uint32_t out_of_range = f.infinity ? sign | (f.largest + 1) : f.nan;
    const double x = std::fabs(static_cast<double>(value(bits)));
    if (std::isinf(x))
        return out_of_range;
    if (x == 0.0)
        return sign;
    int exponent = std::ilogb(x);
    if (exponent < f.smallest_exponent())
        exponent = f.smallest_exponent();
    // Units in the last place of the target at this magnitude; 24 significant bits, so every step is exact.
    const double units = std::ldexp(x, f.mantissa - exponent), whole = std::floor(units);
    const double rounded = std::ldexp(whole + (up(whole, units - whole) ? 1.0 : 0.0), exponent - f.mantissa);
    if (rounded > magnitude(f, f.largest))
        return out_of_range;
    if (rounded == 0.0)
        return sign;
    int e = std::ilogb(rounded);
    if (e < f.smallest_exponent()) // subnormal: the code is the number of units
        return sign | static_cast<std::uint32_t>(std::ldexp(rounded, f.mantissa - f.smallest_exponent()));
    const auto significand = static_cast<std::uint32_t>(std::ldexp(rounded, f.mantissa - e));
    return sign | static_cast<std::uint32_t>(e + f.bias) << f.mantissa | (significand - (1u << f.mantissa));
}

/// E(t) of the table of functions: the exponential in binary64.
double exponential(double t) {
    constexpr double limit = 0x1.5a92d6d005c94p+9;
    t = t < -limit ? -limit : t > limit ? limit : t;
    const double s = t * 0x1.71547652b82fep+0 + 0x1.8p52;
    const double n = s - 0x1.8p52;
    const double r = (t - n * 0x1.62e42feep-1) - n * 0x1.a39ef35793c76p-33;
    double p = 0x1.ae64567f544e4p-26;
    for (const double c :
         {0x1.27e4fb7789f5cp-22, 0x1.71de3a556c734p-19, 0x1.a01a01a01a01ap-16, 0x1.a01a01a01a01ap-13, 0x1.6c16c16c16c17p-10,
          0x1.1111111111111p-7, 0x1.5555555555555p-5, 0x1.5555555555555p-3, 0x1p-1, 0x1p+0, 0x1p+0})
        p = p * r + c;
    return std::ldexp(p, static_cast<int>(n));
}

double logarithm(double x) {
    constexpr std::uint64_t root_half = 0x3fe6a09e667f3bcd, fraction = (std::uint64_t{1} << 52) - 1;
    const std::uint64_t i = std::bit_cast<std::uint64_t>(x) - root_half;
    const auto e = static_cast<double>(static_cast<std::int64_t>(i) >> 52);
    const double f = std::bit_cast<double>((i & fraction) + root_half) - 1.0, s = f / (f + 2.0), z = s * s;
    double q = 0x1.af286bca1af28p-5;
    for (const double c : {0x1.e1e1e1e1e1e1ep-5, 0x1.1111111111111p-4, 0x1.3b13b13b13b14p-4, 0x1.745d1745d1746p-4,
                           0x1.c71c71c71c71cp-4, 0x1.2492492492492p-3, 0x1.999999999999ap-3, 0x1.5555555555555p-2, 0x1p+0})
        q = q * z + c;
    return (s + s) * q + e * 0x1.62e42fefa39efp-1;
}

double tangent(double x) {
    const double a = std::fabs(x);
    if (a < 0x1p-10)
        return std::copysign(a - ((a * a) * a) * 0x1.5555555555555p-2, x);
    const double e = exponential(-2.0 * a);
    return std::copysign((1.0 - e) / (1.0 + e), x);
}

double gelu(double x) {
    if (x < -128.0)
        x = -128.0;
    const double u = ((x * x) * 0x1.6e4e26d4801f7p-5 + 1.0) * (x * 0x1.9884533d43651p+0);
    return x / (1.0 + exponential(-u));
}

} // namespace

bool is_nan(std::uint32_t bits) { return (bits << 1) > 0xff000000u; }

std::uint32_t canonical(std::uint32_t bits) { return is_nan(bits) ? nan_bits : bits; }

std::uint32_t widen(number_format format, std::uint32_t code) {
    switch (format) {
    case number_format::fp32:
        return canonical(code);
    case number_format::int32:
        return bits_of(static_cast<float>(static_cast<std::int32_t>(code)));
    case number_format::int8:
        return bits_of(static_cast<float>(static_cast<std::int8_t>(code)));
    default:
        break;
    }
    const small_float f = layout_of(format);
    const std::uint32_t sign = code >> (f.width - 1) & 1, rest = code & ((1u << (f.width - 1)) - 1);
    if (rest > f.largest)
        return f.infinity && rest == f.largest + 1 ? sign << 31 | 0x7f800000u : nan_bits;
    const auto m = static_cast<float>(magnitude(f, rest));
    return bits_of(sign ? -m : m);
}

std::uint32_t narrow(number_format format, std::uint32_t bits) {
    if (format == number_format::fp32)
        return canonical(bits);
    if (format == number_format::int8) {
        if (is_nan(bits))
            return 0;
        const double whole = std::nearbyint(static_cast<double>(value(bits))); // to nearest even, the default mode
        const double held = whole < -128.0 ? -128.0 : whole > 127.0 ? 127.0 : whole;
        return static_cast<std::uint8_t>(static_cast<std::int8_t>(held));
    }
    return narrow_float(layout_of(format), bits,
                        [](double whole, double rest) { return rest > 0.5 || (rest == 0.5 && std::fmod(whole, 2.0) == 1.0); });
}

std::uint32_t narrow_stochastic(number_format format, std::uint32_t bits, std::uint32_t random) {
    return narrow_float(layout_of(format), bits, [random](double, double rest) {
        return static_cast<std::uint64_t>(std::floor(std::ldexp(rest, 32))) + random >= std::uint64_t{1} << 32;
    });
}

std::uint32_t fma(std::uint32_t a, std::uint32_t b, std::uint32_t c) { return bits_of(std::fma(value(a), value(b), value(c))); }

std::uint32_t add(std::uint32_t a, std::uint32_t b) { return bits_of(value(a) + value(b)); }

std::uint32_t combine(vector_operation operation, std::uint32_t a, std::uint32_t b) {
    const float x = value(a), y = value(b);
    switch (operation) {
    case vector_operation::add:
        return bits_of(x + y);
    case vector_operation::subtract:
        return bits_of(x - y);
    case vector_operation::multiply:
        return bits_of(x * y);
    case vector_operation::divide:
        return bits_of(x / y);
    case vector_operation::max:
    case vector_operation::min: {
        if (is_nan(a) || is_nan(b))
            return nan_bits;
        const bool first = x != y ? x > y : (a >> 31) < (b >> 31); // +0 is the larger zero
        return (operation == vector_operation::max) == first ? a : b;
    }
    case vector_operation::select_positive:
        return y > 0.0f ? canonical(a) : 0u;
    }
    throw std::logic_error("unknown vector operation");
}

std::uint32_t apply(activation_function function, std::uint32_t bits) {
    if (is_nan(bits))
        return nan_bits;
    const float x = value(bits);
    const bool zero = x == 0.0f, negative = x < 0.0f;
    const auto rounded = [](double v) { return bits_of(static_cast<float>(v)); };
    switch (function) {
    case activation_function::identity:
        return bits;
    case activation_function::relu:
        return bits >> 31 ? 0u : bits;
    case activation_function::reciprocal:
        return bits_of(1.0f / x);
    case activation_function::sqrt:
        return bits_of(std::sqrt(x));
    case activation_function::rsqrt:
        return rounded(1.0 / std::sqrt(static_cast<double>(x)));
    case activation_function::exp:
        return rounded(exponential(x));
    case activation_function::sigmoid:
        return rounded(1.0 / (1.0 + exponential(-static_cast<double>(x))));
    case activation_function::tanh:
        return rounded(tangent(x));
    case activation_function::gelu:
        return rounded(gelu(x));
    case activation_function::log:
        if (zero)
            return bits_of(-std::numeric_limits<float>::infinity());
        if (negative)
            return nan_bits;
        return std::isinf(x) ? bits : rounded(logarithm(x));
    }
    throw std::logic_error("unknown activation function");
}

std::uint64_t ulp_distance(number_format format, std::uint32_t a, std::uint32_t b) {
    const auto order = [format](std::uint32_t v) -> std::int64_t {
        switch (format) {
        case number_format::int32:
            return static_cast<std::int32_t>(v);
        case number_format::int8:
            return static_cast<std::int8_t>(v);
        default:
            break;
        }
        const int width = format == number_format::fp32 ? 32 : format == number_format::bf16 ? 16 : 8;
        const std::int64_t magnitude = v & ((std::uint64_t{1} << (width - 1)) - 1);
        return v >> (width - 1) & 1 ? -magnitude : magnitude;
    };
    const std::int64_t distance = order(a) - order(b);
    return static_cast<std::uint64_t>(distance < 0 ? -distance : distance);
}

std::string text_of_word(std::uint32_t bits, bool integer) {
    return integer ? fmt::format("{}", static_cast<std::int32_t>(bits))
                   : fmt::format("{:08x} ({:.9g})", bits, std::bit_cast<float>(bits));
}

} // namespace retrace::cosim
