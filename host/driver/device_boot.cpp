#include <algorithm>
#include <bit>
#include <cstring>
#include <fmt/format.h>

#include "host/driver/device.h"

// From power-on to a device that takes commands.

namespace retrace {

namespace {

namespace regs = spec::host_block;

constexpr std::uint64_t ready_poll_cycles = 500;

bool good_entries(unsigned entries) {
    return entries >= 2 && entries <= spec::max_ring_entries && std::has_single_bit(entries);
}

std::uint32_t field(std::uint32_t value, std::uint32_t mask, std::uint32_t shift) {
    return (value & mask) >> shift;
}

} // namespace

device::device(port& door, std::span<const std::uint8_t> firmware, const device_options& options)
    : door_(door), firmware_(firmware.begin(), firmware.end()), options_(options) {}

device::~device() {
    if (identified_) {
        // A device that nobody drives must not write to memory that may soon belong to someone else.
        try {
            write(regs::irq_enable, 0);
            stop();
        } catch (...) {
            // A port that cannot read any more has told so already: it may be why we are here.
        }
    }
}

/// The answer to the read flushes both directions: the order has arrived, and so has all that the device sent
/// before it; what the CPU writes to host memory from here on is the last word.
void device::stop() {
    write(regs::control, 0);
    read(regs::control);
    door_.read_barrier();
}

result<std::unique_ptr<device>> device::open(port& door, std::span<const std::uint8_t> firmware,
                                             const device_options& options) {
    std::unique_ptr<device> made(new device(door, firmware, options));
    if (auto done = made->check_options(); !done) {
        return done.failure();
    }
    if (auto done = made->identify(); !done) {
        return done.failure();
    }
    made->read_capabilities();
    if (auto done = made->allocate_rings(); !done) {
        return done.failure();
    }
    if (auto done = made->boot(); !done) {
        return done.failure();
    }
    return made;
}

result<void> device::check_options() const {
    if (!good_entries(options_.submission_entries) || !good_entries(options_.completion_entries)) {
        return driver_failure{
            driver_error::bad_argument,
            fmt::format("rings of {} and {} entries: both must be powers of two from 2 to {}",
                        options_.submission_entries, options_.completion_entries, spec::max_ring_entries),
            {}};
    }
    return {};
}

result<void> device::identify() {
    const std::uint32_t id = read(regs::id), version = read(regs::version);
    if (id != spec::device_id) {
        return driver_failure{
            driver_error::not_a_device,
            fmt::format("identification is {:#010x}, not {:#010x}: this is no Retrace device", id,
                        spec::device_id),
            {}};
    }
    if (version != spec::spec_version) {
        return driver_failure{
            driver_error::version_mismatch,
            fmt::format("the device follows specification {}, this driver {}: build both from one tree",
                        version, spec::spec_version),
            {}};
    }
    identified_ = true;
    return {};
}

void device::read_capabilities() {
    device_capabilities& c = capabilities_;
    const std::uint32_t shape = read(regs::array_shape), timing = read(regs::array_timing),
                        cycles = read(regs::operand_cycles);
    c.rows = field(shape, regs::array_shape_rows_mask, regs::array_shape_rows_shift);
    c.columns = field(shape, regs::array_shape_columns_mask, regs::array_shape_columns_shift);
    c.fma_depth = field(timing, regs::array_timing_fma_depth_mask, regs::array_timing_fma_depth_shift);
    c.weight_registers =
        field(timing, regs::array_timing_weight_registers_mask, regs::array_timing_weight_registers_shift);
    c.operand_cycles = {
        field(cycles, regs::operand_cycles_fp32_mask, regs::operand_cycles_fp32_shift),
        field(cycles, regs::operand_cycles_bf16_mask, regs::operand_cycles_bf16_shift),
        field(cycles, regs::operand_cycles_fp8_e4m3_mask, regs::operand_cycles_fp8_e4m3_shift),
        field(cycles, regs::operand_cycles_fp8_e5m2_mask, regs::operand_cycles_fp8_e5m2_shift),
        field(cycles, regs::operand_cycles_int8_mask, regs::operand_cycles_int8_shift)};
    const std::uint32_t psum = read(regs::psum_shape), lanes = read(regs::lanes);
    c.psum_banks = field(psum, regs::psum_shape_banks_mask, regs::psum_shape_banks_shift);
    c.psum_rows = field(psum, regs::psum_shape_rows_mask, regs::psum_shape_rows_shift);
    c.activation_lanes = field(lanes, regs::lanes_activation_mask, regs::lanes_activation_shift);
    c.vector_lanes = field(lanes, regs::lanes_vector_mask, regs::lanes_vector_shift);
    const std::uint32_t rates = read(regs::rates);
    c.dram_bytes_per_cycle = field(rates, regs::rates_dram_mask, regs::rates_dram_shift);
    c.link_bytes_per_cycle = field(rates, regs::rates_link_mask, regs::rates_link_shift);
    c.transpose_bytes_per_cycle = read(regs::transpose_rate);
    c.state_buffer_bytes = read(regs::state_buffer_bytes);
    c.state_buffer_banks = read(regs::state_buffer_banks);
    c.dma_queues = read(regs::dma_queues);
    c.clock_khz = read(regs::clock_khz);
    c.dram_bytes = std::uint64_t{read(regs::dram_bytes_high)} << 32 | read(regs::dram_bytes_low);
    c.host_bytes = read(regs::host_bytes);
    c.regions.clear();
    const std::uint32_t regions = std::min<std::uint32_t>(read(regs::region_count), spec::max_regions);
    for (std::uint32_t i = 0; i < regions; ++i) {
        c.regions.push_back(
            {static_cast<spec::region_kind>(read(regs::region_kind + i * regs::region_kind_stride)),
             read(regs::region_base + i * regs::region_base_stride),
             read(regs::region_bytes + i * regs::region_bytes_stride)});
    }
    tcm_bytes_ = read(regs::tcm_bytes);
    memory_ = device_allocator(c);
    host_ = host_allocator(door_, c.host_bytes);
}

result<void> device::allocate_rings() {
    auto submission = host_.allocate(options_.submission_entries * spec::command_bytes, spec::command_bytes);
    if (!submission) {
        return submission.failure();
    }
    auto completion = host_.allocate(options_.completion_entries * spec::completion_bytes);
    if (!completion) {
        return completion.failure();
    }
    submission_.emplace(*submission, options_.submission_entries);
    completion_.emplace(*completion, options_.completion_entries);
    return {};
}

result<void> device::boot() {
    if (firmware_.empty()) {
        return driver_failure{driver_error::bad_firmware, "the firmware image is empty", {}};
    }
    const std::uint64_t room = std::min<std::uint64_t>(tcm_bytes_, spec::firmware_window_bytes);
    std::uint32_t used = 0; // with cleared memory and stack
    if (firmware_.size() >= spec::firmware_memory_offset + sizeof used) {
        std::memcpy(&used, firmware_.data() + spec::firmware_memory_offset, sizeof used);
    }
    const std::uint64_t needed = std::max<std::uint64_t>(firmware_.size(), used);
    if (needed > room) {
        return driver_failure{
            driver_error::bad_firmware,
            fmt::format("the firmware needs {} bytes of the control core's private memory, which has {}",
                        needed, room),
            {}};
    }
    stop();
    for (const auto& [sequence, buffer] : staged_) {
        host_.free(buffer).value();
    }
    staged_.clear();
    load_firmware();
    set_up_rings();
    write(regs::control, regs::control_run_mask);
    return wait_ready();
}

void device::load_firmware() {
    for (std::size_t i = 0; i < firmware_.size(); i += 4) {
        std::uint32_t word = 0;
        std::memcpy(&word, firmware_.data() + i, std::min<std::size_t>(4, firmware_.size() - i));
        write(static_cast<std::uint32_t>(spec::firmware_window + i), word);
    }
}

void device::set_up_rings() {
    submission_->clear();
    completion_->clear();
    told_head_ = 0;
    next_sequence_ = 1;
    in_flight_.clear();
    finished_.clear();
    broken_.reset();
    door_.write_barrier();
    const auto low = [](std::uint64_t address) { return static_cast<std::uint32_t>(address); };
    const auto high = [](std::uint64_t address) { return static_cast<std::uint32_t>(address >> 32); };
    write(regs::sq_base_low, low(submission_->bus_address()));
    write(regs::sq_base_high, high(submission_->bus_address()));
    write(regs::sq_entries, submission_->entries());
    write(regs::cq_base_low, low(completion_->bus_address()));
    write(regs::cq_base_high, high(completion_->bus_address()));
    write(regs::cq_entries, completion_->entries());
    const port::interrupt_message message = door_.message();
    write(regs::msi_address_low, low(message.address));
    write(regs::msi_address_high, high(message.address));
    write(regs::msi_data, message.data);
    write(regs::irq_status, regs::irq_status_completion_mask | regs::irq_status_error_mask);
    write(regs::irq_enable, regs::irq_enable_completion_mask | regs::irq_enable_error_mask);
}

result<void> device::wait_ready() {
    const std::uint64_t limit = deadline(options_.boot_timeout_cycles);
    for (;;) {
        const std::uint32_t status = read(regs::status);
        if ((status & regs::status_trapped_mask) != 0) {
            return fatal(trap_failure());
        }
        if ((status & regs::status_ready_mask) != 0) {
            return {};
        }
        if (door_.cycles() >= limit) {
            return fatal(
                {driver_error::boot_timeout,
                 fmt::format("the firmware is not ready after {} cycles: is the image built for this device?",
                             options_.boot_timeout_cycles),
                 {}});
        }
        door_.wait_interrupt(ready_poll_cycles);
    }
}

driver_failure device::trap_failure() {
    return {
        driver_error::firmware_trap,
        fmt::format("the firmware took an unexpected trap: cause {}, pc {:#010x}; the device needs a reset",
                    read(regs::trap_cause), read(regs::trap_pc)),
        {}};
}

result<void> device::reset() {
    ++generation_;
    return boot();
}

} // namespace retrace
