#include "tests/unit/compiler/interpreter.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "hw/spec/spec.h"

namespace retrace::compiler::testing {

using spec::memory_kind;
using spec::number_format;
using spec::opcode;

namespace {

constexpr std::uint64_t key(const spec::operand& o) { return std::uint64_t{o.tag} << 32 | o.version; }

float quiet(float v) { return std::isnan(v) ? std::bit_cast<float>(0x7fc00000u) : v; }

std::int32_t as_int(float bits) { return std::bit_cast<std::int32_t>(bits); }

} // namespace

float bf16_value(std::uint16_t bits) { return std::bit_cast<float>(std::uint32_t{bits} << 16); }

std::uint16_t bf16_bits(float value) {
    if (std::isnan(value))
        return 0x7fc0;
    const auto bits = std::bit_cast<std::uint32_t>(value);
    const std::uint32_t low = bits & 0xffffu, high = bits >> 16;
    return static_cast<std::uint16_t>(high + (low > 0x8000u || (low == 0x8000u && (high & 1)) ? 1 : 0));
}

void tagged_bytes::resize(std::uint64_t bytes) {
    data.assign(bytes, std::byte{0xff});
    owner.assign(bytes, nobody);
    all_ = {0, bytes, 0, 0};
}

void tagged_bytes::count(std::uint64_t at, std::int64_t delta) {
    const auto apply = [delta](part& p) {
        p.live += static_cast<std::uint64_t>(delta);
        p.peak = std::max(p.peak, p.live);
    };
    apply(all_);
    for (part& p : parts_)
        if (at >= p.base && at - p.base < p.bytes)
            apply(p);
}

void tagged_bytes::set_owner(std::uint64_t at, std::uint64_t bytes, std::uint64_t to,
                             std::map<std::uint32_t, std::uint64_t>* lost) {
    for (std::uint64_t i = at; i < at + bytes; ++i) {
        const std::uint64_t old = owner[i];
        if (old == nobody && to != nobody)
            count(i, 1);
        if (old != nobody && to == nobody)
            count(i, -1);
        if (lost && old != to && old < reserved)
            ++(*lost)[static_cast<std::uint32_t>(old >> 32)];
        owner[i] = to;
    }
}

void tagged_bytes::release(std::uint64_t at, std::uint64_t bytes, std::uint64_t whose) {
    for (std::uint64_t i = at; i < at + bytes; ++i)
        if (owner[i] == whose) {
            set_owner(i, 1, nobody);
            data[i] = std::byte{0xff};
        }
}

bool tagged_bytes::owned(std::uint64_t at, std::uint64_t bytes, std::uint64_t whose) const {
    return std::all_of(owner.begin() + static_cast<std::ptrdiff_t>(at), owner.begin() + static_cast<std::ptrdiff_t>(at + bytes),
                       [whose](std::uint64_t o) { return o == whose; });
}

std::uint64_t tagged_bytes::live_under_tag(std::uint32_t tag) const {
    return static_cast<std::uint64_t>(
        std::count_if(owner.begin(), owner.end(), [tag](std::uint64_t o) { return o < reserved && o >> 32 == tag; }));
}

interpreter::interpreter(const device_capabilities& device, std::uint64_t host_bytes, std::uint64_t seed)
    : host(host_bytes), device_(device), random_(seed) {
    dram.resize(device.dram_bytes);
    for (const memory_region& r : device.regions)
        dram.add_part(r.base, r.bytes);
    state_buffer.resize(device.state_buffer_bytes);
    psum.resize(device.psum_banks * device.psum_bank_bytes());
}

void interpreter::load(std::uint64_t address, const engine_program& program) {
    for (const instruction& i : program.code) {
        std::memcpy(dram.data.data() + address, i.data(), i.size());
        dram.set_owner(address, i.size(), 0);
        address += i.size();
    }
}

void interpreter::fault(const running_command& c, unsigned engine, const std::string& what) {
    if (faults.size() < 20)
        faults.push_back("command " + std::to_string(c.command.sequence) + ", " + engine_name(engine) + ": " + what);
}

tagged_bytes* interpreter::memory(memory_kind kind) {
    switch (kind) {
    case memory_kind::device_dram: return &dram;
    case memory_kind::state_buffer: return &state_buffer;
    case memory_kind::psum: return &psum;
    default: return nullptr;
    }
}

std::byte* interpreter::bytes(memory_kind kind, std::uint64_t address) {
    if (kind == memory_kind::host)
        return host.data() + (address - spec::host_window_base);
    return memory(kind)->data.data() + address;
}

// --- order ---------------------------------------------------------------------------------------------------------------

void interpreter::run(const std::vector<spec::command>& commands) {
    pending_ = commands;
    started_.assign(commands.size(), false);
    running_.clear();
    flights_.clear();
    const std::size_t before = completed.size();
    while (completed.size() - before < commands.size() && faults.size() < 20) {
        // Every possible step, in a random order; the first that moves is taken.
        std::vector<std::pair<std::size_t, unsigned>> steps;
        constexpr unsigned start_step = 1000, finish_step = 1001;
        steps.emplace_back(0, start_step);
        for (std::size_t f = 0; f < flights_.size(); ++f)
            steps.emplace_back(f, finish_step);
        for (std::size_t r = 0; r < running_.size(); ++r)
            if (!running_[r].done)
                for (const auto& [engine, state] : running_[r].engines)
                    if (state.active)
                        steps.emplace_back(r, engine);
        std::shuffle(steps.begin(), steps.end(), random_);
        bool moved = false;
        for (const auto& [index, what] : steps) {
            if (what == start_step)
                moved = start_command();
            else if (what == finish_step) {
                const bool oldest = std::none_of(flights_.begin(), flights_.begin() + static_cast<std::ptrdiff_t>(index), [&](const flight& f) {
                    return f.engine == flights_[index].engine && f.lane == flights_[index].lane;
                });
                if (oldest) {
                    finish(index);
                    moved = true;
                }
            } else
                moved = advance(index, what);
            if (moved)
                break;
        }
        if (!moved) {
            faults.push_back("nothing moves: deadlock");
            for (const running_command& c : running_)
                if (!c.done)
                    for (const auto& [engine, state] : c.engines)
                        if (state.active && state.pc < state.code.size())
                            fault(c, engine, "stands at " + std::to_string(state.pc) + ": " + disassemble(state.code[state.pc]));
            return;
        }
    }
}

bool interpreter::start_command() {
    std::map<unsigned, bool> blocked;
    std::size_t contexts = 0;
    for (const running_command& c : running_) {
        contexts += !c.done;
        for (const auto& [engine, state] : c.engines)
            blocked[engine] = blocked[engine] || (!c.done && state.active);
    }
    if (contexts == spec::contexts)
        return false;
    for (std::size_t p = 0; p < pending_.size(); ++p) {
        if (started_[p])
            continue;
        const spec::command& command = pending_[p];
        bool ready = true;
        for (const std::uint32_t w : command.wait)
            ready = ready && (!w || ended_[w]);
        for (unsigned e = 0; e < command.program_count; ++e)
            ready = ready && !blocked[command.program_engine[e]];
        for (const running_command& other : running_) {
            const spec::command& o = other.command;
            if (!other.done && ((command.work_bytes && o.work_bytes && command.work_base < o.work_base + o.work_bytes &&
                                 o.work_base < command.work_base + command.work_bytes) ||
                                (command.psum_count && o.psum_count && command.psum_first < o.psum_first + o.psum_count &&
                                 o.psum_first < command.psum_first + command.psum_count)))
                ready = false;
        }
        for (unsigned e = 0; e < command.program_count; ++e)
            blocked[command.program_engine[e]] = true; // ring order per engine
        if (!ready)
            continue;
        started_[p] = true;
        running_command c;
        c.command = command;
        c.semaphores.assign(spec::semaphores, 0);
        for (unsigned e = 0; e < command.program_count; ++e) {
            engine_state& state = c.engines[command.program_engine[e]];
            state.active = true;
            state.code.resize(command.programs[e].count);
            std::memcpy(state.code.data(), dram.data.data() + command.programs[e].address, state.code.size() * spec::instruction_bytes);
        }
        const std::uint64_t bank = device_.psum_bank_bytes();
        for (std::uint64_t i = command.work_base; i < command.work_base + command.work_bytes; ++i)
            if (state_buffer.owner[i] != tagged_bytes::nobody) {
                fault(c, 0, "its working set covers live bytes of the state buffer");
                break;
            }
        state_buffer.set_owner(command.work_base, command.work_bytes, tagged_bytes::reserved);
        psum.set_owner(command.psum_first * bank, command.psum_count * bank, tagged_bytes::reserved);
        running_.push_back(std::move(c));
        return true;
    }
    return false;
}

bool interpreter::advance(std::size_t index, unsigned engine) {
    running_command& c = running_[index];
    engine_state& state = c.engines[engine];
    const auto in_flight = [&](unsigned lane) {
        return std::count_if(flights_.begin(), flights_.end(), [&](const flight& f) { return f.engine == engine && f.lane == lane; });
    };
    if (state.pc == state.code.size()) {
        if (in_flight(0) + in_flight(1))
            return false;
        state.active = false;
        end_if_done(index);
        return true;
    }
    const instruction& code = state.code[state.pc];
    const auto header = header_of(code);
    if (state.waits_done < 2) {
        const unsigned semaphore = state.waits_done ? header.wait1 : header.wait0;
        const unsigned count = state.waits_done ? header.wait1_count : header.wait0_count;
        if (c.semaphores[semaphore] < count)
            return false;
        c.semaphores[semaphore] -= count;
        ++state.waits_done;
        return true;
    }
    // DMA reads ahead of its writes; the array loads weights while it streams.
    const auto op = static_cast<opcode>(header.opcode);
    const unsigned lane = op == opcode::matmul ? 1 : 0;
    const long room = engine >= spec::engine_dma ? 2 : engine == spec::engine_pe && lane ? 2 : 1;
    if (in_flight(lane) >= room)
        return false;
    if (op == opcode::load_weights && shadow_full_)
        return false;
    if (op == opcode::matmul && !shadow_landed_)
        return false;
    if (!begin(c, index, engine, code))
        return false;
    ++state.pc;
    state.waits_done = 0;
    return true;
}

void interpreter::end_if_done(std::size_t index) {
    running_command& c = running_[index];
    for (const auto& [engine, state] : c.engines)
        if (state.active)
            return;
    c.done = true;
    for (unsigned s = 0; s < spec::semaphores; ++s)
        if (c.semaphores[s])
            fault(c, 0, "semaphore " + std::to_string(s) + " is left at " + std::to_string(c.semaphores[s]));
    const std::uint64_t bank = device_.psum_bank_bytes();
    state_buffer.set_owner(c.command.work_base, c.command.work_bytes, tagged_bytes::nobody);
    psum.set_owner(c.command.psum_first * bank, c.command.psum_count * bank, tagged_bytes::nobody);
    for (unsigned o = 0; o < c.command.operand_count; ++o) {
        const spec::operand& operand = c.command.operands[o];
        if (operand.access & static_cast<std::uint8_t>(spec::operand_access::release))
            if (tagged_bytes* m = memory(static_cast<memory_kind>(operand.memory)))
                m->release(operand.base, operand.bytes, key(operand));
    }
    ended_[c.command.sequence] = true;
    completed.push_back(c.command.sequence);
}

// --- one instruction -----------------------------------------------------------------------------------------------------

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

bool interpreter::resolve(running_command& c, unsigned engine, unsigned slot, unsigned tag_slot, std::uint64_t offset,
                          std::uint64_t rows, std::uint64_t row_bytes, std::uint64_t pitch, bool write, rect& r) {
    if (slot >= c.command.operand_count || tag_slot >= c.command.operand_count) {
        fault(c, engine, "slot " + std::to_string(slot) + " does not exist");
        return false;
    }
    const spec::operand& o = c.command.operands[slot];
    const auto wanted = static_cast<std::uint8_t>(write ? spec::operand_access::write : spec::operand_access::read);
    if (!(o.access & wanted))
        fault(c, engine, "access to slot " + std::to_string(slot) + " is not permitted");
    if (rows == 0 || row_bytes == 0 || offset + (rows - 1) * pitch + row_bytes > o.bytes || (rows > 1 && pitch < row_bytes)) {
        fault(c, engine, "access outside slot " + std::to_string(slot));
        return false;
    }
    r = {static_cast<memory_kind>(o.memory), o.base + offset, rows, row_bytes, pitch, write, key(c.command.operands[tag_slot])};
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
                    fault(c, engine, disassemble(code) + " meets " + engine_name(other.engine) + " " + disassemble(other.code));
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
    const auto from = static_cast<number_format>(i.source_format), to = static_cast<number_format>(i.result_format);
    const auto second = static_cast<number_format>(i.second_format);
    const std::uint64_t rows = i.rows, columns = i.columns;
    const auto operand = [&](const spec::memory_operand& m, std::uint64_t r, std::uint64_t row_bytes, bool write) {
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
                        sum += static_cast<std::uint32_t>(static_cast<int>(a[r * columns + k]) * static_cast<int>(active_[k * d_columns + n]));
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
            case spec::activation_function::identity: break;
            case spec::activation_function::relu: v = v > 0.0f ? v : (std::isnan(v) ? v : 0.0f); break;
            case spec::activation_function::exp: v = std::exp(v); break;
            case spec::activation_function::log: v = std::log(v); break;
            default: fault(c, f.engine, "function that the interpreter does not have");
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
            case spec::vector_operation::add: d[e] = x + y; break;
            case spec::vector_operation::subtract: d[e] = x - y; break;
            case spec::vector_operation::multiply: d[e] = x * y; break;
            case spec::vector_operation::divide: d[e] = x / y; break;
            case spec::vector_operation::select_positive: d[e] = y > 0.0f ? x : 0.0f; break;
            default: fault(c, f.engine, "operation that the interpreter does not have");
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
                d[r] = static_cast<spec::vector_operation>(i.function) == spec::vector_operation::max ? std::max(d[r], v) : d[r] + v;
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
    default: fault(c, f.engine, "unknown opcode"); return false;
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
    if (!resolve(c, f.engine, i.source_slot, i.tag_slot, i.source_offset, i.size1, i.size0, i.source_stride1, false, from))
        return false;
    const std::uint64_t rows = transpose ? i.size0 / i.element_bytes : i.size1;
    const std::uint64_t row_bytes = transpose ? std::uint64_t{i.size1} * i.element_bytes : i.size0;
    if (!resolve(c, f.engine, i.destination_slot, i.tag_slot, i.destination_offset, rows, row_bytes, i.destination_stride1, true, to))
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
                std::memcpy(f.result.data() + e * row_bytes + r * i.element_bytes, source + e * i.element_bytes, i.element_bytes);
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
                    const float sum = f.integer ? std::bit_cast<float>(static_cast<std::uint32_t>(as_int(old)) + static_cast<std::uint32_t>(as_int(add)))
                                                : quiet(old + add);
                    std::memcpy(to + e, &sum, 4);
                }
            } else
                std::memcpy(to, from, d.row_bytes);
            if (m) {
                std::map<std::uint32_t, std::uint64_t> lost;
                m->set_owner(d.base + r * d.pitch, d.row_bytes, d.owner, &lost);
                const std::uint64_t work = c.command.work_base, end = work + c.command.work_bytes;
                const bool working = d.memory == memory_kind::psum ||
                                     (d.memory == memory_kind::state_buffer && d.base >= work && d.base < end);
                if (!working)
                    for (const auto& [tag, bytes] : lost)
                        overwritten[{tag, static_cast<std::uint32_t>(d.owner >> 32)}] += bytes;
            }
        }
    }
    for (const auto& [semaphore, count] : {std::pair{header.signal0, header.signal0_count}, std::pair{header.signal1, header.signal1_count}}) {
        c.semaphores[semaphore] += count;
        if (c.semaphores[semaphore] > spec::semaphore_max)
            fault(c, f.engine, "semaphore overflow");
    }
}

} // namespace retrace::compiler::testing
