#include "sim/cosim/timing_checker.h"

#include "sim/cosim/timing_engines.h"

namespace retrace::cosim {

namespace {

using namespace timing;
using trace::resource;

/// The mover and the words that host and device send each other (9.10, 9.11).
class message_rules {
public:
    message_rules(const npu_config& config, const timing_log& log, plan& work, findings& found)
        : config_(config), log_(log), plan_(work), found_(found) {}

    void check() {
        for (const trace::mover_event& e : log_.movers)
            move(e);
        words();
    }

private:
    void requested(const request& r, time expected) {
        if (r.grant)
            found_.cycle(
                stage::requested, r.rule, [&] { return r.name(); }, "requested", expected,
                r.grant->requested);
        else if (expected && *expected < log_.end)
            found_.add(
                stage::requested, r.rule, *expected,
                fmt::format("{}: expected to request in cycle {}, is never granted", r.name(), *expected));
    }

    void move(const trace::mover_event& e) {
        request r;
        r.requester = requesters::mover;
        r.rule = "9.11";
        std::vector<request> legs;
        const auto dram = [&] {
            if (e.local_address >= spec::tcm_base)
                return;
            r.what = resource::dram;
            r.write = !e.to_host;
            r.address = e.local_address;
            r.bytes = e.bytes;
            r.pieces = {{r.address, r.bytes}};
            legs.push_back(r);
        };
        if (e.to_host)
            dram();
        r.pieces.clear();
        r.address = e.host_address;
        r.bytes = e.bytes;
        r.write = e.to_host;
        if (config_.ideal_memories) {
            r.what = resource::host;
            legs.push_back(r);
        } else {
            if (!e.to_host) {
                request asked = r;
                asked.what = resource::link_up;
                asked.bytes = 0;
                asked.then = cycles_of(config_.host_link.host_latency_ns, config_.clock_hz);
                legs.push_back(asked);
            }
            r.what = e.to_host ? resource::link_up : resource::link_down;
            legs.push_back(r);
        }
        if (!e.to_host)
            dram();
        time next = e.cycle + 1;
        for (const request& leg : legs) {
            const request* asked = plan_.ask(leg);
            requested(*asked, next);
            next = asked->resumed();
        }
    }

    /// Register accesses and interrupt messages come when they come, but one after the other; answers follow.
    void words() {
        time wire_free = 0, message_over = 0, register_free = 0;
        for (const trace::grant_event& e : log_.grants) {
            if (e.requester != requesters::registers && e.requester != requesters::interrupts)
                continue;
            const bool interrupt = e.requester == requesters::interrupts;
            request r;
            r.requester = e.requester;
            r.rule = "9.10";
            r.what = interrupt ? resource::link_up : resource::link_down;
            r.write = interrupt || e.write;
            r.bytes = r.write ? 4 : 0;
            r.done_when_sent = !interrupt;
            plan_.ask(r);
            time& before = interrupt ? message_over : wire_free;
            if (before && e.requested < *before)
                found_.add(
                    stage::requested, r.rule, e.requested,
                    fmt::format("{}: requested in cycle {}, before the previous one was over in cycle {}",
                                r.name(), e.requested, *before));
            before = e.resumed;
            if (interrupt)
                continue;
            register_free = later(register_free, e.arrived);
            if (e.write)
                continue;
            r.requester = requesters::answers;
            r.what = resource::link_up;
            r.bytes = 4;
            r.done_when_sent = false;
            const request* answer = plan_.ask(r);
            requested(*answer, register_free);
            register_free = answer->resumed();
        }
    }

    const npu_config& config_;
    const timing_log& log_;
    plan& plan_;
    findings& found_;
};

/// The arbitration, and from when until when what it grants is taken (9.2, 9.5 - 9.10, 9.13).
class grant_rules {
public:
    grant_rules(const npu_config& config, const timing_log& log, const plan& work, findings& found)
        : config_(config), log_(log), plan_(work), found_(found), freezes_(config.array.stress),
          buffer_(config), psum_(config.psum.banks), dram_(config.device_dram, config.clock_hz),
          up_(config, 400), down_(config, 401) {}

    void check() {
        for (std::size_t g = 0; g < log_.grants.size(); ++g) {
            const trace::grant_event& e = log_.grants[g];
            if (g)
                order(log_.grants[g - 1], e);
            if (const request* r = plan_.behind[g]; r && r->what == e.what)
                one(*r, e);
        }
    }

private:
    void order(const trace::grant_event& a, const trace::grant_event& b) {
        const auto key = [](const trace::grant_event& e) {
            return std::tuple(e.granted, e.requester, e.order);
        };
        if (key(b) < key(a))
            found_.add(stage::granted, "9.2", b.granted,
                       fmt::format("{} is granted in cycle {} (order {}) after {} in cycle {} (order {})",
                                   name_of_requester(b.requester), b.granted, b.order,
                                   name_of_requester(a.requester), a.granted, a.order));
    }

