#pragma once

// A small machine around the control core that runs any RV32 program: what `retrace core FILE.elf` calls.
//
// clang-format off
// Memory map
//   0x02000000  timer and software interrupt, see clint.h
//   0x80000000  RAM, zeros where the program loads nothing
// clang-format on
// Any other access is an access fault of the guest.
//
// Ends of a run. A store to the word of the symbol `tohost` that leaves an odd value ends the run: 1 is pass,
// otherwise the failing test is value >> 1. That word is outside the core's private memory, so the run ends
// at this very store. A program without `tohost` runs until another end.

#include "tlm/core/riscv/clint.h"
#include "tlm/core/riscv/elf.h"
#include "tlm/core/riscv/riscv_core.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace retrace {

struct bare_config {
    uint32_t ram_base = 0x80000000;
    uint64_t ram_bytes = uint64_t{16} << 20;
    // Instructions retired plus traps taken after which the run is given up.
    uint64_t instruction_limit = 1'000'000'000;
    riscv_timing timing;
};

enum class bare_exit {
    passed,
    failed,       // tohost holds another odd value
    host_request, // tohost was given a non-zero even value: a request to a host, which is not supported
    instruction_limit,
    asleep,    // wfi, and nothing can ever wake the core
    locked_up, // the trap handler traps at its first instruction, see riscv_core::stop::halted
};

struct bare_result {
    bool passed = false;
    uint32_t failing_test = 0; // bare_exit::failed only
    bare_exit reason = bare_exit::instruction_limit;
    uint64_t instructions = 0; // retired
    uint64_t cycles = 0;
    std::string message; // one sentence for a person
};

class bare_machine {
public:
    // Throws elf_error when a segment or `tohost` does not fit the machine, riscv_config_error for the rest.
    explicit bare_machine(const elf_image& image, const bare_config& config = {});

    // Runs from the entry point to the end. Calling it again continues where the limit stopped it.
    bare_result run();

    riscv_core& core() { return core_; }

    // The words from `begin_signature` to `end_signature`, as architecture tests compare them. Empty when the
    // program has no such symbols.
    std::vector<uint32_t> signature() const;

private:
    bool access(const riscv_bus_access& request, uint32_t& data);
    uint64_t progress() const { return core_.retired() + core_.traps(); }
    bare_result finish(bare_exit reason) const;

    bare_config config_;
    std::optional<uint32_t> tohost_address_;
    std::optional<uint32_t> signature_begin_;
    std::optional<uint32_t> signature_end_;
    riscv_core core_;
    clint timer_;
    uint32_t tohost_ = 0;
};

} // namespace retrace
