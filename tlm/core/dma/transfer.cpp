#include "tlm/core/dma/transfer.h"

#include <algorithm>
#include <cstring>

#include "tlm/core/seeded_fault.h"

namespace retrace {

using spec::engine_fault;

namespace {

/// Columns of a tile that the transpose unit turns at once, in elements.
constexpr std::uint64_t tile_columns = 64;

template <typename Element>
void turn_elements(const dma_chunk& chunk, const std::byte* from, std::byte* to) {
    for (std::uint32_t r = 0; r < chunk.rows; ++r)
        for (std::uint32_t c = 0; c < chunk.columns; ++c)
            std::memcpy(to + (std::size_t{c} * chunk.rows + r) * sizeof(Element), from + (std::size_t{r} * chunk.columns + c) * sizeof(Element),
                        sizeof(Element));
}

} // namespace

dma_transfer::dma_transfer(const spec::copy_instruction& i, const context_state& context, unsigned chunk_bytes)
    : i_(i), chunk_bytes_(chunk_bytes), element_bytes_(i.element_bytes), transpose_(i.flags & spec::copy_transpose) {
    const auto refuse = [](engine_fault fault, std::uint64_t detail) { throw engine_error{fault, static_cast<std::uint32_t>(detail)}; };
    if (i.reserved != 0)
        refuse(engine_fault::reserved_bits, i.reserved);
    if (i.size0 == 0 || i.size1 == 0 || i.size2 == 0 || i.size3 == 0)
        refuse(engine_fault::bad_shape, 0);
    if (transpose_) {
        if (element_bytes_ != 1 && element_bytes_ != 2 && element_bytes_ != 4)
            refuse(engine_fault::bad_format, element_bytes_);
        if (i.size0 % element_bytes_ != 0 || i.size2 != 1 || i.size3 != 1)
            refuse(engine_fault::bad_shape, i.size0);
    } else if (element_bytes_ != 1) {
        refuse(engine_fault::bad_format, element_bytes_);
    }

    const std::uint64_t runs = std::uint64_t{i.size1} * i.size2 * i.size3;
    if (runs > (std::uint64_t{1} << 32))
        refuse(engine_fault::bad_shape, i.size1);
    bytes_ = runs * i.size0;

    const spec::operand& source = context.slot(i.source_slot, spec::operand_access::read);
    const spec::operand& destination = context.slot(i.destination_slot, spec::operand_access::write);
    tensor_ = context.tensor(i.tag_slot);
    source_memory_ = static_cast<spec::memory_kind>(source.memory);
    destination_memory_ = static_cast<spec::memory_kind>(destination.memory);
    for (const auto& [memory, slot] : {std::pair{source_memory_, i.source_slot}, std::pair{destination_memory_, i.destination_slot}})
        if (memory != spec::memory_kind::host && memory != spec::memory_kind::device_dram && memory != spec::memory_kind::state_buffer)
            refuse(engine_fault::bad_slot, slot);

    // Largest byte touched on each side, in 128 bits: strides come from outside.
    using wide = unsigned __int128;
    const auto check = [&](const spec::operand& o, std::uint32_t offset, wide extent) {
        if (offset > o.bytes || extent > o.bytes - offset)
            refuse(engine_fault::out_of_bounds, offset);
    };
    const auto span = [&](std::uint32_t s1, std::uint32_t s2, std::uint32_t s3) {
        return wide{i.size1 - 1} * s1 + wide{i.size2 - 1u} * s2 + wide{i.size3 - 1u} * s3;
    };
    const wide source_extent = span(i.source_stride1, i.source_stride2, i.source_stride3) + i.size0;
    const wide destination_extent = transpose_ ? wide{i.size0 / element_bytes_ - 1} * i.destination_stride1 + wide{i.size1} * element_bytes_
                                               : span(i.destination_stride1, i.destination_stride2, i.destination_stride3) + i.size0;
    check(source, i.source_offset, source_extent);
    check(destination, i.destination_offset, destination_extent);
    source_base_ = source.base + i.source_offset;
    destination_base_ = destination.base + i.destination_offset;
    // Chunks are read ahead of earlier writes: a copy onto itself would depend on how far.
    if (source_memory_ == destination_memory_ && source_base_ < destination_base_ + destination_extent &&
        destination_base_ < source_base_ + source_extent)
        refuse(engine_fault::overlapping_operands, i.destination_offset);

    // Runs that join on both sides are one longer run, so that a contiguous block moves in full chunks.
    const auto joins = [&] { return i_.source_stride1 == i_.size0 && i_.destination_stride1 == i_.size0; };
    while (!transpose_ && (i_.size1 > 1 || i_.size2 > 1 || i_.size3 > 1)) {
        if (i_.size1 > 1 && (!joins() || std::uint64_t{i_.size0} * i_.size1 > 0xffffffffu))
            break;
        i_.size0 *= i_.size1;
        i_.size1 = i_.size2;
        i_.source_stride1 = i_.source_stride2;
        i_.destination_stride1 = i_.destination_stride2;
        i_.size2 = i_.size3;
        i_.source_stride2 = i_.source_stride3;
        i_.destination_stride2 = i_.destination_stride3;
        i_.size3 = 1;
    }
}

bool dma_transfer::next(dma_chunk& chunk) {
    chunk.source.clear();
    chunk.destination.clear();
    chunk.bytes = 0;
    return transpose_ ? next_tile(chunk) : next_copy(chunk);
}

bool dma_transfer::next_copy(dma_chunk& chunk) {
    const std::uint64_t runs = std::uint64_t{i_.size1} * i_.size2 * i_.size3;
    while (run_ < runs && chunk.bytes < chunk_bytes_) {
        const std::uint64_t i1 = run_ % i_.size1, i2 = run_ / i_.size1 % i_.size2, i3 = run_ / i_.size1 / i_.size2;
        const auto bytes = static_cast<std::uint32_t>(std::min<std::uint64_t>(i_.size0 - run_offset_, chunk_bytes_ - chunk.bytes));
        const std::uint32_t stride2 = RETRACE_FAULT(dma_stride) ? i_.source_stride1 : i_.source_stride2;
        chunk.source.push_back({source_base_ + i1 * i_.source_stride1 + i2 * stride2 + i3 * i_.source_stride3 + run_offset_, bytes});
        chunk.destination.push_back(
            {destination_base_ + i1 * i_.destination_stride1 + i2 * i_.destination_stride2 + i3 * i_.destination_stride3 + run_offset_, bytes});
        chunk.bytes += bytes;
        run_offset_ += bytes;
        if (run_offset_ == i_.size0) {
            run_offset_ = 0;
            ++run_;
        }
    }
    return chunk.bytes != 0;
}

bool dma_transfer::next_tile(dma_chunk& chunk) {
    const std::uint64_t columns = i_.size0 / element_bytes_;
    if (tile_row_ >= i_.size1)
        return false;
    const std::uint64_t width = std::min<std::uint64_t>(tile_columns, chunk_bytes_ / element_bytes_); // of a tile
    chunk.columns = static_cast<std::uint32_t>(std::min(width, columns - tile_column_));
    const std::uint64_t tile_rows = chunk_bytes_ / (width * element_bytes_);
    chunk.rows = static_cast<std::uint32_t>(std::min<std::uint64_t>(tile_rows, i_.size1 - tile_row_));
    for (std::uint32_t r = 0; r < chunk.rows; ++r)
        chunk.source.push_back({source_base_ + (tile_row_ + r) * i_.source_stride1 + tile_column_ * element_bytes_, chunk.columns * element_bytes_});
    const std::uint64_t first_row = RETRACE_FAULT(lost_tile_row) ? 0 : tile_row_;
    for (std::uint32_t c = 0; c < chunk.columns; ++c)
        chunk.destination.push_back(
            {destination_base_ + (tile_column_ + c) * i_.destination_stride1 + first_row * element_bytes_, chunk.rows * element_bytes_});
    chunk.bytes = chunk.rows * chunk.columns * element_bytes_;
    tile_column_ += chunk.columns;
    if (tile_column_ == columns) {
        tile_column_ = 0;
        tile_row_ += chunk.rows;
    }
    return true;
}

void dma_transfer::turn(const dma_chunk& chunk, unsigned element_bytes, const std::byte* from, std::byte* to) {
    switch (element_bytes) {
    case 1: return turn_elements<std::uint8_t>(chunk, from, to);
    case 2: return turn_elements<std::uint16_t>(chunk, from, to);
    default: return turn_elements<std::uint32_t>(chunk, from, to);
    }
}

} // namespace retrace
