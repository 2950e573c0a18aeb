#include "tlm/core/array/kernel_simd.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "tlm/core/numeric/formats_bulk.h"

// Highway's MulAdd is two roundings on its sets below AVX2: leave those out, the scalar baseline with
// std::fma serves.
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tlm/core/array/kernel_simd.cpp"
#include "hwy/cache_control.h"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

#ifndef RETRACE_KERNEL_SIMD_SHARED
#define RETRACE_KERNEL_SIMD_SHARED
namespace retrace::kernel {
namespace {

// Operands are widened into blocks of block_rows x chunk_depth floats. The row pitch is a constant so that
// the micro kernel addresses all rows from one pointer; its 16 extra floats keep rows out of each other's
// cache sets.
constexpr unsigned block_rows = 14;
constexpr unsigned chunk_depth = 128;
constexpr unsigned block_pitch = chunk_depth + 16;
constexpr std::size_t block_floats = std::size_t{block_rows} * block_pitch;

enum class store_mode { carry, overwrite, accumulate, overwrite_integer, accumulate_integer };

// One call of the micro kernel: `rows` x `columns` (<= 32) sums over `depth` (<= chunk_depth) terms.
struct micro_call {
    const float* a; // block, row-major, block_pitch
    const float* b; // depth x panel_columns
    unsigned depth;
    unsigned columns;
    const std::uint32_t* carry_in; // block_rows x panel_columns words, or null: the chain starts from +0
    std::uint32_t* carry_out;      // for store_mode::carry
    std::uint32_t* out;            // otherwise
    std::size_t out_pitch;
    store_mode mode;
    // What later calls read is fetched a little with every k: the next block of operands, the next panel of
    // weights. Steps in floats per k; a prefetch beyond the end of memory does nothing.
    const float* next_a;
    const float* next_b;
    unsigned next_a_step, next_b_step;
};

} // namespace
} // namespace retrace::kernel
#endif

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

const char* target_name() { return HWY_DYNAMIC_DISPATCH(name)(); }

void pack_weights(const matrix_view& w, float* packed) {
    auto* words = reinterpret_cast<std::uint32_t*>(packed);
    // A band of rows passes all panels before the next one: a panel's column of a large matrix alone would be
    // one cache line per row, a stride that no prefetcher follows.
    constexpr unsigned band = 16;
    for (unsigned row = 0; row < w.rows; row += band) {
        const unsigned rows = std::min(band, w.rows - row);
        for (unsigned column = 0; column < w.columns; column += panel_columns) {
            const unsigned now = std::min(panel_columns, w.columns - column);
            std::uint32_t* to = words + std::size_t{column} * w.rows + std::size_t{row} * panel_columns;
            if (now < panel_columns) {
                std::memset(to, 0, std::size_t{rows} * panel_columns * sizeof(float));
            }
            widen_block(w.format, w.data + row * w.row_pitch_bytes + std::size_t{column} * bytes_of(w.format),
                        w.row_pitch_bytes, rows, now, to, panel_columns);
        }
    }
}

namespace {

// Scratch of the calling thread: a simulation makes millions of small tiles.
std::uint32_t* scratch(std::size_t words) {
    thread_local std::vector<std::uint32_t> memory;
    if (memory.size() < words + 16) {
        memory.resize(words + 16);
    }
    const auto address = reinterpret_cast<std::uintptr_t>(memory.data());
    return memory.data() + (((address + 63) & ~std::uintptr_t{63}) - address) / sizeof(std::uint32_t);
}

// Columns [first, first + depth) of the rows [first_row, first_row + rows) as one block.
void widen_operands(const matrix_view& a, unsigned first_row, unsigned rows, unsigned first, unsigned depth,
                    std::uint32_t* block) {
    widen_block(a.format, a.data + first_row * a.row_pitch_bytes + std::size_t{first} * bytes_of(a.format),
                a.row_pitch_bytes, rows, depth, block, block_pitch);
}

// Equal blocks of at most block_rows: a remainder of one or two rows would run at the speed of a latency
// chain.
unsigned even_block(unsigned rows) {
    const unsigned blocks = (rows + block_rows - 1) / block_rows;
    return (rows + blocks - 1) / blocks;
}

} // namespace

