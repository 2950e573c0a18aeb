#include "tlm/core/array/fma_classes.h"

#include <algorithm>
#include <array>
#include <bit>

#include "tlm/core/numeric/soft_float.h"

namespace retrace {
namespace {

// splitmix64 (Steele, Lea, Flood, OOPSLA 2014), from a state of its own for every triple.
class draws {
public:
    draws(std::uint64_t seed, std::uint64_t index) : state_(mix(seed) ^ index * 0xd1342543de82ef95u) {}
    std::uint32_t word() { return static_cast<std::uint32_t>(mix(state_ += 0x9e3779b97f4a7c15u) >> 32); }
    std::uint32_t below(std::uint32_t limit) { return word() % limit; }

private:
    static std::uint64_t mix(std::uint64_t z) {
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
    }
    std::uint64_t state_;
};

constexpr std::uint32_t mantissa_mask = 0x7fffff;

// A magnitude with an exponent field of low .. low + count - 1 and the given mantissa.
std::uint32_t magnitude(draws& d, std::uint32_t low, std::uint32_t count, std::uint32_t mantissa) {
    return (low + d.below(count)) << 23 | (mantissa & mantissa_mask);
}

struct operand_class {
    const char* name;
    std::uint32_t (*draw)(draws&);
};

constexpr std::array operand_classes{
    operand_class{"zero", [](draws&) { return 0u; }},
    operand_class{"smallest subnormal", [](draws&) { return 1u; }},
    operand_class{"largest subnormal", [](draws& d) { return 0x7fffffu - d.below(2); }},
    operand_class{"subnormal", [](draws& d) { return (d.word() & mantissa_mask) >> d.below(23); }},
    operand_class{"smallest normal", [](draws& d) { return 0x800000u + d.below(2); }},
    operand_class{"small", [](draws& d) { return magnitude(d, 1, 64, d.word()); }},
    operand_class{"one", [](draws&) { return 0x3f800000u; }},
    operand_class{"beside one", [](draws& d) { return 0x3f7ffffcu + d.below(9); }},
    operand_class{"power of two", [](draws& d) { return magnitude(d, 1, 254, 0); }},
    operand_class{"few digits", [](draws& d) { return magnitude(d, 96, 64, d.word() & ~0x7ffu); }},
    operand_class{"all ones", [](draws& d) { return magnitude(d, 96, 64, mantissa_mask); }},
    operand_class{"moderate", [](draws& d) { return magnitude(d, 117, 21, d.word()); }},
    operand_class{"large", [](draws& d) { return magnitude(d, 190, 65, d.word()); }},
    operand_class{"largest", [](draws& d) { return 0x7f7fffffu - d.below(2); }},
    operand_class{"infinity", [](draws&) { return 0x7f800000u; }},
    operand_class{"quiet NaN", [](draws& d) { return 0x7fc00000u | (d.word() & mantissa_mask >> 1); }},
    operand_class{"signalling NaN", [](draws& d) { return 0x7f800001u + d.below(0x3fffff); }},
};

std::uint32_t moved(draws& d, std::uint32_t product, int low, int count) {
    const int field = static_cast<int>(product >> 23 & 0xff) + low + static_cast<int>(d.below(count));
    const auto exponent = static_cast<std::uint32_t>(std::clamp(field, 0, 254));
    constexpr std::uint32_t corners[] = {0, 1, mantissa_mask, mantissa_mask - 1, 0x400000};
    const std::uint32_t mantissa = d.below(2) != 0 ? corners[d.below(5)] : d.word() & mantissa_mask;
    return (d.word() & 0x80000000u) | exponent << 23 | mantissa;
}

// Exponent of the last set digit of a finite non-zero value.
int last_digit(std::uint32_t bits) {
    const std::uint32_t field = bits >> 23 & 0xff;
    const std::uint32_t significand = (bits & mantissa_mask) | (field != 0 ? 0x800000u : 0u);
    return static_cast<int>(std::max(field, 1u)) - 150 + std::countr_zero(significand);
}

// The last set digit of the product is half a unit in the last place of c: a tie if the product has so few
// digits that the sum stays near c, and if nothing overflows.
std::uint32_t tied(draws& d, const fma_triple& t) {
    const int field = last_digit(t.a) + last_digit(t.b) + 1 + 150;
    return (d.word() & 0x80000000u) | static_cast<std::uint32_t>(std::clamp(field, 0, 254)) << 23 |
           (d.word() & mantissa_mask);
}

// c from a and b, or from their product rounded once.
struct relative_class {
    const char* name;
    std::uint32_t (*draw)(draws&, std::uint32_t product, const fma_triple& t);
};

constexpr std::array relative_classes{
    relative_class{"minus the product",
                   [](draws&, std::uint32_t p, const fma_triple&) { return p ^ 0x80000000u; }},
    relative_class{
        "nearly minus the product",
        [](draws& d, std::uint32_t p, const fma_triple&) { return (p ^ 0x80000000u) + d.below(17) - 8; }},
    relative_class{"tie", [](draws& d, std::uint32_t, const fma_triple& t) { return tied(d, t); }},
    // The product is around half a unit in the last place of c: just beside ties.
    relative_class{"half a unit",
                   [](draws& d, std::uint32_t p, const fma_triple&) { return moved(d, p, 23, 3); }},
    relative_class{"above the product",
                   [](draws& d, std::uint32_t p, const fma_triple&) { return moved(d, p, 1, 22); }},
    relative_class{"far above the product",
                   [](draws& d, std::uint32_t p, const fma_triple&) { return moved(d, p, 26, 60); }},
    relative_class{"below the product",
                   [](draws& d, std::uint32_t p, const fma_triple&) { return moved(d, p, -30, 30); }},
    relative_class{"far below the product",
                   [](draws& d, std::uint32_t p, const fma_triple&) { return moved(d, p, -100, 70); }},
};

constexpr std::uint64_t operands = operand_classes.size();
constexpr std::uint64_t addends = operand_classes.size() + relative_classes.size();

struct combination {
    std::size_t a, b, c;
};
combination combination_of(std::uint64_t index) {
    index %= operands * operands * addends;
    return {index / addends / operands, index / addends % operands, index % addends};
}

std::uint32_t signed_draw(draws& d, std::size_t of) {
    return operand_classes[of].draw(d) | (d.word() & 0x80000000u);
}

} // namespace

std::uint64_t fma_class_combinations() { return operands * operands * addends; }

fma_triple fma_triple_of(std::uint64_t seed, std::uint64_t index) {
    const combination k = combination_of(index);
    draws d(seed, index);
    fma_triple t{signed_draw(d, k.a), signed_draw(d, k.b), 0};
    t.c = k.c < operands ? signed_draw(d, k.c)
                         : relative_classes[k.c - operands].draw(d, soft::fma(t.a, t.b, 0), t);
    return t;
}

std::string fma_classes_of(std::uint64_t index) {
    const combination k = combination_of(index);
    return std::string(operand_classes[k.a].name) + ", " + operand_classes[k.b].name + ", " +
           (k.c < operands ? operand_classes[k.c].name : relative_classes[k.c - operands].name);
}

} // namespace retrace
