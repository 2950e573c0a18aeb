// What the interpreter's instructions do, in scalar arithmetic by the numeric contract.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "tests/unit/compiler/interpreter.h"

namespace retrace::compiler::testing {

using spec::memory_kind;
using spec::number_format;
using spec::opcode;

namespace {

constexpr std::uint64_t key(const spec::operand& o) { return std::uint64_t{o.tag} << 32 | o.version; }

float quiet(float v) { return std::isnan(v) ? std::bit_cast<float>(0x7fc00000u) : v; }

std::uint32_t as_word(float bits) { return std::bit_cast<std::uint32_t>(bits); }

} // namespace

// -----------------------------------------------------------------------------------------------------

bool interpreter::rect::overlaps(const rect& other) const {
    if (memory != other.memory)
        return false;
    const std::uint64_t end = base + (rows - 1) * pitch + row_bytes;
    const std::uint64_t other_end = other.base + (other.rows - 1) * other.pitch + other.row_bytes;
    if (end <= other.base || other_end <= base)
        return false;
    for (std::uint64_t r = 0; r < rows; ++r)
        for (std::uint64_t o = 0; o < other.rows; ++o) {
            const std::uint64_t a = base + r * pitch, b = other.base + o * other.pitch;
            if (a < b + other.row_bytes && b < a + row_bytes)
                return true;
        }
    return false;
}

bool interpreter::resolve(running_command& c, unsigned engine, unsigned slot, unsigned tag_slot,
                          std::uint64_t offset, std::uint64_t rows, std::uint64_t row_bytes,
                          std::uint64_t pitch, bool write, rect& r) {
    if (slot >= c.command.operand_count || tag_slot >= c.command.operand_count) {
        fault(c, engine, "slot " + std::to_string(slot) + " does not exist");
        return false;
    }
    const spec::operand& o = c.command.operands[slot];
    const auto wanted =
        static_cast<std::uint8_t>(write ? spec::operand_access::write : spec::operand_access::read);
    if (!(o.access & wanted))
        fault(c, engine, "access to slot " + std::to_string(slot) + " is not permitted");
    if (rows == 0 || row_bytes == 0 || offset + (rows - 1) * pitch + row_bytes > o.bytes ||
        (rows > 1 && pitch < row_bytes)) {
        fault(c, engine, "access outside slot " + std::to_string(slot));
        return false;
    }
    r = {static_cast<memory_kind>(o.memory), o.base + offset, rows, row_bytes, pitch, write,
         key(c.command.operands[tag_slot])};
    return true;
}

bool interpreter::begin(running_command& c, std::size_t index, unsigned engine, const instruction& code) {
    flight f;
    f.engine = engine;
    f.running = index;
    f.code = code;
    const auto op = static_cast<opcode>(header_of(code).opcode);
    f.lane = op == opcode::matmul ? 1 : 0;
    if (op == opcode::copy ? !copy(c, f) : op != opcode::nop && !matrix(c, f)) {
        c.engines[engine].pc = c.engines[engine].code.size() - 1; // the fault is noted; end the program
        return true;
    }
    for (const flight& other : flights_) {
        const bool array = engine == spec::engine_pe && other.engine == spec::engine_pe;
        for (const rect& mine : f.rects)
            for (const rect& theirs : other.rects)
                if ((mine.write || theirs.write) && !array && mine.overlaps(theirs))
                    fault(c, engine,
                          disassemble(code) + " meets " + engine_name(other.engine) + " " +
                              disassemble(other.code));
    }
    for (const rect& r : f.rects)
        if (tagged_bytes* m = memory(r.memory); m && !r.write)
            for (std::uint64_t row = 0; row < r.rows; ++row)
                if (!m->owned(r.base + row * r.pitch, r.row_bytes, r.owner)) {
                    fault(c, engine, "stale read: " + disassemble(code));
                    break;
                }
    flights_.push_back(std::move(f));
    return true;
}

std::vector<float> interpreter::load(const rect& r, std::uint64_t columns, number_format format) {
    std::vector<float> values(r.rows * columns);
    const unsigned size = bytes_of(format);
    for (std::uint64_t row = 0; row < r.rows; ++row)
        for (std::uint64_t c = 0; c < columns; ++c) {
            const std::byte* at = bytes(r.memory, r.base + row * r.pitch + c * size);
            float& v = values[row * columns + c];
            if (format == number_format::bf16) {
                std::uint16_t bits;
                std::memcpy(&bits, at, 2);
                v = bf16_value(bits);
            } else if (format == number_format::int8)
                v = static_cast<float>(static_cast<std::int8_t>(*at));
            else
                std::memcpy(&v, at, 4); // int32 travels as its bits
        }
    return values;
}

bool interpreter::matrix(running_command& c, flight& f) {
    const auto i = matrix_of(f.code);
    const auto op = static_cast<opcode>(i.opcode);
    const auto from = static_cast<number_format>(i.source_format),
               to = static_cast<number_format>(i.result_format);
    const auto second = static_cast<number_format>(i.second_format);
    const std::uint64_t rows = i.rows, columns = i.columns;
    const auto operand = [&](const spec::memory_operand& m, std::uint64_t r, std::uint64_t row_bytes,
                             bool write) {
        rect a;
        if (!resolve(c, f.engine, m.slot, m.tag_slot, m.offset, r, row_bytes, m.pitch, write, a))
            return false;
        f.rects.push_back(a);
        return true;
    };
    if (!operand(i.a, rows, columns * bytes_of(from), false))
        return false;
    const std::vector<float> a = load(f.rects[0], columns, from);
    std::vector<float> d;
    std::uint64_t d_rows = rows, d_columns = columns;
    bool int_copy = false;
    switch (op) {
    case opcode::load_weights:
        if (rows > device_.rows || columns > device_.columns)
            fault(c, f.engine, "tile larger than the array");
        shadow_ = a;
        shadow_rows_ = i.rows;
        shadow_columns_ = i.columns;
        shadow_full_ = true;
        shadow_landed_ = false;
        return true;
    case opcode::matmul: {
        active_ = shadow_;
        active_rows_ = shadow_rows_;
        active_columns_ = shadow_columns_;
        shadow_full_ = shadow_landed_ = false;
        if (columns != active_rows_)
            fault(c, f.engine, "contraction of rows and weights differ");
        if (rows > device_.psum_rows || i.d.pitch != device_.columns * 4)
            fault(c, f.engine, "result does not fit a PSUM bank");
        d_columns = active_columns_;
        f.integer = from == number_format::int8;
        d.resize(rows * d_columns);
        for (std::uint64_t r = 0; r < rows; ++r)
            for (std::uint64_t n = 0; n < d_columns; ++n) {
                if (f.integer) {
                    std::uint32_t sum = 0;
                    for (std::uint64_t k = 0; k < columns; ++k)
                        sum += static_cast<std::uint32_t>(static_cast<int>(a[r * columns + k]) *
                                                          static_cast<int>(active_[k * d_columns + n]));
                    d[r * d_columns + n] = std::bit_cast<float>(sum);
                } else {
                    float sum = 0.0f;
                    for (std::uint64_t k = 0; k < columns; ++k)
                        sum = std::fma(a[r * columns + k], active_[k * d_columns + n], sum);
                    d[r * d_columns + n] = quiet(sum);
                }
            }
        f.accumulate = i.flags & spec::matmul_accumulate;
        break;
    }
    case opcode::activate: {
        std::vector<float> bias;
        if (i.flags & spec::activate_bias) {
            if (!operand(i.b, 1, columns * bytes_of(second), false))
                return false;
            bias = load(f.rects[1], columns, second);
        }
        const float scale = std::bit_cast<float>(i.scale);
        int_copy = from == number_format::int32;
        if (int_copy && (to != from || i.function != 0))
            fault(c, f.engine, "int32 is only copied");
        d = a;
        for (std::uint64_t e = 0; e < d.size() && !int_copy; ++e) {
            float v = bias.empty() ? a[e] * scale : std::fma(a[e], scale, bias[e % columns]);
            switch (static_cast<spec::activation_function>(i.function)) {
            case spec::activation_function::identity:
                break;
            case spec::activation_function::relu:
                v = v > 0.0f ? v : (std::isnan(v) ? v : 0.0f);
                break;
            case spec::activation_function::exp:
                v = std::exp(v);
                break;
            case spec::activation_function::log:
                v = std::log(v);
                break;
            default:
                fault(c, f.engine, "function that the interpreter does not have");
            }
            d[e] = quiet(v);
        }
        break;
    }
    case opcode::binary: {
        const auto repeat = static_cast<spec::broadcast>(i.broadcast);
        const std::uint64_t b_columns = repeat == spec::broadcast::column ? 1 : columns;
        if (!operand(i.b, repeat == spec::broadcast::row ? 1 : rows, b_columns * bytes_of(second), false))
            return false;
        const std::vector<float> b = load(f.rects[1], b_columns, second);
        d.resize(a.size());
        for (std::uint64_t e = 0; e < a.size(); ++e) {
            const float x = a[e], y = repeat == spec::broadcast::row      ? b[e % columns]
                                      : repeat == spec::broadcast::column ? b[e / columns]
                                                                          : b[e];
            switch (static_cast<spec::vector_operation>(i.function)) {
            case spec::vector_operation::add:
                d[e] = x + y;
                break;
            case spec::vector_operation::subtract:
                d[e] = x - y;
                break;
            case spec::vector_operation::multiply:
                d[e] = x * y;
                break;
            case spec::vector_operation::divide:
                d[e] = x / y;
                break;
            case spec::vector_operation::select_positive:
                d[e] = y > 0.0f ? x : 0.0f;
                break;
            default:
                fault(c, f.engine, "operation that the interpreter does not have");
            }
            d[e] = quiet(d[e]);
        }
        break;
    }
    case opcode::reduce_rows:
        d_columns = 1;
        d.resize(rows);
        for (std::uint64_t r = 0; r < rows; ++r) {
            d[r] = a[r * columns];
            for (std::uint64_t n = 1; n < columns; ++n) {
                const float v = a[r * columns + n];
                d[r] = static_cast<spec::vector_operation>(i.function) == spec::vector_operation::max
                           ? std::max(d[r], v)
                           : d[r] + v;
            }
        }
        break;
    case opcode::reduce_columns:
        d_rows = 1;
        d.assign(columns, 0.0f);
        if (i.flags & spec::reduce_columns_accumulate) {
            if (!operand(i.d, 1, columns * 4, false))
                return false;
            d = load(f.rects.back(), columns, number_format::fp32);
            f.rects.pop_back(); // its own destination
        }
        for (std::uint64_t r = 0; r < rows; ++r)
            for (std::uint64_t n = 0; n < columns; ++n)
                d[n] = d[n] + a[r * columns + n];
        break;
    default:
        fault(c, f.engine, "unknown opcode");
        return false;
    }
    if (!operand(i.d, d_rows, d_columns * bytes_of(to), true))
        return false;
    for (std::size_t r = 0; r + 1 < f.rects.size(); ++r)
        if (f.rects[r].overlaps(f.rects.back()))
            fault(c, f.engine, "source and destination overlap: " + disassemble(f.code));
    f.result.resize(d.size() * bytes_of(to));
    for (std::size_t e = 0; e < d.size(); ++e)
        if (to == number_format::bf16) {
            const std::uint16_t bits = bf16_bits(d[e]);
            std::memcpy(f.result.data() + e * 2, &bits, 2);
        } else
            std::memcpy(f.result.data() + e * 4, &d[e], 4);
    return true;
}

bool interpreter::copy(running_command& c, flight& f) {
    const auto i = copy_of(f.code);
    if (i.size2 != 1 || i.size3 != 1) {
        fault(c, f.engine, "the interpreter copies two dimensions");
        return false;
    }
    const bool transpose = i.flags & spec::copy_transpose;
    rect from, to;
    if (!resolve(c, f.engine, i.source_slot, i.tag_slot, i.source_offset, i.size1, i.size0, i.source_stride1,
                 false, from))
        return false;
    const std::uint64_t rows = transpose ? i.size0 / i.element_bytes : i.size1;
    const std::uint64_t row_bytes = transpose ? std::uint64_t{i.size1} * i.element_bytes : i.size0;
    if (!resolve(c, f.engine, i.destination_slot, i.tag_slot, i.destination_offset, rows, row_bytes,
                 i.destination_stride1, true, to))
        return false;
    if (from.overlaps(to))
        fault(c, f.engine, "source and destination overlap: " + disassemble(f.code));
    f.result.resize(rows * row_bytes);
    for (std::uint64_t r = 0; r < from.rows; ++r) {
        const std::byte* source = bytes(from.memory, from.base + r * from.pitch);
        if (!transpose)
            std::memcpy(f.result.data() + r * row_bytes, source, row_bytes);
        else
            for (std::uint64_t e = 0; e < rows; ++e)
                std::memcpy(f.result.data() + e * row_bytes + r * i.element_bytes,
                            source + e * i.element_bytes, i.element_bytes);
    }
    f.rects = {from, to};
    return true;
}

void interpreter::finish(std::size_t index) {
    const flight f = std::move(flights_[index]);
    flights_.erase(flights_.begin() + static_cast<std::ptrdiff_t>(index));
    running_command& c = running_[f.running];
    const auto header = header_of(f.code);
    if (static_cast<opcode>(header.opcode) == opcode::load_weights)
        shadow_landed_ = true;
    if (!f.rects.empty() && f.rects.back().write) {
        const rect& d = f.rects.back();
        tagged_bytes* m = memory(d.memory);
        if (!m)
            to_host[static_cast<std::uint32_t>(d.owner >> 32)] += f.result.size();
        for (std::uint64_t r = 0; r < d.rows; ++r) {
            std::byte* to = bytes(d.memory, d.base + r * d.pitch);
            const std::byte* from = f.result.data() + r * d.row_bytes;
            if (f.accumulate) {
                if (!m->owned(d.base + r * d.pitch, d.row_bytes, d.owner))
                    fault(c, f.engine, "stale accumulator");
                for (std::uint64_t e = 0; e < d.row_bytes; e += 4) {
                    float old, add;
                    std::memcpy(&old, to + e, 4);
                    std::memcpy(&add, from + e, 4);
                    const float sum =
                        f.integer ? std::bit_cast<float>(as_word(old) + as_word(add)) : quiet(old + add);
                    std::memcpy(to + e, &sum, 4);
                }
            } else
                std::memcpy(to, from, d.row_bytes);
            if (m) {
                std::map<std::uint32_t, std::uint64_t> lost;
                m->set_owner(d.base + r * d.pitch, d.row_bytes, d.owner, &lost);
                const std::uint64_t work = c.command.work_base, end = work + c.command.work_bytes;
                const bool working =
                    d.memory == memory_kind::psum ||
                    (d.memory == memory_kind::state_buffer && d.base >= work && d.base < end);
                if (!working)
                    for (const auto& [tag, bytes] : lost)
                        overwritten[{tag, static_cast<std::uint32_t>(d.owner >> 32)}] += bytes;
            }
        }
    }
    for (const auto& [semaphore, count] :
         {std::pair{header.signal0, header.signal0_count}, std::pair{header.signal1, header.signal1_count}}) {
        c.semaphores[semaphore] += count;
        if (c.semaphores[semaphore] > spec::semaphore_max)
            fault(c, f.engine, "semaphore overflow");
    }
}

} // namespace retrace::compiler::testing
