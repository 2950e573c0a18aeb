#include "tlm/control/control_core.h"

#include <fmt/format.h>

#include "tlm/core/seeded_fault.h"

namespace retrace {

namespace {

constexpr unsigned mover_requester = 60;
constexpr std::uint64_t register_access_cycles = 2; ///< of the core's register accesses, beyond the instruction's own cost

riscv_config core_config(const npu_config& c) {
    riscv_config r;
    r.private_memory.push_back({static_cast<std::uint32_t>(spec::tcm_base), c.control_core.memory_bytes});
    return r;
}

} // namespace

control_core::control_core(const sc_core::sc_module_name& name, backplane& plane, handlers block)
    : sc_module(name), plane_(plane), block_(std::move(block)), core_(core_config(plane.config)),
      timer_(core_, static_cast<std::uint32_t>(spec::timer_base)), mover_(mover_requester), access_(mover_),
      state_probe_(plane.probes.number("core", "state", 2, "core")), pc_probe_(plane.probes.number("core", "pc", 32, "address")),
      interrupt_probe_(plane.probes.number("core", "interrupt", 1)), mover_probe_(plane.probes.text("core", "mover")) {
    plane.probes.registry.add_text_source([this](std::uint64_t) { show_mover(); });
    SC_HAS_PROCESS(control_core);
    SC_THREAD(execute);
    SC_THREAD(serve_mover);
}

void control_core::show(trace::core_state state) {
    trace::probe_registry& probes = plane_.probes.registry;
    probes.set(state_probe_, plane_.clock.now(), static_cast<unsigned>(state));
    probes.set(pc_probe_, plane_.clock.now(), core_.pc());
}

void control_core::show_mover() {
    if (moving_ && plane_.probes.registry.wanted(mover_probe_))
        plane_.probes.registry.set_text(mover_probe_, plane_.clock.now(),
                                        fmt::format("{} B {} {:#010x}", moving_->bytes, moving_->to_host ? "to the host from" : "from the host to",
                                                    moving_->local_address));
}

void control_core::reset(bool run) {
    running_ = run;
    ++resets_;
    stopped_ = {};
    awake_since_ = asleep_since_ = plane_.clock.now();
    if (run) {
        core_.reset(static_cast<std::uint32_t>(spec::tcm_base), plane_.clock.now());
        timer_.reset();
    } else {
        cancelled_ = true;
        jobs_.clear();
        plane_.arbitration.withdraw(mover_);
    }
    show(run ? trace::core_state::runs : trace::core_state::reset);
    // Whatever execute() waits for concerns a program that is gone.
    reset_.notify(sc_core::SC_ZERO_TIME);
    interrupted_.notify(sc_core::SC_ZERO_TIME);
}

void control_core::set_interrupt(bool level) {
    plane_.probes.registry.set(interrupt_probe_, plane_.clock.now(), level);
    core_.set_external_interrupt(level);
    if (level)
        interrupted_.notify(sc_core::SC_ZERO_TIME);
}

std::uint64_t control_core::horizon() const {
    // The next event of the kernel is the first thing that could change what the core sees. It is not before the next cycle: the core
    // acts after everything else in this one.
    const std::uint64_t next = plane_.clock.now() + 1;
    const auto before_timer = [&](std::uint64_t cycle) {
        const auto left = timer_.cycles_to_timer();
        return left ? std::min(cycle, core_.cycle() + *left) : cycle;
    };
    constexpr std::uint64_t quantum = 100'000; ///< with nothing pending at all
    if (sc_core::sc_pending_activity_at_current_time())
        return next;
    if (!sc_core::sc_pending_activity_at_future_time())
        return before_timer(next + quantum);
    const sc_core::sc_time then = sc_core::sc_time_stamp() + sc_core::sc_time_to_pending_activity();
    const std::uint64_t cycle = then.value() / plane_.clock.at(1).value();
    return std::max(next, before_timer(std::min(cycle, next + quantum)));
}

void control_core::access_bus() {
    show(trace::core_state::runs); // the pc of the access
    const riscv_bus_access access = core_.pending_bus();
    std::uint32_t value = access.data;
    bool ok = false;
    if (access.bytes == 4 && access.address >= spec::control_base) {
        const auto offset = static_cast<std::uint32_t>(access.address - spec::control_base);
        ok = access.is_write ? block_.write_register(offset, value) : block_.read_register(offset, value);
    } else {
        ok = timer_.access(access, value);
    }
    core_.advance_to(plane_.clock.now() + register_access_cycles);
    core_.complete_bus(value, ok);
}

void control_core::execute() {
    for (;;) {
        while (!running_)
            wait(reset_);
        if (!reach(core_.cycle()))
            continue;
        core_.advance_to(plane_.clock.now());
        timer_.update();
        stopped_ = core_.run(horizon());
        switch (stopped_) {
        case riscv_core::stop::cycle_limit: break;
        case riscv_core::stop::bus_access:
            if (reach(core_.cycle()))
                access_bus();
            break;
        case riscv_core::stop::wait_for_interrupt:
        case riscv_core::stop::halted: sleep(); break;
        }
    }
}

bool control_core::reach(std::uint64_t cycle) {
    const std::uint64_t resets = resets_;
    const sc_core::sc_time delay = plane_.clock.until(std::max(cycle, plane_.clock.now()), clock_phase::control);
    if (delay != sc_core::SC_ZERO_TIME)
        wait(delay, reset_);
    return resets_ == resets;
}

void control_core::sleep() {
    if (timer_.pending() && core_.cycle() > plane_.clock.now())
        return; // the timer struck during the last instruction
    const auto left = timer_.cycles_to_timer();
    asleep_since_ = plane_.clock.now();
    show(stopped_ == riscv_core::stop::halted ? trace::core_state::halted : trace::core_state::sleeps);
    if (left && core_.cycle() + *left <= plane_.clock.last())
        wait(plane_.clock.until(core_.cycle() + *left), interrupted_);
    else
        wait(interrupted_);
    awake_since_ = plane_.clock.now();
    if (running_)
        show(trace::core_state::runs);
}

void control_core::move(std::uint64_t host_address, std::uint32_t local_address, std::uint32_t bytes, bool to_host) {
    if (plane_.sink && plane_.sink->wants_timing())
        plane_.sink->timing(trace::mover_event{plane_.clock.now(), plane_.device, host_address, local_address, bytes, to_host});
    jobs_.push_back({host_address, local_address, bytes, to_host});
    job_pushed_.notify(sc_core::SC_ZERO_TIME);
}

bool control_core::carry_out(const job& j) {
    const bool local_is_core = j.local_address >= spec::tcm_base;
    if (!local_is_core && std::uint64_t{j.local_address} + j.bytes > spec::control_base)
        return false;
    data_.resize(j.bytes);
    access_.extension.cancelled = &cancelled_;
    access_.extension.origin = {plane_.clock.now(), static_cast<unsigned>(spec::max_engines), 0, 0};
    const std::span<std::uint8_t> bytes(reinterpret_cast<std::uint8_t*>(data_.data()), j.bytes);
    const auto local = [&](bool write) {
        if (local_is_core)
            return write ? core_.write_memory(j.local_address, bytes) : core_.read_memory(j.local_address, bytes);
        access_.set(write ? tlm::TLM_WRITE_COMMAND : tlm::TLM_READ_COMMAND, j.local_address, data_.data(), j.bytes);
        return access_.transport(dram);
    };
    const auto remote = [&](bool write) {
        access_.set(write ? tlm::TLM_WRITE_COMMAND : tlm::TLM_READ_COMMAND, j.host_address, data_.data(), j.bytes);
        return access_.transport(host);
    };
    const bool first = j.to_host ? local(false) : remote(false);
    return first && !cancelled_ && (j.to_host ? remote(true) : local(true));
}

void control_core::serve_mover() {
    for (;;) {
        while (jobs_.empty())
            wait(job_pushed_);
        const job j = jobs_.front();
        jobs_.pop_front();
        moving_ = &j;
        cancelled_ = false;
        show_mover();
        plane_.clock.wait_until(plane_.clock.now() + 1 + RETRACE_FAULT(late_mover));
        const bool ok = !cancelled_ && carry_out(j);
        moving_ = nullptr;
        plane_.probes.registry.set_text(mover_probe_, plane_.clock.now(), {});
        if (!cancelled_)
            block_.mover_finished(ok);
    }
}

std::string control_core::describe() const {
    const auto csr = [this](std::uint32_t number) { return core_.csr(number).value_or(0); };
    if (!running_)
        return "held in reset";
    if (stopped_ == riscv_core::stop::halted)
        return fmt::format("locked up: its trap handler at {:#010x} traps at its first instruction; mcause {:#x}, mepc {:#010x}",
                           core_.pc(), csr(0x342), csr(0x341));
    return fmt::format("{}, pc {:#010x}", stopped_ == riscv_core::stop::wait_for_interrupt ? "asleep (wfi)" : "running", core_.pc());
}

wait_graph::id control_core::add_waits(wait_graph& g, std::uint64_t quiet_since) const {
    const wait_graph::id me = g.at(wait_kind::core, 0, "the control core");
    wait_graph::node& node = g.nodes[me];
    node.need = wait_need::never;
    if (!running_) {
        node.state = "is held in reset (control.run = 0)";
    } else if (stopped_ == riscv_core::stop::halted) {
        node.state = "is " + describe();
    } else if (asleep()) {
        node.state = fmt::format("is {} since cycle {}", describe(), asleep_since_);
        if (timer_.cycles_to_timer()) {
            node.need = wait_need::nothing;
            node.state += ", until its timer strikes";
        }
    } else if (awake_since_ <= quiet_since) {
        node.state = fmt::format("is {}: it has not slept since cycle {}, so it is in a loop", describe(), awake_since_);
    } else {
        node.need = wait_need::nothing;
        node.state = "is " + describe();
    }
    if (moving_) {
        const wait_graph::id mover = g.at(wait_kind::mover, 0, "the mover");
        g.nodes[mover].need = wait_need::nothing;
        g.nodes[mover].state = fmt::format("copies {} bytes {} {:#010x}", moving_->bytes, moving_->to_host ? "to the host from" : "from the host to",
                                           moving_->local_address);
    }
    return me;
}

} // namespace retrace