void multiply_tile(const matrix_view& a, const float* packed, unsigned n, std::uint32_t* out,
                   std::size_t out_pitch) {
    const bool integer = is_integer(a.format);
    const unsigned chunks = (a.columns + chunk_depth - 1) / chunk_depth;
    const unsigned per_block = even_block(a.rows);
    // Rows widened at a time: all chunks of them stay in the second-level cache while every panel passes.
    const unsigned group = std::max(1u, 16u / chunks) * per_block;
    const std::size_t group_blocks = std::size_t{group / per_block};
    std::uint32_t* blocks = scratch(group_blocks * chunks * block_floats + block_rows * panel_columns);
    std::uint32_t* carry = blocks + group_blocks * chunks * block_floats;
    const auto run = HWY_DYNAMIC_DISPATCH(run_micro);

    for (unsigned first_row = 0; first_row < a.rows; first_row += group) {
        const unsigned rows = std::min(group, a.rows - first_row);
        for (unsigned row = 0; row < rows; row += per_block) {
            for (unsigned chunk = 0; chunk < chunks; ++chunk) {
                const unsigned k = chunk * chunk_depth;
                widen_operands(a, first_row + row, std::min(per_block, rows - row), k,
                               std::min(chunk_depth, a.columns - k),
                               blocks + (chunk * group_blocks + row / per_block) * block_floats);
            }
        }
        for (unsigned column = 0; column < n; column += panel_columns) {
            const float* panel = packed + std::size_t{column} * a.columns;
            for (unsigned row = 0; row < rows; row += per_block) {
                micro_call call{};
                call.columns = std::min(panel_columns, n - column);
                call.carry_out = carry;
                call.out = out + (first_row + row) * out_pitch + column;
                call.out_pitch = out_pitch;
                for (unsigned chunk = 0; chunk < chunks; ++chunk) {
                    const unsigned k = chunk * chunk_depth;
                    call.a = reinterpret_cast<const float*>(
                        blocks + (chunk * group_blocks + row / per_block) * block_floats);
                    call.b = panel + std::size_t{k} * panel_columns;
                    call.depth = std::min(chunk_depth, a.columns - k);
                    call.next_a = call.next_b = call.a; // a tile's operands and weights are near already
                    if (integer) {
                        call.mode =
                            chunk == 0 ? store_mode::overwrite_integer : store_mode::accumulate_integer;
                    } else {
                        call.carry_in = chunk == 0 ? nullptr : carry;
                        call.mode = chunk + 1 < chunks ? store_mode::carry : store_mode::overwrite;
                    }
                    run(call, std::min(per_block, rows - row));
                }
            }
        }
    }
}

namespace {

void check_gemm(const matrix_view& a, const matrix_view& b, unsigned array_rows) {
    check_operand_view(a, ~0u, ~0u, "gemm: operands");
    check_operand_view(b, ~0u, ~0u, "gemm: weights");
    if (a.columns != b.rows || is_integer(a.format) != is_integer(b.format) || array_rows == 0) {
        throw array_protocol_error(
            "gemm: a is M x K, b is K x N, both of float formats or both int8, rows at least 1");
    }
}

} // namespace

