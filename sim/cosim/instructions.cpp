// What the interpreter's instructions do to values.
#include <algorithm>
#include <bit>
#include <cstring>

#include <fmt/format.h>

#include "host/arithmetic.h"
#include "hw/spec/counter_random.h"
#include "sim/cosim/interpreter.h"
#include "sim/cosim/reference_numbers.h"

namespace retrace::cosim {

using compiler::disassemble;
using spec::memory_kind;
using spec::number_format;
using spec::opcode;

namespace {

std::uint32_t element_at(const std::byte* at, number_format format) {
    std::uint32_t code = 0;
    std::memcpy(&code, at, bytes_of(format));
    return code;
}

void count_step(value_census& census, std::uint32_t x, std::uint32_t w, std::uint32_t before, std::uint32_t after) {
    value_census::add(census.array_operands, x);
    value_census::add(census.array_weights, w);
    const auto finite = [](std::uint32_t v) { return (v << 1) < 0xff000000u; };
    const auto zero = [](std::uint32_t v) { return v << 1 == 0; };
    census.cancelled += zero(after) && !zero(before) && !zero(x) && !zero(w);
    census.overflowed += class_of(after) == number_class::infinity && finite(x) && finite(w) && finite(before);
    census.invalid += is_nan(after) && !is_nan(x) && !is_nan(w) && !is_nan(before);
}

bool is_format(std::uint8_t code) { return code < spec::number_format_count; }

} // namespace

// --- execution

void interpreter::begin(std::size_t index, unsigned engine, std::uint32_t pc, const compiler::instruction& code) {
    running_command& c = running_[index];
    flight f;
    f.engine = engine;
    f.running = index;
    f.pc = pc;
    f.code = code;
    const auto op = static_cast<opcode>(compiler::header_of(code).opcode);
    f.lane = op == opcode::matmul ? 1 : 0;
    if (op == opcode::copy ? !copy(c, f) : op != opcode::nop && !matrix(c, f)) {
        c.engines[engine].pc = c.engines[engine].code.size(); // the fault is noted; end the program
        return;
    }
    for (const flight& other : flights_) {
        const bool array = engine == spec::engine_pe && other.engine == spec::engine_pe;
        for (const region& mine : f.regions)
            for (const region& theirs : other.regions)
                if ((mine.write || theirs.write) && !array && mine.overlaps(theirs) &&
                    !(engine == other.engine && mine.write)) // a queue writes in order
                    fault(c, engine,
                          disassemble(code) + " meets " + compiler::engine_name(other.engine) + " " + disassemble(other.code));
    }
    for (const region& r : f.regions)
        if (tagged_bytes* m = memory(r.memory); m && !r.write)
            for (std::uint64_t n = 0; n < r.runs(); ++n)
                if (!m->owned(r.address(n), r.run, r.owner)) {
                    fault(c, engine, "stale read: " + disassemble(code));
                    break;
                }
    flights_.push_back(std::move(f));
}

std::vector<std::uint32_t> interpreter::load(const region& r, std::uint64_t columns, number_format format, bool widened) {
    std::vector<std::uint32_t> words(r.runs() * columns);
    const unsigned size = bytes_of(format);
    for (std::uint64_t row = 0; row < r.runs(); ++row)
        for (std::uint64_t c = 0; c < columns; ++c) {
            const std::uint32_t code = element_at(bytes(r.memory, r.address(row) + c * size), format);
            words[row * columns + c] = widened ? widen(format, code) : code;
        }
    return words;
}

std::optional<std::pair<std::uint64_t, std::uint64_t>> interpreter::watched_element(const flight& f, std::uint64_t columns,
                                                                                    unsigned element_bytes) const {
    if (!watched_)
        return {};
    const auto at = f.regions.back().find(watched_->first, watched_->second);
    if (!at)
        return {};
    const std::uint64_t element = *at / element_bytes;
    return std::pair{element / columns, element % columns};
}

// --- the array

bool interpreter::matmul(running_command& c, flight& f, const spec::matrix_instruction& i, std::vector<std::uint32_t>& d) {
    const auto from = static_cast<number_format>(i.source_format);
    if (i.flags & spec::matmul_swap) {
        active_ = std::move(shadow_);
        shadow_ = {};
        shadow_full_ = shadow_landed_ = false;
    }
    const bool integer = from == number_format::int8;
    if (!active_.valid || i.columns != active_.rows || integer != active_.integer) {
        fault(c, f.engine, "no weights for these rows: " + disassemble(f.code));
        return false;
    }
    if (i.d.pitch != device_.columns * 4) {
        fault(c, f.engine, "sums must lie in whole rows of PSUM: " + disassemble(f.code));
        return false;
    }
    std::vector<std::uint32_t> a = load(f.regions[0], i.columns, from, !integer);
    if (integer)
        for (std::uint32_t& v : a)
            v = static_cast<std::uint32_t>(static_cast<std::int32_t>(static_cast<std::int8_t>(v)));
    const std::uint64_t k = i.columns, n = active_.columns;
    d.assign(i.rows * n, 0);
    for (std::uint64_t r = 0; r < i.rows; ++r)
        for (std::uint64_t column = 0; column < n; ++column) {
            std::uint32_t sum = 0;
            for (std::uint64_t kk = 0; kk < k; ++kk) {
                const std::uint32_t x = a[r * k + kk], w = active_.words[kk * n + column];
                if (integer) {
                    sum += x * w;
                    continue;
                }
                const std::uint32_t next = fma(x, w, sum);
                count_step(census_, x, w, sum, next);
                sum = next;
            }
            if (!integer)
                value_census::add(census_.array_sums, sum);
            d[r * n + column] = sum;
        }
    f.accumulate = i.flags & spec::matmul_accumulate;
    f.integer = integer;
    if (!operand(c, f, i.d, i.rows, n * 4, true))
        return false;
    if (const auto element = watched_element(f, n, 4)) {
        f.detail = fmt::format("row {} column {}, sum {} of", element->first, element->second,
                               text_of_word(d[element->first * n + element->second], integer));
        for (std::uint64_t kk = 0; kk < k; ++kk)
            f.detail += fmt::format("\n      a {} * w {}", text_of_word(a[element->first * k + kk], integer),
                                    text_of_word(active_.words[kk * n + element->second], integer));
    }
    return true;
}

// --- activation and vector engine

bool interpreter::elementwise(running_command& c, flight& f, const spec::matrix_instruction& i, std::vector<std::uint32_t>& d,
                              std::uint64_t& d_rows, std::uint64_t& d_columns) {
    const auto op = static_cast<opcode>(i.opcode);
    const auto from = static_cast<number_format>(i.source_format), to = static_cast<number_format>(i.result_format),
               second = static_cast<number_format>(i.second_format);
    const std::uint64_t rows = i.rows, columns = i.columns;
    const bool raw = op == opcode::activate && from == number_format::int32 && to == from && i.flags == 0 && i.function == 0 &&
                     i.scale == std::bit_cast<std::uint32_t>(1.0f);
    if (to == number_format::int32 && !raw) {
        fault(c, f.engine, "int32 is only copied");
        return false;
    }
    const std::vector<std::uint32_t> a = load(f.regions[0], columns, from, !raw);
    std::vector<std::uint32_t> b;
    for (std::size_t e = 0; e < a.size() && !raw; ++e)
        value_census::add(census_.elementwise_operands, a[e]);
    switch (op) {
    case opcode::activate: {
        if (i.flags & spec::activate_bias) {
            if (!operand(c, f, i.b, 1, columns * bytes_of(second), false))
                return false;
            b = load(f.regions[1], columns, second, true);
        }
        d = a;
        if (raw)
            break;
        if (i.function >= spec::activation_function_count) {
            fault(c, f.engine, "function that the interpreter does not have");
            return false;
        }
        for (std::uint64_t e = 0; e < d.size(); ++e)
            d[e] = apply(static_cast<spec::activation_function>(i.function), fma(a[e], i.scale, b.empty() ? 0u : b[e % columns]));
        break;
    }
    case opcode::binary: {
        const auto repeat = static_cast<spec::broadcast>(i.broadcast);
        const std::uint64_t b_columns = repeat == spec::broadcast::column ? 1 : columns;
        if (!operand(c, f, i.b, repeat == spec::broadcast::row ? 1 : rows, b_columns * bytes_of(second), false))
            return false;
        b = load(f.regions[1], b_columns, second, true);
        d.resize(a.size());
        for (std::uint64_t e = 0; e < a.size(); ++e)
            d[e] = combine(static_cast<spec::vector_operation>(i.function), a[e],
                           b[repeat == spec::broadcast::row      ? e % columns
                             : repeat == spec::broadcast::column ? e / columns
                                                                 : e]);
        break;
    }
    case opcode::reduce_rows:
        d_columns = 1;
        d.resize(rows);
        for (std::uint64_t r = 0; r < rows; ++r) {
            d[r] = a[r * columns];
            for (std::uint64_t n = 1; n < columns; ++n)
                d[r] = combine(static_cast<spec::vector_operation>(i.function), d[r], a[r * columns + n]);
        }
        break;
    case opcode::reduce_columns:
        d_rows = 1;
        d.assign(columns, 0);
        if (i.flags & spec::reduce_columns_accumulate) {
            if (!operand(c, f, i.d, 1, columns * 4, false))
                return false;
            const region& previous = f.regions.back();
            if (const tagged_bytes* m = memory(previous.memory); m && !m->owned(previous.base, previous.run, previous.owner))
                fault(c, f.engine, "stale read: " + disassemble(f.code));
            d = load(previous, columns, number_format::fp32, true);
            f.regions.pop_back(); // its own destination
        }
        for (std::uint64_t r = 0; r < rows; ++r)
            for (std::uint64_t n = 0; n < columns; ++n)
                d[n] = add(d[n], a[r * columns + n]);
        break;
    default:
        fault(c, f.engine, "unknown opcode");
        return false;
    }
    for (std::size_t e = 0; e < d.size() && !raw; ++e)
        value_census::add(census_.elementwise_results, d[e]);
    if (!operand(c, f, i.d, d_rows, d_columns * bytes_of(to), true))
        return false;
    if (const auto element = watched_element(f, d_columns, bytes_of(to))) {
        const auto [row, column] = *element;
        f.detail =
            fmt::format("row {} column {}, {} before narrowing, of", row, column, text_of_word(d[row * d_columns + column], raw));
        const std::uint64_t first = op == opcode::reduce_rows      ? row * columns
                                    : op == opcode::reduce_columns ? column
                                                                   : row * columns + column;
        const std::uint64_t step = op == opcode::reduce_columns ? columns : 1;
        const std::uint64_t count = op == opcode::reduce_rows ? columns : op == opcode::reduce_columns ? rows : 1;
        for (std::uint64_t e = 0; e < count; ++e)
            f.detail += "\n      a " + text_of_word(a[first + e * step], raw);
        if (!b.empty()) {
            const auto repeat = static_cast<spec::broadcast>(i.broadcast);
            const bool whole = op == opcode::binary && repeat == spec::broadcast::none;
            f.detail += "\n      b " + text_of_word(b[whole                                                       ? first
                                                      : op == opcode::binary && repeat == spec::broadcast::column ? row
                                                                                                                  : column],
                                                    false);
        }
    }
    return true;
}

bool interpreter::matrix(running_command& c, flight& f) {
    const auto i = compiler::matrix_of(f.code);
    if (!is_format(i.source_format) || !is_format(i.result_format) || !is_format(i.second_format)) {
        fault(c, f.engine, "unknown format: " + disassemble(f.code));
        return false;
    }
    const auto op = static_cast<opcode>(i.opcode);
    const auto from = static_cast<number_format>(i.source_format), to = static_cast<number_format>(i.result_format);
    if (!operand(c, f, i.a, i.rows, i.columns * std::uint64_t{bytes_of(from)}, false))
        return false;
    if (op == opcode::load_weights) {
        if (i.rows > device_.rows || i.columns > device_.columns)
            fault(c, f.engine, "tile larger than the array");
        shadow_.integer = from == number_format::int8;
        shadow_.words = load(f.regions[0], i.columns, from, !shadow_.integer);
        if (shadow_.integer)
            for (std::uint32_t& w : shadow_.words)
                w = static_cast<std::uint32_t>(static_cast<std::int32_t>(static_cast<std::int8_t>(w)));
        shadow_.rows = i.rows;
        shadow_.columns = i.columns;
        shadow_.valid = true;
        return true;
    }
    std::vector<std::uint32_t> d;
    if (op == opcode::matmul) {
        if (!matmul(c, f, i, d))
            return false;
        f.result.resize(d.size() * 4);
        std::memcpy(f.result.data(), d.data(), f.result.size());
        return true;
    }
    std::uint64_t d_rows = i.rows, d_columns = i.columns;
    if (!elementwise(c, f, i, d, d_rows, d_columns))
        return false;
    for (std::size_t r = 0; r + 1 < f.regions.size() && !in_place_allowed; ++r)
        if (f.regions[r].overlaps(f.regions.back()))
            fault(c, f.engine, "source and destination overlap: " + disassemble(f.code));
    const unsigned size = bytes_of(to);
    f.result.resize(d.size() * size);
    const bool stochastic = op == opcode::activate && (i.flags & spec::activate_stochastic);
    const std::uint32_t tag = f.regions.back().owner >> 32;
    for (std::size_t e = 0; e < d.size(); ++e) {
        std::uint32_t code = d[e];
        if (stochastic) {
            const std::uint64_t index = i.element_base + std::uint64_t{e / d_columns} * i.b.pitch + e % d_columns;
            code = narrow_stochastic(to, d[e], counter_random(c.command.seed, c.command.step, tag, index));
        } else if (to != number_format::int32) {
            code = narrow(to, d[e]);
        }
        std::memcpy(f.result.data() + e * size, &code, size);
    }
    return true;
}

// --- DMA

bool interpreter::copy(running_command& c, flight& f) {
    const auto i = compiler::copy_of(f.code);
    const bool transpose = i.flags & spec::copy_transpose;
    region from, to;
    from.run = i.size0;
    from.counts = {i.size1, i.size2, i.size3};
    from.strides = {i.source_stride1, i.source_stride2, i.source_stride3};
    to = from;
    to.strides = {i.destination_stride1, i.destination_stride2, i.destination_stride3};
    to.write = true;
    const std::uint64_t element = i.element_bytes;
    if (transpose) {
        if ((element != 1 && element != 2 && element != 4) || i.size0 % element || i.size2 != 1 || i.size3 != 1) {
            fault(c, f.engine, "no such transpose: " + disassemble(f.code));
            return false;
        }
        to.run = i.size1 * element;
        to.counts = {i.size0 / element, 1, 1};
    }
    if (!resolve(c, f.engine, i.source_slot, i.tag_slot, i.source_offset, from) ||
        !resolve(c, f.engine, i.destination_slot, i.tag_slot, i.destination_offset, to))
        return false;
    // The queue reads ahead of its writes and goes by the extents.
    if (from.memory == to.memory && from.base < to.end() && to.base < from.end())
        fault(c, f.engine, "source and destination overlap: " + disassemble(f.code));
    std::vector<std::byte> packed(from.runs() * from.run);
    for (std::uint64_t n = 0; n < from.runs(); ++n)
        std::memcpy(packed.data() + n * from.run, bytes(from.memory, from.address(n)), from.run);
    if (transpose) {
        f.result.resize(packed.size());
        for (std::uint64_t row = 0; row < i.size1; ++row)
            for (std::uint64_t e = 0; e < to.counts[0]; ++e)
                std::memcpy(f.result.data() + e * to.run + row * element, packed.data() + row * from.run + e * element, element);
    } else {
        f.result = std::move(packed);
    }
    f.regions = {from, to};
    if (watched_)
        if (const auto at = to.find(watched_->first, watched_->second)) {
            // The source byte of the watched one.
            const std::uint64_t row = *at / to.run, column = *at % to.run;
            const std::uint64_t n = transpose ? column / element : row;
            const std::uint64_t byte = transpose ? row * element + column % element : column;
            f.detail = fmt::format("byte {:02x} from {} {:#x}", static_cast<unsigned>(f.result[*at]), spec::name_of(from.memory),
                                   from.address(n) + byte);
        }
    return true;
}

} // namespace retrace::cosim
