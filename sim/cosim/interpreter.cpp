#include "sim/cosim/interpreter.h"

#include <algorithm>
#include <cstring>

#include "hw/spec/spec.h"

namespace retrace::cosim {

using compiler::engine_name;
using compiler::header_of;
using spec::memory_kind;
using spec::opcode;

namespace {

constexpr std::uint64_t key(const spec::operand& o) { return std::uint64_t{o.tag} << 32 | o.version; }

/// Loads that stand in the port behind the one whose tile is in the shadow registers.
constexpr std::size_t load_places = 2;

} // namespace

std::string describe(const executed_instruction& e) {
    return "command " + std::to_string(e.sequence) + ", " + engine_name(e.engine) + " " + std::to_string(e.pc) + ": " +
           compiler::disassemble(e.code);
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

void tagged_bytes::wipe(std::uint64_t at, std::uint64_t bytes, std::uint64_t to) {
    set_owner(at, bytes, to);
    std::fill_n(data.begin() + static_cast<std::ptrdiff_t>(at), bytes, std::byte{0xff});
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

void interpreter::load(std::uint64_t address, const compiler::engine_program& program) {
    for (const compiler::instruction& i : program.code) {
        std::memcpy(dram.data.data() + address, i.data(), i.size());
        dram.set_owner(address, i.size(), 0);
        address += i.size();
    }
}

void interpreter::remember_writers() {
    writers_[memory_kind::host].resize(host.size());
    for (const memory_kind kind : {memory_kind::device_dram, memory_kind::state_buffer, memory_kind::psum})
        writers_[kind].resize(memory(kind)->data.size());
}

std::optional<std::size_t> interpreter::writer(memory_kind kind, std::uint64_t address) const {
    const auto found = writers_.find(kind);
    const std::uint64_t at = kind == memory_kind::host ? address - spec::host_window_base : address;
    if (found == writers_.end() || at >= found->second.size() || found->second[at] == 0)
        return {};
    return found->second[at] - 1;
}

void interpreter::fault(const running_command& c, unsigned engine, const std::string& what) {
    if (faults.size() < 20)
        faults.push_back("command " + std::to_string(c.command.sequence) + ", " + engine_name(engine) + ": " + what);
}

tagged_bytes* interpreter::memory(memory_kind kind) {
    switch (kind) {
    case memory_kind::device_dram:
        return &dram;
    case memory_kind::state_buffer:
        return &state_buffer;
    case memory_kind::psum:
        return &psum;
    default:
        return nullptr;
    }
}

std::byte* interpreter::bytes(memory_kind kind, std::uint64_t address) {
    if (kind == memory_kind::host)
        return host.data() + (address - spec::host_window_base);
    return memory(kind)->data.data() + address;
}

// --- order

void interpreter::run(const std::vector<spec::command>& commands) {
    pending_ = commands;
    started_.assign(commands.size(), false);
    running_.clear();
    flights_.clear();
    loads_.clear();
    shadow_full_ = shadow_landed_ = false;
    const std::size_t before = completed.size();
    while (completed.size() - before < commands.size() && faults.size() < 20) {
        // Every possible step, in a random order; the first that moves is taken.
        std::vector<std::pair<std::size_t, unsigned>> steps;
        constexpr unsigned start_step = 1000, finish_step = 1001, load_step = 1002;
        steps.emplace_back(0, start_step);
        steps.emplace_back(0, load_step);
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
            else if (what == load_step)
                moved = begin_load();
            else if (what == finish_step) {
                const bool oldest =
                    std::none_of(flights_.begin(), flights_.begin() + static_cast<std::ptrdiff_t>(index), [&, at = index](const flight& f) {
                        return f.engine == flights_[at].engine && f.lane == flights_[at].lane;
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
                            fault(c, engine,
                                  "stands at " + std::to_string(state.pc) + ": " + compiler::disassemble(state.code[state.pc]));
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
            std::memcpy(state.code.data(), dram.data.data() + command.programs[e].address,
                        state.code.size() * spec::instruction_bytes);
        }
        const std::uint64_t bank = device_.psum_bank_bytes();
        for (std::uint64_t i = command.work_base; i < command.work_base + command.work_bytes; ++i)
            if (state_buffer.owner[i] != tagged_bytes::nobody) {
                fault(c, 0, "its working set covers live bytes of the state buffer");
                break;
            }
        state_buffer.wipe(command.work_base, command.work_bytes, tagged_bytes::reserved);
        psum.wipe(command.psum_first * bank, command.psum_count * bank, tagged_bytes::reserved);
        running_.push_back(std::move(c));
        if (command.program_count == 0)
            end_if_done(running_.size() - 1);
        return true;
    }
    return false;
}

bool interpreter::advance(std::size_t index, unsigned engine) {
    running_command& c = running_[index];
    engine_state& state = c.engines[engine];
    const auto in_flight = [&](unsigned lane) {
        return std::count_if(flights_.begin(), flights_.end(),
                             [&](const flight& f) { return f.engine == engine && f.lane == lane; });
    };
    const bool array = engine == spec::engine_pe;
    if (state.pc >= state.code.size()) {
        if (in_flight(0) + in_flight(1) || (array && !loads_.empty()))
            return false;
        if (array) { // the next program starts without weights
            shadow_full_ = shadow_landed_ = false;
            active_ = {};
        }
        state.active = false;
        end_if_done(index);
        return true;
    }
    const compiler::instruction& code = state.code[state.pc];
    const auto header = header_of(code);
    if (state.waits_done < 2) {
        const unsigned semaphore = state.waits_done ? header.wait1 : header.wait0;
        const unsigned count = state.waits_done ? header.wait1_count : header.wait0_count;
        if (semaphore >= spec::semaphores || header.signal0 >= spec::semaphores || header.signal1 >= spec::semaphores) {
            fault(c, engine, "names a semaphore that a context does not have");
            state.pc = state.code.size();
            return true;
        }
        if (c.semaphores[semaphore] < count)
            return false;
        c.semaphores[semaphore] -= count;
        ++state.waits_done;
        return true;
    }
    const auto op = static_cast<opcode>(header.opcode);
    const auto pc = static_cast<std::uint32_t>(state.pc);
    if (op == opcode::load_weights) {
        if (loads_.size() == load_places)
            return false;
        loads_.push_back({index, pc, code});
    } else {
        // DMA reads ahead of its writes; the array loads weights while it streams.
        const unsigned lane = op == opcode::matmul ? 1 : 0;
        const long room = engine >= spec::engine_dma || lane ? 2 : 1;
        if (!(array && op == opcode::nop) && in_flight(lane) >= room)
            return false;
        const bool swap = op == opcode::matmul && (header.flags & spec::matmul_swap);
        if (swap && !shadow_landed_) {
            if (shadow_full_ || !loads_.empty())
                return false;
            fault(c, engine, "a swap without weights: " + compiler::disassemble(code));
        }
        begin(index, engine, pc, code);
    }
    engine_state& moved = running_[index].engines[engine];
    if (moved.pc < moved.code.size())
        ++moved.pc;
    moved.waits_done = 0;
    return true;
}

bool interpreter::begin_load() {
    if (loads_.empty() || shadow_full_)
        return false;
    const waiting_load load = loads_.front();
    loads_.pop_front();
    shadow_full_ = true;
    shadow_landed_ = false;
    begin(load.running, spec::engine_pe, load.pc, load.code);
    return true;
}

void interpreter::finish(std::size_t index) {
    const flight f = std::move(flights_[index]);
    flights_.erase(flights_.begin() + static_cast<std::ptrdiff_t>(index));
    running_command& c = running_[f.running];
    const auto header = header_of(f.code);
    if (static_cast<opcode>(header.opcode) == opcode::load_weights)
        shadow_landed_ = true;
    executed_.push_back({c.command.sequence, f.engine, f.pc, f.code});
    if (!f.regions.empty() && f.regions.back().write)
        write(c, f);
    for (const auto& [semaphore, count] :
         {std::pair{header.signal0, header.signal0_count}, std::pair{header.signal1, header.signal1_count}}) {
        c.semaphores[semaphore] += count;
        if (c.semaphores[semaphore] > spec::semaphore_max)
            fault(c, f.engine, "semaphore overflow");
    }
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
    state_buffer.wipe(c.command.work_base, c.command.work_bytes, tagged_bytes::nobody);
    psum.wipe(c.command.psum_first * bank, c.command.psum_count * bank, tagged_bytes::nobody);
    for (unsigned o = 0; o < c.command.operand_count; ++o) {
        const spec::operand& operand = c.command.operands[o];
        if (operand.access & static_cast<std::uint8_t>(spec::operand_access::release))
            if (tagged_bytes* m = memory(static_cast<memory_kind>(operand.memory)))
                m->release(operand.base, operand.bytes, key(operand));
    }
    ended_[c.command.sequence] = true;
    completed.push_back(c.command.sequence);
}

} // namespace retrace::cosim
