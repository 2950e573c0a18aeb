#include "sim/cosim/device_run.h"

#include <algorithm>

#include <fmt/format.h>

#include "firmware/firmware_image.h"
#include "sim/cosim/machine.h"
#include "sim/cosim/values.h"

namespace retrace::cosim {

namespace {

template <typename T>
T checked(result<T> r, const char* what) {
    if (!r)
        throw command_failure(fmt::format("{}: {}", what, r.failure().text));
    if constexpr (!std::is_void_v<T>)
        return std::move(r).value();
}

} // namespace

device_run::device_run(const test_case& c, const std::string& array, const device_companion& companion) : config_(config_of(c.machine, array)) {
    port_ = std::make_unique<simulated_port>(config_, 0, &recorder_);
    if (companion)
        companion_ = companion(*port_);
    driver_ = checked(retrace::device::open(*port_, control_firmware(), {}), "opening the device");
    for (const allocation& a : driver_->host().range().allocations())
        rings_.emplace_back(a.address - port_->host_memory_address(), a.bytes);
    const host_buffer part = checked(driver_->host().allocate(host_data_bytes, 4096), "host memory of the case");
    host_base_ = part.bus_address;
    for (const buffer& b : c.buffers)
        if (b.memory == spec::memory_kind::host)
            fill(b, part.bytes.subspan(b.base, b.bytes));
}

device_run::~device_run() = default;

void device_run::run(const prepared_case& p) {
    for (const auto& place : p.programs())
        checked(driver_->load_programs(place.address, std::as_bytes(std::span(place.program->code))), "loading a program");
    const auto host = port_->host_memory();
    host_before_.assign(host.begin(), host.end());
    std::vector<command_handle> handles;
    for (std::size_t i = 0; i < p.commands.size(); ++i) {
        spec::command d = p.commands[i];
        for (std::uint32_t& w : d.wait)
            w = w ? sequences_[w - 1] : 0;
        handles.push_back(checked(driver_->launch(d), "launching a command"));
        sequences_.push_back(handles.back().sequence);
    }
    for (std::size_t i = 0; i < handles.size(); ++i)
        checked(driver_->wait(handles[i]), fmt::format("command {} of the case", p.emitted.commands[i].command + 1).c_str());
}

std::uint64_t device_run::cycles() const { return port_->cycles(); }

timing_log device_run::times() const {
    timing_log log = recorder_.times();
    log.end = cycles();
    return log;
}

std::map<std::uint32_t, timed_command> device_run::timed_commands(const prepared_case& p) const {
    std::map<std::uint32_t, timed_command> all;
    for (std::size_t i = 0; i < sequences_.size(); ++i) {
        const emitted_command& e = p.emitted.commands[i];
        timed_command& c = all[sequences_[i]];
        c.name = fmt::format("command {}", e.command + 1);
        c.descriptor = &p.commands[i];
        for (const compiler::engine_program& program : e.programs)
            c.programs[program.engine] = program.code;
    }
    return all;
}

std::uint32_t device_run::reference_sequence(std::uint32_t device_sequence) const {
    const auto found = std::find(sequences_.begin(), sequences_.end(), device_sequence);
    return found == sequences_.end() ? 0 : static_cast<std::uint32_t>(found - sequences_.begin() + 1);
}

void device_run::blank_rings(std::vector<std::byte>& host) const {
    for (const auto& [offset, bytes] : rings_)
        std::fill_n(host.begin() + static_cast<std::ptrdiff_t>(offset), bytes, std::byte{0});
}

memory_image device_run::image() const {
    memory_image m;
    const auto host = port_->host_memory();
    m.host.assign(host.begin(), host.end());
    blank_rings(m.host);
    npu& n = port_->device();
    const auto copy = [](const tagged_memory& memory, std::vector<std::byte>& to, std::uint64_t& live, std::uint64_t& stale) {
        to.resize(memory.capacity());
        memory.peek(0, to.data(), to.size());
        live = memory.live_bytes();
        stale += memory.stale_reads();
    };
    copy(n.dram(), m.dram, m.dram_live, m.stale_reads);
    copy(n.buffer(), m.state_buffer, m.state_buffer_live, m.stale_reads);
    copy(n.psum(), m.psum, m.psum_live, m.stale_reads);
    return m;
}

std::vector<std::byte> device_run::expected_host(const interpreter& reference) const {
    std::vector<std::byte> host = host_before_;
    const std::uint64_t first = host_base_ - port_->host_memory_address();
    std::copy_n(reference.host.begin() + static_cast<std::ptrdiff_t>(first), host_data_bytes,
                host.begin() + static_cast<std::ptrdiff_t>(first));
    blank_rings(host);
    return host;
}

} // namespace retrace::cosim
