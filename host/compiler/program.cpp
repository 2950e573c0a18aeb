#include "host/compiler/program.h"

#include <bit>
#include <cstring>
#include <limits>
#include <stdexcept>

#include "host/device_capabilities.h"

namespace retrace::compiler {

namespace {

template <class token_array>
void add_token(token_array& tokens, unsigned semaphore, unsigned count) {
    if (semaphore >= spec::semaphores || count == 0 || count > 255)
        throw std::logic_error("semaphore " + std::to_string(semaphore) + " with count " +
                               std::to_string(count) + " does not exist");
    for (auto& t : tokens)
        if (t.count == 0) {
            t.semaphore = static_cast<std::uint8_t>(semaphore);
            t.count = static_cast<std::uint8_t>(count);
            return;
        }
    throw std::logic_error("an instruction has two waits and two signals, not three");
}

template <class to, class from>
to checked(from value, const char* what) {
    if (value > std::numeric_limits<to>::max())
        throw std::logic_error(std::string(what) + " " + std::to_string(value) +
                               " does not fit its instruction field");
    return static_cast<to>(value);
}

spec::matrix_instruction make_matrix(spec::opcode code, const sync& s, const formats& f, unsigned rows,
                                     unsigned columns) {
    spec::matrix_instruction i;
    i.opcode = static_cast<std::uint8_t>(code);
    s.fill(i);
    i.source_format = static_cast<std::uint8_t>(f.a);
    i.result_format = static_cast<std::uint8_t>(f.result);
    i.second_format = static_cast<std::uint8_t>(f.b);
    i.rows = checked<std::uint16_t>(rows, "rows");
    i.columns = checked<std::uint16_t>(columns, "columns");
    return i;
}

spec::copy_instruction make_any_copy(const sync& s, unsigned tag_slot, const copy_side& from,
                                     const copy_side& to) {
    spec::copy_instruction i;
    i.opcode = static_cast<std::uint8_t>(spec::opcode::copy);
    s.fill(i);
    i.source_slot = checked<std::uint8_t>(from.slot, "slot");
    i.destination_slot = checked<std::uint8_t>(to.slot, "slot");
    i.tag_slot = checked<std::uint8_t>(tag_slot, "slot");
    i.element_bytes = 1;
    i.source_offset = checked<std::uint32_t>(from.offset, "offset");
    i.destination_offset = checked<std::uint32_t>(to.offset, "offset");
    i.source_stride1 = checked<std::uint32_t>(from.stride, "stride");
    i.destination_stride1 = checked<std::uint32_t>(to.stride, "stride");
    i.size2 = i.size3 = 1;
    return i;
}

} // namespace

sync& sync::wait(unsigned semaphore, unsigned count) {
    add_token(waits_, semaphore, count);
    return *this;
}

sync& sync::signal(unsigned semaphore, unsigned count) {
    add_token(signals_, semaphore, count);
    return *this;
}

spec::matrix_instruction make_nop(const sync& s) { return make_matrix(spec::opcode::nop, s, {}, 0, 0); }

spec::matrix_instruction make_load_weights(const sync& s, spec::number_format format, unsigned rows,
                                           unsigned columns, const matrix& a) {
    auto i = make_matrix(spec::opcode::load_weights, s, {.a = format, .result = {}, .b = {}}, rows, columns);
    i.a = a;
    return i;
}

spec::matrix_instruction make_matmul(const sync& s, const formats& f, unsigned rows, unsigned columns,
                                     const matrix& a, const matrix& d, bool accumulate) {
    auto i = make_matrix(spec::opcode::matmul, s, f, rows, columns);
    i.flags = spec::matmul_swap | (accumulate ? spec::matmul_accumulate : 0);
    i.a = a;
    i.d = d;
    return i;
}

spec::matrix_instruction make_activate(const sync& s, const formats& f, spec::activation_function function,
                                       float scale, unsigned rows, unsigned columns, const matrix& a,
                                       const matrix& d) {
    auto i = make_matrix(spec::opcode::activate, s, f, rows, columns);
    i.function = static_cast<std::uint8_t>(function);
    i.scale = std::bit_cast<std::uint32_t>(scale);
    i.a = a;
    i.d = d;
    return i;
}

spec::matrix_instruction make_activate_bias(const sync& s, const formats& f,
                                            spec::activation_function function, unsigned rows,
                                            unsigned columns, const matrix& a, const matrix& bias,
                                            const matrix& d) {
    auto i = make_activate(s, f, function, 1.0f, rows, columns, a, d);
    i.flags = spec::activate_bias;
    i.b = bias;
    return i;
}

spec::matrix_instruction make_binary(const sync& s, const formats& f, spec::vector_operation operation,
                                     spec::broadcast repeat, unsigned rows, unsigned columns, const matrix& a,
                                     const matrix& b, const matrix& d) {
    auto i = make_matrix(spec::opcode::binary, s, f, rows, columns);
    i.function = static_cast<std::uint8_t>(operation);
    i.broadcast = static_cast<std::uint8_t>(repeat);
    i.a = a;
    i.b = b;
    i.d = d;
    return i;
}

spec::matrix_instruction make_reduce_rows(const sync& s, const formats& f, spec::vector_operation operation,
                                          unsigned rows, unsigned columns, const matrix& a, const matrix& d) {
    auto i = make_matrix(spec::opcode::reduce_rows, s, f, rows, columns);
    i.function = static_cast<std::uint8_t>(operation);
    i.a = a;
    i.d = d;
    return i;
}

spec::matrix_instruction make_reduce_columns(const sync& s, const formats& f, unsigned rows, unsigned columns,
                                             const matrix& a, const matrix& d, bool accumulate) {
    auto i = make_matrix(spec::opcode::reduce_columns, s, f, rows, columns);
    i.function = static_cast<std::uint8_t>(spec::vector_operation::add);
    i.flags = accumulate ? spec::reduce_columns_accumulate : 0;
    i.a = a;
    i.d = d;
    return i;
}

spec::copy_instruction make_copy(const sync& s, unsigned tag_slot, const copy_side& from, const copy_side& to,
                                 std::uint64_t run_bytes, std::uint64_t runs) {
    auto i = make_any_copy(s, tag_slot, from, to);
    i.size0 = checked<std::uint32_t>(run_bytes, "run");
    i.size1 = checked<std::uint32_t>(runs, "runs");
    return i;
}

spec::copy_instruction make_transpose(const sync& s, unsigned tag_slot, const copy_side& from,
                                      const copy_side& to, unsigned element_bytes, std::uint64_t row_bytes,
                                      std::uint64_t source_rows) {
    auto i = make_copy(s, tag_slot, from, to, row_bytes, source_rows);
    i.flags = spec::copy_transpose;
    i.element_bytes = static_cast<std::uint8_t>(element_bytes);
    return i;
}

instruction encode(const spec::matrix_instruction& i) { return std::bit_cast<instruction>(i); }
instruction encode(const spec::copy_instruction& i) { return std::bit_cast<instruction>(i); }

spec::instruction_header header_of(const instruction& i) {
    spec::instruction_header header;
    std::memcpy(&header, i.data(), sizeof(header));
    return header;
}

spec::matrix_instruction matrix_of(const instruction& i) {
    return std::bit_cast<spec::matrix_instruction>(i);
}
spec::copy_instruction copy_of(const instruction& i) { return std::bit_cast<spec::copy_instruction>(i); }

std::string engine_name(unsigned engine) {
    switch (engine) {
    case spec::engine_pe:
        return "pe";
    case spec::engine_activation:
        return "activation";
    case spec::engine_vector:
        return "vector";
    default:
        return "dma" + std::to_string(engine - spec::engine_dma);
    }
}

} // namespace retrace::compiler
