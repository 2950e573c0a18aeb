// Instructions as text, one line each: for `retrace plan`, reports of faults, and eyes.
#include <bit>
#include <cstdio>

#include "host/compiler/program.h"

namespace retrace::compiler {

namespace {

using names = std::span<const char* const>;

std::string slot_text(unsigned slot, names slots) {
    return slot < slots.size() && slots[slot] ? slots[slot] : "slot" + std::to_string(slot);
}

std::string text(const matrix& m, names slots) {
    std::string s = slot_text(m.slot, slots) + "+" + std::to_string(m.offset) + "/" + std::to_string(m.pitch);
    if (m.tag_slot != m.slot)
        s += "(" + slot_text(m.tag_slot, slots) + ")";
    return s;
}

std::string sync_text(const spec::instruction_header& h) {
    std::string s;
    const auto add = [&s](const char* mark, unsigned semaphore, unsigned count) {
        if (count)
            s += std::string(" ") + mark + std::to_string(semaphore) +
                 (count > 1 ? "*" + std::to_string(count) : "");
    };
    add("?", h.wait0, h.wait0_count);
    add("?", h.wait1, h.wait1_count);
    add("!", h.signal0, h.signal0_count);
    add("!", h.signal1, h.signal1_count);
    return s;
}

std::string shape(const spec::matrix_instruction& i) {
    return " " + std::to_string(i.rows) + "x" + std::to_string(i.columns);
}

std::string format_name(std::uint8_t format) {
    return std::string(spec::name_of(static_cast<spec::number_format>(format)));
}

std::string copy_text(const spec::copy_instruction& i, names slots) {
    std::string s = i.flags & spec::copy_transpose ? "transpose" + std::to_string(i.element_bytes) : "copy";
    s += " " + std::to_string(i.size1) + "x" + std::to_string(i.size0) + "B";
    if (i.size2 > 1 || i.size3 > 1)
        s += "x" + std::to_string(i.size2) + "x" + std::to_string(i.size3);
    s += " " + slot_text(i.destination_slot, slots) + "+" + std::to_string(i.destination_offset) + "/" +
         std::to_string(i.destination_stride1) + " <- " + slot_text(i.source_slot, slots) + "+" +
         std::to_string(i.source_offset) + "/" + std::to_string(i.source_stride1) + " (" +
         slot_text(i.tag_slot, slots) + ")";
    return s;
}

std::string matrix_text(spec::opcode code, const spec::matrix_instruction& i, names slots) {
    std::string s(spec::name_of(code));
    const std::string from = format_name(i.source_format), to = format_name(i.result_format);
    switch (code) {
    case spec::opcode::load_weights:
        return s + shape(i) + " " + from + " " + text(i.a, slots);
    case spec::opcode::matmul:
        return s + (i.flags & spec::matmul_accumulate ? ".add" : "") +
               (i.flags & spec::matmul_swap ? ".swap" : "") + shape(i) + " " + from + " " + text(i.d, slots) +
               " <- " + text(i.a, slots);
    case spec::opcode::activate: {
        char scale[32];
        std::snprintf(scale, sizeof scale, "%g", std::bit_cast<float>(i.scale));
        s += "." + std::string(spec::name_of(static_cast<spec::activation_function>(i.function))) + shape(i) +
             " " + text(i.d, slots) + ":" + to + " <- " + text(i.a, slots) + ":" + from + " * " + scale;
        return i.flags & spec::activate_bias ? s + " + " + text(i.b, slots) : s;
    }
    case spec::opcode::binary:
        return s + "." + std::string(spec::name_of(static_cast<spec::vector_operation>(i.function))) +
               shape(i) + " " + text(i.d, slots) + ":" + to + " <- " + text(i.a, slots) + ":" + from + ", " +
               text(i.b, slots) + ":" + format_name(i.second_format) + " by " +
               std::string(spec::name_of(static_cast<spec::broadcast>(i.broadcast)));
    case spec::opcode::reduce_rows:
    case spec::opcode::reduce_columns:
        return s + "." + std::string(spec::name_of(static_cast<spec::vector_operation>(i.function))) +
               (i.flags & spec::reduce_columns_accumulate ? ".add" : "") + shape(i) + " " + text(i.d, slots) +
               ":" + to + " <- " + text(i.a, slots) + ":" + from;
    default:
        return s;
    }
}

} // namespace

std::string disassemble(const instruction& i, names slot_names) {
    const auto header = header_of(i);
    const auto code = static_cast<spec::opcode>(header.opcode);
    const std::string body = code == spec::opcode::copy ? copy_text(copy_of(i), slot_names)
                                                        : matrix_text(code, matrix_of(i), slot_names);
    return body + sync_text(header);
}

std::string disassemble(const engine_program& program, names slot_names) {
    std::string lines;
    for (std::size_t n = 0; n < program.code.size(); ++n)
        lines += engine_name(program.engine) + " " + std::to_string(n) + ": " +
                 disassemble(program.code[n], slot_names) + "\n";
    return lines;
}

} // namespace retrace::compiler
