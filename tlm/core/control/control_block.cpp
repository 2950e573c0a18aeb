#include "tlm/core/control/control_block.h"

#include <bit>
#include <cstring>

#include "tlm/core/registers/device_registers.h"

// What the host reaches. The core's side is in control_block_core.cpp.

namespace retrace {

namespace {

namespace host = spec::host_block;
namespace control = spec::control_block;

constexpr std::uint32_t host_settings[] = {
    host::sq_base_low, host::sq_base_high, host::sq_entries,      host::cq_base_low,      host::cq_base_high,
    host::cq_entries,  host::irq_enable,   host::msi_address_low, host::msi_address_high, host::msi_data,
};

} // namespace

control_block::control_block(const npu_config& config, control_environment& environment)
    : environment_(environment), host_(host::registers, host_configuration(config)),
      core_(control::registers, control_configuration(config)), engines_(engine_count(config)),
      tcm_bytes_(config.control_core.memory_bytes) {
    host_.set_hook([this](const register_file::access& access) { return on_host(access); });
    core_.set_hook([this](const register_file::access& access) { return on_core(access); });
}

register_status control_block::host_read(std::uint32_t offset, std::uint32_t& value) {
    return offset >= spec::firmware_window ? window_access(offset, false, value) : host_.read(offset, value);
}

register_status control_block::host_write(std::uint32_t offset, std::uint32_t value) {
    return offset >= spec::firmware_window ? window_access(offset, true, value) : host_.write(offset, value);
}

register_status control_block::window_access(std::uint32_t offset, bool is_write, std::uint32_t& value) {
    const auto at = offset - static_cast<std::uint32_t>(spec::firmware_window);
    if (!is_write) {
        value = 0;
    }
    if (offset % 4 != 0) {
        return register_status::unaligned;
    }
    if (at >= spec::firmware_window_bytes || at >= tcm_bytes_) {
        return register_status::bad_offset;
    }
    const auto address = static_cast<std::uint32_t>(spec::tcm_base) + at;
    std::array<std::uint8_t, 4> bytes{};
    if (is_write) {
        if (running_) {
            return register_status::refused;
        }
        std::memcpy(bytes.data(), &value, 4);
        return environment_.write_local(address, bytes) ? register_status::ok : register_status::bad_offset;
    }
    if (!environment_.read_local(address, bytes)) {
        return register_status::bad_offset;
    }
    std::memcpy(&value, bytes.data(), 4);
    return register_status::ok;
}

register_status control_block::on_host(const register_file::access& access) {
    if (!access.is_write) {
        if (access.offset == host::cycle_low) {
            latch_cycle(host_, host::cycle_low, host::cycle_high);
        }
        return register_status::ok;
    }
    switch (access.offset) {
    case host::control:
        set_run((access.value & host::control_run_mask) != 0);
        break;
    case host::sq_doorbell:
        ring_doorbell(access.value);
        break;
    case host::cq_head:
        core_.set(control::cq_head, access.value);
        if (running_) {
            raise_event(control::event_doorbell_mask);
        }
        break;
    case host::irq_status:
    case host::irq_enable:
        if (message_pending()) {
            send_message();
        }
        break;
    default:
        break;
    }
    return register_status::ok;
}

// ---- reset

void control_block::set_run(bool run) {
    if (run == running_) {
        return;
    }
    if (!run) {
        stop_everything();
    }
    running_ = run;
    environment_.core_reset(run);
}

void control_block::stop_everything() {
    for (unsigned e = 0; e < engines_; ++e) {
        if (busy(e)) {
            environment_.engine_abort(e);
        }
    }
    for (unsigned c = 0; c < spec::contexts; ++c) {
        if (context_open_[c]) {
            context_open_[c] = false;
            environment_.context_end(c, spec::command_status::engine_fault);
        }
    }
    std::array<std::uint32_t, std::size(host_settings)> kept{};
    for (std::size_t i = 0; i < kept.size(); ++i) {
        kept[i] = host_.get(host_settings[i]);
    }
    host_.reset();
    core_.reset();
    for (std::size_t i = 0; i < kept.size(); ++i) {
        host_.set(host_settings[i], kept[i]);
    }
    rings_taken_ = false;
    mover_busy_ = false;
    owed_ = completions_moving_ = 0;
    update_core_interrupt();
}

// ---- rings

control_block::ring control_block::host_ring(std::uint32_t base_low, std::uint32_t base_high,
                                             std::uint32_t entries) const {
    return {std::uint64_t{host_.get(base_high)} << 32 | host_.get(base_low), host_.get(entries)};
}

spec::ring_error control_block::check_doorbell(std::uint32_t tail, const ring& submission,
                                               const ring& completion) const {
    if ((host_.get(host::status) & host::status_trapped_mask) != 0) {
        return spec::ring_error::firmware_trap;
    }
    if ((host_.get(host::status) & host::status_ready_mask) == 0) {
        return spec::ring_error::not_ready;
    }
    if (submission.base == 0 || completion.base == 0) {
        return spec::ring_error::bad_base;
    }
    for (const std::uint32_t entries : {submission.entries, completion.entries}) {
        if (entries < 2 || entries > spec::max_ring_entries || !std::has_single_bit(entries)) {
            return spec::ring_error::bad_entries;
        }
    }
    const std::uint32_t modulo = 2 * submission.entries;
    if (tail >= modulo) {
        return spec::ring_error::bad_tail;
    }
    const std::uint32_t head = core_.get(control::sq_head), old_tail = core_.get(control::sq_tail);
    const std::uint32_t held = (old_tail - head) & (modulo - 1), asked = (tail - head) & (modulo - 1);
    return asked < held || asked > submission.entries ? spec::ring_error::bad_tail : spec::ring_error::none;
}

void control_block::ring_doorbell(std::uint32_t tail) {
    ring submission, completion;
    if (rings_taken_) {
        submission = {1, core_.get(control::sq_entries)};
        completion = {1, core_.get(control::cq_entries)};
    } else {
        submission = host_ring(host::sq_base_low, host::sq_base_high, host::sq_entries);
        completion = host_ring(host::cq_base_low, host::cq_base_high, host::cq_entries);
    }
    const spec::ring_error error = check_doorbell(tail, submission, completion);
    if (error != spec::ring_error::none) {
        report_ring_error(static_cast<std::uint32_t>(error) | tail << host::ring_error_value_shift);
        raise_cause(host::irq_status_error_mask);
        return;
    }
    if (!rings_taken_) {
        take_over(submission, completion);
    }
    owed_ += (tail - core_.get(control::sq_tail)) & (2 * submission.entries - 1);
    core_.set(control::sq_tail, tail);
    raise_event(control::event_doorbell_mask);
}

void control_block::take_over(const ring& submission, const ring& completion) {
    rings_taken_ = true;
    core_.set(control::sq_base_low, static_cast<std::uint32_t>(submission.base));
    core_.set(control::sq_base_high, static_cast<std::uint32_t>(submission.base >> 32));
    core_.set(control::sq_entries, submission.entries);
    core_.set(control::cq_base_low, static_cast<std::uint32_t>(completion.base));
    core_.set(control::cq_base_high, static_cast<std::uint32_t>(completion.base >> 32));
    core_.set(control::cq_entries, completion.entries);
}

void control_block::report_ring_error(std::uint32_t word) { host_.set(host::ring_error, word); }

// ---- interrupt messages

bool control_block::message_pending() const {
    return (host_.get(host::irq_status) & host_.get(host::irq_enable)) != 0;
}

void control_block::raise_cause(std::uint32_t bits) {
    const bool before = message_pending();
    host_.set(host::irq_status, bits, bits);
    if (!before && message_pending()) {
        send_message();
    }
}

void control_block::send_message() {
    const std::uint64_t address =
        std::uint64_t{host_.get(host::msi_address_high)} << 32 | host_.get(host::msi_address_low);
    if (address != 0) {
        environment_.send_message(address, host_.get(host::msi_data));
    }
}

void control_block::latch_cycle(register_file& file, std::uint32_t low, std::uint32_t high) {
    const std::uint64_t now = environment_.cycle();
    file.set(low, static_cast<std::uint32_t>(now));
    file.set(high, static_cast<std::uint32_t>(now >> 32));
}

} // namespace retrace
