// A plan's commands, ready for the ring but for their place in it.
#include <algorithm>
#include <stdexcept>

#include "host/training/plan.h"
#include "host/training/tensors.h"

namespace retrace {

namespace {

std::uint64_t address_of(const planned_operand& o, const host_buffers& b) {
    const auto layered = [&o](const std::vector<std::uint64_t>& addresses) {
        if (o.layer >= addresses.size())
            throw std::invalid_argument("host_buffers has no address for layer " + std::to_string(o.layer));
        return addresses[o.layer];
    };
    switch (o.host) {
    case host_tensor::none:
        return o.base;
    case host_tensor::input:
        return b.input;
    case host_tensor::targets:
        return b.targets;
    case host_tensor::logits:
        return b.logits;
    case host_tensor::loss:
        return b.loss;
    case host_tensor::weights:
        return layered(b.weights);
    case host_tensor::bias:
        return layered(b.bias);
    case host_tensor::weight_gradient:
        return layered(b.weight_gradient);
    case host_tensor::bias_gradient:
        return layered(b.bias_gradient);
    case host_tensor::output_gradient:
        return b.output_gradient;
    case host_tensor::input_gradient:
        return b.input_gradient;
    }
    return 0;
}

std::vector<spec::command> commands_of(const plan& p, const planned_run& run, std::uint32_t step,
                                       std::uint32_t version, std::uint32_t weight_version,
                                       const host_buffers& buffers) {
    std::vector<spec::command> list;
    for (std::size_t i = 0; i < run.commands.size(); ++i) {
        const planned_command& planned = run.commands[i];
        const schedule_operation& op = run.schedule.operations[i];
        const compiler::compiled_kernel& kernel = p.kernels[planned.kernel];
        spec::command c;
        c.opcode = static_cast<std::uint8_t>(spec::command_opcode::run);
        c.phase = static_cast<std::uint8_t>(planned.phase);
        c.sequence = static_cast<std::uint32_t>(i + 1);
        c.step = step;
        c.layer = static_cast<std::uint32_t>(op.layer);
        for (std::size_t w = 0; w < op.waits.size(); ++w)
            c.wait[w] = static_cast<std::uint32_t>(op.waits[w] + 1);
        c.work_base = planned.work_base;
        c.work_bytes = static_cast<std::uint32_t>(kernel.work_bytes);
        c.psum_count = static_cast<std::uint16_t>(kernel.psum_banks);
        for (std::size_t e = 0; e < kernel.programs.size(); ++e) {
            c.program_engine[e] = static_cast<std::uint8_t>(kernel.programs[e].engine);
            c.programs[e] = {static_cast<std::uint32_t>(p.program_addresses[planned.kernel][e]),
                             static_cast<std::uint32_t>(kernel.programs[e].code.size())};
        }
        c.program_count = static_cast<std::uint8_t>(kernel.programs.size());
        for (std::size_t s = 0; s < planned.operands.size(); ++s) {
            const planned_operand& o = planned.operands[s];
            spec::operand& to = c.operands[s];
            to.memory = static_cast<std::uint8_t>(o.memory);
            to.base = address_of(o, buffers);
            to.bytes = static_cast<std::uint32_t>(o.bytes);
            to.tag = o.tag;
            const bool weights = o.tag == 0 ? false : [&] {
                const tensor_role role = tensor_of(o.tag).id.role;
                return role == tensor_role::weight || role == tensor_role::bias;
            }();
            to.version = o.tag == 0 ? 0 : weights ? weight_version : version;
            to.access = o.access;
        }
        c.operand_count = static_cast<std::uint8_t>(planned.operands.size());
        list.push_back(c);
    }
    return list;
}

} // namespace

std::vector<spec::command> step_commands(const plan& p, std::uint32_t step, const host_buffers& buffers) {
    return commands_of(p, p.training, step, step, step, buffers);
}

std::vector<spec::command> evaluation_commands(const plan& p, std::size_t index, std::uint32_t run,
                                               std::uint32_t weight_version, const host_buffers& buffers) {
    return commands_of(p, p.evaluations.at(index), weight_version, run, weight_version, buffers);
}

void rebase(std::vector<spec::command>& commands, std::uint32_t first) {
    for (spec::command& c : commands) {
        c.sequence += first - 1;
        for (std::uint32_t& w : c.wait)
            if (w)
                w += first - 1;
    }
}

std::uint64_t host_tensor_bytes(const plan& p, host_tensor tensor, std::size_t layer) {
    std::uint64_t bytes = 0;
    const auto look = [&](const planned_run& run) {
        for (const planned_command& c : run.commands)
            for (const planned_operand& o : c.operands)
                if (o.host == tensor && tensor != host_tensor::none && o.layer == layer)
                    bytes = std::max(bytes, o.bytes);
    };
    look(p.training);
    for (const planned_run& run : p.evaluations)
        look(run);
    return bytes;
}

} // namespace retrace
