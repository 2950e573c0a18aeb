// One clock of every PE of the stepped array: its registers and the passes that change them. Vectorised
// over PEs; widening, arithmetic and time of the stepped array are its own and shared with nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace retrace::stepped {

// What a PE's active or shadow weight is good for; travels with the weight.
inline constexpr std::uint32_t mode_off = 0; // beyond the tile: the partial sum passes unchanged
inline constexpr std::uint32_t mode_float = 1;
inline constexpr std::uint32_t mode_integer = 2;

// Flags that travel with an operand.
inline constexpr std::uint32_t flag_valid = 1;
inline constexpr std::uint32_t flag_swap = 2;

// Registers of all PEs, one word each, row-major with `pitch` words per row (columns rounded up to whole
// vectors; the words beyond `columns` compute along and are never looked at).
struct pe_registers {
    pe_registers(unsigned rows_in, unsigned columns_in, unsigned depth_in);

    unsigned rows, columns, depth;
    std::size_t pitch;
    std::vector<std::uint32_t> active, active_mode;
    std::vector<std::uint32_t> shadow, shadow_mode;
    std::vector<std::uint32_t> passing; // all ones: the load under way has reached this shadow register
    std::vector<std::uint32_t> full;    // all ones: shadow holds a complete load that no swap has taken
    // `depth` stages per PE. The stages rotate: in cycle t the slot t mod depth is read as last stage and
    // rewritten as first stage.
    std::vector<std::uint32_t> sums;
    std::vector<std::uint32_t> zeros;  // what enters at the top of the columns
    std::vector<std::uint32_t> inside; // all ones in the columns that exist
};

// Operand registers in view: row k's operand of column c is at data[k * row_step + c].
struct operand_view {
    const std::uint32_t* values;
    const std::uint32_t* flags;
    std::size_t row_step;
};

// What the column inputs bring in a cycle, `pitch` words each, zero beyond the columns that exist.
struct column_input {
    std::vector<std::uint32_t> step; // all ones: the column moves down by one
    std::vector<std::uint32_t> done; // all ones: the load is complete in this column
    std::vector<std::uint32_t> weight, mode;
};

enum class instruction_set { best, scalar };

struct passes {
    // sums[slot] of every PE from its operand, active weight and the PE above. `modes` says which modes
    // occur: mode_float, mode_integer or their sum.
    void (*multiply)(pe_registers& pe, const operand_view& operands, std::uint32_t* sums,
                     std::uint32_t modes);
    // Swap flags in the view take shadow as active. False: a shadow was not full.
    bool (*swap)(pe_registers& pe, const operand_view& operands);
    // Columns that step move their weights down. False: a full shadow was overwritten.
    bool (*shift)(pe_registers& pe, const column_input& input);
    // The adders in front of PSUM: to[i] += from[i].
    void (*accumulate)(std::uint32_t* to, const std::uint32_t* from, std::size_t words, bool integer);
};

// The passes for this host, or in plain scalar code.
passes select_passes(instruction_set wanted);

} // namespace retrace::stepped
