#pragma once
// Engine programs as data: typed builders of the 64-byte instructions, a disassembler and a static checker.
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "hw/spec/spec.h"

namespace retrace::compiler {

using instruction = std::array<std::byte, spec::instruction_bytes>;

struct engine_program {
    unsigned engine = 0; ///< spec::engine_*
    std::vector<instruction> code;
};

/// Semaphore fields of an instruction: at most two waits (all satisfied before it starts) and two signals
/// (when it has finished). A third one is a fault of the caller: std::logic_error.
class sync {
public:
    sync& wait(unsigned semaphore, unsigned count = 1);
    sync& signal(unsigned semaphore, unsigned count = 1);
    template <class instruction_fields>
    void fill(instruction_fields& i) const {
        i.wait0 = waits_[0].semaphore, i.wait0_count = waits_[0].count;
        i.wait1 = waits_[1].semaphore, i.wait1_count = waits_[1].count;
        i.signal0 = signals_[0].semaphore, i.signal0_count = signals_[0].count;
        i.signal1 = signals_[1].semaphore, i.signal1_count = signals_[1].count;
    }

private:
    struct token {
        std::uint8_t semaphore = 0, count = 0;
    };
    std::array<token, 2> waits_{}, signals_{};
};

using matrix = spec::memory_operand;

/// Element formats of an instruction's operands.
struct formats {
    spec::number_format a{}, result{}, b{};
};

// Only for engines: waits and signals, nothing else.
spec::matrix_instruction make_nop(const sync& s);
// Tile a [rows (k) x columns (n)] into the shadow weight registers.
spec::matrix_instruction make_load_weights(const sync& s, spec::number_format format, unsigned rows,
                                           unsigned columns, const matrix& a);
// Streams a [rows x columns (k)] through the weights, the shadow ones first made active; sums [rows x n] to
// PSUM d.
spec::matrix_instruction make_matmul(const sync& s, const formats& f, unsigned rows, unsigned columns,
                                     const matrix& a, const matrix& d, bool accumulate);
// d = narrow(function(a * scale)).
spec::matrix_instruction make_activate(const sync& s, const formats& f, spec::activation_function function,
                                       float scale, unsigned rows, unsigned columns, const matrix& a,
                                       const matrix& d);
// d = narrow(function(fma(a, 1, bias[column]))), bias an fp32 row.
spec::matrix_instruction make_activate_bias(const sync& s, const formats& f,
                                            spec::activation_function function, unsigned rows,
                                            unsigned columns, const matrix& a, const matrix& bias,
                                            const matrix& d);
spec::matrix_instruction make_binary(const sync& s, const formats& f, spec::vector_operation operation,
                                     spec::broadcast repeat, unsigned rows, unsigned columns, const matrix& a,
                                     const matrix& b, const matrix& d);
spec::matrix_instruction make_reduce_rows(const sync& s, const formats& f, spec::vector_operation operation,
                                          unsigned rows, unsigned columns, const matrix& a, const matrix& d);
spec::matrix_instruction make_reduce_columns(const sync& s, const formats& f, unsigned rows, unsigned columns,
                                             const matrix& a, const matrix& d, bool accumulate);

/// One side of a DMA copy.
struct copy_side {
    unsigned slot = 0;
    std::uint64_t offset = 0; ///< bytes from the slot's base
    std::uint64_t stride = 0; ///< bytes from row to row
};
// `runs` rows of `run_bytes` contiguous bytes each.
spec::copy_instruction make_copy(const sync& s, unsigned tag_slot, const copy_side& from, const copy_side& to,
                                 std::uint64_t run_bytes, std::uint64_t runs);
// `source_rows` rows of `row_bytes` bytes become row_bytes / element_bytes rows of source_rows elements.
spec::copy_instruction make_transpose(const sync& s, unsigned tag_slot, const copy_side& from,
                                      const copy_side& to, unsigned element_bytes, std::uint64_t row_bytes,
                                      std::uint64_t source_rows);

instruction encode(const spec::matrix_instruction& i);
instruction encode(const spec::copy_instruction& i);
spec::instruction_header header_of(const instruction& i);
spec::matrix_instruction matrix_of(const instruction& i);
spec::copy_instruction copy_of(const instruction& i);

/// "pe", "activation", "vector", "dma0", ...
std::string engine_name(unsigned engine);
/// One line, without a line end; slot_names (may be empty) replace the numbers of operand slots.
std::string disassemble(const instruction& i, std::span<const char* const> slot_names = {});
/// One line per instruction, with the engine's name and the instruction's number.
std::string disassemble(const engine_program& program, std::span<const char* const> slot_names = {});

/// What the checker knows of an operand slot.
struct slot_limit {
    std::uint64_t bytes = 0;
    std::uint8_t access = 0;     ///< operand_access bits
    bool working_buffer = false; ///< lives in state buffer or PSUM and belongs to the command
};

/// Every fault found in a command's programs, in words; empty when there is none. Checked: engines and
/// opcodes, slots, permissions and bounds, non-empty shapes, one waiting engine per semaphore, what is
/// signalled is waited for exactly, and that the programs run to their ends (semaphores only) whichever
/// engine is served first.
std::vector<std::string> check(std::span<const engine_program> programs, std::span<const slot_limit> slots);

} // namespace retrace::compiler
