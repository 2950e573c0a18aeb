// Fuzz target of engine programs: what the engines check and compute, without kernel and time. Whatever an instruction says, it
// is refused with a fault that exists or stays inside the operands of its command; copies move what their dimensions say,
// whatever the chunks, and results depend on the elements of the operands only, not on their pitch. The compiler's checker and
// disassembler take any program.
//
// Input: a command of 512 bytes (its operand table counts), then instructions of 64 bytes; a last one that is cut short is
// filled up with zeros. The command's `layer` selects the DMA's chunk size, its `phase` the engine of the first instruction.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

#include "host/compiler/program.h"
#include "hw/spec/counter_random.h"
#include "tlm/core/dma/transfer.h"
#include "tlm/core/engine/context.h"
#include "tlm/core/engine/elementwise.h"
#include "tlm/core/numeric/formats.h"

namespace {

using namespace retrace;
using spec::opcode;
using spec::operand_access;

constexpr std::size_t most_instructions = 32;
constexpr std::uint64_t most_bytes = 1u << 14; ///< of an operand that is computed with, or of a copy that is carried out

/// What one input may cost, in elements computed and runs of bytes moved: an instruction can ask for more work than thousands of
/// other inputs together. What goes beyond is checked and not carried out.
class effort {
public:
    bool spend(std::uint64_t amount) {
        const bool enough = amount <= left_;
        left_ -= enough ? amount : 0;
        return enough;
    }

private:
    std::uint64_t left_ = 1u << 14;
};

void require(bool holds, const char* what) {
    if (holds)
        return;
    std::fprintf(stderr, "not so: %s\n", what);
    std::abort();
}

/// Bytes that depend on the command's seed and on `stream` only.
std::vector<std::byte> random_bytes(std::uint64_t count, std::uint64_t seed, std::uint32_t stream) {
    std::vector<std::byte> bytes(count);
    for (std::uint64_t at = 0; at < count; at += 16) {
        const philox_counter words = counter_random_block(seed, 0, stream, at / 16);
        std::memcpy(bytes.data() + at, words.data(), std::min<std::uint64_t>(16, count - at));
    }
    return bytes;
}

// --- copies

struct side {
    std::uint64_t low = 0, high = 0; ///< bytes of the slot
    bool holds(const byte_run& r) const { return r.address >= low && r.address <= high && r.bytes <= high - r.address; }
};

side side_of(const context_state& context, unsigned slot, operand_access access) {
    const spec::operand& o = context.slot(slot, access);
    return {o.base, o.base + o.bytes};
}

std::uint64_t span_of(const spec::copy_instruction& i, std::uint64_t s1, std::uint64_t s2, std::uint64_t s3) {
    return (i.size1 - 1) * s1 + (i.size2 - 1u) * s2 + (i.size3 - 1u) * s3 + i.size0;
}

/// The destination's bytes after the copy, element by element.
void plain_copy(const spec::copy_instruction& i, const std::byte* from, std::byte* to) {
    if (i.flags & spec::copy_transpose) {
        for (std::uint64_t r = 0; r < i.size1; ++r)
            for (std::uint64_t c = 0; c < i.size0 / i.element_bytes; ++c)
                std::memcpy(to + c * i.destination_stride1 + r * i.element_bytes,
                            from + r * i.source_stride1 + c * i.element_bytes, i.element_bytes);
        return;
    }
    for (std::uint64_t i3 = 0; i3 < i.size3; ++i3)
        for (std::uint64_t i2 = 0; i2 < i.size2; ++i2)
            for (std::uint64_t i1 = 0; i1 < i.size1; ++i1)
                std::memcpy(to + i1 * i.destination_stride1 + i2 * i.destination_stride2 + i3 * i.destination_stride3,
                            from + i1 * i.source_stride1 + i2 * i.source_stride2 + i3 * i.source_stride3, i.size0);
}

void copy(const spec::copy_instruction& i, const context_state& context, unsigned chunk_bytes, effort& left) {
    dma_transfer transfer(i, context, chunk_bytes);
    const side from = side_of(context, i.source_slot, operand_access::read);
    const side to = side_of(context, i.destination_slot, operand_access::write);
    const bool turns = i.flags & spec::copy_transpose;
    require(turns == transfer.transposes() && i.element_bytes == transfer.element_bytes(), "a transfer is what it was asked for");
    require(transfer.bytes() == std::uint64_t{i.size0} * i.size1 * i.size2 * i.size3, "its bytes are its sizes");

    const std::uint64_t source_bytes = turns ? (i.size1 - 1) * std::uint64_t{i.source_stride1} + i.size0
                                             : span_of(i, i.source_stride1, i.source_stride2, i.source_stride3);
    const std::uint64_t result_bytes =
        turns ? (i.size0 / i.element_bytes - 1) * std::uint64_t{i.destination_stride1} + std::uint64_t{i.size1} * i.element_bytes
              : span_of(i, i.destination_stride1, i.destination_stride2, i.destination_stride3);
    // A transpose reads and writes parts of its rows, of no more runs than it has elements.
    const std::uint64_t runs = turns ? transfer.bytes() / i.element_bytes : std::uint64_t{i.size1} * i.size2 * i.size3;
    const bool carry_out = transfer.bytes() <= most_bytes && source_bytes <= most_bytes && result_bytes <= most_bytes && left.spend(runs);
    std::vector<std::byte> source, result, expected;
    if (carry_out) {
        source = random_bytes(source_bytes, context.command().seed, 1);
        result = expected = random_bytes(result_bytes, context.command().seed, 2);
    }

    dma_chunk chunk;
    std::vector<std::byte> read, turned;
    std::uint64_t handed_out = 0;
    while ((carry_out || left.spend(chunk_bytes)) && transfer.next(chunk)) {
        require(chunk.bytes != 0 && chunk.bytes <= chunk_bytes, "a chunk is not empty and not larger than allowed");
        handed_out += chunk.bytes;
        std::uint64_t reads = 0, writes = 0;
        read.clear();
        for (const byte_run& r : chunk.source) {
            require(from.holds(r), "what is read lies in its operand");
            reads += r.bytes;
            if (carry_out) {
                const std::byte* at = source.data() + (r.address - transfer.source_base());
                read.insert(read.end(), at, at + r.bytes);
            }
        }
        for (const byte_run& r : chunk.destination) {
            require(to.holds(r), "what is written lies in its operand");
            writes += r.bytes;
        }
        require(reads == chunk.bytes && writes == chunk.bytes, "a chunk writes as much as it reads");
        if (!carry_out)
            continue;
        if (turns) {
            turned.assign(read.size(), {});
            dma_transfer::turn(chunk, transfer.element_bytes(), read.data(), turned.data());
            read.swap(turned);
        }
        std::size_t at = 0;
        for (const byte_run& r : chunk.destination) {
            std::memcpy(result.data() + (r.address - transfer.destination_base()), read.data() + at, r.bytes);
            at += r.bytes;
        }
    }
    if (!carry_out)
        return;
    require(handed_out == transfer.bytes(), "the chunks are the whole transfer");
    // A transpose whose destination rows overlap is written in the order of its tiles.
    if (turns && i.destination_stride1 < std::uint64_t{i.size1} * i.element_bytes)
        return;
    plain_copy(i, source.data(), expected.data());
    require(result == expected, "a copy moves what its dimensions say");
}

// --- matrices

std::uint64_t extent_of(const resolved_operand& o) { return o.rows ? (o.rows - 1) * o.pitch + o.row_bytes : 0; }

resolved_operand resolve(const context_state& context, const spec::memory_operand& m, std::uint64_t rows, std::uint64_t row_bytes,
                         operand_access access) {
    const resolved_operand o = context.resolve(m, rows, row_bytes, access);
    const spec::operand& slot = context.slot(m.slot, access);
    require(o.address >= slot.base && extent_of(o) <= slot.bytes - (o.address - slot.base), "an operand lies in its slot");
    return o;
}

/// The same rows without gaps between them.
std::vector<std::byte> packed(const std::vector<std::byte>& bytes, const resolved_operand& o) {
    std::vector<std::byte> rows(o.rows * o.row_bytes);
    for (std::uint64_t r = 0; r < o.rows; ++r)
        std::memcpy(rows.data() + r * o.row_bytes, bytes.data() + r * o.pitch, o.row_bytes);
    return rows;
}

void elementwise(const spec::matrix_instruction& i, const context_state& context, effort& left) {
    const elementwise_shape shape = shape_of(i);
    const resolved_operand a = resolve(context, i.a, shape.a_rows, shape.a_row_bytes, operand_access::read);
    const bool has_b = shape.b_rows != 0;
    const resolved_operand b = has_b ? resolve(context, i.b, shape.b_rows, shape.b_row_bytes, operand_access::read) : resolved_operand{};
    const resolved_operand d = resolve(context, i.d, shape.d_rows, shape.d_row_bytes, operand_access::write);
    for (const resolved_operand* o : {&a, &b, &d})
        if (extent_of(*o) > most_bytes)
            return;
    if (!left.spend(std::uint64_t{i.rows} * i.columns))
        return;
    // Allocations of the exact size: AddressSanitizer sees a byte too far.
    const std::uint64_t seed = context.command().seed;
    const auto a_bytes = random_bytes(extent_of(a), seed, 1), b_bytes = random_bytes(extent_of(b), seed, 2),
               before = random_bytes(extent_of(d), seed, 3);
    const rounding_key key{context.command().seed, context.command().step, d.tensor.tag};
    std::vector<std::byte> result, again;
    compute_elementwise(i, {a_bytes.data(), a.pitch}, {b_bytes.data(), b.pitch}, {before.data(), d.pitch}, key, result);
    require(result.size() == shape.d_rows * shape.d_row_bytes, "a result has its rows");

    const auto a_rows = packed(a_bytes, a), b_rows = packed(b_bytes, b), rows_before = packed(before, d);
    compute_elementwise(i, {a_rows.data(), a.row_bytes}, {b_rows.data(), b.row_bytes}, {rows_before.data(), d.row_bytes}, key, again);
    require(result == again, "a result does not depend on the pitch of the operands");

    if (static_cast<number_format>(i.result_format) != number_format::fp32)
        return;
    for (std::size_t at = 0; at < result.size(); at += 4) {
        std::uint32_t word;
        std::memcpy(&word, result.data() + at, 4);
        require(word == canonical_fp32(word), "a NaN is canonical");
    }
}

void array_operand(const spec::matrix_instruction& i, const context_state& context) {
    if (i.source_format >= number_format_count)
        throw engine_error{spec::engine_fault::bad_format, i.source_format};
    const std::uint64_t element = bytes_of(static_cast<number_format>(i.source_format));
    resolve(context, i.a, i.rows, i.columns * element, operand_access::read);
    if (static_cast<opcode>(i.opcode) == opcode::matmul)
        resolve(context, i.d, i.rows, 128, operand_access::write);
}

// --- programs

void execute(const compiler::instruction& code, const context_state& context, unsigned chunk_bytes, effort& left) {
    spec::matrix_instruction i;
    std::memcpy(&i, code.data(), sizeof i);
    spec::copy_instruction c;
    std::memcpy(&c, code.data(), sizeof c);
    for (const spec::instruction_info& info : spec::instructions)
        if (static_cast<std::uint8_t>(info.code) == i.opcode && (i.flags & ~info.flags))
            throw engine_error{spec::engine_fault::reserved_bits, i.flags};
    switch (static_cast<opcode>(i.opcode)) {
    case opcode::nop: return;
    case opcode::load_weights:
    case opcode::matmul: return array_operand(i, context);
    case opcode::copy: return copy(c, context, chunk_bytes, left);
    default: return elementwise(i, context, left); // it refuses what does not exist
    }
}

void semaphores(const spec::matrix_instruction& i, unsigned engine, context_state& context) {
    for (const unsigned s : {i.wait0, i.wait1, i.signal0, i.signal1})
        if (s >= spec::semaphores) // the sequencer's check, as that of flags below
            throw engine_error{spec::engine_fault::bad_slot, s};
    for (const auto& [s, count] : {std::pair{i.signal0, i.signal0_count}, {i.signal1, i.signal1_count}})
        if (count)
            context.signal(s, count);
    for (const auto& [s, count] : {std::pair{i.wait0, i.wait0_count}, {i.wait1, i.wait1_count}}) {
        const unsigned held = context.semaphore(s);
        if (count && context.try_wait(engine, s, count))
            require(context.semaphore(s) == held - count, "a wait takes its count");
    }
}

template <class action>
void refuse_or(action run) {
    try {
        run();
    } catch (const engine_error& error) {
        require(error.fault != spec::engine_fault::none && static_cast<unsigned>(error.fault) < spec::engine_fault_count,
                "a refusal has a fault that exists");
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    spec::command command;
    const std::size_t head = std::min(size, sizeof command);
    std::memcpy(static_cast<void*>(&command), data, head);
    data += head, size -= head;
    context_state context;
    context.begin(command);
    const unsigned chunk_bytes = 64u << command.layer % 7;
    effort left;
    compiler::engine_program program;
    program.engine = command.phase % spec::max_engines;
    for (std::size_t n = 0; n < most_instructions && size != 0; ++n) {
        compiler::instruction code{};
        const std::size_t bytes = std::min(size, code.size());
        std::memcpy(code.data(), data, bytes);
        data += bytes, size -= bytes;
        program.code.push_back(code);
        spec::matrix_instruction i;
        std::memcpy(&i, code.data(), sizeof i);
        refuse_or([&] { semaphores(i, (program.engine + n) % spec::max_engines, context); });
        refuse_or([&] { execute(code, context, chunk_bytes, left); });
    }
    std::vector<compiler::slot_limit> slots;
    for (const spec::operand& o : command.operands)
        slots.push_back({o.bytes, o.access, o.tag == 0});
    (void)compiler::check({&program, 1}, slots);
    require(!compiler::disassemble(program).empty() || program.code.empty(), "every instruction has a text");
    return 0;
}
