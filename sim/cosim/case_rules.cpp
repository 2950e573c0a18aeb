#include "sim/cosim/case_rules.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "host/arithmetic.h"
#include "host/compiler/program.h"
#include "sim/cosim/machine.h"

namespace retrace::cosim {

using spec::memory_kind;
using spec::number_format;
using spec::opcode;
using problem = std::optional<std::string>;

namespace {

constexpr unsigned most_operations = 4096, most_commands = 256;
constexpr std::uint64_t most_runs = 1u << 16;

template <typename... T>
problem wrong(fmt::format_string<T...> text, T&&... values) {
    return fmt::format(text, std::forward<T>(values)...);
}

} // namespace

case_walk::case_walk(const test_case& c) : case_(c) {
    if (check_machine())
        return; // nothing will be walked
    dram_.assign(dram_data_bytes, nobody);
    state_buffer_.assign(capacity_of(c.machine, memory_kind::state_buffer), nobody);
    psum_.assign(capacity_of(c.machine, memory_kind::psum), nobody);
}

problem case_walk::check_machine() const {
    const machine_settings& m = case_.machine;
    const auto range = [](const char* key, std::uint64_t value, std::uint64_t low, std::uint64_t high) -> problem {
        if (value < low || value > high)
            return wrong("machine.{}: {} is not within {} .. {}", key, value, low, high);
        return {};
    };
    if (m.size != 8 && m.size != 16)
        return wrong("machine.size: {} is neither 8 nor 16", m.size);
    for (const unsigned cycles : m.operand_cycles)
        if (problem p = range("operand_cycles", cycles, 1, 15))
            return p;
    for (const auto& [key, value, low, high] : {std::tuple{"fma_depth", m.fma_depth, 1u, 8u},
                                                {"weight_registers", m.weight_registers, 1u, 2u},
                                                {"psum_banks", m.psum_banks, 1u, 16u},
                                                {"psum_rows", m.psum_rows, 1u, 512u},
                                                {"state_buffer_bytes", m.state_buffer_bytes, 4096u, 1u << 20},
                                                {"state_buffer_banks", m.state_buffer_banks, 1u, 64u},
                                                {"activation_lanes", m.activation_lanes, 1u, 256u},
                                                {"vector_lanes", m.vector_lanes, 1u, 256u},
                                                {"dma_queues", m.dma_queues, 1u, 5u},
                                                {"dma_chunk", m.dma_chunk, 64u, 4096u},
                                                {"dma_outstanding", m.dma_outstanding, 1u, 16u},
                                                {"transpose_rate", m.transpose_rate, 1u, 256u},
                                                {"dram_channels", m.dram_channels, 1u, 8u},
                                                {"dram_banks", m.dram_banks, 1u, 16u},
                                                {"fetch_block", m.fetch_block, 1u, 64u},
                                                {"request_stress", m.request_stress, 0u, 10'000u},
                                                {"chunk_stress", m.chunk_stress, 0u, 10'000u},
                                                {"message_stress", m.message_stress, 0u, 10'000u}})
        if (problem p = range(key, value, low, high))
            return p;
    if (m.state_buffer_bytes % (m.state_buffer_banks * 4 * m.size))
        return wrong("machine.state_buffer_bytes: {} is not a multiple of {} banks * {} bytes", m.state_buffer_bytes,
                     m.state_buffer_banks, 4 * m.size);
    if ((m.dram_channels & (m.dram_channels - 1)) || (m.dram_banks & (m.dram_banks - 1)))
        return wrong("machine.dram_channels, dram_banks: {} and {} must be powers of two", m.dram_channels, m.dram_banks);
    return {};
}

problem case_walk::check_frame() const {
    if (problem p = check_machine())
        return p;
    for (const buffer& b : case_.buffers) {
        const std::uint64_t capacity = capacity_of(case_.machine, b.memory);
        if (b.bytes == 0 || b.base > capacity || b.bytes > capacity - b.base)
            return wrong("buffer {}: bytes {} .. {} do not lie in {} ({} bytes)", b.name, b.base, std::uint64_t{b.base} + b.bytes,
                         spec::name_of(b.memory), capacity);
        if (b.memory == memory_kind::psum && (b.base % 4 || b.bytes % 4))
            return wrong("buffer {}: PSUM holds words of 4 bytes", b.name);
        for (const buffer& other : case_.buffers)
            if (&other != &b && other.memory == b.memory && b.base < std::uint64_t{other.base} + other.bytes &&
                other.base < std::uint64_t{b.base} + b.bytes)
                return wrong("buffers {} and {} overlap", b.name, other.name);
    }
    if (case_.commands.size() > most_commands)
        return wrong("{} commands; at most {}", case_.commands.size(), most_commands);
    return {};
}

std::vector<std::uint64_t>& case_walk::owners(memory_kind memory) {
    return memory == memory_kind::device_dram ? dram_ : memory == memory_kind::psum ? psum_ : state_buffer_;
}

void case_walk::mark(memory_kind memory, std::uint64_t from, std::uint64_t to, std::uint64_t owner) {
    if (memory == memory_kind::host)
        return;
    auto& all = owners(memory);
    std::fill(all.begin() + static_cast<std::ptrdiff_t>(from), all.begin() + static_cast<std::ptrdiff_t>(to), owner);
}

bool case_walk::live(const byte_set& bytes, std::uint64_t owner) const {
    if (bytes.memory() == memory_kind::host)
        return true;
    const auto& all = const_cast<case_walk*>(this)->owners(bytes.memory());
    for (const byte_run& r : bytes.runs())
        for (std::uint64_t at = r.begin; at < r.end; ++at)
            if (all[at] != owner)
                return false;
    return true;
}

std::optional<case_walk::tile> case_walk::weights(bool swap) const {
    if (!swap)
        return active_;
    if (loads_.empty())
        return {};
    return loads_.front().shape;
}

problem case_walk::begin(const command& k) {
    const machine_settings& m = case_.machine;
    if (k.work_base > m.state_buffer_bytes || k.work_bytes > m.state_buffer_bytes - k.work_base)
        return wrong("the working set does not lie in the state buffer");
    if (k.psum_first > m.psum_banks || k.psum_count > m.psum_banks - k.psum_first)
        return wrong("the working set's banks do not lie in PSUM");
    if (k.token < 1 || k.token > 100)
        return wrong("token: {} is not within 1 .. 100", k.token);
    if (k.operations.size() > most_operations)
        return wrong("{} operations; at most {}", k.operations.size(), most_operations);
    std::set<unsigned> used(k.release.begin(), k.release.end()), engines;
    for (const unsigned b : k.release)
        if (case_.buffers[b].memory == memory_kind::host)
            return wrong("release: {} lies in host memory, which is not tracked", case_.buffers[b].name);
    for (const operation& o : k.operations) {
        engines.insert(o.engine);
        switch (o.opcode) {
        case opcode::nop:
            break;
        case opcode::copy:
            used.insert({o.from.buffer, o.to.buffer});
            break;
        default:
            used.insert(o.a.buffer);
            if (o.opcode != opcode::load_weights)
                used.insert(o.d.buffer);
            if (o.opcode == opcode::binary || (o.opcode == opcode::activate && o.flags & spec::activate_bias))
                used.insert(o.b.buffer);
        }
    }
    const std::uint64_t bank = std::uint64_t{m.psum_rows} * m.size * 4;
    for (const unsigned index : used) {
        const buffer& b = case_.buffers[index];
        const bool banks = b.memory == memory_kind::psum;
        const std::uint64_t first = banks ? k.psum_first * bank : k.work_base,
                            end = first + (banks ? k.psum_count * bank : k.work_bytes);
        const std::uint64_t b_end = std::uint64_t{b.base} + b.bytes;
        if ((banks || b.memory == memory_kind::state_buffer) && b.base < end && first < b_end && (b.base < first || end < b_end))
            return wrong("buffer {} lies in the working set only in part", b.name);
    }
    if (used.size() > spec::max_operands)
        return wrong("it uses {} buffers; a command has {} operand slots", used.size(), spec::max_operands);
    if (engines.size() > spec::max_programs)
        return wrong("it uses {} engines; a command has {} programs", engines.size(), spec::max_programs);
    const auto claim = [&](memory_kind memory, std::uint64_t from, std::uint64_t bytes) -> problem {
        const auto& all = owners(memory);
        for (std::uint64_t at = from; at < from + bytes; ++at)
            if (all[at] != nobody)
                return wrong("the working set covers live bytes of {} at {:#x}", spec::name_of(memory), at);
        mark(memory, from, from + bytes, reserved);
        return {};
    };
    if (problem p = claim(memory_kind::state_buffer, k.work_base, k.work_bytes))
        return p;
    if (problem p = claim(memory_kind::psum, k.psum_first * bank, k.psum_count * bank))
        return p;
    command_ = &k;
    loads_.clear();
    active_.reset();
    return {};
}

problem case_walk::matrix(const operation&, const matrix_place& p, std::uint64_t rows, std::uint64_t row_bytes, const char* what,
                          byte_set& bytes) const {
    const buffer& b = case_.buffers[p.buffer];
    if (rows == 0 || row_bytes == 0 || rows > 0xffff || row_bytes > 4 * 0xffff)
        return wrong("{}: empty, or more than 65535 rows or columns", what);
    if (rows > 1 && p.pitch < row_bytes)
        return wrong("{}: a pitch of {} bytes for rows of {}", what, p.pitch, row_bytes);
    const std::uint64_t extent = (rows - 1) * p.pitch + row_bytes;
    if (p.offset > b.bytes || extent > b.bytes - p.offset)
        return wrong("{}: bytes {} .. {} do not lie in buffer {} ({} bytes)", what, p.offset, p.offset + extent, b.name, b.bytes);
    if (b.memory == memory_kind::psum && ((b.base + p.offset) % 4 || row_bytes % 4 || (rows > 1 && p.pitch % 4)))
        return wrong("{}: operands in PSUM are whole words", what);
    bytes = byte_set::strided(b.memory, std::uint64_t{b.base} + p.offset, row_bytes, {rows, 1, 1}, {p.pitch, 0, 0});
    return {};
}

problem case_walk::check(const operation& o, operation_bytes& bytes) const {
    const auto* info = std::find_if(spec::instructions.begin(), spec::instructions.end(),
                                    [&](const auto& known) { return known.code == o.opcode; });
    const bool can = o.engine == spec::engine_pe           ? info->pe
                     : o.engine == spec::engine_activation ? info->activation
                     : o.engine == spec::engine_vector     ? info->vector
                                                           : info->dma;
    if (!can || o.engine >= spec::engine_dma + case_.machine.dma_queues)
        return wrong("{} has no {} on this machine", compiler::engine_name(o.engine), info->name);
    bytes = {};
    problem p;
    switch (o.opcode) {
    case opcode::nop:
        return {};
    case opcode::load_weights:
    case opcode::matmul:
        p = check_array(o, bytes);
        break;
    case opcode::copy:
        p = check_copy(o, bytes);
        break;
    default:
        p = check_elementwise(o, bytes);
    }
    if (p)
        return p;
    for (std::size_t r = 0; r < bytes.reads.size(); ++r)
        if (!live(bytes.reads[r], bytes.read_owners[r]))
            return wrong("reads bytes of {} that are not live, or not under tag {} version {}",
                         spec::name_of(bytes.reads[r].memory()), bytes.read_owners[r] >> 32, bytes.read_owners[r] & 0xffffffff);
    // A load behind another that no swap has taken yet reads late: when the shadow registers are free.
    if (o.opcode != opcode::matmul || !(o.flags & spec::matmul_swap))
        for (std::size_t l = 1; l < loads_.size(); ++l)
            for (const byte_set& w : bytes.writes)
                if (w.overlaps(loads_[l].source))
                    return wrong("writes weights that a load reads only after a swap that is still to come");
    return {};
}

problem case_walk::check_array(const operation& o, operation_bytes& bytes) const {
    const unsigned size = case_.machine.size;
    if (o.source == number_format::int32)
        return wrong("int32 is no operand format of the array");
    byte_set a;
    if (problem p = matrix(o, o.a, o.rows, std::uint64_t{o.columns} * bytes_of(o.source), "a", a))
        return p;
    if (a.memory() != memory_kind::state_buffer)
        return wrong("a: operands of the array lie in the state buffer");
    bytes.reads.push_back(a);
    bytes.read_owners.push_back(owner_of(case_.buffers[o.a.buffer]));
    if (o.opcode == opcode::load_weights) {
        if (o.rows > size || o.columns > size)
            return wrong("a tile of {} x {} weights; the array has {} x {}", o.rows, o.columns, size, size);
        if (loads_.size() == 3)
            return wrong("a fourth load ahead of its swap");
        return {};
    }
    const std::optional<tile> w = weights(o.flags & spec::matmul_swap);
    if (!w)
        return wrong("there are no weights to multiply by");
    if (case_.machine.weight_registers == 1 && !(o.flags & spec::matmul_swap) && !loads_.empty())
        return wrong("with one weight register the load before has replaced the weights");
    if (o.columns != w->k || (o.source == number_format::int8) != (w->format == number_format::int8))
        return wrong("rows of {} {} for weights of {} x {} {}", o.columns, spec::name_of(o.source), w->k, w->n,
                     spec::name_of(w->format));
    byte_set whole;
    if (problem p = matrix(o, o.d, o.rows, std::uint64_t{size} * 4, "d", whole))
        return p;
    const buffer& d = case_.buffers[o.d.buffer];
    if (d.memory != memory_kind::psum || o.d.pitch != size * 4 || (d.base + o.d.offset) % (size * 4))
        return wrong("d: sums lie in whole rows of PSUM, {} bytes apart", size * 4);
    bytes.writes.push_back(
        byte_set::strided(d.memory, std::uint64_t{d.base} + o.d.offset, w->n * 4, {o.rows, 1, 1}, {o.d.pitch, 0, 0}));
    bytes.write_owner = owner_of(d);
    if (o.flags & spec::matmul_accumulate) {
        bytes.reads.push_back(bytes.writes.back());
        bytes.read_owners.push_back(bytes.write_owner);
    }
    return {};
}

problem case_walk::check_elementwise(const operation& o, operation_bytes& bytes) const {
    const bool activate = o.opcode == opcode::activate, binary = o.opcode == opcode::binary,
               by_columns = o.opcode == opcode::reduce_columns;
    if (activate) {
        const bool raw = o.source == number_format::int32 && o.function == 0 && o.scale == 0x3f800000 && o.flags == 0;
        if (o.result == number_format::int32 && !raw)
            return wrong("a result in int32 only for a plain copy of int32");
        const bool narrow =
            o.result == number_format::bf16 || o.result == number_format::fp8_e4m3 || o.result == number_format::fp8_e5m2;
        if ((o.flags & spec::activate_stochastic) && !narrow)
            return wrong("stochastic rounding is for bf16 and fp8 results");
    } else if (binary ? o.result == number_format::int32 : o.result != number_format::fp32) {
        return wrong("no result in {}", spec::name_of(o.result));
    }
    const auto function = static_cast<spec::vector_operation>(o.function);
    if ((by_columns && function != spec::vector_operation::add) ||
        (o.opcode == opcode::reduce_rows && function != spec::vector_operation::add && function != spec::vector_operation::max))
        return wrong("no reduction by {}", spec::name_of(function));
    const auto read = [&](const matrix_place& p, std::uint64_t rows, std::uint64_t row_bytes, const char* what,
                          bool psum) -> problem {
        byte_set set;
        if (problem found = matrix(o, p, rows, row_bytes, what, set))
            return found;
        if (set.memory() != memory_kind::state_buffer && !(psum && set.memory() == memory_kind::psum))
            return wrong("{}: the engine does not reach {} there", what, spec::name_of(set.memory()));
        bytes.reads.push_back(std::move(set));
        bytes.read_owners.push_back(owner_of(case_.buffers[p.buffer]));
        return {};
    };
    if (problem p = read(o.a, o.rows, std::uint64_t{o.columns} * bytes_of(o.source), "a", true))
        return p;
    if (binary) {
        const std::uint64_t columns = o.broadcast == spec::broadcast::column ? 1 : o.columns;
        if (problem p = read(o.b, o.broadcast == spec::broadcast::row ? 1 : o.rows, columns * bytes_of(o.second), "b", false))
            return p;
    } else if (activate && (o.flags & spec::activate_bias)) {
        // With both flags, b.pitch counts elements for the random numbers; the bias is one row and needs no pitch.
        if (problem p = read(o.b, 1, std::uint64_t{o.columns} * bytes_of(o.second), "bias", false))
            return p;
    }
    const std::uint64_t rows = by_columns ? 1 : o.rows, columns = o.opcode == opcode::reduce_rows ? 1 : o.columns;
    byte_set d;
    if (problem p = matrix(o, o.d, rows, columns * bytes_of(o.result), "d", d))
        return p;
    if (d.memory() != memory_kind::state_buffer)
        return wrong("d: results lie in the state buffer");
    bytes.write_owner = owner_of(case_.buffers[o.d.buffer]);
    if (by_columns && (o.flags & spec::reduce_columns_accumulate)) {
        bytes.reads.push_back(d);
        bytes.read_owners.push_back(bytes.write_owner);
    }
    bytes.writes.push_back(std::move(d));
    return {};
}

problem case_walk::check_copy(const operation& o, operation_bytes& bytes) const {
    const bool transpose = o.flags & spec::copy_transpose;
    const auto& z = o.sizes;
    if (!z[0] || !z[1] || !z[2] || !z[3] || z[2] > 0xffff || z[3] > 0xffff)
        return wrong("sizes must be at least 1, the third and fourth below 65536");
    if (std::uint64_t{z[1]} * z[2] * z[3] > most_runs || z[1] > most_runs || z[0] > (1u << 20))
        return wrong("a copy of more than {} runs, or runs beyond a MiB", most_runs);
    const std::uint32_t e = o.element_bytes;
    if (transpose && ((e != 1 && e != 2 && e != 4) || z[0] % e || z[2] != 1 || z[3] != 1))
        return wrong("a transpose has elements of 1, 2 or 4 bytes, whole rows of them, and two dimensions");
    const auto side = [&](const copy_place& p, std::uint64_t run, std::uint64_t c0, std::uint64_t c1, std::uint64_t c2,
                          const char* what, byte_set& set) -> problem {
        const buffer& b = case_.buffers[p.buffer];
        if (b.memory == memory_kind::psum)
            return wrong("{}: DMA does not reach PSUM", what);
        const std::uint64_t extent = run + (c0 - 1) * p.strides[0] + (c1 - 1) * p.strides[1] + (c2 - 1) * p.strides[2];
        if (p.offset > b.bytes || extent > b.bytes - p.offset)
            return wrong("{}: bytes {} .. {} do not lie in buffer {} ({} bytes)", what, p.offset, p.offset + extent, b.name,
                         b.bytes);
        set = byte_set::strided(b.memory, std::uint64_t{b.base} + p.offset, run, {c0, c1, c2},
                                {p.strides[0], p.strides[1], p.strides[2]});
        std::uint64_t distinct = 0;
        for (const byte_run& r : set.runs())
            distinct += r.end - r.begin;
        if (&p == &o.to && distinct != run * c0 * c1 * c2)
            return wrong("to: runs overlap");
        return {};
    };
    byte_set from, to;
    if (problem p = side(o.from, z[0], z[1], z[2], z[3], "from", from))
        return p;
    if (problem p = transpose ? side(o.to, std::uint64_t{z[1]} * e, z[0] / e, 1, 1, "to", to)
                              : side(o.to, z[0], z[1], z[2], z[3], "to", to))
        return p;
    if (from.memory() == to.memory() && from.first() < to.end() && to.first() < from.end())
        return wrong("source and destination overlap");
    const buffer &source = case_.buffers[o.from.buffer], &destination = case_.buffers[o.to.buffer];
    if (source.memory != memory_kind::host && destination.memory != memory_kind::host &&
        owner_of(source) != owner_of(destination))
        return wrong("a copy carries one tag and version; {} and {} differ", source.name, destination.name);
    bytes.write_owner = owner_of(destination.memory == memory_kind::host ? source : destination);
    bytes.read_owners.push_back(bytes.write_owner);
    bytes.reads.push_back(std::move(from));
    bytes.writes.push_back(std::move(to));
    return {};
}

problem case_walk::step(const operation& o) {
    operation_bytes bytes;
    if (problem p = check(o, bytes))
        return p;
    if (o.opcode == opcode::load_weights)
        loads_.push_back({{o.rows, o.columns, o.source}, bytes.reads.front()});
    if (o.opcode == opcode::matmul && (o.flags & spec::matmul_swap)) {
        active_ = loads_.front().shape;
        loads_.pop_front();
    }
    for (const byte_set& w : bytes.writes)
        for (const byte_run& r : w.runs())
            mark(w.memory(), r.begin, r.end, bytes.write_owner);
    return {};
}

problem case_walk::end() {
    if (command_->operations.empty() && (command_->work_bytes || command_->psum_count || !command_->release.empty()))
        return wrong("a command without operations has neither a working set nor anything to release");
    if (loads_.size() > 1)
        return wrong("ends with {} loads that no swap takes: the second waits for ever", loads_.size());
    const command& k = *command_;
    const std::uint64_t bank = std::uint64_t{case_.machine.psum_rows} * case_.machine.size * 4;
    mark(memory_kind::state_buffer, k.work_base, k.work_base + k.work_bytes, nobody);
    mark(memory_kind::psum, k.psum_first * bank, (k.psum_first + k.psum_count) * bank, nobody);
    for (const unsigned index : k.release) {
        const buffer& b = case_.buffers[index];
        auto& all = owners(b.memory);
        for (std::uint64_t at = b.base; at < std::uint64_t{b.base} + b.bytes; ++at)
            if (all[at] == owner_of(b))
                all[at] = nobody;
    }
    command_ = nullptr;
    return {};
}

std::optional<case_fault> find_fault(const test_case& c) {
    case_walk walk(c);
    if (problem p = walk.check_frame())
        return case_fault{*p, c.commands.size(), {}};
    for (std::size_t k = 0; k < c.commands.size(); ++k) {
        if (problem p = walk.begin(c.commands[k]))
            return case_fault{*p, k, {}};
        for (std::size_t o = 0; o < c.commands[k].operations.size(); ++o)
            if (problem p = walk.step(c.commands[k].operations[o]))
                return case_fault{*p, k, o};
        if (problem p = walk.end())
            return case_fault{*p, k, {}};
    }
    return {};
}

void require_legal(const test_case& c, const std::string& name) {
    const auto fault = find_fault(c);
    if (!fault)
        return;
    std::string where = name;
    if (fault->command < c.commands.size())
        where += fmt::format(".commands[{}]", fault->command);
    if (fault->operation)
        where += fmt::format(".operations[{}]", *fault->operation);
    throw case_error(where + ": " + fault->text);
}

std::vector<std::vector<operation_bytes>> bytes_of_operations(const test_case& c) {
    std::vector<std::vector<operation_bytes>> all;
    case_walk walk(c);
    const auto legal = [](const problem& p) {
        if (p)
            throw std::logic_error("the case is not legal: " + *p);
    };
    legal(walk.check_frame());
    for (const command& k : c.commands) {
        legal(walk.begin(k));
        auto& list = all.emplace_back();
        for (const operation& o : k.operations) {
            legal(walk.check(o, list.emplace_back()));
            legal(walk.step(o));
        }
        legal(walk.end());
    }
    return all;
}

} // namespace retrace::cosim
