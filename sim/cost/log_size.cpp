#include "sim/cost/log_size.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "host/arithmetic.h"

namespace retrace {

namespace {

using compiler::compiled_kernel;

constexpr std::uint64_t page = 8192;              ///< PRAGMA page_size of sqlite_log
constexpr std::uint64_t sampled_memories = 7;     ///< occupancy rows of a command: three memories, the four regions that planning uses
constexpr std::uint64_t link_grants = 5;          ///< a command at the link: doorbell, descriptor, completion, interrupt, register answer

// ---- rows --------------------------------------------------------------------------------------------------------------------------

/// Counts what a command writes when its steps are logged at tile level. Manual, section 9: what is granted.
class tile_counter {
public:
    explicit tile_counter(const npu_config& npu) : npu_(npu) {}

    log_rows rows_of(const compiled_kernel& kernel, const std::vector<spec::memory_kind>& memories) {
        log_rows r;
        for (const compiler::engine_program& p : kernel.programs) {
            ++r.programs;
            r.instructions += p.code.size();
            const std::uint64_t fetches = ceil_div(p.code.size(), npu_.sequencer.fetch_block);
            r.grants += fetches;
            r.bursts += fetches;
            for (const compiler::instruction& i : p.code)
                add(i, memories, r);
        }
        r.grants += link_grants;
        r.movers = 1;
        return r;
    }

private:
    void add(const compiler::instruction& code, const std::vector<spec::memory_kind>& memories, log_rows& r) const {
        const spec::instruction_header h = compiler::header_of(code);
        switch (static_cast<spec::opcode>(h.opcode)) {
        case spec::opcode::nop: break;
        case spec::opcode::load_weights: r.accesses += 1; break;
        case spec::opcode::matmul: r.accesses += 2 + ((h.flags & spec::matmul_accumulate) != 0); break;
        case spec::opcode::activate: r.accesses += 2 + ((h.flags & spec::activate_bias) != 0); break;
        case spec::opcode::binary: r.accesses += 3; break;
        case spec::opcode::reduce_rows: r.accesses += 2; break;
        case spec::opcode::reduce_columns: r.accesses += 2 + ((h.flags & spec::reduce_columns_accumulate) != 0); break;
        case spec::opcode::copy: add(compiler::copy_of(code), memories, r); break;
        }
    }

    void add(const spec::copy_instruction& c, const std::vector<spec::memory_kind>& memories, log_rows& r) const {
        r.accesses += 2;
        const std::uint64_t chunks = chunks_of(c);
        r.chunks += chunks;
        const auto side = [&](unsigned slot, bool read) {
            const auto memory = slot < memories.size() ? memories[slot] : spec::memory_kind::state_buffer;
            r.grants += memory == spec::memory_kind::host && read ? 2 * chunks : chunks; // a question and an answer
            if (memory == spec::memory_kind::device_dram)
                r.bursts += chunks;
        };
        side(c.source_slot, true);
        side(c.destination_slot, false);
        if (c.flags & spec::copy_transpose)
            r.grants += chunks;
    }

    std::uint64_t chunks_of(const spec::copy_instruction& c) const {
        const std::uint64_t chunk = npu_.dma.chunk_bytes;
        if (c.flags & spec::copy_transpose) {
            const std::uint64_t element = std::max<std::uint64_t>(1, c.element_bytes), columns = c.size0 / element;
            const std::uint64_t width = std::min<std::uint64_t>(64, chunk / element), height = std::max<std::uint64_t>(1, chunk / (width * element));
            return ceil_div(columns, width) * ceil_div(c.size1, height);
        }
        return ceil_div(std::uint64_t{c.size0} * c.size1 * c.size2 * c.size3, chunk);
    }

