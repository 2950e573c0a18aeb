#pragma once
// A DMA descriptor as the chunks a queue moves one after the other: which bytes are read, which are written, and in what order.
#include <cstdint>
#include <vector>

#include "tlm/core/engine/context.h"

namespace retrace {

/// A contiguous run of bytes.
struct byte_run {
    std::uint64_t address = 0;
    std::uint32_t bytes = 0;
    bool operator==(const byte_run&) const = default;
};

/// The unit of arbitration: runs read and runs written, the same bytes in all. For a copy the bytes pass in the order of the runs; for
/// a transpose `rows` x `columns` elements are turned in between.
struct dma_chunk {
    std::vector<byte_run> source, destination;
    std::uint32_t bytes = 0;
    std::uint32_t rows = 0, columns = 0; ///< transpose only
};

/// A checked descriptor. Construction throws engine_error for what the engine refuses.
class dma_transfer {
public:
    dma_transfer(const spec::copy_instruction& i, const context_state& context, unsigned chunk_bytes);

    spec::memory_kind source_memory() const { return source_memory_; }
    spec::memory_kind destination_memory() const { return destination_memory_; }
    trace::tensor_id tensor() const { return tensor_; }
    std::uint64_t source_base() const { return source_base_; }
    std::uint64_t destination_base() const { return destination_base_; }
    bool transposes() const { return transpose_; }
    unsigned element_bytes() const { return element_bytes_; }
    std::uint64_t bytes() const { return bytes_; }

    /// The next chunk; false when everything has been handed out. Chunks follow the order of the dimensions, innermost first.
    bool next(dma_chunk& chunk);

    /// Turns the chunk's bytes (rows x columns elements, row-major) into columns x rows.
    static void turn(const dma_chunk& chunk, unsigned element_bytes, const std::byte* from, std::byte* to);

private:
    bool next_copy(dma_chunk& chunk);
    bool next_tile(dma_chunk& chunk);

    spec::copy_instruction i_;
    spec::memory_kind source_memory_, destination_memory_;
    trace::tensor_id tensor_;
    std::uint64_t source_base_, destination_base_, bytes_;
    unsigned chunk_bytes_, element_bytes_;
    bool transpose_;
    std::uint64_t run_ = 0, run_offset_ = 0; ///< copy: next run (dimensions 1..3 flattened) and byte within it
    std::uint64_t tile_row_ = 0, tile_column_ = 0;
};

} // namespace retrace
