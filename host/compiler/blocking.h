#pragma once
// How a product D[m,n] = A[m,k] B[k,n] is cut so that its buffers fit a slice of the state buffer and its
// programs stay short.
//
// Rows of A are taken in blocks of `block_rows` (the moving operand, at most a PSUM bank), columns of B in
// panels as wide as the array (the stationary operand), the contraction in chunks of `chunk` (a multiple of
// R, or all of k). Chunks of A and panels' chunks of B each go through a ring of equal slots. Finished output
// leaves in groups of `group` panels.
#include <cstdint>
#include <optional>
#include <vector>

#include "host/device_capabilities.h"

namespace retrace::compiler {

/// What becomes of a finished sum on its way from PSUM to the state buffer.
enum class epilogue : std::uint8_t { convert, relu, bias, bias_relu, select_positive };

struct pass_shape {
    std::uint32_t m = 0, k = 0, n = 0;
    spec::number_format source{}, result{}; ///< of A and B; of D. int8 sums to int32, everything else to fp32
    bool a_transposed = false;              ///< memory holds A^T [k, m]
    bool b_transposed = false;              ///< memory holds B^T [n, k]
    bool in_place = false;    ///< D takes the address range of A: whole rows leave at once, in small blocks
    bool column_sums = false; ///< also the sums of B's columns, rows ascending, in fp32
    bool result_to_host = false; ///< D leaves over the host link (for the estimate)
    epilogue tail = epilogue::convert;

    bool has_bias() const { return tail == epilogue::bias || tail == epilogue::bias_relu; }
    bool has_mask() const { return tail == epilogue::select_positive; }
};

/// The part of a command's working set that a pass may use.
struct pass_budget {
    std::uint64_t work_offset = 0, work_bytes = 0; ///< within the command's working buffers
    unsigned psum_first = 0, psum_banks = 1;       ///< within the command's PSUM banks
    std::uint32_t block_rows = 0;                  ///< asks for these rows per block; 0: choose
};

struct blocking {
    std::uint32_t block_rows = 0, blocks = 0;
    std::uint32_t chunk = 0, chunks = 0; ///< of the contraction
    std::uint32_t panel = 0, panels = 0; ///< columns of B
    std::uint32_t group = 0, groups = 0; ///< panels per store
    bool a_resident = false;             ///< a block of A is loaded once, not again for every panel
    bool b_resident = false;             ///< all of B stays in the state buffer
    unsigned psum_first = 0, psum_banks = 0;
    // Rings: byte offsets of the slots within the working buffers.
    std::vector<std::uint32_t> a_slots, b_slots, result_slots, mask_slots;
    std::uint32_t bias_at = 0, sums_at = 0;
    std::uint64_t end = 0; ///< first byte behind the buffers
    std::uint64_t estimated_cycles = 0;

    std::uint32_t rows_of(std::uint32_t block, std::uint32_t m) const {
        return block + 1 < blocks ? block_rows : m - block * block_rows;
    }
    std::uint32_t chunk_of(std::uint32_t c, std::uint32_t k) const {
        return c + 1 < chunks ? chunk : k - c * chunk;
    }
    std::uint32_t panel_of(std::uint32_t p, std::uint32_t n) const {
        return p + 1 < panels ? panel : n - p * panel;
    }
};

struct blocking_choice {
    std::optional<blocking> best;    ///< nothing fits: empty
    std::uint64_t minimum_bytes = 0; ///< of the smallest blocking there is
};

/// The blocking with the fewest estimated cycles among those that fit the budget.
blocking_choice choose_blocking(const pass_shape& shape, const pass_budget& budget,
                                const device_capabilities& device);

/// Cycles from one tile of `rows` rows to the next in the array, in steady state.
std::uint64_t tile_cycles(std::uint32_t rows, spec::number_format format, const device_capabilities& device);

} // namespace retrace::compiler