    const npu_config& npu_;
};

/// Tensor versions whose bytes a kernel writes into its working buffers: live when first written, released when the command ends.
std::uint64_t tensors_in_work(const compiled_kernel& kernel) {
    std::set<std::pair<unsigned, unsigned>> written; // slot, slot of the tag
    const auto note = [&](unsigned slot, unsigned tag_slot) {
        if (slot < kernel.slots.size() && kernel.slots[slot].working_buffer && tag_slot < kernel.slots.size() &&
            !kernel.slots[tag_slot].working_buffer)
            written.emplace(slot, tag_slot);
    };
    for (const compiler::engine_program& p : kernel.programs)
        for (const compiler::instruction& code : p.code) {
            const auto opcode = static_cast<spec::opcode>(compiler::header_of(code).opcode);
            if (opcode == spec::opcode::copy) {
                const spec::copy_instruction c = compiler::copy_of(code);
                note(c.destination_slot, c.tag_slot);
            } else if (opcode != spec::opcode::nop && opcode != spec::opcode::load_weights) {
                const spec::matrix_instruction m = compiler::matrix_of(code);
                note(m.d.slot, m.d.tag_slot);
            }
        }
    return written.size();
}

log_rows bare_command() {
    log_rows r;
    r.commands = 1;
    r.moments = 3; // submitted, ended, seen
    r.occupancies = sampled_memories;
    return r;
}

/// The command that brings a program down before the first step.
log_rows load_command() {
    log_rows r = bare_command();
    r.operands = 2;
    return r;
}

struct counted_run {
    log_rows commands, tile; ///< once
};

/// All commands of a step, or of an evaluation.
counted_run count(const plan& p, const planned_run& run, tile_counter& tiles, std::vector<std::uint64_t>& in_work) {
    counted_run counted;
    for (std::size_t i = 0; i < run.commands.size(); ++i) {
        const planned_command& c = run.commands[i];
        const compiled_kernel& kernel = p.kernels[c.kernel];
        log_rows r = bare_command();
        r.waits = run.schedule.operations[i].waits.size();
        r.operands = c.operands.size();
        if (in_work[c.kernel] == ~std::uint64_t{0})
            in_work[c.kernel] = tensors_in_work(kernel);
        r.lives = 2 * in_work[c.kernel];
        std::vector<spec::memory_kind> memories;
        for (const planned_operand& o : c.operands) {
            memories.push_back(o.memory);
            // On the device: live, complete, and sooner or later overwritten or released.
            if (o.tag != 0 && (o.access & compiler::access_write) && o.memory != spec::memory_kind::host && o.memory != spec::memory_kind::none)
                r.lives += 3;
        }
        counted.commands += r;
        counted.tile += tiles.rows_of(kernel, memories);
    }
    return counted;
}

/// How often each of a plan's evaluations runs, as the trainer chooses them.
std::vector<std::uint64_t> evaluation_counts(const plan& p, std::uint64_t rows) {
    std::vector<std::uint64_t> counts(p.evaluations.size());
    while (rows != 0) {
        std::size_t best = p.evaluations.size();
        for (std::size_t i = 0; i < p.evaluations.size(); ++i)
            if (const std::uint64_t b = p.evaluations[i].batch;
                b != 0 && b <= rows && (best == p.evaluations.size() || b > p.evaluations[best].batch))
                best = i;
        if (best == p.evaluations.size())
            break;
        counts[best] += rows / p.evaluations[best].batch;
        rows %= p.evaluations[best].batch;
    }
    return counts;
}

// ---- bytes -------------------------------------------------------------------------------------------------------------------------

/// Bytes that SQLite stores an integer in, of numbers spread evenly from 0 to `last`.
double stored_bytes(double last) {
    double bytes = 0, below = 1;
    for (const auto& [bits, size] : {std::pair{7, 1}, {15, 2}, {23, 3}, {31, 4}, {47, 6}, {63, 8}}) {
        const double end = std::min(last, std::ldexp(1.0, bits));
        if (end <= below)
            break;
        bytes += (end - below) * size;
        below = end;
    }
    return last < 1 ? 0 : bytes / last;
}

/// A table's row as SQLite stores it: head and one type byte a column, and the values.
struct row_shape {
    unsigned columns = 0;
    double other = 0;       ///< bytes of all values that are neither a cycle nor a command's number (mean, measured in logs of every preset)
    unsigned cycles = 0;    ///< columns that hold a cycle
    unsigned sequences = 0; ///< and a command's number
    unsigned index_columns = 0; ///< 0: without an index
    double index_other = 0;
    double slack = 1; ///< tables whose key is no row number fill their pages less
};

// WITHOUT ROWID tables are inserted in order, but SQLite splits their pages in two.
constexpr row_shape command_row{8, 4.8, 1, 1, 0, 0, 1.25}, moment_row{5, 6, 1, 1, 3, 6}, wait_row{3, 0, 0, 2, 2},
    operand_row{9, 10.2, 0, 1, 2}, life_row{9, 13.5, 1, 1, 3, 4}, occupancy_row{6, 13.5, 1, 1}, host_row{7, 29.5, 1, 0},
    tensor_row{2, 4, 0, 0}, program_row{11, 8.3, 2, 1, 2}, instruction_row{10, 2.2, 5, 1}, access_row{21, 14.5, 2, 1, 2},
    grant_row{13, 8.8, 3, 1, 2}, mover_row{6, 13.2, 1, 0}, code_row{13, 68.2, 0, 0, 0, 0, 1.15};

struct magnitudes {
    double cycle, sequence; ///< bytes of one
};

std::uint64_t table_bytes(std::uint64_t rows, const row_shape& shape, const magnitudes& m) {
    const auto pages = [](double bytes) { return page * std::max(1.0, std::ceil(bytes * 1.01 / (page - 8))); };
    const double number = 1 + (rows > 127) + (rows > 16383) + (rows > 2'097'151);
    const double row = 2 + 1 + number + 1 + shape.columns + shape.other + shape.cycles * m.cycle + shape.sequences * m.sequence;
    double bytes = pages(static_cast<double>(rows) * row * shape.slack);
    if (shape.index_columns != 0)
        bytes += pages(static_cast<double>(rows) * (2 + 1 + 1 + shape.index_columns + 1 + shape.index_other + m.sequence + number));
    return static_cast<std::uint64_t>(bytes);
}

constexpr std::uint64_t fixed_bytes = 7 * page; ///< schema, names of codes, the machine, logged steps, stale reads

std::uint64_t command_bytes(const log_rows& r, const magnitudes& m) {
    return fixed_bytes + table_bytes(r.commands, command_row, m) + table_bytes(r.moments, moment_row, m) + table_bytes(r.waits, wait_row, m) +
           table_bytes(r.operands, operand_row, m) + table_bytes(r.lives, life_row, m) + table_bytes(r.occupancies, occupancy_row, m) +
           table_bytes(r.host_events, host_row, m) + table_bytes(r.tensors, tensor_row, m);
}

std::uint64_t tile_bytes(const log_rows& r, const magnitudes& m) {
    return table_bytes(r.programs, program_row, m) + table_bytes(r.instructions, instruction_row, m) + table_bytes(r.accesses, access_row, m) +
           table_bytes(r.grants, grant_row, m) + table_bytes(r.movers, mover_row, m) + table_bytes(r.codes, code_row, m);
}

/// Slices, counters and arrows with their text, per row that they are drawn from: measured in timelines of every preset. An access of
/// device DRAM is a slice on each channel that it meets, neighbours in one.
std::uint64_t timeline_bytes(const log_rows& r, const npu_config& npu) {
    const double slices = 0.75 * std::pow(npu.device_dram.channels, 0.75);
    const auto n = [](std::uint64_t rows) { return static_cast<double>(rows); };
    return static_cast<std::uint64_t>(5000 + 500 * n(r.commands) + 174 * n(r.waits) + 132 * n(r.host_events) + 350 * n(r.instructions) +
                                      518 * n(r.chunks) + 143 * slices * n(r.bursts));
}

/// Instructions of a kernel's programs; each program is logged once.
std::uint64_t codes_of(const compiled_kernel& kernel) {
    std::uint64_t codes = 0;
    for (const compiler::engine_program& p : kernel.programs)
        codes += p.code.size();
    return codes;
}

std::uint64_t codes_of(const plan& p, const std::set<std::size_t>& kernels) {
    std::uint64_t codes = 0;
    for (const std::size_t k : kernels)
        codes += codes_of(p.kernels[k]);
    return codes;
}

std::uint64_t programs_of(const std::vector<compiled_kernel>& kernels) {
    std::uint64_t programs = 0;
    for (const compiled_kernel& k : kernels)
        programs += k.programs.size();
    return programs;
}

} // namespace

log_rows& log_rows::operator+=(const log_rows& m) {
    for (auto member : {&log_rows::commands, &log_rows::moments, &log_rows::waits, &log_rows::operands, &log_rows::lives,
                        &log_rows::occupancies, &log_rows::host_events, &log_rows::tensors, &log_rows::programs, &log_rows::instructions,
                        &log_rows::accesses, &log_rows::grants, &log_rows::movers, &log_rows::codes, &log_rows::chunks, &log_rows::bursts})
        this->*member += m.*member;
    return *this;
}

log_rows operator*(log_rows r, std::uint64_t times) {
    for (auto member : {&log_rows::commands, &log_rows::moments, &log_rows::waits, &log_rows::operands, &log_rows::lives,
                        &log_rows::occupancies, &log_rows::host_events, &log_rows::tensors, &log_rows::programs, &log_rows::instructions,
                        &log_rows::accesses, &log_rows::grants, &log_rows::movers, &log_rows::codes, &log_rows::chunks, &log_rows::bursts})
        r.*member *= times;
    return r;
}

std::uint64_t predicted_cycles(const plan& p, const run_length& length) {
    std::uint64_t cycles = length.steps * p.training.predicted_cycles;
    const std::vector<std::uint64_t> evaluations = evaluation_counts(p, length.test_rows);
    for (std::size_t i = 0; i < evaluations.size(); ++i)
        cycles += evaluations[i] * p.evaluations[i].predicted_cycles;
    return cycles;
}

log_size log_of_training(const run_config& config, const plan& p, const run_length& length) {
    tile_counter tiles(config.npu);
    std::vector<std::uint64_t> in_work(p.kernels.size(), ~std::uint64_t{0});
    counted_run step = count(p, p.training, tiles, in_work), evaluation;
    const std::uint64_t layers = p.shape.range.last - p.shape.range.first + 1;
    step.commands.host_events += 3 * layers; // weights written, gradient received, weights updated
    const std::vector<std::uint64_t> evaluations = evaluation_counts(p, length.test_rows);
    for (std::size_t i = 0; i < evaluations.size(); ++i) {
        const counted_run one = count(p, p.evaluations[i], tiles, in_work);
        evaluation.commands += one.commands * evaluations[i];
        evaluation.tile += one.tile * evaluations[i];
    }
    if (length.test_rows != 0)
        evaluation.commands.host_events += layers;

    log_rows whole = load_command() * programs_of(p.kernels), tile;
    whole += step.commands * length.steps;
    whole += evaluation.commands;
    std::set<std::uint32_t> tags;
    const auto note_tags = [&tags](const planned_run& run) {
        for (const planned_command& c : run.commands)
            for (const planned_operand& o : c.operands)
                if (o.tag != 0)
                    tags.insert(o.tag);
    };
    note_tags(p.training);
    for (const planned_run& run : p.evaluations)
        note_tags(run);
    whole.tensors = tags.size();
    std::set<std::size_t> seen; // kernels that run in logged steps
    const auto note_kernels = [&seen](const planned_run& run) {
        for (const planned_command& c : run.commands)
            seen.insert(c.kernel);
    };
    const auto per_step = static_cast<double>(p.training.predicted_cycles);
    double last_logged = 0; // cycle
    for (const std::uint64_t s : config.log.steps)
        if (s >= 1 && s <= length.steps) {
            tile += step.tile;
            note_kernels(p.training);
            last_logged = std::max(last_logged, static_cast<double>(s) * per_step);
        } else if (s == length.steps + 1) { // the evaluation counts as the step after the last one
            tile += evaluation.tile;
            for (std::size_t i = 0; i < evaluations.size(); ++i)
                if (evaluations[i] != 0)
                    note_kernels(p.evaluations[i]);
            last_logged = static_cast<double>(predicted_cycles(p, length));
        }
    tile.codes = codes_of(p, seen);

    log_size size;
    const auto commands = static_cast<double>(whole.commands);
    size.bytes = command_bytes(whole, {stored_bytes(static_cast<double>(predicted_cycles(p, length))), stored_bytes(commands)});
    const double last_command = static_cast<double>(predicted_cycles(p, length)) > 0
                                    ? commands * std::min(1.0, last_logged / static_cast<double>(predicted_cycles(p, length)))
                                    : commands;
    const magnitudes of_tiles{stored_bytes(last_logged), stored_bytes(last_command)};
    const std::uint64_t tables = tile_bytes(tile, of_tiles), empty = tile_bytes({}, of_tiles);
    size.bytes += tables;
    size.tile_bytes = tables - empty;
    size.rows = whole;
    size.rows += tile;
    size.timeline_bytes = timeline_bytes(size.rows, config.npu);
    return size;
}

log_size log_of_product(const npu_config& npu, const compiler::gemm_program& product, const std::vector<compiled_kernel>& copies,
                        bool tile_level) {
    using spec::memory_kind;
    tile_counter tiles(npu);
    double cycles = 0;
    std::vector<log_rows> of_kernel;
    const auto rows_of = [&](const compiled_kernel& kernel, const std::vector<memory_kind>& memories, std::uint64_t written) {
        log_rows r = bare_command();
        r.waits = 1;
        r.operands = kernel.slots.size();
        r.lives = 3 * written + 2 * tensors_in_work(kernel);
        if (tile_level)
            r += tiles.rows_of(kernel, memories);
        return r;
    };
    log_rows whole;
    for (const compiled_kernel& kernel : product.kernels)
        of_kernel.push_back(rows_of(
            kernel, {memory_kind::state_buffer, memory_kind::psum, memory_kind::device_dram, memory_kind::device_dram, memory_kind::device_dram}, 1));
    for (const compiler::gemm_command& c : product.commands) {
        whole += of_kernel.at(c.kernel);
        cycles += static_cast<double>(product.kernels[c.kernel].estimated_cycles);
    }
    for (const compiled_kernel& copy : copies) {
        whole += rows_of(copy, {memory_kind::host, memory_kind::device_dram}, 1);
        cycles += static_cast<double>(copy.estimated_cycles);
    }
    whole += load_command() * (programs_of(product.kernels) + programs_of(copies));
    whole.tensors = 3;
    if (tile_level)
        for (const auto* kernels : {&product.kernels, &copies})
            for (const compiled_kernel& kernel : *kernels)
                whole.codes += codes_of(kernel);
    const magnitudes m{stored_bytes(cycles), stored_bytes(static_cast<double>(whole.commands))};
    log_size size;
    const std::uint64_t tables = tile_bytes(whole, m), empty = tile_bytes({}, m);
    size.rows = whole;
    size.bytes = command_bytes(whole, m) + tables;
    size.tile_bytes = tables - empty;
    size.timeline_bytes = timeline_bytes(whole, npu);
    return size;
}

} // namespace retrace
