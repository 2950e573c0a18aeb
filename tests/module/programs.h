#pragma once
// Hand-written engine programs, and the operand table that all of them use.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "hw/spec/spec.h"
#include "tlm/core/numeric/formats.h"

namespace retrace::test {

using instruction = std::array<std::byte, spec::instruction_bytes>;
using program = std::vector<instruction>;

/// Operand slots of standard_command().
enum slot : std::uint8_t {
    work,       ///< the whole state buffer, read and write, nobody's
    sums,       ///< the whole PSUM, read and write, nobody's
    dram,       ///< the first MiB of device DRAM, read and write, nobody's
    host,       ///< the first MiB of host memory, read and write, nobody's
    tensor,     ///< tag 7, version 1: 64 KiB of device DRAM from 1 MiB on
    read_only,  ///< the whole state buffer, read only
    write_only, ///< the whole state buffer, write only
    beyond,     ///< a table that promises more than the state buffer has
    beyond_psum,
    beyond_dram,
    slots
};

/// Waits and signals of an instruction.
struct sync {
    std::uint8_t wait0 = 0, wait0_count = 0, wait1 = 0, wait1_count = 0, signal0 = 0, signal0_count = 0,
                 signal1 = 0, signal1_count = 0;
    sync& wait(unsigned s, unsigned n = 1);
    sync& signal(unsigned s, unsigned n = 1);
};

spec::memory_operand at(unsigned slot, std::uint32_t offset, std::uint32_t pitch, unsigned tag_slot = work);

spec::matrix_instruction matrix(spec::opcode opcode, const sync& s, number_format from, number_format to,
                                unsigned rows, unsigned columns);
spec::matrix_instruction load_weights(const sync& s, number_format f, unsigned k, unsigned n,
                                      std::uint32_t offset, std::uint32_t pitch);
/// Operands at `offset` of the state buffer; sums to PSUM row `psum_row` of an array with `array_columns`
/// columns.
spec::matrix_instruction matmul(const sync& s, number_format f, unsigned m, unsigned k, std::uint32_t offset,
                                std::uint32_t pitch, std::uint32_t psum_row, unsigned array_columns,
                                unsigned flags);
spec::copy_instruction copy(const sync& s, unsigned from, std::uint32_t from_offset, unsigned to,
                            std::uint32_t to_offset, std::uint32_t bytes, std::uint32_t runs = 1,
                            std::uint32_t from_stride = 0, std::uint32_t to_stride = 0);
spec::matrix_instruction nop(const sync& s);

template <typename Layout>
instruction encode(const Layout& layout) {
    static_assert(sizeof layout == spec::instruction_bytes);
    instruction i;
    std::memcpy(i.data(), &layout, sizeof layout);
    return i;
}

} // namespace retrace::test
