#include "tlm/core/numeric/functions.h"

#include <bit>
#include <cmath>
#include <cstddef>
#include <stdexcept>
#include <string>

#include "tlm/core/numeric/formats.h"

// Compiled once per instruction set, see formats_bulk.cpp. Nothing here is fused, so every set gives the same
// bits.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tlm/core/numeric/functions.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace retrace {
namespace HWY_NAMESPACE {
namespace {

HWY_INLINE double wide(std::uint32_t bits) { return static_cast<double>(std::bit_cast<float>(bits)); }

HWY_INLINE std::uint32_t narrow(double value) {
    return canonical_fp32(std::bit_cast<std::uint32_t>(static_cast<float>(value)));
}

// Both arms of every choice are computed, so that loops over these functions become vector selects.
HWY_INLINE double exponential(double t) {
    constexpr double limit = 0x1.5a92d6d005c94p+9;
    t = t < -limit ? -limit : t;
    t = t > limit ? limit : t;
    const double s = t * 0x1.71547652b82fep+0 + 0x1.8p52;
    const double n = s - 0x1.8p52;
    const double r = (t - n * 0x1.62e42feep-1) - n * 0x1.a39ef35793c76p-33;
    double p = 0x1.ae64567f544e4p-26;
    p = p * r + 0x1.27e4fb7789f5cp-22;
    p = p * r + 0x1.71de3a556c734p-19;
    p = p * r + 0x1.a01a01a01a01ap-16;
    p = p * r + 0x1.a01a01a01a01ap-13;
    p = p * r + 0x1.6c16c16c16c17p-10;
    p = p * r + 0x1.1111111111111p-7;
    p = p * r + 0x1.5555555555555p-5;
    p = p * r + 0x1.5555555555555p-3;
    p = p * r + 0x1p-1;
    p = p * r + 0x1p+0;
    p = p * r + 0x1p+0;
    // The low bits of s hold n; as an exponent field they make 2^n.
    const std::uint64_t scale = (std::bit_cast<std::uint64_t>(s) << 52) + (std::uint64_t{1023} << 52);
    return p * std::bit_cast<double>(scale);
}

HWY_INLINE std::uint32_t do_identity(std::uint32_t bits) { return canonical_fp32(bits); }

HWY_INLINE std::uint32_t do_relu(std::uint32_t bits) {
    const std::uint32_t clipped = (bits >> 31) != 0 ? 0u : bits;
    return (bits & 0x7fffffffu) > 0x7f800000u ? canonical_nan_fp32 : clipped;
}

HWY_INLINE std::uint32_t do_exp(std::uint32_t bits) { return narrow(exponential(wide(bits))); }

HWY_INLINE std::uint32_t do_sigmoid(std::uint32_t bits) {
    return narrow(1.0 / (1.0 + exponential(-wide(bits))));
}

HWY_INLINE std::uint32_t do_tanh(std::uint32_t bits) {
    const double a = wide(bits & 0x7fffffffu);
    const double e = exponential(-2.0 * a);
    const double large = (1.0 - e) / (1.0 + e);
    const double small = a - ((a * a) * a) * 0x1.5555555555555p-2;
    const std::uint32_t magnitude =
        std::bit_cast<std::uint32_t>(static_cast<float>(a < 0x1p-10 ? small : large));
    return canonical_fp32(magnitude | (bits & 0x80000000u));
}

HWY_INLINE std::uint32_t do_gelu(std::uint32_t bits) {
    double x = wide(bits);
    x = x < -128.0 ? -128.0 : x;
    const double u = ((x * x) * 0x1.6e4e26d4801f7p-5 + 1.0) * (x * 0x1.9884533d43651p+0);
    return narrow(x / (1.0 + exponential(-u)));
}

HWY_INLINE std::uint32_t do_log(std::uint32_t bits) {
    constexpr std::uint64_t origin = 0x3fe6a09e667f3bcdu;
    const std::uint64_t i = std::bit_cast<std::uint64_t>(wide(bits)) - origin;
    // e + 1024 placed under the exponent of 2^52: an integer-to-double conversion that every vector unit has.
    const std::uint64_t biased = ((i + (std::uint64_t{1024} << 52)) >> 52) | 0x4330000000000000u;
    const double e = std::bit_cast<double>(biased) - (0x1p52 + 1024.0);
    const double f = std::bit_cast<double>((i & 0xfffffffffffffu) + origin) - 1.0;
    const double s = f / (f + 2.0);
    const double z = s * s;
    double q = 0x1.af286bca1af28p-5;
    q = q * z + 0x1.e1e1e1e1e1e1ep-5;
    q = q * z + 0x1.1111111111111p-4;
    q = q * z + 0x1.3b13b13b13b14p-4;
    q = q * z + 0x1.745d1745d1746p-4;
    q = q * z + 0x1.c71c71c71c71cp-4;
    q = q * z + 0x1.2492492492492p-3;
    q = q * z + 0x1.999999999999ap-3;
    q = q * z + 0x1.5555555555555p-2;
    q = q * z + 0x1p+0;
    std::uint32_t result = narrow((s + s) * q + e * 0x1.62e42fefa39efp-1);
    result = bits == 0x7f800000u ? 0x7f800000u : result;
    result = (bits >> 31) != 0 ? canonical_nan_fp32 : result;
    result = (bits & 0x7fffffffu) > 0x7f800000u ? canonical_nan_fp32 : result;
    return (bits & 0x7fffffffu) == 0 ? 0xff800000u : result;
}

HWY_INLINE std::uint32_t do_reciprocal(std::uint32_t bits) {
    return canonical_fp32(std::bit_cast<std::uint32_t>(1.0f / std::bit_cast<float>(bits)));
}

HWY_INLINE std::uint32_t do_sqrt(std::uint32_t bits) {
    return canonical_fp32(std::bit_cast<std::uint32_t>(__builtin_sqrtf(std::bit_cast<float>(bits))));
}

HWY_INLINE std::uint32_t do_rsqrt(std::uint32_t bits) { return narrow(1.0 / __builtin_sqrt(wide(bits))); }

void apply(unary_function function, std::uint32_t* row, std::size_t size) {
    const auto run = [&](auto element) {
        for (std::size_t i = 0; i < size; ++i) {
            row[i] = element(row[i]);
        }
    };
    switch (function) {
    case unary_function::identity:
        run([](std::uint32_t v) { return do_identity(v); });
        break;
    case unary_function::relu:
        run([](std::uint32_t v) { return do_relu(v); });
        break;
    case unary_function::exp:
        run([](std::uint32_t v) { return do_exp(v); });
        break;
    case unary_function::log:
        run([](std::uint32_t v) { return do_log(v); });
        break;
    case unary_function::tanh:
        run([](std::uint32_t v) { return do_tanh(v); });
        break;
    case unary_function::sigmoid:
        run([](std::uint32_t v) { return do_sigmoid(v); });
        break;
    case unary_function::gelu:
        run([](std::uint32_t v) { return do_gelu(v); });
        break;
    case unary_function::reciprocal:
        run([](std::uint32_t v) { return do_reciprocal(v); });
        break;
    case unary_function::sqrt:
        run([](std::uint32_t v) { return do_sqrt(v); });
        break;
    case unary_function::rsqrt:
        run([](std::uint32_t v) { return do_rsqrt(v); });
        break;
    }
}

} // namespace
} // namespace HWY_NAMESPACE
} // namespace retrace
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace retrace {

HWY_EXPORT(apply);

const char* name_of(unary_function function) {
    constexpr const char* names[unary_function_count] = {"identity", "relu", "exp",        "log",  "tanh",
                                                         "sigmoid",  "gelu", "reciprocal", "sqrt", "rsqrt"};
    const auto index = static_cast<unsigned>(function);
    return index < unary_function_count ? names[index] : "unknown";
}

void apply_function_row(unary_function function, std::span<std::uint32_t> row) {
    if (static_cast<unsigned>(function) >= unary_function_count) {
        throw std::invalid_argument("apply_function_row: no function has number " +
                                    std::to_string(static_cast<unsigned>(function)));
    }
    HWY_DYNAMIC_DISPATCH(apply)(function, row.data(), row.size());
}

std::uint32_t apply_function(unary_function function, std::uint32_t bits) {
    apply_function_row(function, std::span<std::uint32_t>(&bits, 1));
    return bits;
}

} // namespace retrace
#endif // HWY_ONCE
