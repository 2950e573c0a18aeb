#include "tlm/core/riscv/bare_machine.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <fmt/format.h>

#include "hw/spec/spec.h"

namespace retrace {

namespace {

constexpr uint64_t most_instructions = uint64_t{1} << 63; // a higher limit is none

bool is_inside(const bare_config& config, uint64_t address, uint64_t bytes) {
    return address >= config.ram_base && address + bytes <= config.ram_base + config.ram_bytes;
}

// RAM as the core's private memory, without the word of tohost: the core has to ask for that one.
riscv_config core_config(const bare_config& config, std::optional<uint32_t> tohost) {
    riscv_config result;
    result.timing = config.timing;
    if (!tohost) {
        result.private_memory = {{config.ram_base, config.ram_bytes}};
        return result;
    }
    if (*tohost % 4 != 0 || !is_inside(config, *tohost, 4)) {
        throw elf_error(
            fmt::format("bare machine: tohost at {:#010x} is not a word in RAM ({:#010x}, {} bytes); use "
                        "a link script for this address or give more memory",
                        *tohost, config.ram_base, config.ram_bytes));
    }
    const uint64_t before = *tohost - config.ram_base;
    const uint64_t after = config.ram_bytes - before - 4;
    if (before != 0) {
        result.private_memory.push_back({config.ram_base, before});
    }
    if (after != 0) {
        result.private_memory.push_back({*tohost + 4, after});
    }
    return result;
}

} // namespace

bare_machine::bare_machine(const elf_image& image, const bare_config& config)
    : config_(config), tohost_address_(image.symbol("tohost")),
      signature_begin_(image.symbol("begin_signature")), signature_end_(image.symbol("end_signature")),
      core_(core_config(config_, tohost_address_)), timer_(core_, static_cast<uint32_t>(spec::timer_base)) {
    for (const elf_image::segment& segment : image.segments()) {
        if (!is_inside(config_, segment.address, segment.memory_bytes)) {
            throw elf_error(
                fmt::format("bare machine: the segment at {:#010x} of {} bytes is not inside RAM "
                            "({:#010x}, {} bytes); use a link script for this address or give more memory",
                            segment.address, segment.memory_bytes, config_.ram_base, config_.ram_bytes));
        }
        // RAM starts as zeros, so bss needs no work. The hole of tohost is filled apart.
        std::span<const uint8_t> content = segment.content;
        uint32_t address = segment.address;
        if (tohost_address_ && *tohost_address_ < address + uint64_t{content.size()} &&
            *tohost_address_ + uint64_t{4} > address) {
            for (uint32_t index = 0; index < 4; ++index) {
                const uint64_t offset = uint64_t{*tohost_address_} + index - address;
                if (offset < content.size()) {
                    tohost_ |= uint32_t{content[offset]} << (8 * index);
                }
            }
            const size_t before = *tohost_address_ > address ? *tohost_address_ - address : 0;
            core_.write_memory(address, content.first(before));
            const uint32_t behind = *tohost_address_ + 4;
            const size_t skipped = std::min<size_t>(content.size(), behind - address);
            content = content.subspan(skipped);
            address += static_cast<uint32_t>(skipped);
        }
        core_.write_memory(address, content);
    }
    core_.reset(image.entry());
}

bool bare_machine::access(const riscv_bus_access& request, uint32_t& data) {
    if (tohost_address_ && request.address - *tohost_address_ < 4) {
        const uint32_t shift = (request.address - *tohost_address_) * 8;
        const uint32_t mask = request.bytes == 4 ? ~0u : ((1u << (request.bytes * 8)) - 1) << shift;
        if (request.is_write) {
            tohost_ = (tohost_ & ~mask) | (request.data << shift & mask);
        }
        data = tohost_ >> shift;
        return true;
    }
    return timer_.access(request, data);
}

bare_result bare_machine::run() {
    const uint64_t limit = progress() + std::min(config_.instruction_limit, most_instructions);
    for (;;) {
        if (progress() >= limit) {
            return finish(bare_exit::instruction_limit);
        }
        timer_.update();
        // Every instruction and trap takes at least a cycle, so that many cycles cannot pass the limit. The
        // core must not run past the moment the timer becomes pending.
        const uint64_t budget = std::min(limit - progress(), timer_.cycles_to_timer().value_or(~uint64_t{0}));
        switch (core_.run(core_.cycle() + std::min(budget, uint64_t{1} << 40))) {
        case riscv_core::stop::cycle_limit:
            break;
        case riscv_core::stop::bus_access: {
            const riscv_bus_access request = core_.pending_bus();
            uint32_t data = 0;
            const bool ok = access(request, data);
            core_.complete_bus(data, ok);
            if (ok && request.is_write && tohost_address_ && request.address - *tohost_address_ < 4 &&
                tohost_ != 0) {
                return finish(tohost_ == 1         ? bare_exit::passed
                              : (tohost_ & 1) != 0 ? bare_exit::failed
                                                   : bare_exit::host_request);
            }
            break;
        }
        case riscv_core::stop::wait_for_interrupt: {
            // Only the timer can wake the core: msip is written by the core itself, nothing drives the
            // external line.
            const bool timer_enabled = (core_.csr(0x304).value_or(0) & 1u << 7) != 0;
            const std::optional<uint64_t> wait = timer_.cycles_to_timer();
            if (!timer_enabled || (!timer_.pending() && !wait)) {
                return finish(bare_exit::asleep);
            }
            core_.advance_to(core_.cycle() + wait.value_or(0));
            break;
        }
        case riscv_core::stop::halted:
            return finish(bare_exit::locked_up);
        }
    }
}

bare_result bare_machine::finish(bare_exit reason) const {
    bare_result result;
    result.reason = reason;
    result.passed = reason == bare_exit::passed;
    result.instructions = core_.retired();
    result.cycles = core_.cycle();
    switch (reason) {
    case bare_exit::passed:
        result.message = "passed";
        break;
    case bare_exit::failed:
        result.failing_test = tohost_ >> 1;
        result.message = fmt::format("test {} failed", result.failing_test);
        break;
    case bare_exit::host_request:
        result.message = fmt::format(
            "the program asked a host for service (tohost = {:#010x}), which is not supported", tohost_);
        break;
    case bare_exit::instruction_limit:
        result.message =
            fmt::format("no end after {} instructions and traps, at pc {:#010x}; give a higher limit if "
                        "the program needs it",
                        progress(), core_.pc());
        break;
    case bare_exit::asleep:
        result.message =
            fmt::format("asleep before pc {:#010x}: no enabled interrupt can ever become pending (mie "
                        "{:#x})",
                        core_.pc(), core_.csr(0x304).value_or(0));
        break;
    case bare_exit::locked_up:
        result.message =
            fmt::format("locked up: the trap handler at {:#010x} traps at its first instruction; the trap "
                        "before had mcause {}, mepc {:#010x}, mtval {:#010x}",
                        core_.pc(), core_.csr(0x342).value_or(0), core_.csr(0x341).value_or(0),
                        core_.csr(0x343).value_or(0));
        break;
    }
    return result;
}

std::vector<uint32_t> bare_machine::signature() const {
    std::vector<uint32_t> words;
    if (!signature_begin_ || !signature_end_) {
        return words;
    }
    for (uint64_t address = *signature_begin_; address + 4 <= *signature_end_; address += 4) {
        std::array<uint8_t, 4> bytes{};
        if (!core_.read_memory(static_cast<uint32_t>(address), bytes)) {
            break;
        }
        uint32_t word;
        std::memcpy(&word, bytes.data(), 4);
        words.push_back(word);
    }
    return words;
}

} // namespace retrace
