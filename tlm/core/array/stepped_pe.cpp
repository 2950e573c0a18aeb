#include "tlm/core/array/stepped_pe.h"

#include <algorithm>
#include <cstring>

// The same loops are compiled for several instruction sets by function attributes and chosen by asking the
// processor. They are plain C++ for the compiler's vectoriser (-O3 for this file).
#define RETRACE_INLINE static inline __attribute__((always_inline))

namespace retrace::stepped {

namespace {
constexpr unsigned vector_words = 16;
}

pe_registers::pe_registers(unsigned rows_in, unsigned columns_in, unsigned depth_in)
    : rows(rows_in), columns(columns_in), depth(depth_in),
      pitch((std::size_t{columns_in} + vector_words - 1) / vector_words * vector_words) {
    const std::size_t words = rows * pitch;
    for (auto* r : {&active, &active_mode, &shadow, &shadow_mode, &passing, &full}) {
        r->assign(words, 0);
    }
    sums.assign(words * depth, 0);
    zeros.assign(pitch, 0);
    inside.assign(pitch, 0);
    std::fill_n(inside.begin(), columns, ~0u);
}

namespace {

RETRACE_INLINE float as_float(std::uint32_t bits) {
    float value;
    std::memcpy(&value, &bits, sizeof(value));
    return value;
}

RETRACE_INLINE std::uint32_t fused(std::uint32_t a, std::uint32_t w, std::uint32_t above) {
    const float sum = __builtin_fmaf(as_float(a), as_float(w), as_float(above));
    std::uint32_t bits;
    std::memcpy(&bits, &sum, sizeof(bits));
    return sum != sum ? 0x7fc00000u : bits;
}

// One row of PEs. `above` and `sums` are different rows of the same slot.
template <std::uint32_t modes>
RETRACE_INLINE void
multiply_row(const std::uint32_t* __restrict__ operands, const std::uint32_t* __restrict__ weights,
             const std::uint32_t* __restrict__ mode, const std::uint32_t* __restrict__ above,
             std::uint32_t* __restrict__ sums, std::size_t words) {
    for (std::size_t block = 0; block < words; block += vector_words) {
        for (unsigned i = 0; i < vector_words; ++i) {
            const std::size_t c = block + i;
            const std::uint32_t pass = above[c];
            std::uint32_t next = pass;
            if constexpr ((modes & mode_float) != 0) {
                const std::uint32_t sum = fused(operands[c], weights[c], pass);
                next = mode[c] == mode_float ? sum : next;
            }
            if constexpr ((modes & mode_integer) != 0) {
                const std::uint32_t sum = pass + operands[c] * weights[c];
                next = mode[c] == mode_integer ? sum : next;
            }
            sums[c] = next;
        }
    }
}

// From the bottom row up: a row still reads what the row above wrote `depth` cycles ago.
template <std::uint32_t modes>
RETRACE_INLINE void multiply_rows(pe_registers& pe, const operand_view& operands, std::uint32_t* sums) {
    for (std::size_t k = pe.rows; k-- > 0;) {
        const std::size_t at = k * pe.pitch;
        const std::uint32_t* above = k == 0 ? pe.zeros.data() : sums + at - pe.pitch;
        multiply_row<modes>(operands.values + k * operands.row_step, pe.active.data() + at,
                            pe.active_mode.data() + at, above, sums + at, pe.pitch);
    }
}

RETRACE_INLINE void multiply_body(pe_registers& pe, const operand_view& operands, std::uint32_t* sums,
                                  std::uint32_t modes) {
    switch (modes) {
    case mode_float:
        multiply_rows<mode_float>(pe, operands, sums);
        break;
    case mode_integer:
        multiply_rows<mode_integer>(pe, operands, sums);
        break;
    default:
        multiply_rows<mode_float | mode_integer>(pe, operands, sums);
        break;
    }
}

// Sixteen words at a time: selects over many arrays are more than the vectoriser's alias analysis takes. The
// type is the compiler's own, lowered to whatever vectors the instruction set has.
using words = std::uint32_t __attribute__((vector_size(4 * vector_words)));

RETRACE_INLINE void load(words& to, const std::uint32_t* from) { std::memcpy(&to, from, sizeof(words)); }
RETRACE_INLINE void store(std::uint32_t* to, const words& from) { std::memcpy(to, &from, sizeof(words)); }
RETRACE_INLINE void select(std::uint32_t* to, const words& take, const words& taken) {
    words old;
    load(old, to);
    store(to, (take & taken) | (~take & old));
}
RETRACE_INLINE bool any(const words& w) {
    std::uint32_t all = 0;
    for (unsigned i = 0; i < vector_words; ++i) {
        all |= w[i];
    }
    return all != 0;
}

RETRACE_INLINE bool swap_body(pe_registers& pe, const operand_view& operands) {
    words wrong = {};
    for (std::size_t k = 0; k < pe.rows; ++k) {
        const std::uint32_t* row_flags = operands.flags + k * operands.row_step;
        for (std::size_t c = 0; c < pe.pitch; c += vector_words) {
            const std::size_t at = k * pe.pitch + c;
            words flags, inside, full, weight, mode;
            load(flags, row_flags + c);
            load(inside, pe.inside.data() + c);
            const words take = -((flags / flag_swap) & 1u) & inside;
            load(full, pe.full.data() + at);
            wrong |= take & ~full;
            store(pe.full.data() + at, full & ~take);
            load(weight, pe.shadow.data() + at);
            select(pe.active.data() + at, take, weight);
            load(mode, pe.shadow_mode.data() + at);
            select(pe.active_mode.data() + at, take, mode);
        }
    }
    return !any(wrong);
}

RETRACE_INLINE bool shift_body(pe_registers& pe, const column_input& in) {
    words wrong = {};
    for (std::size_t k = pe.rows; k-- > 0;) {
        // A step moves into a register only what the load under way has brought to the register above it, so
        // that weights which wait for their swap further down stay.
        const std::size_t row = k * pe.pitch;
        const bool top = k == 0;
        const std::uint32_t* arrives = top ? in.step.data() : pe.passing.data() + row - pe.pitch;
        const std::uint32_t* weights = top ? in.weight.data() : pe.shadow.data() + row - pe.pitch;
        const std::uint32_t* modes = top ? in.mode.data() : pe.shadow_mode.data() + row - pe.pitch;
        for (std::size_t c = 0; c < pe.pitch; c += vector_words) {
            words step, done, take, full, passing, weight, mode;
            load(step, in.step.data() + c);
            load(done, in.done.data() + c);
            load(take, arrives + c);
            take &= step;
            load(full, pe.full.data() + row + c);
            wrong |= take & full;
            store(pe.full.data() + row + c, full | done);
            load(passing, pe.passing.data() + row + c);
            store(pe.passing.data() + row + c, (passing | take) & ~done);
            load(weight, weights + c);
            select(pe.shadow.data() + row + c, take, weight);
            load(mode, modes + c);
            select(pe.shadow_mode.data() + row + c, take, mode);
        }
    }
    return !any(wrong);
}

RETRACE_INLINE void accumulate_body(std::uint32_t* __restrict__ to, const std::uint32_t* __restrict__ from,
                                    std::size_t count, bool integer) {
    for (std::size_t i = 0; i < count; ++i) {
        const float sum = as_float(to[i]) + as_float(from[i]);
        std::uint32_t bits;
        std::memcpy(&bits, &sum, sizeof(bits));
        bits = sum != sum ? 0x7fc00000u : bits;
        to[i] = integer ? to[i] + from[i] : bits;
    }
}

#define RETRACE_DEFINE_PASSES(name, attribute)                                                               \
    attribute void multiply_##name(pe_registers& pe, const operand_view& operands, std::uint32_t* sums,      \
                                   std::uint32_t modes) {                                                    \
        multiply_body(pe, operands, sums, modes);                                                            \
    }                                                                                                        \
    attribute bool swap_##name(pe_registers& pe, const operand_view& operands) {                             \
        return swap_body(pe, operands);                                                                      \
    }                                                                                                        \
    attribute bool shift_##name(pe_registers& pe, const column_input& in) { return shift_body(pe, in); }     \
    attribute void accumulate_##name(std::uint32_t* to, const std::uint32_t* from, std::size_t count,        \
                                     bool integer) {                                                         \
        accumulate_body(to, from, count, integer);                                                           \
    }

RETRACE_DEFINE_PASSES(scalar, )
#if defined(__x86_64__) && defined(__GNUC__)
RETRACE_DEFINE_PASSES(avx2, __attribute__((target("avx2,fma"))))
RETRACE_DEFINE_PASSES(avx512, __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))))
#endif

} // namespace

passes select_passes(instruction_set wanted) {
#if defined(__x86_64__) && defined(__GNUC__)
    if (wanted == instruction_set::best) {
        if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
            __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
            return {multiply_avx512, swap_avx512, shift_avx512, accumulate_avx512};
        }
        if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
            return {multiply_avx2, swap_avx2, shift_avx2, accumulate_avx2};
        }
    }
#endif
    (void)wanted;
    return {multiply_scalar, swap_scalar, shift_scalar, accumulate_scalar};
}

} // namespace retrace::stepped
