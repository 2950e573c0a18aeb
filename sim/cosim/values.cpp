#include "sim/cosim/values.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "host/arithmetic.h"
#include "hw/spec/counter_random.h"
#include "sim/cosim/reference_numbers.h"

namespace retrace::cosim {

using spec::number_format;

namespace {

struct draw {
    std::uint32_t a, b; ///< two random words
    std::uint32_t index;
};

/// binary32 with a full significand and an exponent of `low` .. `low + span - 1`.
std::uint32_t number(std::uint32_t random, int low, unsigned span) {
    const std::uint32_t exponent = static_cast<std::uint32_t>(127 + low) + (random >> 23 & 0xff) % span;
    return (random & 0x80000000u) | exponent << 23 | (random & 0x7fffffu);
}

struct exponents {
    int lowest, highest; ///< of normal numbers
    unsigned mantissa;
};

exponents range_of(number_format f) {
    switch (f) {
    case number_format::fp8_e4m3:
        return {-6, 8, 3};
    case number_format::fp8_e5m2:
        return {-14, 15, 2};
    case number_format::bf16:
        return {-126, 127, 7};
    default:
        return {-126, 127, 23};
    }
}

std::uint32_t corner_code(number_format f, std::uint32_t random) {
    const unsigned width = 8 * bytes_of(f), mantissa = range_of(f).mantissa;
    const std::uint32_t fraction = (1u << mantissa) - 1, exponent = ((1u << (width - 1)) - 1) & ~fraction;
    const std::uint32_t sign = (random & 1u) << (width - 1), payload = random >> 8 & fraction;
    switch (random >> 1 & 15) {
    case 0:
    case 1:
    case 2:
        return sign; // a zero
    case 3:
        return sign | 1; // the smallest subnormal
    case 4:
        return sign | fraction; // the largest subnormal
    case 5:
    case 6:
        return sign | std::max(payload, 1u); // a subnormal
    case 7:
        return sign | 1u << mantissa; // the smallest normal
    case 8:
        return sign | (exponent - 1); // the largest finite (E4M3FN: one binade below)
    case 9:
        return sign | exponent; // an infinity (E4M3FN: 256)
    case 10:
        return sign | exponent | std::max(payload, 1u); // a NaN with a payload (E4M3FN: mostly a number)
    case 11:
        return sign | exponent | fraction;
    default:
        return narrow(f, number(random * 2654435761u, -2, 4));
    }
}

std::uint32_t float_code(value_class c, number_format f, const draw& d) {
    const exponents r = range_of(f);
    switch (c) {
    case value_class::zeros:
        return 0;
    case value_class::small:
        return narrow(f, std::bit_cast<std::uint32_t>(static_cast<float>(static_cast<int>(d.a % 9) - 4)));
    case value_class::moderate:
        return narrow(f, number(d.a, -3, 5));
    case value_class::corners:
        return d.b % 3 == 0 ? corner_code(f, d.a) : narrow(f, number(d.a, -2, 4));
    case value_class::ties: {
        // 1 + 2^-k and small powers of two: products end in a lone bit below the significand, sums in exactly half a unit.
        const unsigned k = d.a % (r.mantissa + 1);
        const float x = 1.0f + (k ? std::bit_cast<float>((127 - k) << 23) : 0.0f);
        const int scale = d.b % 4 == 0 ? -static_cast<int>(r.mantissa) - 1 : static_cast<int>(d.b >> 4 & 1);
        const std::uint32_t bits = std::bit_cast<std::uint32_t>(x) + (static_cast<std::uint32_t>(scale) << 23);
        return narrow(f, bits | (d.b & 0x80000000u));
    }
    case value_class::cancellation: {
        // Elements 2i and 2i + 1 have opposite signs and differ in the last bits only; between them small remainders.
        const std::uint32_t big = number(d.b, std::min(r.highest - 1, 10), 2) & 0x7fffffffu;
        const std::uint32_t code = narrow(f, big), width = 8 * bytes_of(f);
        if (d.a % 4 == 0)
            return narrow(f, number(d.a, std::max(r.lowest, -14), 3));
        return ((code + (d.a >> 8) % 2) & ((1u << (width - 1)) - 1)) | (d.index & 1) << (width - 1);
    }
    case value_class::large:
        return narrow(f, number(d.a, d.b % 3 == 0 ? std::max(r.lowest, r.highest / 2 - 2) : r.highest - 2, 2));
    case value_class::tiny:
        return narrow(f, number(d.a, r.lowest == -126 ? -77 : r.lowest - static_cast<int>(r.mantissa), 5));
    case value_class::bits:
        return d.a;
    }
    return 0;
}

std::uint32_t integer_code(value_class c, number_format f, const draw& d) {
    constexpr std::array<std::int32_t, 6> bytes{-128, -127, -1, 0, 1, 127};
    constexpr std::array<std::int32_t, 6> words{INT32_MIN, INT32_MIN + 1, -1, 0, 16777217, INT32_MAX};
    switch (c) {
    case value_class::zeros:
        return 0;
    case value_class::small:
        return static_cast<std::uint32_t>(static_cast<std::int32_t>(d.a % 9) - 4);
    case value_class::corners:
    case value_class::ties:
    case value_class::large:
        return static_cast<std::uint32_t>((f == number_format::int8 ? bytes : words)[d.a % 6]);
    default:
        return d.a;
    }
}

} // namespace

void fill(const buffer& b, std::span<std::byte> to) {
    const unsigned size = bytes_of(b.format);
    const bool integer = b.format == number_format::int8 || b.format == number_format::int32;
    for (std::size_t i = 0; i * size < to.size(); ++i) {
        // In pairs, so that neighbours of `cancellation` know of each other.
        const draw d{counter_random(b.seed, 0, 1, i),
                     counter_random(b.seed, 0, 2, b.values == value_class::cancellation ? i / 2 : i),
                     static_cast<std::uint32_t>(i)};
        const std::uint32_t code = integer ? integer_code(b.values, b.format, d) : float_code(b.values, b.format, d);
        std::memcpy(to.data() + i * size, &code, std::min<std::size_t>(size, to.size() - i * size));
    }
}

} // namespace retrace::cosim
