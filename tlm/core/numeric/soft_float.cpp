#include "tlm/core/numeric/soft_float.h"

#include <bit>

namespace retrace::soft {
namespace {

// Binary32 (3.6, table 3.5): k = 32, p = 24, emax = 127; encoding of 3.4 with T = 23 trailing bits.
constexpr int trailing_bits = 23;
constexpr int bias = 127;
constexpr int smallest_quantum = 1 - bias - trailing_bits; // exponent of a subnormal's last place: -149
constexpr std::uint32_t infinity_bits = 0xffu << trailing_bits;
constexpr std::uint32_t nan_bits = 0x7fc00000u; // 6.2.1: quiet; sign and payload by the numeric contract

enum class kind { zero, finite, infinity, nan };

// A finite datum is (-1)^negative * significand * 2^exponent. Non-zero significands have bit 62 as their
// leading one: a sum of two cannot overflow 64 bits, and a product of 24-bit significands keeps 14 bits free
// below.
constexpr int leading_bit = 62;

struct datum {
    kind what;
    bool negative;
    int exponent;
    std::uint64_t significand;
};

datum normalised(bool negative, int exponent, std::uint64_t significand) {
    const int up = std::countl_zero(significand) - (63 - leading_bit);
    // Never from bit 63 down: what is unpacked or multiplied has at most 48 bits.
    return {kind::finite, negative, exponent - up, significand << up};
}

datum unpack(std::uint32_t bits) {
    const bool negative = (bits >> 31) != 0;
    const int field = static_cast<int>((bits >> trailing_bits) & 0xffu);
    const std::uint64_t trailing = bits & ((1u << trailing_bits) - 1);
    if (field == 0xff) {
        return {trailing != 0 ? kind::nan : kind::infinity, negative, 0, 0};
    }
    if (field == 0) {
        return trailing == 0 ? datum{kind::zero, negative, 0, 0}
                             : normalised(negative, smallest_quantum, trailing);
    }
    return normalised(negative, field - bias - trailing_bits, trailing | (1u << trailing_bits));
}

std::uint32_t signed_bits(bool negative, std::uint32_t magnitude) {
    return (negative ? 0x80000000u : 0u) | magnitude;
}

// Drops `count` bits; the last bit that stays is set when a dropped one was. Good for one later rounding as
// long as that rounds away at least two more bits.
std::uint64_t shift_right_sticky(std::uint64_t value, int count) {
    if (count == 0) {
        return value;
    }
    if (count > 63) {
        return value != 0 ? 1 : 0;
    }
    const bool lost = (value << (64 - count)) != 0;
    return (value >> count) | (lost ? 1u : 0u);
}

// 4.3.1 roundTiesToEven of a non-zero value into the format; 7.4: overflow delivers infinity in this mode;
// 3.4: below 2^emin the quantum stays 2^-149.
std::uint32_t round_to_binary32(bool negative, int exponent, std::uint64_t significand) {
    const int top = exponent + 63 - std::countl_zero(significand); // floor(log2 |value|)
    const int quantum = top - trailing_bits > smallest_quantum ? top - trailing_bits : smallest_quantum;
    const int drop = quantum - exponent;
    std::uint64_t kept;
    if (drop <= 0) {
        kept = significand << -drop; // exact; it has at most 24 bits afterwards
    } else if (drop > 64) {
        kept = 0; // less than half the smallest subnormal
    } else {
        kept = drop == 64 ? 0 : significand >> drop;
        const std::uint64_t half = std::uint64_t{1} << (drop - 1);
        const std::uint64_t rest = drop == 64 ? significand : significand & ((half << 1) - 1);
        if (rest > half || (rest == half && (kept & 1u) != 0)) {
            ++kept;
        }
    }
    // `kept` is in units of 2^quantum, at most 2^24. As an encoding: quantum -149 with bit 23 set is exponent
    // field 1, and the implicit one adds itself to the field below it; so does a carry out of rounding.
    const std::uint64_t encoded =
        (static_cast<std::uint64_t>(quantum - smallest_quantum) << trailing_bits) + kept;
    return signed_bits(negative,
                       encoded >= infinity_bits ? infinity_bits : static_cast<std::uint32_t>(encoded));
}

// Both finite. 6.3: an exact zero sum of opposite signs is +0 in this mode; x + x keeps the sign of x, zeros
// included.
std::uint32_t sum_of(datum x, datum y) {
    if (x.what == kind::zero && y.what == kind::zero) {
        return signed_bits(x.negative && y.negative, 0);
    }
    if (y.what == kind::zero) {
        return round_to_binary32(x.negative, x.exponent, x.significand);
    }
    if (x.what == kind::zero) {
        return round_to_binary32(y.negative, y.exponent, y.significand);
    }
    if (x.exponent < y.exponent || (x.exponent == y.exponent && x.significand < y.significand)) {
        const datum other = x;
        x = y;
        y = other;
    }
    // |x| >= |y|. Bits of y get lost only when it lies more than 14 binary places below x; then a difference
    // has its leading one in bit 61 or 62, and rounding drops dozens of bits more.
    const std::uint64_t aligned = shift_right_sticky(y.significand, x.exponent - y.exponent);
    if (x.negative == y.negative) {
        return round_to_binary32(x.negative, x.exponent, x.significand + aligned);
    }
    const std::uint64_t difference = x.significand - aligned;
    return difference == 0 ? 0u : round_to_binary32(x.negative, x.exponent, difference);
}

// The exact product of two finite data.
datum product_of(const datum& x, const datum& y) {
    const bool negative = x.negative != y.negative;
    if (x.what == kind::zero || y.what == kind::zero) {
        return {kind::zero, negative, 0, 0};
    }
    constexpr int unused = leading_bit - trailing_bits; // zeros below a 24-bit significand
    return normalised(negative, x.exponent + y.exponent + 2 * unused,
                      (x.significand >> unused) * (y.significand >> unused));
}

} // namespace

std::uint32_t fma(std::uint32_t a, std::uint32_t b, std::uint32_t c) {
    const datum x = unpack(a), y = unpack(b), z = unpack(c);
    if (x.what == kind::nan || y.what == kind::nan || z.what == kind::nan) {
        return nan_bits; // 6.2.3
    }
    const bool negative = x.negative != y.negative;
    if (x.what == kind::infinity || y.what == kind::infinity) {
        const bool invalid = x.what == kind::zero || y.what == kind::zero // 7.2 b) and c): 0 * inf
                             || (z.what == kind::infinity && z.negative != negative); // 7.2 d): inf - inf
        return invalid ? nan_bits : signed_bits(negative, infinity_bits);
    }
    if (z.what == kind::infinity) {
        return signed_bits(z.negative, infinity_bits);
    }
    return sum_of(product_of(x, y), z);
}

std::uint32_t add(std::uint32_t a, std::uint32_t b) {
    const datum x = unpack(a), y = unpack(b);
    if (x.what == kind::nan || y.what == kind::nan) {
        return nan_bits;
    }
    if (x.what == kind::infinity || y.what == kind::infinity) {
        if (x.what == y.what && x.negative != y.negative) {
            return nan_bits; // 7.2 d)
        }
        return signed_bits(x.what == kind::infinity ? x.negative : y.negative, infinity_bits); // 6.1
    }
    return sum_of(x, y);
}

std::uint32_t multiply_add_integer(std::uint32_t a, std::uint32_t w, std::uint32_t sum) {
    return sum + a * w; // 2^32 is a multiple of every power of two that two's complement drops
}

namespace {

// A float of 1 + exponent + mantissa bits as binary32: value = trailing or 1.trailing scaled, which
// round_to_binary32 encodes exactly.
std::uint32_t widen_small(std::uint32_t code, int exponent_bits, int mantissa_bits) {
    const int small_bias = (1 << (exponent_bits - 1)) - 1;
    const bool negative = (code >> (exponent_bits + mantissa_bits) & 1u) != 0;
    const int field = static_cast<int>(code >> mantissa_bits) & ((1 << exponent_bits) - 1);
    const std::uint64_t trailing = code & ((1u << mantissa_bits) - 1);
    const std::uint64_t significand = field == 0 ? trailing : trailing | (std::uint64_t{1} << mantissa_bits);
    if (significand == 0) {
        return signed_bits(negative, 0);
    }
    return round_to_binary32(negative, (field == 0 ? 1 : field) - small_bias - mantissa_bits, significand);
}

// As IEEE 754 encodes the largest exponent field: infinity or NaN. bf16, and E5M2 of OCP OFP8 (table 1).
std::uint32_t widen_ieee(std::uint32_t code, int exponent_bits, int mantissa_bits) {
    const std::uint32_t magnitude = code & ((1u << (exponent_bits + mantissa_bits)) - 1);
    const std::uint32_t infinite = ((1u << exponent_bits) - 1) << mantissa_bits;
    if (magnitude > infinite) {
        return nan_bits;
    }
    if (magnitude == infinite) {
        return signed_bits(magnitude != code, infinity_bits);
    }
    return widen_small(code, exponent_bits, mantissa_bits);
}

std::uint32_t sign_extended(std::uint32_t byte) { return byte < 128 ? byte : byte - 256; }

} // namespace

std::uint32_t widen(number_format format, const std::byte* from) {
    const auto bytes = [from](unsigned count) {
        std::uint32_t word = 0;
        while (count-- > 0) {
            word = word * 256 + std::to_integer<std::uint32_t>(from[count]);
        }
        return word;
    };
    switch (format) {
    case number_format::fp32: {
        const std::uint32_t word = bytes(4);
        return unpack(word).what == kind::nan ? nan_bits : word;
    }
    case number_format::bf16:
        return widen_ieee(bytes(2), 8, 7);
    case number_format::fp8_e4m3: // OFP8 table 1: no infinities; all ones but the sign is the NaN
        return (bytes(1) & 0x7fu) == 0x7fu ? nan_bits : widen_small(bytes(1), 4, 3);
    case number_format::fp8_e5m2:
        return widen_ieee(bytes(1), 5, 2);
    case number_format::int8:
        return sign_extended(bytes(1));
    case number_format::int32:
        break;
    }
    return bytes(4);
}

} // namespace retrace::soft
