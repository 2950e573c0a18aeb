#pragma once
// Makes a plan wrong in one way, so that a test can see which proof notices. Operations and commands stay
// paired, wait sets keep their meaning, programs are placed again when the editor goes away.
#include <cstdint>
#include <functional>

#include "host/compiler/dense.h"
#include "host/compiler/kernel_builder.h"
#include "host/compiler/transfer.h"
#include "host/training/plan.h"
#include "host/training/tensors.h"

namespace retrace::test {

class wrong_schedule {
public:
    explicit wrong_schedule(plan& p) : p_(p) {}
    ~wrong_schedule() { place_programs(); }
    wrong_schedule(const wrong_schedule&) = delete;
    wrong_schedule& operator=(const wrong_schedule&) = delete;

    /// Index of the n-th (from 0) operation of this kind and layer. Throws std::logic_error if there is none.
    std::size_t find(step_kind kind, std::size_t layer, std::size_t n = 0) const;
    schedule_operation& operation(std::size_t i) { return p_.training.schedule.operations.at(i); }
    planned_command& command(std::size_t i) { return p_.training.commands.at(i); }
    std::size_t size() const { return p_.training.commands.size(); }
    /// Operand of a command by tensor (the first).
    planned_operand& operand(std::size_t i, tensor_id tensor);
    /// Every operand of every command of a step that names the tensor in a memory.
    void for_each_operand(tensor_id tensor, spec::memory_kind memory,
                          const std::function<void(planned_operand&)>& change);

    /// Takes an operation out; who waited for it waits for the one before it.
    void erase(std::size_t i);
    /// Puts an operation before the one that stands at i: behind everything before it, ahead of everything
    /// after it.
    void insert(std::size_t i, schedule_operation operation, planned_command command);
    /// Does what stands at `from` .. `from + count - 1` once more, right behind it.
    void repeat(std::size_t from, std::size_t count);

    /// The command's kernel; `own`: a copy that no other command uses.
    compiler::compiled_kernel& kernel(std::size_t i) { return p_.kernels.at(command(i).kernel); }
    compiler::compiled_kernel& own_kernel(std::size_t i);
    std::size_t add_kernel(compiler::compiled_kernel k);
    /// Commands that use the kernel of command i.
    std::vector<std::size_t> users_of_kernel(std::size_t i) const;
    /// The program of an engine; added if the kernel has none.
    std::vector<compiler::instruction>& program(compiler::compiled_kernel& k, unsigned engine);
    unsigned queue(compiler::stream s) const { return compiler::queue_for(s, p_.device); }

    /// The first address of a region behind everything the plan places there, plus `offset`.
    std::uint64_t spare(spec::region_kind region, std::uint64_t offset = 0) const;
    /// The same of the state buffer, behind the working buffers of all commands.
    std::uint64_t spare_state_buffer() const;
    /// A transfer of `bytes` packed bytes from operand to operand.
    planned_command transfer(planned_operand from, planned_operand to, std::uint64_t bytes);

    const plan& planned() const { return p_; }

private:
    void place_programs();
    std::size_t chain_before(std::size_t i) const;

    plan& p_;
};

/// Changes fields of an encoded instruction.
void edit_matrix(compiler::instruction& i, const std::function<void(spec::matrix_instruction&)>& change);
void edit_copy(compiler::instruction& i, const std::function<void(spec::copy_instruction&)>& change);

constexpr std::uint8_t can_read = compiler::access_read, can_write = compiler::access_write,
                       releases = compiler::access_release;

} // namespace retrace::test
