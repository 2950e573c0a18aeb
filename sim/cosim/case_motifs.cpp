// The builder's motifs: products over several tiles, what follows them, and what activation and vector engine do.
#include <algorithm>
#include <bit>

#include "host/arithmetic.h"
#include "sim/cosim/case_builder.h"

namespace retrace::cosim {

using spec::memory_kind;
using spec::number_format;
using spec::opcode;

// --- the array

/// Loads that no swap has taken: one may stay at the end of a command.
void case_builder::take_loads() {
    const unsigned left = random_.chance(30) ? 1 : 0, row = case_.machine.size * 4;
    while (walk_->loads_ahead() > left) {
        const auto w = walk_->weights(true);
        product p;
        p.rows_format = p.weights_format = w->format;
        p.m = random_.between(1, 4);
        p.n = w->n;
        p.depths = {w->k};
        bool taken = false;
        for (unsigned b = 0; b < case_.buffers.size() && !taken; ++b)
            if (case_.buffers[b].memory == memory_kind::psum && case_.buffers[b].bytes >= p.m * row) {
                p.d = {b, 0, row};
                taken = tile(p, 0, false, true, true);
            }
        if (taken)
            continue;
        // There is nothing live to stream. The newest loads go; nothing depends on them.
        unsigned surplus = walk_->loads_ahead() - 1;
        for (std::size_t o = command_.operations.size(); o-- > 0 && surplus > 0;)
            if (command_.operations[o].opcode == opcode::load_weights) {
                command_.operations.erase(command_.operations.begin() + static_cast<std::ptrdiff_t>(o));
                --surplus;
            }
        return walk_again();
    }
}

/// A load that nobody will ever take.
void case_builder::left_over_load() {
    product p;
    p.weights_format = format(5);
    p.n = tail(case_.machine.size);
    p.depths = {tail(case_.machine.size)};
    if (walk_->loads_ahead() == 0)
        tile(p, 0, true, false, false);
}

unsigned case_builder::tail(unsigned full) {
    switch (random_.below(6)) {
    case 0:
        return 1;
    case 1:
        return full - 1;
    case 2:
        return random_.below(full / 2) * 2 + 1;
    case 3:
        return random_.between(1, full);
    default:
        return full;
    }
}

bool case_builder::tile(const product& p, std::size_t index, bool load, bool stream, bool swap) {
    const unsigned k = p.depths[index];
    operation o;
    o.engine = spec::engine_pe;
    if (load) {
        const auto w = live_matrix({memory_kind::state_buffer}, k, p.n * bytes_of(p.weights_format));
        if (!w)
            return false;
        o.opcode = opcode::load_weights;
        o.source = p.weights_format;
        o.rows = k, o.columns = p.n, o.a = *w;
        if (!accept(o))
            return false;
    }
    if (stream) {
        const auto a = live_matrix({memory_kind::state_buffer}, p.m, k * bytes_of(p.rows_format));
        if (!a)
            return false;
        o = {};
        o.engine = spec::engine_pe;
        o.opcode = opcode::matmul;
        o.source = p.rows_format;
        o.rows = p.m, o.columns = k, o.a = *a, o.d = p.d;
        o.flags = swap ? spec::matmul_swap : 0;
        const operation overwrite = o;
        if (index > 0 || random_.chance(20))
            o.flags |= spec::matmul_accumulate;
        return accept(o) || accept(overwrite);
    }
    return true;
}

void case_builder::multiply() {
    const unsigned size = case_.machine.size;
    product p;
    p.rows_format = format(5);
    p.weights_format = p.rows_format != number_format::int8 && random_.chance(30) ? format(4) : p.rows_format;
    p.n = tail(size);
    switch (random_.below(5)) {
    case 0:
        p.m = 1;
        break;
    case 1:
        p.m = tail(size);
        break;
    case 2:
        p.m = random_.between(1, 2) * size;
        break;
    default:
        p.m = random_.between(1, 40);
    }
    const unsigned tiles = random_.of({1u, 1u, 2u, 2u, 3u, 4u, 6u});
    for (unsigned t = 0; t < tiles; ++t)
        p.depths.push_back(t + 1 == tiles ? tail(size) : size);
    bool placed = false;
    for (unsigned trial = 0; trial < 8 && !placed; ++trial) {
        const unsigned b = buffer_in({memory_kind::psum});
        const std::uint32_t row = size * 4, rows = case_.buffers[b].bytes / row;
        if (rows < p.m || !in_working_set(b))
            continue;
        p.d = {b, random_.below(rows - p.m + 1) * row, row};
        placed = true;
    }
    if (!placed)
        return;
    if (walk_->loads_ahead()) // one was left: it has to be taken first
        take_loads();
    if (walk_->loads_ahead())
        return;
    const unsigned ahead = random_.of({0u, 0u, 1u, 2u});
    std::size_t loaded = 0;
    for (std::size_t t = 0; t < p.depths.size(); ++t) {
        for (; loaded < p.depths.size() && loaded <= t + ahead; ++loaded)
            if (!tile(p, loaded, true, false, false))
                break;
        if (loaded <= t || !tile(p, t, false, true, true))
            return;
        for (unsigned again = random_.chance(25) ? random_.between(1, 2) : 0; again > 0; --again)
            tile(p, t, false, true, false); // the same weights, other rows
    }
    if (random_.chance(10))
        tile(p, 0, true, false, false);
    if (random_.chance(75))
        follow_up(p);
}

/// What usually happens to sums: an engine takes them from PSUM.
void case_builder::follow_up(const product& p) {
    number_format f = p.rows_format == number_format::int8 ? number_format::int32 : number_format::fp32;
    if (random_.chance(5))
        f = f == number_format::int32 ? number_format::fp32 : number_format::int32;
    elementwise(p.d, p.m, p.n, f);
}

// --- activation and vector engine

void case_builder::elementwise(std::optional<matrix_place> from, unsigned rows, unsigned columns, number_format f) {
    switch (random_.below(4)) {
    case 0:
    case 1:
        return activate(from, rows, columns, f);
    case 2:
        return binary(from, rows, columns, f);
    default:
        return reduce(from, rows, columns, f);
    }
}

std::uint32_t case_builder::scale() {
    switch (random_.below(8)) {
    case 0:
        return std::bit_cast<std::uint32_t>(0.5f);
    case 1:
        return std::bit_cast<std::uint32_t>(-1.0f);
    case 2:
        return random_.word(); // any bits, NaNs and infinities among them
    case 3:
        return random_.of({0x00000000u, 0x80000000u, 0x00000001u, 0x00800000u, 0x7f7fffffu});
    case 4:
        return std::bit_cast<std::uint32_t>(1.0f / static_cast<float>(random_.between(3, 200)));
    default:
        return std::bit_cast<std::uint32_t>(1.0f);
    }
}

void case_builder::activate(std::optional<matrix_place> from, unsigned rows, unsigned columns, number_format f) {
    operation o;
    o.opcode = opcode::activate;
    o.engine = spec::engine_activation;
    o.source = f;
    o.rows = rows, o.columns = columns;
    if (!from)
        from = live_matrix({memory_kind::state_buffer, memory_kind::psum}, rows, columns * bytes_of(f));
    if (!from)
        return;
    o.a = *from;
    if (f == number_format::int32 && random_.chance(25)) {
        o.result = f; // the plain copy
    } else {
        o.result = format(5);
        o.function = static_cast<std::uint8_t>(random_.chance(30) ? 0 : random_.below(spec::activation_function_count));
        o.scale = scale();
        if (random_.chance(40)) {
            const number_format second = format();
            if (const auto b = live_matrix({memory_kind::state_buffer}, 1, columns * bytes_of(second)))
                o.flags |= spec::activate_bias, o.b = *b, o.second = second;
        }
        const bool narrow = o.result != number_format::fp32 && o.result != number_format::int8;
        if (narrow && random_.chance(45)) {
            o.flags |= spec::activate_stochastic;
            o.element_base = random_.chance(10) ? 0xffffff00u : random_.below(1000);
            o.element_pitch = columns + random_.below(40);
        }
    }
    const auto d = result_place(rows, columns * bytes_of(o.result));
    if (!d)
        return;
    o.d = *d;
    if (o.source == o.result && case_.buffers[o.a.buffer].memory == memory_kind::state_buffer && random_.chance(30))
        o.d = o.a; // in place
    accept(o);
}

void case_builder::binary(std::optional<matrix_place> from, unsigned rows, unsigned columns, number_format f) {
    operation o;
    o.opcode = opcode::binary;
    o.engine = spec::engine_vector;
    o.source = f;
    o.second = random_.chance(50) && f != number_format::int32 ? f : format();
    o.result = format(5);
    o.rows = rows, o.columns = columns;
    o.function = static_cast<std::uint8_t>(random_.below(spec::vector_operation_count));
    o.broadcast = static_cast<spec::broadcast>(random_.below(spec::broadcast_count));
    if (!from)
        from = live_matrix({memory_kind::state_buffer, memory_kind::psum}, rows, columns * bytes_of(f));
    const auto b = live_matrix({memory_kind::state_buffer}, o.broadcast == spec::broadcast::row ? 1 : rows,
                               (o.broadcast == spec::broadcast::column ? 1 : columns) * bytes_of(o.second));
    const auto d = result_place(rows, columns * bytes_of(o.result));
    if (!from || !b || !d)
        return;
    o.a = *from, o.b = *b, o.d = *d;
    if (random_.chance(20) && o.source == o.result && case_.buffers[o.a.buffer].memory == memory_kind::state_buffer)
        o.d = o.a;
    accept(o);
}

void case_builder::reduce(std::optional<matrix_place> from, unsigned rows, unsigned columns, number_format f) {
    operation o;
    o.opcode = random_.of({opcode::reduce_rows, opcode::reduce_columns});
    o.engine = spec::engine_vector;
    o.source = f;
    o.rows = rows, o.columns = columns;
    const bool by_rows = o.opcode == opcode::reduce_rows;
    o.function = static_cast<std::uint8_t>(by_rows ? random_.of({spec::vector_operation::add, spec::vector_operation::max})
                                                   : spec::vector_operation::add);
    if (!from)
        from = live_matrix({memory_kind::state_buffer, memory_kind::psum}, rows, columns * bytes_of(f));
    if (!from)
        return;
    o.a = *from;
    if (!by_rows && random_.chance(50))
        if (const auto d = live_matrix({memory_kind::state_buffer}, 1, columns * 4)) {
            o.flags = spec::reduce_columns_accumulate;
            o.d = *d;
            accept(o);
            return;
        }
    if (const auto d = result_place(by_rows ? rows : 1, by_rows ? 4 : columns * 4)) {
        o.d = *d;
        accept(o);
    }
}

void case_builder::nop() {
    operation o;
    o.opcode = opcode::nop;
    o.engine = random_.below(static_cast<std::uint32_t>(spec::engine_dma) + case_.machine.dma_queues);
    accept(o);
}

} // namespace retrace::cosim