    void one(const request& r, const trace::grant_event& e) {
        const std::uint64_t held =
            hold(config_.stress.seed, r.requester, r.order, r.number, config_.stress.request_cycles);
        found_.cycle(
            stage::granted, config_.stress.request_cycles ? "9.13" : "9.2", [&] { return r.name(); },
            "granted", e.requested + held, e.granted);
        const auto resumed = [&](std::string_view rule, std::uint64_t expected) {
            found_.cycle(
                stage::resumed, rule, [&] { return r.name(); }, "done", expected, e.resumed);
        };
        switch (r.what) {
        case resource::banks:
            banks(r, e);
            break;
        case resource::host:
            resumed("9.11", e.granted + 1);
            break;
        case resource::dram:
            config_.ideal_memories ? resumed("9.11", e.granted + 1)
                                   : resumed("9.9", dram_.access(e.granted, r.pieces));
            break;
        case resource::lines:
            config_.ideal_memories ? resumed("9.11", e.granted + 1)
                                   : resumed("9.7", buffer_.move(e.granted, r.pieces));
            break;
        case resource::transposer: {
            std::uint64_t& over = transposers_[r.requester];
            const std::uint64_t rate = config_.dma.transpose_bytes_per_cycle;
            resumed("9.8", std::max(e.granted, over) + (r.bytes + rate - 1) / rate);
            over = e.resumed;
            break;
        }
        case resource::link_up:
        case resource::link_down: {
            const wire::message m =
                (r.what == resource::link_up ? up_ : down_).send(e.granted, r.bytes, r.write);
            found_.cycle(
                stage::resumed, config_.stress.message_cycles ? "9.13" : "9.10", [&] { return r.name(); },
                "arrived", m.arrival, e.arrived);
            resumed("9.10", r.done_when_sent ? m.sent : e.arrived + r.then);
            return;
        }
        }
        if (e.arrived)
            found_.add(stage::granted, "9.10", e.granted,
                       fmt::format("{}: arrives in cycle {}, but is no message", r.name(), e.arrived));
    }

    void banks(const request& r, const trace::grant_event& e) {
        const burst& b = r.banks;
        std::uint64_t s = e.granted;
        if (!config_.ideal_memories) {
            for (const bank_span& x : b.reads)
                s = buffer_.ports.from(s, x);
            s = psum_.from(s, b.psum);
            for (const bank_span& x : b.writes)
                s = buffer_.ports.from(s + b.latency, x) - b.latency;
        }
        if (b.of_array && freezes_.frozen(e.resumed))
            found_.add(
                stage::burst, "13", e.resumed,
                fmt::format("{}: begins in cycle {}, in which the array stands still", r.name(), e.resumed));
        else if (e.resumed < s)
            found_.add(stage::burst, "9.7", e.resumed,
                       fmt::format("{}: begins in cycle {}, but its banks are not free before {}", r.name(),
                                   e.resumed, s));
        else
            found_.cycle(
                stage::burst, r.rule, [&] { return r.name(); }, "begins",
                b.of_array ? freezes_.running(s) : s, e.resumed);
        const std::uint64_t end = b.of_array ? freezes_.end_of(e.resumed, b.cycles) : e.resumed + b.cycles;
        for (const bank_span& x : b.reads)
            buffer_.ports.take(x, end);
        psum_.take(b.psum, end);
        for (const bank_span& x : b.writes)
            buffer_.ports.take(x, end + b.latency);
    }

    const npu_config& config_;
    const timing_log& log_;
    const plan& plan_;
    findings& found_;
    freezes freezes_;
    state_buffer_banks buffer_;
    bank_ports psum_;
    dram_banks dram_;
    wire up_, down_;
    std::map<unsigned, std::uint64_t> transposers_; ///< of a queue's reads: free from
};

} // namespace

std::vector<timing_finding> check_timing(const npu_config& config, const timing_log& log,
                                         const std::map<std::uint32_t, timed_command>& commands,
                                         std::size_t most) {
    findings found;
    plan work(config, log, commands, found);
    engine_rules(config, log, work, found).check();
    message_rules(config, log, work, found).check();
    work.unasked();
    grant_rules(config, log, work, found).check();
    return std::move(found).first(most);
}

} // namespace retrace::cosim
