// The activation engine's unary functions, defined bit by bit: binary32 in, binary32 out.
//
// Every definition is a fixed sequence of IEEE-754 operations, each rounded to nearest even, in binary64
// where the text says so (D-arithmetic); there is no fused operation, no table and no library function in
// them. The input converts to binary64 exactly, the result converts to binary32 with one rounding; subnormals
// are kept on both sides. So any implementation that follows the text gives these bits, and each result is
// within 2 ulp of the exact value (the tests allow 0.51). A NaN input, and every invalid operation, gives the
// canonical NaN 0x7fc00000.
//
//   identity    x, NaN canonical.
//   relu        +0 when the sign bit of x is set (so relu(-0) = +0), else x. NaN gives the canonical NaN.
//   reciprocal  One binary32 division 1/x.                 reciprocal(+-0) = +-inf
//   sqrt        One binary32 square root.                  sqrt(-0) = -0, sqrt(x<0) = NaN
//   rsqrt       D: y = sqrt(x), 1 / y.                     rsqrt(+-0) = +-inf, rsqrt(x<0) = NaN
//
// E(t), the exponential that the others use, in D-arithmetic:
//     t clamped to [-L, L], L = 0x1.5a92d6d005c94p+9 (1000 ln 2)
//     s = t * 0x1.71547652b82fep+0 + 0x1.8p52
//         (log2 e; the sum leaves the nearest integer in the low bits of s)
//     n = s - 0x1.8p52
//     r = (t - n * 0x1.62e42feep-1) - n * 0x1.a39ef35793c76p-33
//         (ln 2 in two parts; the first product is exact for |n| < 2^21)
//     p = sum of r^k / k!, k = 0..11, by Horner: p = 0x1.ae64567f544e4p-26, then p = p * r + c for c =
//         0x1.27e4fb7789f5cp-22, 0x1.71de3a556c734p-19, 0x1.a01a01a01a01ap-16, 0x1.a01a01a01a01ap-13,
//         0x1.6c16c16c16c17p-10, 0x1.1111111111111p-7, 0x1.5555555555555p-5, 0x1.5555555555555p-3,
//         0x1p-1, 0x1p+0, 0x1p+0
//     E = p * 2^n
//
//   exp         E(x). Overflow gives +inf; underflow subnormals, then +0.
//   sigmoid     D: 1 / (1 + E(-x)).
//   tanh        D, a = |x|: when a < 2^-10, a - ((a * a) * a) * 0x1.5555555555555p-2; otherwise e = E(-2 * a)
//               and (1 - e) / (1 + e). The result takes the sign of x.
//   gelu        The tanh form, 0.5 x (1 + tanh(w)), w = sqrt(2/pi) (x + 0.044715 x^3): x * sigmoid(2w).
//               D: x below -128 is taken as -128;
//               u = ((x * x) * 0x1.6e4e26d4801f7p-5 + 1) * (x * 0x1.9884533d43651p+0); x / (1 + E(-u)).
//               gelu(-inf) = -0, gelu(+inf) = +inf, gelu(+-0) = +-0
//   log         x = 2^e * m with m in [sqrt(1/2), sqrt(2)), from the binary64 bits of x by integers:
//               i = bits - 0x3fe6a09e667f3bcd, e = i >> 52 (arithmetic), bits of m = (i mod 2^52) +
//               0x3fe6a09e667f3bcd. D: f = m - 1, s = f / (f + 2), z = s * s,
//               q = sum of z^k / (2k+1), k = 0..9, by Horner: q = 0x1.af286bca1af28p-5, then q = q * z + c
//               for c = 0x1.e1e1e1e1e1e1ep-5, 0x1.1111111111111p-4, 0x1.3b13b13b13b14p-4,
//               0x1.745d1745d1746p-4, 0x1.c71c71c71c71cp-4, 0x1.2492492492492p-3, 0x1.999999999999ap-3,
//               0x1.5555555555555p-2, 0x1p+0; then (s + s) * q + e * 0x1.62e42fefa39efp-1.
//               log(+-0) = -inf, log(+inf) = +inf, log(x<0) = NaN
#pragma once

#include <cstdint>
#include <span>

namespace retrace {

// The numbers are those of `activation_function` in hw/spec/isa.yaml.
enum class unary_function : std::uint8_t {
    identity = 0,
    relu = 1,
    exp = 2,
    log = 3,
    tanh = 4,
    sigmoid = 5,
    gelu = 6,
    reciprocal = 7,
    sqrt = 8,
    rsqrt = 9
};

inline constexpr unsigned unary_function_count = 10;

const char* name_of(unary_function function);

// One element, binary32 bits.
std::uint32_t apply_function(unary_function function, std::uint32_t bits);

// In place on a row of binary32 bits. Throws std::invalid_argument for an unknown function.
void apply_function_row(unary_function function, std::span<std::uint32_t> row);

} // namespace retrace
