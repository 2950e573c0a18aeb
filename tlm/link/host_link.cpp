#include "tlm/link/host_link.h"

#include <cstring>

#include <fmt/format.h>

#include "tlm/core/seeded_fault.h"
#include "tlm/core/timing/back_pressure.h"
#include "tlm/core/timing/dram_timing.h"

namespace retrace {

namespace {

constexpr unsigned host_requester = 200, interrupt_requester = 201, answer_requester = 202;

} // namespace

host_link::host_link(const sc_core::sc_module_name& name, backplane& plane, handlers device)
    : sc_module(name), plane_(plane), device_(std::move(device)), up_(plane.config.host_link, plane.config.stress, up_channel, plane.config.clock_hz),
      down_(plane.config.host_link, plane.config.stress, down_channel, plane.config.clock_hz),
      host_latency_(cycles_of_ns(plane.config.host_link.host_latency_ns, plane.config.clock_hz)),
      host_memory_(plane.config.host_link.host_memory_bytes), host_(host_requester), answer_(answer_requester), interrupt_(interrupt_requester),
      wires_{plane.probes.text("link", "up"), plane.probes.text("link", "down")},
      queues_{plane.probes.number("link", "up_queue", 8, "level"), plane.probes.number("link", "down_queue", 8, "level")} {
    port.register_b_transport(this, &host_link::b_transport);
    SC_HAS_PROCESS(host_link);
    SC_THREAD(send_accesses);
    SC_THREAD(deliver_accesses);
    SC_THREAD(serve_messages);
    SC_THREAD(land_writes);
}

void host_link::b_transport(int, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
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
    const byte_run single{payload.get_address(), payload.get_data_length()};
    const byte_run* runs = extension->runs ? extension->runs->data() : &single;
    const std::size_t count = extension->runs ? extension->runs->size() : 1;
    std::uint64_t total = 0;
    for (std::size_t i = 0; i < count; ++i) {
        total += runs[i].bytes;
        const std::uint64_t from = runs[i].address - spec::host_window_base;
        if (runs[i].address < spec::host_window_base || from > host_memory().size() || runs[i].bytes > host_memory().size() - from) {
            payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
            return;
        }
    }
    const std::uint64_t bytes = payload.get_data_length();
    if (total != bytes) {
        payload.set_response_status(tlm::TLM_BURST_ERROR_RESPONSE);
        return;
    }
    if (delay != sc_core::SC_ZERO_TIME) {
        sc_core::wait(delay);
        delay = sc_core::SC_ZERO_TIME;
    }
    auto* data = reinterpret_cast<std::byte*>(payload.get_data_ptr());
    const auto cancelled = [extension] { return extension->cancelled && *extension->cancelled; };
    const auto message = [&](trace::resource direction, std::uint64_t payload_bytes) {
        trace::grant_event told;
        told.what = direction;
        told.write = payload.is_write();
        told.address = runs[0].address;
        told.bytes = payload_bytes;
        told.sequence = extension->origin.sequence;
        told.pc = extension->origin.pc;
        return told;
    };
    if (plane_.config.ideal_memories) {
        trace::grant_event told = message(trace::resource::host, bytes);
        plane_.arbitration.acquire(*extension->who, told, [](std::uint64_t cycle) { return cycle + 1; });
    } else if (payload.is_write()) {
        trace::grant_event told = message(trace::resource::link_up, bytes);
        queue(up, +1);
        plane_.arbitration.acquire(*extension->who, told, [&](std::uint64_t cycle) {
            const link_direction::slot slot = up_.send(cycle, bytes, message_kind::posted);
            show(wires_[up], slot, "write", bytes);
            told.arrived = slot.arrival;
            if (!extension->posted)
                return slot.arrival;
            // From here on it is on its way, whatever becomes of the sender.
            posted_.push_back({slot.arrival, {runs, runs + count}, {data, data + bytes}});
            write_sent_.notify(sc_core::SC_ZERO_TIME);
            return slot.sent;
        });
        queue(up, -1);
        if (extension->posted) {
            payload.set_response_status(tlm::TLM_OK_RESPONSE);
            return;
        }
    } else {
        trace::grant_event asked = message(trace::resource::link_up, 0), answered = message(trace::resource::link_down, bytes);
        queue(up, +1);
        plane_.arbitration.acquire(*extension->who, asked, [&](std::uint64_t cycle) {
            const link_direction::slot slot = up_.send(cycle, 0, message_kind::request);
            show(wires_[up], slot, "read request", 0);
            asked.arrived = slot.arrival;
            return asked.arrived + (RETRACE_FAULT(lost_host_latency) ? 0 : host_latency_);
        });
        queue(up, -1);
        if (!cancelled()) {
            queue(down, +1);
            plane_.arbitration.acquire(*extension->who, answered, [&](std::uint64_t cycle) {
                const link_direction::slot slot = down_.send(cycle, bytes, message_kind::answer);
                show(wires_[down], slot, "read answer", bytes);
                return answered.arrived = slot.arrival;
            });
            queue(down, -1);
        }
    }
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
    if (cancelled())
        return;
    if (payload.is_write()) {
        scatter(runs, count, data);
        return;
    }
    for (std::size_t i = 0; i < count; ++i) {
        std::memcpy(data, host_memory_.get() + (runs[i].address - spec::host_window_base), runs[i].bytes);
        data += runs[i].bytes;
    }
}

void host_link::show(trace::probe_id text, const link_direction::slot& slot, std::string_view what, std::uint64_t bytes) {
    trace::probe_registry& probes = plane_.probes.registry;
    if (!probes.wanted(text))
        return;
    probes.set_text(text, slot.start, bytes ? fmt::format("{} {} B", what, bytes) : std::string(what));
    probes.set_text(text, slot.sent, {});
}

void host_link::scatter(const byte_run* runs, std::size_t count, const std::byte* data) {
    for (std::size_t i = 0; i < count; ++i) {
        std::memcpy(host_memory_.get() + (runs[i].address - spec::host_window_base), data, runs[i].bytes);
        data += runs[i].bytes;
    }
}

void host_link::land_writes() {
    for (;;) {
        while (posted_.empty())
            wait(write_sent_);
        const posted_write write = std::move(posted_.front());
        posted_.pop_front();
        plane_.clock.wait_until(write.arrival);
        scatter(write.runs.data(), write.runs.size(), write.data.data());
    }
}

void host_link::post_write(std::uint32_t offset, std::uint32_t value) {
    accesses_.push_back({true, offset, value, {}});
    access_posted_.notify(sc_core::SC_ZERO_TIME);
}

void host_link::post_read(std::uint32_t offset, std::function<void(std::uint32_t)> done) {
    accesses_.push_back({false, offset, 0, std::move(done)});
    access_posted_.notify(sc_core::SC_ZERO_TIME);
}

void host_link::send_accesses() {
    for (;;) {
        while (accesses_.empty())
            wait(access_posted_);
        access a = std::move(accesses_.front());
        accesses_.pop_front();
        plane_.stalls.message(plane_.clock.now(), +1);
        queue(down, +1);
        trace::grant_event told;
        told.what = trace::resource::link_down;
        told.write = a.write;
        told.bytes = a.write ? 4 : 0;
        plane_.arbitration.acquire(host_, told, [&](std::uint64_t cycle) {
            const link_direction::slot slot = down_.send(cycle, told.bytes, a.write ? message_kind::posted : message_kind::request);
            if (plane_.probes.registry.wanted(wires_[down]))
                show(wires_[down], slot, fmt::format("register {:#x} {}", a.offset, a.write ? fmt::format("= {:#x}", a.value) : "is read"), 0);
            told.arrived = a.arrival = slot.arrival;
            return slot.sent;
        });
        queue(down, -1);
        under_way_.push_back(std::move(a));
        access_sent_.notify(sc_core::SC_ZERO_TIME);
    }
}

void host_link::deliver_accesses() {
    for (;;) {
        while (under_way_.empty())
            wait(access_sent_);
        access a = std::move(under_way_.front());
        under_way_.pop_front();
        plane_.clock.wait_until(a.arrival);
        std::uint32_t value = ~0u;
        if (a.write) {
            device_.write_register(a.offset, a.value);
        } else {
            if (!device_.read_register(a.offset, value))
                value = ~0u;
            send_up(answer_, message_kind::answer);
        }
        plane_.stalls.message(plane_.clock.now(), -1);
        if (a.done)
            a.done(value);
    }
}

void host_link::send_up(requester& who, message_kind kind) {
    queue(up, +1);
    trace::grant_event told;
    told.what = trace::resource::link_up;
    told.write = kind == message_kind::posted;
    told.bytes = 4;
    plane_.arbitration.acquire(who, told, [&](std::uint64_t cycle) {
        const link_direction::slot slot = up_.send(cycle, 4, kind);
        show(wires_[up], slot, &who == &interrupt_ ? "interrupt" : "register answer", 0);
        return told.arrived = slot.arrival;
    });
    queue(up, -1);
}

void host_link::send_message(std::uint64_t address, std::uint32_t data) {
    messages_.emplace_back(address, data);
    message_sent_.notify(sc_core::SC_ZERO_TIME);
}

void host_link::serve_messages() {
    for (;;) {
        while (messages_.empty())
            wait(message_sent_);
        const auto [address, data] = messages_.front();
        messages_.pop_front();
        plane_.stalls.message(plane_.clock.now(), +1);
        send_up(interrupt_, RETRACE_FAULT(interrupt_overtakes) ? message_kind::answer : message_kind::posted);
        plane_.stalls.message(plane_.clock.now(), -1);
        device_.message(address, data);
    }
}

} // namespace retrace
