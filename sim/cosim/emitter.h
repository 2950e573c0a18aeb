#pragma once
// From a case to what the device runs: engine programs with semaphores, operand tables, working sets, wait lists.
//
// Order. Operations that touch the same bytes, one of them writing, keep their order; everything else may overlap. Per command
// and pair of (producer lane, consumer engine) there is one counting semaphore; a lane is what finishes in order: an engine, or a
// port of the array (loads and streams finish independently). The n-th wait needs the n-th signal of its lane or a later one, so
// a token that overtakes is harmless. Vector clocks leave out waits that earlier waits imply. An instruction has two waits and
// two signals: more go to nops beside it, or, for the array, whose nops do not wait for anything, to an operation that already
// waited. Everything is emitted in the case's order and each wait needs a signal emitted before it: no timing can deadlock.
//
// A queue reads ahead of its own writes, so only read-after-write needs a semaphore there; the engines otherwise keep their own
// order. Between commands, wait lists do the same; where four entries are not enough a `nop` command collects them.
#include <map>
#include <vector>

#include "host/compiler/program.h"
#include "sim/cosim/case_rules.h"

namespace retrace::cosim {

struct emitted_command {
    std::vector<compiler::engine_program> programs; ///< empty: a nop command
    /// Per engine, per instruction: index of the operation in its command, -1 for a nop of the emitter's.
    std::map<unsigned, std::vector<int>> origin;
    std::vector<unsigned> slots;      ///< buffer of each operand slot
    std::vector<std::uint8_t> access; ///< of each slot
    std::vector<std::size_t> waits;   ///< emitted commands, by index
    std::size_t command = 0;          ///< of the case
    unsigned semaphores = 0;          ///< used
};

struct emitted_case {
    std::vector<emitted_command> commands;

    /// Descriptor without sequence, waits and program addresses. `host_base`: bus address of the case's part of host memory.
    spec::command descriptor(const test_case& c, std::size_t index, std::uint64_t host_base) const;
    std::uint64_t program_bytes() const;
};

/// The case must be legal. Throws case_error when a command needs more semaphores than a context has.
emitted_case emit(const test_case& c);

} // namespace retrace::cosim
