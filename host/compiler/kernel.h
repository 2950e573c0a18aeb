#pragma once
// A compiled kernel: what one command runs. Position independent (instructions name operand slots), so every
// layer of equal shape, and every step, shares it.
#include <cstdint>
#include <vector>

#include "host/compiler/blocking.h"
#include "host/compiler/program.h"

namespace retrace::compiler {

/// What a slot of the kernel's operand table must hold.
struct kernel_slot {
    const char* name = "";       ///< "WORK", "PSUM", "IO_in", ...
    std::uint64_t bytes = 0;     ///< from the first byte used to the last
    std::uint8_t access = 0;     ///< operand_access bits that the programs need (read, write)
    bool working_buffer = false; ///< in state buffer or PSUM: part of the command's working set
};

struct compiled_kernel {
    const char* name = "";
    std::vector<engine_program> programs; ///< at most one per engine, in the order of engine numbers
    std::vector<kernel_slot> slots;       ///< by slot number
    std::uint64_t work_bytes = 0;         ///< working buffers in the state buffer; slot WORK is exactly these
    unsigned psum_banks = 0;              ///< working set in PSUM
    std::uint64_t estimated_cycles = 0;   ///< closed form; an estimate, without contention
    std::uint64_t macs = 0;
    std::vector<blocking> passes; ///< how its products are cut, for `plan`

    std::uint64_t program_bytes() const {
        std::uint64_t bytes = 0;
        for (const engine_program& p : programs)
            bytes += p.code.size() * spec::instruction_bytes;
        return bytes;
    }
};

inline constexpr std::uint8_t access_read = static_cast<std::uint8_t>(spec::operand_access::read);
inline constexpr std::uint8_t access_write = static_cast<std::uint8_t>(spec::operand_access::write);
inline constexpr std::uint8_t access_release = static_cast<std::uint8_t>(spec::operand_access::release);

/// The checker's view of the kernel's slots.
std::vector<slot_limit> limits_of(const compiled_kernel& kernel);
/// All programs as text.
std::string disassemble(const compiled_kernel& kernel);

/// Slot numbers that every kernel with working buffers uses alike.
inline constexpr unsigned slot_work = 0, slot_psum = 1;

} // namespace retrace::compiler
