#pragma once
// A case on the reference: the untimed interpreter, which runs the same engine programs as the device.
#include <memory>

#include "sim/cosim/emitter.h"
#include "sim/cosim/interpreter.h"

namespace retrace::cosim {

/// A case as it is launched: descriptors with program addresses; sequence numbers are 1, 2, ... in the order of the emitted
/// commands.
struct prepared_case {
    emitted_case emitted;
    std::vector<spec::command> commands;
    std::uint64_t host_base = 0; ///< bus address of the case's part of host memory

    struct program_place {
        std::uint64_t address = 0;
        const compiler::engine_program* program = nullptr;
    };
    std::vector<program_place> programs() const;
};

/// `host_base`: where the case's host buffers lie. Throws case_error when the programs do not fit.
prepared_case prepare(const test_case& c, std::uint64_t host_base);

struct reference_options {
    bool writers = false;                                               ///< remember who wrote each byte
    std::optional<std::pair<spec::memory_kind, std::uint64_t>> watched; ///< a byte whose history is wanted
    std::optional<std::uint64_t> interleaving;                          ///< seed of the order; default: the case's
};

/// Runs it to its end. `faults` of the result are the emitter's: a legal case has none.
std::unique_ptr<interpreter> run_reference(const test_case& c, const prepared_case& p, const reference_options& options = {});

/// Result of an operation of the case that an emitted command's instruction stands for: describe(), or nothing for a nop.
std::string describe_origin(const test_case& c, const prepared_case& p, std::uint32_t sequence, unsigned engine,
                            std::uint32_t pc);

} // namespace retrace::cosim
