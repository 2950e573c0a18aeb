// The conversions of formats.h over rows and blocks, at the speed of the host's vector unit. Same bits as the
// single element functions on every host: the loops are those functions, compiled once per instruction set.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "tlm/core/numeric/formats.h"

namespace retrace {

// Widens `rows` x `columns` elements of `format` to binary32 bits. Pitches: source in bytes, destination in
// elements. The source needs no alignment.
void widen_block(number_format format, const std::byte* source, std::size_t source_pitch_bytes,
                 std::size_t rows, std::size_t columns, std::uint32_t* destination,
                 std::size_t destination_pitch);

// One row; `source` holds destination.size() elements of `format`.
void widen_row(number_format format, const std::byte* source, std::span<std::uint32_t> destination);

// Narrows binary32 bits to `format`, to nearest even. fp32 copies with canonical NaN; int8 rounds and
// saturates; int32 is not a target (std::invalid_argument). `destination` has room for source.size()
// elements.
void narrow_row(number_format format, std::span<const std::uint32_t> source, std::byte* destination);

// Stochastic rounding with one random word per element (hw/spec/counter_random.h). Targets: bf16 and fp8.
void narrow_row_stochastic(number_format format, std::span<const std::uint32_t> source,
                           std::span<const std::uint32_t> random, std::byte* destination);

// PSUM accumulate: accumulator[i] = accumulator[i] + addend[i], one binary32 add with canonical NaN, or an
// int32 wrap-around add when `integer`.
void accumulate_row(std::span<std::uint32_t> accumulator, std::span<const std::uint32_t> addend,
                    bool integer);

} // namespace retrace
