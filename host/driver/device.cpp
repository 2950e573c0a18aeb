#include "host/driver/device.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>

// Commands: launch, completion, interrupts, errors. Opening a device is in device_boot.cpp.

namespace retrace {

namespace {

namespace regs = spec::host_block;

} // namespace

std::uint64_t device::deadline(std::uint64_t timeout) const {
    const std::uint64_t now = door_.cycles();
    return timeout > forever - now ? forever : now + timeout;
}

result<void> device::fatal(driver_failure failure) {
    broken_ = std::move(failure);
    return *broken_;
}

// ---- launch

result<command_handle> device::launch(spec::command command, std::uint64_t timeout_cycles) {
    if (broken_) {
        return *broken_;
    }
    const std::uint64_t limit = deadline(timeout_cycles);
    // The device fetches in order and completes only what it fetched: as many entries are free as commands
    // have completed.
    while (in_flight_.size() >= submission_->entries()) {
        if (auto done = collect(); !done) {
            return done.failure();
        }
        if (in_flight_.size() < submission_->entries()) {
            break;
        }
        if (door_.cycles() >= limit) {
            return driver_failure{
                driver_error::timeout,
                fmt::format(
                    "the submission ring is full ({} commands in flight), and none completed within {} "
                    "cycles",
                    in_flight_.size(), timeout_cycles),
                {}};
        }
        if (auto done = sleep(limit); !done) {
            return done.failure();
        }
    }
    command.sequence = next_sequence_++;
    submission_->put(command);
    in_flight_.emplace(command.sequence, command);
    log(trace::command_event::moment::submitted, command, spec::command_status::ok);
    door_.write_barrier();
    write(regs::sq_doorbell, submission_->tail());
    return command_handle{command.sequence, generation_};
}

// ---- completion

result<void> device::collect() {
    if (broken_) {
        return *broken_;
    }
    while (const auto completion = completion_->take(door_)) {
        if (in_flight_.count(completion->sequence) == 0) {
            return fatal({driver_error::protocol,
                          fmt::format("the device completed command {} (status {}), which is not in flight",
                                      completion->sequence, completion->status),
                          {}});
        }
        take(*completion);
    }
    give_room();
    return {};
}

void device::take(const spec::completion& completion) {
    const auto found = in_flight_.find(completion.sequence);
    log(trace::command_event::moment::seen, found->second,
        static_cast<spec::command_status>(completion.status));
    in_flight_.erase(found);
    finished_.emplace(completion.sequence, completion);
    if (const auto staged = staged_.find(completion.sequence); staged != staged_.end()) {
        host_.free(staged->second).value(); // until now the device may have read it
        staged_.erase(staged);
    }
}

/// Telling the device each time would wake its core each time. A device to which the ring looks full may wait
/// for room that is there already, but not for ever: more than half of the ring is then still to be consumed,
/// and consuming it tells the device.
void device::give_room() {
    if (completion_->consumed() - told_head_ >= completion_->entries() / 2) {
        told_head_ = completion_->consumed();
        write(regs::cq_head, completion_->head());
    }
}

result<spec::completion> device::wait(command_handle handle, std::uint64_t timeout_cycles) {
    const std::uint64_t limit = deadline(timeout_cycles);
    for (;;) {
        if (auto done = collect(); !done) {
            return done.failure();
        }
        if (is_finished(handle)) {
            const spec::completion completion = finished_.extract(handle.sequence).mapped();
            if (completion.status != static_cast<std::uint8_t>(spec::command_status::ok)) {
                return command_failure(completion);
            }
            return completion;
        }
        if (!is_in_flight(handle)) {
            return unknown(handle);
        }
        if (door_.cycles() >= limit) {
            return driver_failure{
                driver_error::timeout,
                fmt::format(
                    "command {} did not complete within {} cycles; {} commands are in flight, the oldest "
                    "is {}",
                    handle.sequence, timeout_cycles, in_flight_.size(), in_flight_.begin()->first),
                {}};
        }
        if (auto done = sleep(limit); !done) {
            return done.failure();
        }
    }
}

result<void> device::wait_all(std::uint64_t timeout_cycles) {
    const std::uint64_t limit = deadline(timeout_cycles);
    result<void> first;
    if (auto done = collect(); !done) {
        return done;
    }
    while (!in_flight_.empty() || !finished_.empty()) {
        const std::uint32_t sequence =
            finished_.empty() ? in_flight_.begin()->first : finished_.begin()->first;
        const std::uint64_t now = door_.cycles();
        auto done = wait({sequence, generation_}, limit == forever ? forever : limit - std::min(limit, now));
        if (done) {
            continue;
        }
        const bool early = done.error() != driver_error::command_failed;
        if (first) {
            first = done.failure();
        } else if (early) {
            driver_failure both = first.failure();
            both.text += "; then: " + done.failure().text;
            first = std::move(both);
        }
        if (early) {
            return first;
        }
    }
    return first;
}

result<bool> device::completed(command_handle handle) {
    if (auto done = collect(); !done) {
        return done.failure();
    }
    if (is_finished(handle)) {
        return true;
    }
    if (!is_in_flight(handle)) {
        return unknown(handle);
    }
    if (auto done = look_for_errors(read_causes()); !done) {
        return done.failure();
    }
    if (auto done = collect(); !done) {
        return done.failure();
    }
    return is_finished(handle);
}

bool device::is_finished(command_handle handle) const {
    return handle.generation == generation_ && finished_.count(handle.sequence) != 0;
}

bool device::is_in_flight(command_handle handle) const {
    return handle.generation == generation_ && in_flight_.count(handle.sequence) != 0;
}

driver_failure device::unknown(command_handle handle) {
    return {
        driver_error::unknown_command,
        fmt::format("command {} is not in flight: it was waited for, or lost in a reset", handle.sequence),
        {}};
}

driver_failure device::command_failure(const spec::completion& c) const {
    const auto status = static_cast<spec::command_status>(c.status);
    std::string text = fmt::format("command {}: {}", c.sequence, spec::name_of(status));
    if (status == spec::command_status::engine_fault) {
        text += fmt::format(": engine {} stopped at instruction {}: {} ({:#x})", c.engine, c.pc,
                            spec::name_of(static_cast<spec::engine_fault>(c.fault)), c.detail);
    } else if (status != spec::command_status::dependency_failed) {
        text += fmt::format(": entry {} holds {:#x}", c.pc, c.detail);
    }
    return {driver_error::command_failed, std::move(text), c};
}

// ---- interrupts and errors

result<void> device::sleep(std::uint64_t limit) {
    const std::uint64_t now = door_.cycles();
    door_.wait_interrupt(std::min(options_.poll_cycles, limit - std::min(limit, now)));
    // Also after a wait without message: a lost one leaves its cause standing. Reading back makes sure that
    // the clear has arrived before the ring is looked at; a completion after it sends a new message.
    write(regs::irq_status, regs::irq_status_completion_mask);
    return look_for_errors(read_causes());
}

/// The answer comes behind everything that the device wrote before it: whoever looks at the ring next must not
/// do so with what the CPU had read ahead, or a completion without a further message would be overlooked.
std::uint32_t device::read_causes() {
    const std::uint32_t causes = read(regs::irq_status);
    door_.read_barrier();
    return causes;
}

result<void> device::look_for_errors(std::uint32_t irq_status) {
    if ((irq_status & regs::irq_status_error_mask) == 0) {
        return {};
    }
    write(regs::irq_status, regs::irq_status_error_mask);
    if ((read(regs::status) & regs::status_trapped_mask) != 0) {
        return fatal(trap_failure());
    }
    const std::uint32_t error = read(regs::ring_error);
    const auto code = static_cast<spec::ring_error>(error & regs::ring_error_code_mask);
    if (code == spec::ring_error::completion_lost) {
        return fatal({driver_error::ring_error,
                      fmt::format("the device could not write {} completions to its ring; it needs a reset",
                                  error >> regs::ring_error_value_shift),
                      {}});
    }
    return driver_failure{driver_error::ring_error,
                          fmt::format("the device refused a doorbell or ring: {}, value {:#x}",
                                      spec::name_of(code), error >> regs::ring_error_value_shift),
                          {}};
}

// ---- programs

result<void> device::load_programs(std::uint64_t address, std::span<const std::byte> programs,
                                   std::uint64_t timeout_cycles) {
    auto staging = host_.allocate(programs.size());
    if (!staging) {
        return staging.failure();
    }
    std::copy(programs.begin(), programs.end(), staging->bytes.begin());
    spec::command command;
    command.opcode = static_cast<std::uint8_t>(spec::command_opcode::load);
    command.phase = static_cast<std::uint8_t>(spec::phase::transfer);
    command.operand_count = 2;
    const auto bytes = static_cast<std::uint32_t>(programs.size());
    command.operands[0] = {staging->bus_address,
                           bytes,
                           0,
                           0,
                           static_cast<std::uint8_t>(spec::memory_kind::host),
                           static_cast<std::uint8_t>(spec::operand_access::read),
                           0};
    command.operands[1] = {address,
                           bytes,
                           0,
                           0,
                           static_cast<std::uint8_t>(spec::memory_kind::device_dram),
                           static_cast<std::uint8_t>(spec::operand_access::write),
                           0};
    const std::uint64_t limit = deadline(timeout_cycles);
    auto launched = launch(command, timeout_cycles);
    if (!launched) {
        host_.free(*staging).value();
        return launched.failure();
    }
    staged_.emplace(launched->sequence, *staging);
    const std::uint64_t now = door_.cycles();
    const auto done = wait(*launched, limit == forever ? forever : limit - std::min(limit, now));
    return done ? result<void>() : result<void>(done.failure());
}

// ---- the rest

std::uint64_t device::device_cycle() {
    const std::uint32_t low = read(regs::cycle_low);
    return std::uint64_t{read(regs::cycle_high)} << 32 | low;
}

void device::log(trace::command_event::moment what, const spec::command& command,
                 spec::command_status status) {
    if (options_.sink == nullptr) {
        return;
    }
    trace::command_event event;
    event.what = what;
    event.cycle = door_.cycles();
    event.device = options_.number;
    event.sequence = command.sequence;
    event.step = command.step;
    event.layer = command.layer;
    event.phase = static_cast<spec::phase>(command.phase);
    event.status = status;
    std::copy(std::begin(command.wait), std::end(command.wait), event.waits.begin());
    options_.sink->on(event);
}

} // namespace retrace
