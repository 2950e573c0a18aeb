#include "tlm/engine/instruction_label.h"

#include <algorithm>
#include <cctype>
#include <cstring>

#include <fmt/format.h>

namespace retrace {

namespace {

/// The first of these operand slots that holds a tensor.
std::uint32_t tag_of(std::initializer_list<unsigned> slots, const spec::command& command) {
    const unsigned count = std::min<unsigned>(command.operand_count, spec::max_operands);
    for (const unsigned slot : slots)
        if (slot < count && command.operands[slot].tag != 0)
            return command.operands[slot].tag;
    for (unsigned slot = 0; slot < count; ++slot)
        if ((command.operands[slot].access & static_cast<unsigned>(spec::operand_access::write)) && command.operands[slot].tag != 0)
            return command.operands[slot].tag;
    return 0;
}

template <typename Layout>
Layout as(const std::array<std::byte, spec::instruction_bytes>& bytes) {
    Layout layout;
    std::memcpy(&layout, bytes.data(), sizeof layout);
    return layout;
}

std::string upper(std::string_view text) {
    std::string result(text);
    std::transform(result.begin(), result.end(), result.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    return result;
}

} // namespace

std::string instruction_label(const std::array<std::byte, spec::instruction_bytes>& bytes, std::uint32_t pc, unsigned columns, const spec::command& command,
                              const trace::probe_registry& names) {
    const auto m = as<spec::matrix_instruction>(bytes);
    const auto code = static_cast<spec::opcode>(m.opcode);
    const std::string_view name = spec::name_of(code);
    std::string text = fmt::format("{} #{}.{}", name.empty() ? fmt::format("OPCODE_{:02x}", m.opcode) : upper(name), command.sequence, pc);
    const auto format = [](std::uint8_t f) { return spec::name_of(static_cast<spec::number_format>(f)); };
    std::uint32_t tag = 0;
    switch (code) {
    case spec::opcode::nop: return text;
    case spec::opcode::load_weights:
        text += fmt::format(" K={} N={} {}", m.rows, m.columns, format(m.source_format));
        tag = tag_of({m.a.tag_slot}, command);
        break;
    case spec::opcode::matmul:
        text += fmt::format(" M={} K={}", m.rows, m.columns);
        if (columns)
            text += fmt::format(" N={}", columns);
        text += fmt::format(" {}{}{}", format(m.source_format), m.flags & spec::matmul_swap ? " swap" : "", m.flags & spec::matmul_accumulate ? " accumulate" : "");
        tag = tag_of({m.d.tag_slot, m.a.tag_slot}, command);
        break;
    case spec::opcode::copy: {
        const auto c = as<spec::copy_instruction>(bytes);
        const auto memory = [&](unsigned slot) {
            return slot < spec::max_operands ? spec::name_of(static_cast<spec::memory_kind>(command.operands[slot].memory)) : std::string_view("?");
        };
        text += fmt::format(" {} to {} {}x{}x{}x{} B{}", memory(c.source_slot), memory(c.destination_slot), c.size3, c.size2, c.size1, c.size0,
                            c.flags & spec::copy_transpose ? " transposed" : "");
        tag = tag_of({c.tag_slot}, command);
        break;
    }
    default:
        text += fmt::format(" {}x{} {} to {}", m.rows, m.columns, format(m.source_format), format(m.result_format));
        tag = tag_of({m.d.tag_slot, m.a.tag_slot}, command);
    }
    if (tag)
        text += " tag=" + names.tensor_name(tag);
    return text;
}

} // namespace retrace
