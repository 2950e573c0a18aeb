#include "sim/timeline/instruction_text.h"

#include <cstring>

namespace retrace {

std::string shape_text(const std::array<std::byte, spec::instruction_bytes>& code) {
    spec::matrix_instruction m;
    std::memcpy(&m, code.data(), sizeof m);
    if (m.opcode != static_cast<std::uint8_t>(spec::opcode::copy))
        return std::to_string(m.rows) + "x" + std::to_string(m.columns);
    spec::copy_instruction c;
    std::memcpy(&c, code.data(), sizeof c);
    std::string text = std::to_string(c.size1) + "x" + std::to_string(c.size0) + "B";
    if (c.size2 != 1 || c.size3 != 1)
        text = std::to_string(c.size3) + "x" + std::to_string(c.size2) + "x" + text;
    return c.flags & spec::copy_transpose ? text + " transposed, elements of " + std::to_string(c.element_bytes) : text;
}

} // namespace retrace
