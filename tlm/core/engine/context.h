#pragma once
// A command in execution: its operand table, against which every access is checked, and its semaphores.
#include <array>
#include <cstdint>

#include "trace/events.h"

namespace retrace {

/// An instruction that cannot be executed; the engine stops and the command completes with it.
struct engine_error {
    spec::engine_fault fault;
    std::uint32_t detail; ///< the value that was refused
};

/// A matrix in a memory after the base/limit check.
struct resolved_operand {
    spec::memory_kind memory{};
    std::uint64_t address = 0, rows = 0, row_bytes = 0, pitch = 0;
    trace::tensor_id tensor;
    unsigned slot = 0; ///< of the operand table
};

class context_state {
public:
    void begin(const spec::command& command) {
        command_ = command;
        active_ = true;
        semaphores_.fill(0);
        waiters_.fill(nobody);
    }
    void end() { active_ = false; }
    bool active() const { return active_; }
    const spec::command& command() const { return command_; }

    /// The operand slot, if the command uses it and permits `access`. Throws engine_error.
    const spec::operand& slot(unsigned index, spec::operand_access access) const;
    trace::tensor_id tensor(unsigned slot) const;

    /// Base/limit check of `rows` runs of `row_bytes` at `m`. Throws engine_error.
    resolved_operand resolve(const spec::memory_operand& m, std::uint64_t rows, std::uint64_t row_bytes, spec::operand_access access) const;

    /// Takes `count` from semaphore `s` if it holds that much. A semaphore has one waiting engine in a command: two would race for the
    /// same signal. Throws engine_error for the second.
    bool try_wait(unsigned engine, unsigned s, unsigned count);
    /// Adds; throws engine_error beyond spec::semaphore_max.
    void signal(unsigned s, unsigned count);
    unsigned semaphore(unsigned s) const { return semaphores_[s]; }

private:
    spec::command command_{};
    bool active_ = false;
    static constexpr unsigned nobody = ~0u;
    std::array<std::uint32_t, spec::semaphores> semaphores_{};
    std::array<unsigned, spec::semaphores> waiters_{}; ///< engine that waits for it in this command
};

} // namespace retrace
