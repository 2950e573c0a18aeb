#include "tlm/memory/memory_block.h"

#include <algorithm>

#include <fmt/format.h>

#include "tlm/core/seeded_fault.h"

namespace retrace {

memory_block::memory_block(const sc_core::sc_module_name& name, const std::string& block, backplane& plane, tagged_memory& memory, trace::resource resource)
    : sc_module(name), plane_(plane), memory_(memory), resource_(resource), requests_probe_(plane.probes.number(block, "requests", 8, "level")),
      serves_probe_(plane.probes.number(block, "serves", 8, "requester")), access_probe_(plane.probes.text(block, "access")) {
    port.register_b_transport(this, &memory_block::b_transport);
    port.register_transport_dbg(this, &memory_block::transport_dbg);
}

void memory_block::b_transport(int, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
    memory_extension* extension = payload.get_extension<memory_extension>();
    if (!extension || !extension->who || payload.get_command() == tlm::TLM_IGNORE_COMMAND) {
        payload.set_response_status(tlm::TLM_COMMAND_ERROR_RESPONSE);
        return;
    }
    if (payload.get_byte_enable_ptr()) {
        payload.set_response_status(tlm::TLM_BYTE_ENABLE_ERROR_RESPONSE);
        return;
    }
    if (payload.get_data_length() == 0 || payload.get_streaming_width() < payload.get_data_length()) {
        payload.set_response_status(tlm::TLM_BURST_ERROR_RESPONSE);
        return;
    }
    if (delay != sc_core::SC_ZERO_TIME) {
        sc_core::wait(delay);
        delay = sc_core::SC_ZERO_TIME;
    }
    const byte_run single{payload.get_address(), payload.get_data_length()};
    const byte_run* runs = extension->runs ? extension->runs->data() : &single;
    const std::size_t count = extension->runs ? extension->runs->size() : 1;
    std::uint64_t total = 0;
    for (std::size_t i = 0; i < count; ++i) {
        total += runs[i].bytes;
        if (!memory_.contains(runs[i].address, runs[i].bytes)) {
            payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
            return;
        }
    }
    if (total != payload.get_data_length()) {
        payload.set_response_status(tlm::TLM_BURST_ERROR_RESPONSE);
        return;
    }

    trace::grant_event told;
    told.what = resource_;
    told.write = payload.is_write();
    told.address = runs[0].address;
    told.bytes = total;
    told.sequence = extension->origin.sequence;
    told.pc = extension->origin.pc;
    trace::probe_registry& probes = plane_.probes.registry;
    probes.set(requests_probe_, plane_.clock.now(), ++requests_);
    plane_.arbitration.acquire(*extension->who, told, [&](std::uint64_t cycle) {
        probes.set(serves_probe_, cycle, extension->who->id);
        if (probes.wanted(access_probe_))
            probes.set_text(access_probe_, cycle, fmt::format("{} {} B at {:#x}", told.write ? "write" : "read", total, told.address));
        return plane_.config.ideal_memories ? cycle + 1 : finish(cycle, runs, count, extension->who->id);
    });
    probes.set(requests_probe_, plane_.clock.now(), --requests_);
    if (requests_ == 0) {
        probes.set(serves_probe_, plane_.clock.now(), 0);
        probes.set_text(access_probe_, plane_.clock.now(), {});
    }
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
    if (extension->cancelled && *extension->cancelled)
        return;
    auto* data = reinterpret_cast<std::byte*>(payload.get_data_ptr());
    access_origin origin = extension->origin;
    origin.cycle = plane_.clock.now();
    for (std::size_t i = 0; i < count; ++i) {
        if (payload.is_write())
            memory_.write(runs[i].address, data, runs[i].bytes, extension->tensor, origin);
        else
            memory_.read(runs[i].address, data, runs[i].bytes, extension->tensor, origin);
        data += runs[i].bytes;
    }
}

unsigned memory_block::transport_dbg(int, tlm::tlm_generic_payload& payload) {
    // Looking is allowed, writing behind the driver's back is not.
    if (!payload.is_read() || !memory_.contains(payload.get_address(), payload.get_data_length()))
        return 0;
    memory_.peek(payload.get_address(), reinterpret_cast<std::byte*>(payload.get_data_ptr()), payload.get_data_length());
    return payload.get_data_length();
}

device_dram::device_dram(const sc_core::sc_module_name& name, backplane& plane, tagged_memory& memory)
    : memory_block(name, "dram", plane, memory, trace::resource::dram), timing_(plane.config.device_dram, plane.config.clock_hz) {}

std::uint64_t device_dram::finish(std::uint64_t cycle, const byte_run* runs, std::size_t count, unsigned) {
    std::uint64_t last = cycle;
    for (std::size_t i = 0; i < count; ++i)
        last = std::max(last, timing_.access(cycle, runs[i].address, runs[i].bytes));
    return last;
}

state_buffer::state_buffer(const sc_core::sc_module_name& name, backplane& plane, tagged_memory& memory)
    : memory_block(name, "state_buffer", plane, memory, trace::resource::lines), banks_(plane.config.state_buffer.banks),
      bank_bytes_(plane.config.state_buffer.capacity_bytes / plane.config.state_buffer.banks), line_bytes_(4u * plane.config.array.rows) {
    banks_.show(plane.probes.registry, plane.probes.device + ".state_buffer");
}

bank_range state_buffer::banks_of(const resolved_operand& o) const {
    if (plane_.config.ideal_memories || o.memory != spec::memory_kind::state_buffer)
        return {};
    const auto first = static_cast<unsigned>(o.address / bank_bytes_);
    const auto last = static_cast<unsigned>((o.address + (o.rows - 1) * o.pitch + o.row_bytes - 1) / bank_bytes_);
    if (RETRACE_FAULT(lost_bank) && last != first)
        return {first, last - first};
    return {first, last - first + 1};
}

std::uint64_t state_buffer::finish(std::uint64_t cycle, const byte_run* runs, std::size_t count, unsigned who) {
    // The DMA's port moves one line per cycle; each run waits for its bank.
    std::uint64_t at = cycle;
    for (std::size_t i = 0; i < count; ++i) {
        std::uint64_t address = runs[i].address, left = runs[i].bytes;
        while (left != 0) {
            const std::uint64_t bank = address / bank_bytes_, in_bank = std::min(left, (bank + 1) * bank_bytes_ - address);
            const std::uint64_t lines = RETRACE_FAULT(unaligned_lines) ? (in_bank + line_bytes_ - 1) / line_bytes_
                                                                       : (address + in_bank - 1) / line_bytes_ - address / line_bytes_ + 1;
            const bank_range range{static_cast<unsigned>(bank), 1};
            at = banks_.earliest(at, range);
            banks_.occupy(at, lines, range, who);
            at += lines;
            address += in_bank;
            left -= in_bank;
        }
    }
    return at;
}

} // namespace retrace
