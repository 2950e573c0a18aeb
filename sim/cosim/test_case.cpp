#include "sim/cosim/test_case.h"

#include <bit>

#include <fmt/format.h>

#include "host/compiler/program.h"

namespace retrace::cosim {

using spec::opcode;

const char* name_of(value_class c) {
    constexpr const char* names[value_class_count] = {"zeros",        "small", "moderate", "corners", "ties",
                                                      "cancellation", "large", "tiny",     "bits"};
    const auto index = static_cast<unsigned>(c);
    return index < value_class_count ? names[index] : "?";
}

namespace {

std::string place(const test_case& c, const matrix_place& p) {
    return fmt::format("{}+{}/{}", c.buffers.at(p.buffer).name, p.offset, p.pitch);
}

std::string side(const test_case& c, const copy_place& p) {
    return fmt::format("{}+{} [{} {} {}]", c.buffers.at(p.buffer).name, p.offset, p.strides[0], p.strides[1], p.strides[2]);
}

} // namespace

std::string describe(const test_case& c, const operation& o) {
    const std::string head = fmt::format("{:<11}{:<15}", compiler::engine_name(o.engine), spec::name_of(o.opcode));
    const auto format = [](spec::number_format f) { return spec::name_of(f); };
    switch (o.opcode) {
    case opcode::nop:
        break;
    case opcode::load_weights:
        return head + fmt::format("{} k={} n={} {}", place(c, o.a), o.rows, o.columns, format(o.source));
    case opcode::matmul:
        return head + fmt::format("{} {} {} m={} k={} {}{}", place(c, o.d), o.flags & spec::matmul_accumulate ? "+=" : "=",
                                  place(c, o.a), o.rows, o.columns, format(o.source), o.flags & spec::matmul_swap ? " swap" : "");
    case opcode::activate: {
        std::string text =
            head + fmt::format("{} {} = {}(fma({} {}, {:g}, {})) {}x{}", place(c, o.d), format(o.result),
                               spec::name_of(static_cast<spec::activation_function>(o.function)), place(c, o.a), format(o.source),
                               std::bit_cast<float>(o.scale),
                               o.flags & spec::activate_bias ? place(c, o.b) + " " + std::string(format(o.second)) : "0", o.rows,
                               o.columns);
        if (o.flags & spec::activate_stochastic)
            text += fmt::format(" stochastic from {} pitch {}", o.element_base, o.element_pitch);
        return text;
    }
    case opcode::binary:
        return head + fmt::format("{} {} = {}({} {}, {} {} {}) {}x{}", place(c, o.d), format(o.result),
                                  spec::name_of(static_cast<spec::vector_operation>(o.function)), place(c, o.a), format(o.source),
                                  place(c, o.b), format(o.second), spec::name_of(o.broadcast), o.rows, o.columns);
    case opcode::reduce_rows:
    case opcode::reduce_columns:
        return head + fmt::format("{} {} {}({} {}) {}x{}", place(c, o.d), o.flags & spec::reduce_columns_accumulate ? "+=" : "=",
                                  spec::name_of(static_cast<spec::vector_operation>(o.function)), place(c, o.a), format(o.source),
                                  o.rows, o.columns);
    case opcode::copy:
        return head +
               fmt::format("{} <- {} sizes {} {} {} {}{}", side(c, o.to), side(c, o.from), o.sizes[0], o.sizes[1], o.sizes[2],
                           o.sizes[3],
                           o.flags & spec::copy_transpose ? fmt::format(" transposed, {} byte elements", o.element_bytes) : "");
    }
    return head;
}

std::string describe(const test_case& c) {
    const machine_settings& m = c.machine;
    std::string text = fmt::format(
        "machine: {0}x{0}, D {1}, {2} weight register{3}, o {4} {5} {6} {7} {8}, {9} DMA queues, {10}{11}{12}\n", m.size,
        m.fma_depth, m.weight_registers, m.weight_registers == 1 ? "" : "s", m.operand_cycles[0], m.operand_cycles[1],
        m.operand_cycles[2], m.operand_cycles[3], m.operand_cycles[4], m.dma_queues, m.refresh ? "refresh" : "no refresh",
        m.ideal_memories ? ", ideal memories" : "", m.stress_seed ? fmt::format(", stress {}: array {}, requests {}, chunks {}, messages {}{}", m.stress_seed, m.array_stress ? "on" : "off",
                                    m.request_stress, m.chunk_stress, m.message_stress, m.reorder ? " reordered" : "")
                      : "");
    for (const buffer& b : c.buffers) {
        text += fmt::format("buffer  {:<6} {:<12} at {:#x}, {} bytes", b.name, spec::name_of(b.memory), b.base, b.bytes);
        if (b.tag)
            text += fmt::format(", tag {} version {}", b.tag, b.version);
        if (b.memory == spec::memory_kind::host && b.values != value_class::zeros)
            text += fmt::format(", {} {}, seed {}", name_of(b.values), spec::name_of(b.format), b.seed);
        text += "\n";
    }
    for (std::size_t i = 0; i < c.commands.size(); ++i) {
        const command& k = c.commands[i];
        text += fmt::format("command {}", i + 1);
        if (k.work_bytes || k.psum_count)
            text +=
                fmt::format(", working set {:#x}+{}, PSUM banks {}+{}", k.work_base, k.work_bytes, k.psum_first, k.psum_count);
        for (const unsigned b : k.release)
            text += ", releases " + c.buffers.at(b).name;
        text += "\n";
        for (const operation& o : k.operations)
            text += "  " + describe(c, o) + "\n";
    }
    return text;
}

} // namespace retrace::cosim
