#include "tests/rtl/fma_triples.h"

#include <bit>
#include <cmath>

namespace retrace::test {
namespace {

std::uint32_t draw(std::mt19937_64& engine, std::uint32_t limit) {
    return static_cast<std::uint32_t>(engine() >> 32) % limit;
}

std::uint32_t draw_mantissa(std::mt19937_64& engine) {
    switch (draw(engine, 6)) {
    case 0:
        return 0;
    case 1:
        return 0x7fffffu;
    case 2:
        return 1u << draw(engine, 23);
    case 3:
        return 0x7fffffu & ~(1u << draw(engine, 23));
    case 4: // a run of ones
        return (0x7fffffu >> draw(engine, 23)) & (0x7fffffu << draw(engine, 23)) & 0x7fffffu;
    default:
        return draw(engine, 1u << 23);
    }
}

std::uint32_t draw_exponent(std::mt19937_64& engine) {
    switch (draw(engine, 5)) {
    case 0:
        return draw(engine, 3); // subnormal and nearly so
    case 1:
        return 252 + draw(engine, 4); // large, sometimes infinite or NaN
    case 2:
        return draw(engine, 256);
    default:
        return 120 + draw(engine, 14);
    }
}

std::uint32_t draw_number(std::mt19937_64& engine) {
    return draw(engine, 2) << 31 | draw_exponent(engine) << 23 | draw_mantissa(engine);
}

float as_float(std::uint32_t bits) { return std::bit_cast<float>(bits); }

} // namespace

std::vector<std::uint32_t> fma_corners() {
    std::vector<std::uint32_t> corners;
    for (const std::uint32_t magnitude :
         {0x00000000u, 0x00000001u, 0x00000002u, 0x00000003u, 0x00400000u, 0x007ffffeu, 0x007fffffu, 0x00800000u,
          0x00800001u, 0x00ffffffu, 0x01000000u, 0x0c800000u, 0x33000000u, 0x33800000u, 0x33800001u, 0x34000000u,
          0x3effffffu, 0x3f000000u, 0x3f7ffffeu, 0x3f7fffffu, 0x3f800000u, 0x3f800001u, 0x3fc00000u, 0x3fffffffu,
          0x40000000u, 0x4b000001u, 0x4b7fffffu, 0x7e800000u, 0x7effffffu, 0x7f000000u, 0x7f7ffffeu, 0x7f7fffffu,
          0x7f800000u, 0x7f800001u, 0x7fbfffffu, 0x7fc00000u, 0x7fffffffu}) {
        corners.push_back(magnitude);
        corners.push_back(magnitude | 0x80000000u);
    }
    return corners;
}

fma_triple draw_triple(std::mt19937_64& engine) {
    fma_triple t{draw_number(engine), draw_number(engine), draw_number(engine)};
    const int way = static_cast<int>(draw(engine, 6));
    if (way < 3) {
        // Round the product to where c stands, then step a few units in the last place away from it.
        const float product = as_float(t.a) * as_float(t.b);
        if (std::isfinite(product)) {
            const float shifted = way == 0 ? product : std::ldexp(product, static_cast<int>(draw(engine, 110)) - 55);
            if (std::isfinite(shifted)) {
                t.c = std::bit_cast<std::uint32_t>(shifted) + draw(engine, 5) - 2;
                t.c ^= draw(engine, 4) == 0 ? 0u : 0x80000000u;
            }
        }
    } else if (way == 3) {
        // A product near the smallest numbers: exponents that add up to about the bias.
        const std::uint32_t first = 1 + draw(engine, 140);
        const std::uint32_t sum = 96 + draw(engine, 48);
        const std::uint32_t second = sum > first ? sum - first : 0;
        t.a = (t.a & 0x807fffffu) | first << 23;
        t.b = (t.b & 0x807fffffu) | second << 23;
        t.c = (t.c & 0x807fffffu) | draw(engine, 28) << 23;
    }
    return t;
}

std::uint32_t expected_fma(const fma_triple& t) {
    const float result = std::fma(as_float(t.a), as_float(t.b), as_float(t.c));
    return std::isnan(result) ? 0x7fc00000u : std::bit_cast<std::uint32_t>(result);
}

} // namespace retrace::test
