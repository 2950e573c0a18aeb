#include "tests/module/programs.h"

namespace retrace::test {

sync& sync::wait(unsigned s, unsigned n) {
    (wait0_count == 0 ? wait0 : wait1) = static_cast<std::uint8_t>(s);
    (wait0_count == 0 ? wait0_count : wait1_count) = static_cast<std::uint8_t>(n);
    return *this;
}

sync& sync::signal(unsigned s, unsigned n) {
    (signal0_count == 0 ? signal0 : signal1) = static_cast<std::uint8_t>(s);
    (signal0_count == 0 ? signal0_count : signal1_count) = static_cast<std::uint8_t>(n);
    return *this;
}

namespace {

template <typename Layout>
Layout with_header(spec::opcode opcode, const sync& s) {
    Layout i;
    i.opcode = static_cast<std::uint8_t>(opcode);
    i.wait0 = s.wait0, i.wait0_count = s.wait0_count, i.wait1 = s.wait1, i.wait1_count = s.wait1_count;
    i.signal0 = s.signal0, i.signal0_count = s.signal0_count, i.signal1 = s.signal1,
    i.signal1_count = s.signal1_count;
    return i;
}

} // namespace

spec::memory_operand at(unsigned slot, std::uint32_t offset, std::uint32_t pitch, unsigned tag_slot) {
    spec::memory_operand m;
    m.slot = static_cast<std::uint8_t>(slot);
    m.tag_slot = static_cast<std::uint8_t>(tag_slot);
    m.offset = offset;
    m.pitch = pitch;
    return m;
}

spec::matrix_instruction matrix(spec::opcode opcode, const sync& s, number_format from, number_format to,
                                unsigned rows, unsigned columns) {
    auto i = with_header<spec::matrix_instruction>(opcode, s);
    i.source_format = static_cast<std::uint8_t>(from);
    i.result_format = static_cast<std::uint8_t>(to);
    i.rows = static_cast<std::uint16_t>(rows);
    i.columns = static_cast<std::uint16_t>(columns);
    i.scale = 0x3f800000; // 1
    return i;
}

spec::matrix_instruction load_weights(const sync& s, number_format f, unsigned k, unsigned n,
                                      std::uint32_t offset, std::uint32_t pitch) {
    auto i = matrix(spec::opcode::load_weights, s, f, number_format::fp32, k, n);
    i.a = at(work, offset, pitch);
    return i;
}

spec::matrix_instruction matmul(const sync& s, number_format f, unsigned m, unsigned k, std::uint32_t offset,
                                std::uint32_t pitch, std::uint32_t psum_row, unsigned array_columns,
                                unsigned flags) {
    auto i = matrix(spec::opcode::matmul, s, f,
                    f == number_format::int8 ? number_format::int32 : number_format::fp32, m, k);
    i.flags = static_cast<std::uint8_t>(flags);
    i.a = at(work, offset, pitch);
    i.d = at(sums, psum_row * array_columns * 4, array_columns * 4);
    return i;
}

spec::copy_instruction copy(const sync& s, unsigned from, std::uint32_t from_offset, unsigned to,
                            std::uint32_t to_offset, std::uint32_t bytes, std::uint32_t runs,
                            std::uint32_t from_stride, std::uint32_t to_stride) {
    auto i = with_header<spec::copy_instruction>(spec::opcode::copy, s);
    i.source_slot = static_cast<std::uint8_t>(from);
    i.destination_slot = static_cast<std::uint8_t>(to);
    i.tag_slot = work;
    i.element_bytes = 1;
    i.source_offset = from_offset;
    i.destination_offset = to_offset;
    i.size0 = bytes;
    i.size1 = runs;
    i.size2 = i.size3 = 1;
    i.source_stride1 = from_stride;
    i.destination_stride1 = to_stride;
    return i;
}

spec::matrix_instruction nop(const sync& s) {
    return with_header<spec::matrix_instruction>(spec::opcode::nop, s);
}

} // namespace retrace::test