void gemm(const matrix_view& a, const matrix_view& b, unsigned array_rows, std::uint32_t* c,
          std::size_t c_pitch) {
    check_gemm(a, b, array_rows);
    const bool integer = is_integer(a.format);
    // The chain breaks at every array_rows, the widened blocks also at chunk_depth.
    struct chunk {
        unsigned first, depth;
        bool starts_tile, ends_tile;
    };
    std::vector<chunk> chunks;
    for (unsigned tile = 0; tile < a.columns; tile += array_rows) {
        const unsigned end = std::min(a.columns - tile, array_rows) + tile;
        for (unsigned k = tile; k < end; k += chunk_depth) {
            chunks.push_back({k, std::min(chunk_depth, end - k), k == tile, k + chunk_depth >= end});
        }
    }
    const unsigned per_block = even_block(a.rows);
    constexpr std::size_t cache_floats = 200 * 1024; // operands of one group: within a second-level cache
    constexpr std::size_t carry_floats = std::size_t{block_rows} * panel_columns;
    const std::size_t depth_floats = chunks.size() * block_floats;
    const unsigned all_blocks = (a.rows + per_block - 1) / per_block;
    const auto most_blocks =
        static_cast<unsigned>(std::clamp<std::size_t>(cache_floats / depth_floats, 1, 64));
    const unsigned groups = (all_blocks + most_blocks - 1) / most_blocks;
    const unsigned group_blocks = (all_blocks + groups - 1) / groups;
    const unsigned group = group_blocks * per_block;
    const std::size_t weight_floats = packed_floats(b.rows, b.columns);
    std::uint32_t* memory = scratch(weight_floats + group_blocks * (depth_floats + carry_floats));
    auto* packed = reinterpret_cast<float*>(memory);
    pack_weights(b, packed);
    std::uint32_t* blocks = memory + weight_floats;
    std::uint32_t* carries = blocks + group_blocks * depth_floats;
    const auto run = HWY_DYNAMIC_DISPATCH(run_micro);

    for (unsigned first_row = 0; first_row < a.rows; first_row += group) {
        const unsigned rows = std::min(group, a.rows - first_row);
        for (unsigned row = 0; row < rows; row += per_block) {
            for (std::size_t i = 0; i < chunks.size(); ++i) {
                widen_operands(a, first_row + row, std::min(per_block, rows - row), chunks[i].first,
                               chunks[i].depth, blocks + (i * group_blocks + row / per_block) * block_floats);
            }
        }
        // A panel of weights stays in the first-level cache while the group's rows pass it; the group's 32
        // columns of c stay near while every chunk of k passes them.
        for (unsigned column = 0; column < b.columns; column += panel_columns) {
            const float* panel = packed + std::size_t{column} * b.rows;
            for (std::size_t i = 0; i < chunks.size(); ++i) {
                for (unsigned block = 0; block * per_block < rows; ++block) {
                    const unsigned row = block * per_block;
                    std::uint32_t* carry = carries + block * carry_floats;
                    micro_call call{};
                    call.a =
                        reinterpret_cast<const float*>(blocks + (i * group_blocks + block) * block_floats);
                    call.b = panel + std::size_t{chunks[i].first} * panel_columns;
                    call.depth = chunks[i].depth;
                    call.next_a = call.a + block_floats;
                    call.next_a_step = block_rows;
                    call.next_b_step = (panel_columns + group_blocks - 1) / group_blocks;
                    call.next_b =
                        call.b + std::size_t{call.depth} * (panel_columns + block * call.next_b_step);
                    call.columns = std::min(panel_columns, b.columns - column);
                    call.out = c + (first_row + row) * c_pitch + column;
                    call.out_pitch = c_pitch;
                    if (integer) { // exact per chunk, see the header
                        call.mode = i == 0 ? store_mode::overwrite_integer : store_mode::accumulate_integer;
                    } else {
                        call.carry_in = chunks[i].starts_tile ? nullptr : carry;
                        call.carry_out = carry;
                        call.mode = !chunks[i].ends_tile           ? store_mode::carry
                                    : chunks[i].first < array_rows ? store_mode::overwrite
                                                                   : store_mode::accumulate;
                    }
                    run(call, std::min(per_block, rows - row));
                }
            }
        }
    }
}

} // namespace retrace::kernel
#endif // HWY_ONCE
