#include "tlm/core/array/kernel_micro.h"

#include <cstring>

#include "tlm/core/numeric/formats.h"

// Highway's MulAdd is two roundings on its sets below AVX2: leave those out, the scalar baseline with
// std::fma serves.
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tlm/core/array/kernel_micro.cpp"
#include "hwy/cache_control.h"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace retrace::kernel {
namespace HWY_NAMESPACE {
namespace {

#if HWY_NATIVE_FMA && !HWY_HAVE_SCALABLE

namespace hn = hwy::HWY_NAMESPACE;
using float_tag = hn::CappedTag<float, 16>;
using word_tag = hn::RebindToUnsigned<float_tag>;
using integer_tag = hn::RebindToSigned<float_tag>;
constexpr unsigned lanes = hn::MaxLanes(float_tag());
// Rows that fit the registers beside two vectors of b and a broadcast: 14 x 2 of 32 registers, 6 x 2 of 16.
constexpr unsigned most_rows = HWY_CAP_GE512 || HWY_TARGET == HWY_NEON ? 14 : 6;

template <unsigned rows, unsigned vectors>
using sum_block = hn::Vec<float_tag>[rows][vectors];

// Where the sums of whole vectors go: memory[r * pitch + v * lanes].
template <unsigned rows, unsigned vectors, typename Function>
HWY_INLINE void for_each_sum(const sum_block<rows, vectors>& sum, std::uint32_t* memory, std::size_t pitch,
                             Function function) {
#pragma GCC unroll 16
    for (unsigned r = 0; r < rows; ++r) {
#pragma GCC unroll 2
        for (unsigned v = 0; v < vectors; ++v) {
            function(sum[r][v], memory + v * lanes);
        }
        memory += pitch;
    }
}

HWY_INLINE void store_canonical(hn::Vec<float_tag> sum, std::uint32_t* to) {
    const word_tag u;
    const auto nan = hn::BitCast(float_tag(), hn::Set(u, canonical_nan_fp32));
    hn::StoreU(hn::BitCast(u, hn::IfThenElse(hn::IsNaN(sum), nan, sum)), u, to);
}

// One branch on the mode per call of the micro kernel.
template <unsigned rows, unsigned vectors>
HWY_INLINE void finish_vectors(const sum_block<rows, vectors>& sum, store_mode mode, std::uint32_t* to,
                               std::size_t pitch) {
    using vector = hn::Vec<float_tag>;
    const float_tag d;
    const word_tag u;
    switch (mode) {
    case store_mode::carry:
        for_each_sum<rows, vectors>(sum, to, pitch,
                                    [&](vector s, std::uint32_t* p) { hn::StoreU(hn::BitCast(u, s), u, p); });
        break;
    case store_mode::overwrite:
        for_each_sum<rows, vectors>(sum, to, pitch, store_canonical);
        break;
    case store_mode::accumulate:
        for_each_sum<rows, vectors>(sum, to, pitch, [&](vector s, std::uint32_t* p) {
            store_canonical(hn::Add(hn::BitCast(d, hn::LoadU(u, p)), s), p);
        });
        break;
    case store_mode::overwrite_integer:
        for_each_sum<rows, vectors>(sum, to, pitch, [&](vector s, std::uint32_t* p) {
            hn::StoreU(hn::BitCast(u, hn::ConvertTo(integer_tag(), s)), u, p);
        });
        break;
    case store_mode::accumulate_integer:
        for_each_sum<rows, vectors>(sum, to, pitch, [&](vector s, std::uint32_t* p) {
            hn::StoreU(hn::Add(hn::BitCast(u, hn::ConvertTo(integer_tag(), s)), hn::LoadU(u, p)), u, p);
        });
        break;
    }
}

// Sums that do not fill their vectors go through a copy, so that memory beside the tile is neither read nor
// written.
template <unsigned rows, unsigned vectors>
HWY_NOINLINE void finish_part(const sum_block<rows, vectors>& sum, store_mode mode, std::uint32_t* to,
                              std::size_t pitch, unsigned columns) {
    HWY_ALIGN std::uint32_t copy[rows * vectors * lanes];
    for (unsigned r = 0; r < rows; ++r) {
        std::memcpy(copy + r * vectors * lanes, to + r * pitch, columns * sizeof(std::uint32_t));
    }
    finish_vectors<rows, vectors>(sum, mode, copy, vectors * lanes);
    for (unsigned r = 0; r < rows; ++r) {
        std::memcpy(to + r * pitch, copy + r * vectors * lanes, columns * sizeof(std::uint32_t));
    }
}

// rows x (vectors * lanes) sums in registers, from `row` and `column` of the call.
template <unsigned rows, unsigned vectors>
HWY_NOINLINE void micro(const micro_call& call, unsigned row, unsigned column) {
    const float_tag d;
    sum_block<rows, vectors> sum;
    const float* HWY_RESTRICT a = call.a + std::size_t{row} * block_pitch;
    const float* HWY_RESTRICT b = call.b + column;
    const std::size_t carry_at = std::size_t{row} * panel_columns + column;
    const bool carries = call.mode == store_mode::carry;
    std::uint32_t* to = carries ? call.carry_out + carry_at : call.out + row * call.out_pitch + column;
    const std::size_t pitch = carries ? panel_columns : call.out_pitch;
    for (unsigned r = 0; r < rows; ++r) {
        hwy::Prefetch(to + r * pitch);
        hwy::Prefetch(to + r * pitch + lanes);
    }
    if (call.carry_in == nullptr) {
#pragma GCC unroll 16
        for (unsigned r = 0; r < rows; ++r) {
#pragma GCC unroll 2
            for (unsigned v = 0; v < vectors; ++v) {
                sum[r][v] = hn::Zero(d);
            }
        }
    } else {
        const std::uint32_t* from = call.carry_in + carry_at;
#pragma GCC unroll 16
        for (unsigned r = 0; r < rows; ++r) {
#pragma GCC unroll 2
            for (unsigned v = 0; v < vectors; ++v) {
                sum[r][v] = hn::BitCast(d, hn::LoadU(word_tag(), from + r * panel_columns + v * lanes));
            }
        }
    }
    const float* next_a = call.next_a;
    const float* next_b = call.next_b;
    for (unsigned k = 0; k < call.depth; ++k) {
        hwy::Prefetch(next_a);
        hwy::Prefetch(next_b);
        next_a += call.next_a_step;
        next_b += call.next_b_step;
        hn::Vec<float_tag> weights[vectors];
#pragma GCC unroll 2
        for (unsigned v = 0; v < vectors; ++v) {
            weights[v] = hn::LoadU(d, b + v * lanes);
        }
#pragma GCC unroll 16
        for (unsigned r = 0; r < rows; ++r) {
            const auto operand = hn::Set(d, a[r * block_pitch]);
#pragma GCC unroll 2
            for (unsigned v = 0; v < vectors; ++v) {
                sum[r][v] = hn::MulAdd(operand, weights[v], sum[r][v]);
            }
        }
        ++a;
        b += panel_columns;
    }
    if (carries || call.columns - column >= vectors * lanes) {
        finish_vectors<rows, vectors>(sum, call.mode, to, pitch);
    } else {
        finish_part<rows, vectors>(sum, call.mode, to, pitch, call.columns - column);
    }
}

template <unsigned rows>
HWY_INLINE void micro_rows(const micro_call& call, unsigned row) {
    for (unsigned column = 0; column < call.columns; column += 2 * lanes) {
        if (call.columns - column > lanes) {
            micro<rows, 2>(call, row, column);
        } else {
            micro<rows, 1>(call, row, column);
        }
    }
}

void run_micro(const micro_call& call, unsigned rows) {
    unsigned row = 0;
    while (row < rows) {
        // No std:: templates in here: their code would be shared between instruction sets by the linker.
        const unsigned now = rows - row < most_rows ? rows - row : most_rows;
        switch (now) {
        case 1:
            micro_rows<1>(call, row);
            break;
        case 2:
            micro_rows<2>(call, row);
            break;
        case 3:
            micro_rows<3>(call, row);
            break;
        case 4:
            micro_rows<4>(call, row);
            break;
        case 5:
            micro_rows<5>(call, row);
            break;
        case 6:
            micro_rows<6>(call, row);
            break;
#if HWY_CAP_GE512 || HWY_TARGET == HWY_NEON
        case 7:
            micro_rows<7>(call, row);
            break;
        case 8:
            micro_rows<8>(call, row);
            break;
        case 9:
            micro_rows<9>(call, row);
            break;
        case 10:
            micro_rows<10>(call, row);
            break;
        case 11:
            micro_rows<11>(call, row);
            break;
        case 12:
            micro_rows<12>(call, row);
            break;
        case 13:
            micro_rows<13>(call, row);
            break;
        default:
            micro_rows<14>(call, row);
            break;
#else
        default:
            break;
#endif
        }
        row += now;
    }
}

#else // no fused multiply-add in this set

void finish_word(const micro_call& call, float sum, unsigned row, unsigned column) {
    if (call.mode == store_mode::carry) {
        std::memcpy(call.carry_out + row * panel_columns + column, &sum, sizeof(sum));
        return;
    }
    std::uint32_t& to = call.out[row * call.out_pitch + column];
    float before;
    std::memcpy(&before, &to, sizeof(before));
    std::uint32_t bits;
    switch (call.mode) {
    case store_mode::overwrite_integer:
        to = static_cast<std::uint32_t>(static_cast<std::int32_t>(sum));
        return;
    case store_mode::accumulate_integer:
        to += static_cast<std::uint32_t>(static_cast<std::int32_t>(sum));
        return;
    case store_mode::accumulate:
        sum = before + sum;
        break;
    default:
        break;
    }
    std::memcpy(&bits, &sum, sizeof(bits));
    to = canonical_fp32(bits);
}

void run_micro(const micro_call& call, unsigned rows) {
    for (unsigned row = 0; row < rows; ++row) {
        float sum[panel_columns] = {};
        if (call.carry_in != nullptr) {
            std::memcpy(sum, call.carry_in + row * panel_columns, sizeof(sum));
        }
        for (unsigned k = 0; k < call.depth; ++k) {
            const float operand = call.a[row * block_pitch + k];
            for (unsigned c = 0; c < call.columns; ++c) {
                sum[c] = __builtin_fmaf(operand, call.b[k * panel_columns + c], sum[c]);
            }
        }
        for (unsigned c = 0; c < call.columns; ++c) {
            finish_word(call, sum[c], row, c);
        }
    }
}

#endif

const char* name() { return hwy::TargetName(HWY_TARGET); }

} // namespace
} // namespace HWY_NAMESPACE
} // namespace retrace::kernel
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace retrace::kernel {

HWY_EXPORT(run_micro);
HWY_EXPORT(name);

micro_function micro_kernel() { return HWY_DYNAMIC_DISPATCH(run_micro); }

const char* target_name() { return HWY_DYNAMIC_DISPATCH(name)(); }

} // namespace retrace::kernel
#endif // HWY_ONCE
