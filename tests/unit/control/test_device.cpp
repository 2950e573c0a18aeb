#include "tests/unit/control/test_device.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>

#include "tlm/core/registers/device_registers.h"

namespace retrace {

npu_config test_config() {
    npu_config config;
    config.device_dram.capacity_bytes = 8u << 20;
    config.device_dram.regions = {{spec::region_kind::activations, 2u << 20},
                                  {spec::region_kind::gradients, 1u << 20},
                                  {spec::region_kind::weights, 3u << 20},
                                  {spec::region_kind::programs, 1u << 20}};
    config.host_link.host_memory_bytes = 256u << 10;
    return config;
}

test_device::test_device(std::uint64_t seed, const npu_config& config)
    : config_(config), random_(seed),
      core_({{{static_cast<std::uint32_t>(spec::tcm_base), config.control_core.memory_bytes}}, {}, 0}),
      registers_(config, *this) {
    host_memory.resize(config.host_link.host_memory_bytes);
    dram.resize(std::min<std::uint64_t>(config.device_dram.capacity_bytes,
                                        16u << 20)); // the regions; no engine touches it
    open_.fill(-1);
    script = [this](const engine_run&) { return engine_outcome{uniform(20, 2000)}; };
}

std::uint64_t test_device::uniform(std::uint64_t low, std::uint64_t high) {
    return low + random_() % (high - low + 1);
}

// ---- time

void test_device::at(std::uint64_t cycle, std::function<void()> action) {
    events_.emplace(std::pair(std::max(cycle, now_), event_order_++), std::move(action));
}

std::uint64_t test_device::next_event(std::uint64_t limit) const {
    return events_.empty() ? limit : std::min(limit, events_.begin()->first.first);
}

void test_device::run_core(std::uint64_t limit) {
    while (core_running_ && core_.cycle() < next_event(limit)) {
        const std::uint64_t until = next_event(limit);
        const riscv_core::stop reason = core_.run(until);
        if (reason == riscv_core::stop::bus_access) {
            access_bus();
        } else if (reason != riscv_core::stop::cycle_limit) {
            core_.advance_to(until);
        }
    }
}

void test_device::access_bus() {
    const riscv_bus_access access = core_.pending_bus();
    core_.advance_to(core_.cycle() + register_cycles);
    core_time_ = core_.cycle();
    const auto offset = access.address - static_cast<std::uint32_t>(spec::control_base);
    std::uint32_t data = 0;
    const bool fails = failing_accesses != 0;
    failing_accesses -= fails ? 1 : 0;
    bool ok = !fails && access.bytes == 4 && access.address >= spec::control_base &&
              access.address < spec::tcm_base;
    if (ok) {
        ok = (access.is_write ? registers_.core_write(offset, access.data)
                              : registers_.core_read(offset, data)) == register_status::ok;
    }
    core_.complete_bus(data, ok);
}

/// To the next event or `limit`, and through all events of that cycle.
void test_device::advance(std::uint64_t limit) {
    run_core(limit);
    now_ = next_event(limit);
    if (!core_running_) {
        core_.advance_to(now_);
    }
    while (!events_.empty() && events_.begin()->first.first <= now_) {
        const auto action = std::move(events_.begin()->second);
        events_.erase(events_.begin());
        action();
    }
}

void test_device::run_until(std::uint64_t cycle) {
    while (now_ < cycle) {
        advance(cycle);
    }
}

bool test_device::run_while_not(const std::function<bool()>& done, std::uint64_t limit) {
    const std::uint64_t deadline = now_ + limit;
    while (!done()) {
        if (now_ >= deadline) {
            return false;
        }
        // The core's own register writes (messages) are no events: look at least every 1000 cycles.
        advance(std::min(deadline, now_ + 1000));
    }
    return true;
}

// ---- engines

void test_device::engine_start(unsigned engine, unsigned context, std::uint32_t address,
                               std::uint32_t count) {
    engine_state& state = engines_[engine];
    if (state.running || open_[context] < 0) {
        violated(fmt::format("engine {} started while running, or in closed context {}", engine, context));
        return;
    }
    const spec::command& command = runs_[open_[context]].command;
    bool belongs = false;
    for (unsigned i = 0; i < command.program_count; ++i) {
        belongs = belongs || (command.program_engine[i] == engine &&
                              command.programs[i] == spec::program{address, count});
    }
    if (!belongs) {
        violated(fmt::format("engine {} started with a program that command {} does not have", engine,
                             command.sequence));
    }
    if (command.sequence <= state.last_sequence) {
        violated(
            fmt::format("engine {}: command {} after {}", engine, command.sequence, state.last_sequence));
    }
    state.last_sequence = command.sequence;
    state.running = true;
    state.run = {engine, context, address, count, command};
    const engine_outcome outcome = script(state.run);
    const std::uint64_t generation = ++state.generation;
    at(cycle() + outcome.cycles, [this, engine, generation, outcome] {
        engine_state& ended = engines_[engine];
        if (ended.generation != generation || !ended.running) {
            return;
        }
        ended.running = false;
        if (outcome.fault == spec::engine_fault::none && effect) {
            effect(ended.run);
        }
        registers_.engine_finished(engine, outcome.fault, outcome.pc, outcome.detail);
    });
}

void test_device::engine_abort(unsigned engine) {
    engines_[engine].running = false;
    registers_.engine_finished(engine, spec::engine_fault::aborted, 0, 0);
}

// ---- contexts

void test_device::check_begin(const spec::command& command) {
    if (run_of_sequence_.count(command.sequence) != 0) {
        violated(fmt::format("command {} began twice", command.sequence));
    }
    for (const std::uint32_t wait : command.wait) {
        if (wait != 0) {
            const command_run* other = run_of(wait);
            if (other == nullptr || !other->ended || other->status != spec::command_status::ok) {
                violated(fmt::format("command {} began before {} had ended well", command.sequence, wait));
            }
        }
    }
    const auto overlap = [](std::uint64_t a, std::uint64_t a_size, std::uint64_t b, std::uint64_t b_size) {
        return a_size != 0 && b_size != 0 && a < b + b_size && b < a + a_size;
    };
    for (const int index : open_) {
        if (index >= 0) {
            const spec::command& other = runs_[index].command;
            if (overlap(command.work_base, command.work_bytes, other.work_base, other.work_bytes) ||
                overlap(command.psum_first, command.psum_count, other.psum_first, other.psum_count)) {
                violated(fmt::format("working sets of {} and {} overlap", command.sequence, other.sequence));
            }
        }
    }
}

void test_device::context_begin(unsigned context, const spec::command& command) {
    check_begin(command);
    open_[context] = static_cast<int>(runs_.size());
    run_of_sequence_[command.sequence] = runs_.size();
    runs_.push_back({command, context, cycle(), 0, false, {}});
}

void test_device::context_end(unsigned context, spec::command_status status) {
    for (const engine_state& engine : engines_) {
        if (engine.running && engine.run.context == context) {
            violated(fmt::format("context {} ended while engine {} ran in it", context, engine.run.engine));
        }
    }
    command_run& run = runs_[open_[context]];
    run.end = cycle();
    run.ended = true;
    run.status = status;
    open_[context] = -1;
}

const command_run* test_device::run_of(std::uint32_t sequence) const {
    const auto found = run_of_sequence_.find(sequence);
    return found == run_of_sequence_.end() ? nullptr : &runs_[found->second];
}

// ---- memories

void test_device::write_host(std::uint64_t offset, std::span<const std::uint8_t> bytes, bool by_mover) {
    std::copy(bytes.begin(), bytes.end(), host_memory.begin() + static_cast<std::ptrdiff_t>(offset));
    if (on_host_write) {
        on_host_write(offset, bytes, by_mover);
    }
}

bool test_device::move(std::uint64_t host, std::uint32_t local, std::uint32_t bytes, bool to_host) {
    const std::uint64_t offset = host - spec::host_window_base;
    if (offset > host_memory.size() || bytes > host_memory.size() - offset) {
        return false;
    }
    const auto host_bytes = std::span(host_memory).subspan(offset, bytes);
    if (local < spec::control_base) {
        if (local > dram.size() || bytes > dram.size() - local) {
            return false;
        }
        if (to_host) {
            write_host(offset, std::span(dram).subspan(local, bytes), true);
        } else {
            std::copy(host_bytes.begin(), host_bytes.end(), dram.begin() + local);
        }
        return true;
    }
    if (!to_host) {
        return core_.write_memory(local, host_bytes);
    }
    std::vector<std::uint8_t> buffer(bytes);
    if (!core_.read_memory(local, buffer)) {
        return false;
    }
    write_host(offset, buffer, true);
    return true;
}

void test_device::mover_start(std::uint64_t host, std::uint32_t local, std::uint32_t bytes, bool to_host) {
    ++moves_;
    const std::uint64_t generation = mover_generation_;
    at(cycle() + uniform(mover_latency_low, mover_latency_high) + bytes / 16, [=, this] {
        if (generation == mover_generation_) {
            registers_.mover_finished(move(host, local, bytes, to_host));
        }
    });
}

bool test_device::read_local(std::uint32_t address, std::span<std::uint8_t> bytes) {
    return core_.read_memory(address, bytes);
}

bool test_device::write_local(std::uint32_t address, std::span<const std::uint8_t> bytes) {
    return core_.write_memory(address, bytes);
}

// ---- the rest

void test_device::send_message(std::uint64_t address, std::uint32_t data) {
    ++messages_;
    if (on_message) {
        on_message(address, data);
    }
}

void test_device::core_reset(bool run) {
    core_running_ = run;
    if (run) {
        core_.advance_to(now_);
        core_.reset(static_cast<std::uint32_t>(spec::tcm_base));
        for (engine_state& engine : engines_) {
            engine.last_sequence = 0;
        }
        run_of_sequence_.clear();
    } else {
        ++mover_generation_;
    }
}

} // namespace retrace
