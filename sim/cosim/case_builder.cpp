#include "sim/cosim/case_builder.h"

#include <algorithm>
#include <bit>

#include "host/arithmetic.h"

namespace retrace::cosim {

using spec::memory_kind;
using spec::number_format;
using spec::opcode;

void case_builder::run() {
    const unsigned commands = random_.between(1, 9);
    for (unsigned k = 0; k < commands; ++k)
        make_command(k == 0);
    if (random_.chance(25))
        make_fan_in();
}

/// Commands that are independent of each other, and one that needs what all of them made.
void case_builder::make_fan_in() {
    std::vector<unsigned> written;
    const unsigned wanted = random_.between(2, 6);
    for (unsigned b = 0; b < case_.buffers.size() && written.size() < wanted; ++b) {
        const memory_kind memory = case_.buffers[b].memory;
        command_ = {};
        if ((memory != memory_kind::state_buffer && memory != memory_kind::device_dram) || !in_working_set(b))
            continue;
        operation o;
        o.opcode = opcode::copy;
        o.engine = queue();
        o.from.buffer = static_cast<unsigned>(written.size() % 3); // the first buffers are host memory
        o.to.buffer = b;
        o.sizes[0] = random_.between(1, std::min(case_.buffers[o.from.buffer].bytes, case_.buffers[b].bytes));
        static_cast<void>(walk_->begin(command_));
        if (accept(o)) {
            keep();
            written.push_back(b);
        }
    }
    command_ = {};
    static_cast<void>(walk_->begin(command_));
    unsigned last = 0;
    for (unsigned b = 0; b < case_.buffers.size(); ++b)
        if (case_.buffers[b].memory == memory_kind::host)
            last = b;
    for (const unsigned b : written) {
        operation o;
        o.opcode = opcode::copy;
        o.engine = queue();
        o.from.buffer = b;
        o.to.buffer = last;
        o.to.offset = random_.below(64);
        accept(o);
    }
    keep();
}

void case_builder::make_command(bool first) {
    command_ = {};
    if (!first && random_.chance(6)) { // a command of the ring that only waits
        case_.commands.push_back(command_);
        return;
    }
    const machine_settings& m = case_.machine;
    if (random_.chance(50)) {
        const auto named = [&](const char* name) {
            return std::find_if(case_.buffers.begin(), case_.buffers.end(), [&](const buffer& b) { return b.name == name; });
        };
        const auto w = named(work_buffer), q = named(work_sums);
        if (random_.chance(80))
            command_.work_base = w->base, command_.work_bytes = w->bytes;
        if (random_.chance(80))
            command_.psum_first = q->base / (m.psum_rows * m.size * 4),
            command_.psum_count = q->bytes / (m.psum_rows * m.size * 4);
    }
    command_.step = random_.word();
    command_.seed = random_.word();
    command_.token = random_.chance(20) ? random_.between(2, 9) : 1;
    if (walk_->begin(command_)) { // something is live where the working set would be
        command_.work_base = command_.work_bytes = command_.psum_first = command_.psum_count = 0;
        walk_again();
    }
    if (first)
        upload_all();
    const unsigned motifs = random_.between(1, random_.chance(25) ? 24 : 9);
    for (unsigned i = 0; i < motifs; ++i)
        switch (random_.below(12)) {
        case 0:
        case 1:
            copy();
            break;
        case 2:
            transpose();
            break;
        case 3:
        case 4:
        case 5:
        case 6:
            multiply();
            break;
        case 7:
            nop();
            break;
        default: {
            // Drawn one after the other: arguments may be evaluated in any order, and compilers differ.
            const number_format f = format();
            const unsigned columns = random_.between(1, 24), rows = random_.between(1, 12);
            elementwise({}, rows, columns, f);
        }
        }
    take_loads();
    if (random_.chance(15))
        left_over_load();
    if (!command_.operations.empty() && random_.chance(30)) {
        const unsigned b = buffer_in({memory_kind::device_dram, memory_kind::state_buffer, memory_kind::psum});
        if (case_.buffers[b].name != work_buffer && case_.buffers[b].name != work_sums)
            command_.release.push_back(b);
    }
    keep();
}

/// The command is part of the case.
void case_builder::keep() {
    if (command_.operations.empty()) {
        command_ = {};
        walk_again();
    }
    case_.commands.push_back(command_);
    static_cast<void>(walk_->end());
}

/// The walk anew, up to the present command's operations: some have been taken back.
void case_builder::walk_again() {
    walk_.emplace(case_);
    for (const command& k : case_.commands) {
        static_cast<void>(walk_->begin(k));
        for (const operation& o : k.operations)
            static_cast<void>(walk_->step(o));
        static_cast<void>(walk_->end());
    }
    static_cast<void>(walk_->begin(command_));
    for (const operation& o : command_.operations)
        static_cast<void>(walk_->step(o));
}

/// Mostly that of the case's data, so that special values are met as what they are.
number_format case_builder::format(unsigned count) {
    const auto common = static_cast<unsigned>(case_.buffers.front().format);
    return static_cast<number_format>(common < count && random_.chance(40) ? common : random_.below(count));
}

/// Buffers of working sets are written by commands that have one there: else they would be in a later one's way.
bool case_builder::in_working_set(unsigned index) const {
    const buffer& b = case_.buffers[index];
    return (b.name != work_buffer || command_.work_bytes) && (b.name != work_sums || command_.psum_count);
}

bool case_builder::accept(const operation& o) {
    if (!in_working_set(o.opcode == opcode::copy ? o.to.buffer : o.d.buffer) || walk_->step(o))
        return false;
    command_.operations.push_back(o);
    return true;
}

// --- places

unsigned case_builder::buffer_in(std::initializer_list<memory_kind> memories) {
    std::vector<unsigned> candidates;
    for (unsigned b = 0; b < case_.buffers.size(); ++b)
        if (std::find(memories.begin(), memories.end(), case_.buffers[b].memory) != memories.end())
            candidates.push_back(b);
    return candidates[random_.below(static_cast<std::uint32_t>(candidates.size()))];
}

std::optional<matrix_place> case_builder::place_in(unsigned index, unsigned rows, std::uint32_t row_bytes) {
    const buffer& b = case_.buffers[index];
    const bool psum = b.memory == memory_kind::psum;
    const std::uint32_t grain = psum ? 4 : 1;
    std::uint32_t pitch = row_bytes;
    switch (random_.below(4)) {
    case 0:
        pitch += grain * random_.below(8);
        break;
    case 1:
        pitch = psum ? std::max(row_bytes, case_.machine.size * 4) : (row_bytes + 63) / 64 * 64;
        break;
    default:
        break;
    }
    if (std::uint64_t{pitch} * (rows - 1) + row_bytes > b.bytes)
        pitch = row_bytes;
    const std::uint64_t extent = std::uint64_t{pitch} * (rows - 1) + row_bytes;
    if (extent > b.bytes)
        return {};
    std::uint32_t offset = random_.below(static_cast<std::uint32_t>(b.bytes - extent) / grain + 1) * grain;
    if (random_.chance(40))
        offset = psum ? offset / (case_.machine.size * 4) * (case_.machine.size * 4) : offset / 64 * 64;
    return matrix_place{index, offset, pitch};
}

std::optional<matrix_place> case_builder::live_matrix(std::initializer_list<memory_kind> memories, unsigned rows,
                                                      std::uint32_t row_bytes) {
    for (unsigned trial = 0; trial < 24; ++trial) {
        const auto p = place_in(buffer_in(memories), rows, row_bytes);
        if (!p)
            continue;
        const buffer& b = case_.buffers[p->buffer];
        if (b.memory == memory_kind::psum && row_bytes % 4)
            continue;
        if (walk_->live(byte_set::strided(b.memory, std::uint64_t{b.base} + p->offset, row_bytes, {rows, 1, 1}, {p->pitch, 0, 0}),
                        owner_of(b)))
            return p;
    }
    return {};
}

std::optional<matrix_place> case_builder::result_place(unsigned rows, std::uint32_t row_bytes) {
    for (unsigned trial = 0; trial < 8; ++trial)
        if (const auto p = place_in(buffer_in({memory_kind::state_buffer}), rows, row_bytes); p && in_working_set(p->buffer))
            return p;
    return {};
}

// --- data on its way

void case_builder::upload_all() {
    for (unsigned b = 0; b < case_.buffers.size(); ++b) {
        const buffer& to = case_.buffers[b];
        if ((to.memory != memory_kind::state_buffer && to.memory != memory_kind::device_dram) || !in_working_set(b) ||
            random_.chance(15))
            continue;
        operation o;
        o.opcode = opcode::copy;
        o.engine = queue();
        o.from.buffer = buffer_in({memory_kind::host});
        o.to.buffer = b;
        o.sizes[0] = std::min(case_.buffers[o.from.buffer].bytes, to.bytes);
        accept(o);
    }
}

/// A copy of one to four dimensions into the buffer, from anywhere; the rules say whether it is one.
std::optional<operation> case_builder::copy_to(unsigned index) {
    const buffer& to = case_.buffers[index];
    operation o;
    o.opcode = opcode::copy;
    o.engine = queue();
    o.to.buffer = index;
    o.from.buffer = buffer_in({memory_kind::host, memory_kind::device_dram, memory_kind::state_buffer});
    const buffer& from = case_.buffers[o.from.buffer];
    const unsigned dimensions = random_.between(1, 4);
    const std::uint32_t room = std::min(from.bytes, to.bytes);
    if (dimensions == 1) {
        o.sizes[0] = random_.between(1, room);
    } else {
        o.sizes[0] = random_.chance(20) ? 1 : random_.between(1, std::max(1u, room >> (2 * dimensions)));
        for (unsigned d = 1; d < dimensions; ++d)
            o.sizes[d] = random_.between(2, dimensions == 4 ? 3 : 6);
    }
    const auto strides = [&](copy_place& p, std::uint32_t bytes) {
        std::uint64_t extent = o.sizes[0];
        // The dimensions in any order: the innermost need not have the smallest stride.
        std::array<unsigned, 3> order{0, 1, 2};
        if (random_.chance(30))
            std::swap(order[random_.below(3)], order[random_.below(3)]);
        for (const unsigned d : order) {
            const std::uint64_t pad = random_.chance(40) ? 0 : random_.below(1 + o.sizes[0] / 2 + 3);
            p.strides[d] = static_cast<std::uint32_t>(extent + pad);
            extent += std::uint64_t{o.sizes[d + 1] - 1} * p.strides[d];
        }
        if (extent > bytes)
            return false;
        p.offset = random_.below(static_cast<std::uint32_t>(bytes - extent) + 1);
        return true;
    };
    if (!strides(o.from, from.bytes) || !strides(o.to, to.bytes))
        return {};
    if (random_.chance(5)) // the same source bytes again and again
        o.from.strides[0] = 0;
    return o;
}

void case_builder::copy() {
    for (unsigned trial = 0; trial < 12; ++trial)
        if (const auto o = copy_to(buffer_in({memory_kind::host, memory_kind::device_dram, memory_kind::state_buffer}));
            o && accept(*o))
            return;
}

void case_builder::transpose() {
    for (unsigned trial = 0; trial < 16; ++trial) {
        operation o;
        o.opcode = opcode::copy;
        o.flags = spec::copy_transpose;
        o.engine = queue();
        o.from.buffer = buffer_in({memory_kind::host, memory_kind::device_dram, memory_kind::state_buffer});
        o.to.buffer = buffer_in({memory_kind::host, memory_kind::device_dram, memory_kind::state_buffer});
        o.element_bytes = random_.of({1u, 2u, 4u});
        // Tiles of the transpose unit are 64 elements wide: below, at and beyond that.
        const std::uint32_t columns = random_.of({1u, 3u, 8u, 16u, 33u, 64u, 65u, 100u}),
                            rows = random_.of({1u, 2u, 7u, 8u, 16u, 31u});
        o.sizes = {columns * o.element_bytes, rows, 1, 1};
        const auto source = place_in(o.from.buffer, rows, o.sizes[0]),
                   destination = place_in(o.to.buffer, columns, rows * o.element_bytes);
        if (!source || !destination)
            continue;
        o.from.offset = source->offset, o.from.strides[0] = source->pitch;
        o.to.offset = destination->offset, o.to.strides[0] = destination->pitch;
        if (accept(o))
            return;
    }
}

} // namespace retrace::cosim
