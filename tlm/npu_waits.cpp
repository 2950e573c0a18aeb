// Who waits for whom on one processor (tlm/core/accounting/wait_graph.h): every block says what it waits for, and what lies between them,
// commands, rings and interrupts, is put together here from the registers and from the book of commands.
#include <fmt/format.h>

#include "tlm/core/accounting/engine_label.h"
#include "tlm/npu.h"

namespace retrace {

namespace {

namespace control = spec::control_block;
namespace registers = spec::host_block;

enum ring_key : std::uint64_t { submissions, completions };

wait_graph::id node_of(wait_graph& g, const command_book::line& l) {
    return g.at(wait_kind::command, l.sequence, fmt::format("command {}", l.sequence));
}

} // namespace

void npu::note_copy() {
    const register_file& r = block_.core_registers();
    const auto inside = [&](std::uint32_t low, std::uint32_t high, std::uint32_t entries, std::uint64_t bytes) {
        const std::uint64_t base = std::uint64_t{r.get(high)} << 32 | r.get(low);
        return moving_.host_address - base < r.get(entries) * bytes;
    };
    const auto each = [&](auto record, auto&& use) {
        for (std::uint32_t at = 0; at + sizeof record <= moving_.bytes; at += sizeof record)
            if (core_.core().read_memory(moving_.local_address + at, {reinterpret_cast<std::uint8_t*>(&record), sizeof record}))
                use(record);
    };
    if (!moving_.to_host && inside(control::sq_base_low, control::sq_base_high, control::sq_entries, spec::command_bytes))
        each(spec::command{}, [&](const spec::command& c) { book_.fetched(clock_.now(), c); });
    else if (moving_.to_host && inside(control::cq_base_low, control::cq_base_high, control::cq_entries, spec::completion_bytes))
        each(spec::completion{}, [&](const spec::completion& c) { book_.completed(c.sequence); });
}

void npu::add_command_waits(wait_graph& g, const command_book::line& l, wait_graph::id core, wait_graph::id completion_ring) {
    const wait_graph::id me = node_of(g, l);
    g.nodes[me].state = fmt::format("step {}, {}, layer {}", l.step, spec::name_of(l.phase), l.layer);
    const auto wait_for_core = [&](const char* to) {
        // What has no reason to wait is held up by the core, or has ended and cannot be told.
        if (completion_ring != wait_graph::none && l.now == command_book::state::ended)
            g.wait(me, completion_ring, "waits with its completion for room in the completion ring", l.since);
        else
            g.wait(me, core, fmt::format("waits for the control core to {} it", to), l.since);
    };
    if (l.now == command_book::state::ended) {
        wait_for_core("complete");
        return;
    }
    if (l.now == command_book::state::begun) {
        g.nodes[me].state += fmt::format(", in context {}", l.context);
        bool runs = false;
        for (unsigned e = 0; e < engines_.size(); ++e)
            if ((l.engines >> e & 1) != 0 && engines_[e]->running() && engines_[e]->context() == l.context) {
                g.wait(me, g.at(wait_kind::engine, e, engine_label(e)), "waits for " + engine_label(e), l.since);
                runs = true;
            }
        const wait_graph::id mover = l.opcode == spec::command_opcode::load ? g.find(wait_kind::mover, 0) : wait_graph::none;
        if (mover != wait_graph::none)
            g.wait(me, mover, "waits for the mover", l.since);
        else if (!runs)
            wait_for_core(l.opcode == spec::command_opcode::load ? "go on with" : "end");
        return;
    }
    const auto number_of_running = std::count_if(book_.lines().begin(), book_.lines().end(),
                                                 [](const command_book::line& o) { return o.now == command_book::state::begun; });
    const std::size_t edges = g.edges.size();
    bool older = true;
    std::uint32_t told = 0; // engines for which somebody older has been named
    for (const command_book::line& o : book_.lines()) {
        older &= &o != &l;
        if (&o == &l || o.now == command_book::state::ended)
            continue;
        if (std::find(l.waits.begin(), l.waits.end(), o.sequence) != l.waits.end())
            g.wait(me, node_of(g, o), fmt::format("waits for command {} to complete", o.sequence), l.since);
        const std::uint32_t shared = l.engines & o.engines & ~told;
        const bool runs = o.now == command_book::state::begun;
        if (shared != 0 && (runs || older)) {
            told |= shared;
            const unsigned e = static_cast<unsigned>(std::countr_zero(shared));
            g.wait(me, node_of(g, o), runs ? fmt::format("waits for {}, which command {} uses", engine_label(e), o.sequence)
                                           : fmt::format("waits for {} behind command {}", engine_label(e), o.sequence),
                   l.since);
        } else if (runs && overlap(l, o)) {
            g.wait(me, node_of(g, o), fmt::format("waits for its working set, which overlaps that of command {}", o.sequence), l.since);
        }
    }
    if (number_of_running == spec::contexts) {
        const bool made = g.find(wait_kind::resource, 0) != wait_graph::none;
        const wait_graph::id context = g.at(wait_kind::resource, 0, "a free context");
        g.nodes[context].need = wait_need::any;
        for (const command_book::line& o : book_.lines())
            if (!made && o.now == command_book::state::begun)
                g.wait(context, node_of(g, o), fmt::format("command {} holds", o.sequence), o.since);
        g.wait(me, context, "waits for a free context", l.since);
    }
    if (g.edges.size() == edges)
        wait_for_core("start");
}

void npu::add_ring_waits(wait_graph& g, wait_graph::id core, wait_graph::id completion_ring) {
    const register_file& r = block_.core_registers();
    const std::uint32_t entries = r.get(control::sq_entries);
    const std::uint32_t left = entries == 0 ? 0 : (r.get(control::sq_tail) - r.get(control::sq_head)) & (2 * entries - 1);
    if (left == 0)
        return;
    const wait_graph::id me = g.at(wait_kind::command, ~std::uint64_t{0}, fmt::format("{} in the submission ring", left == 1 ? "a command" : fmt::format("{} commands", left)));
    g.nodes[me].state = left == entries ? fmt::format("the ring is full: {} of {} entries", left, entries) : fmt::format("of {} entries", entries);
    if (completion_ring != wait_graph::none) {
        // The firmware fetches no more than it can report.
        g.wait(me, completion_ring, "waits for room in the completion ring, without which no more is fetched");
        return;
    }
    g.nodes[me].need = wait_need::any;
    for (const command_book::line& l : book_.lines())
        if (l.now != command_book::state::ended)
            g.wait(me, node_of(g, l), fmt::format("waits for command {} to make room in the control core's table", l.sequence), l.since);
    if (!g.has_edges(me))
        g.wait(me, core, "waits for the control core to fetch it");
}

void npu::add_host_waits(wait_graph& g, const host_state& host) {
    if (host.does == host_state::act::unknown)
        return;
    const wait_graph::id me = g.at(wait_kind::host, 0, "the host");
    const wait_graph::id interrupt = g.at(wait_kind::interrupt, 0, "the interrupt");
    std::vector<wait_graph::id> commands;
    for (const command_book::line& l : book_.lines())
        commands.push_back(node_of(g, l));
    if (const wait_graph::id ring = g.find(wait_kind::command, ~std::uint64_t{0}); ring != wait_graph::none)
        commands.push_back(ring);
    if (host.does == host_state::act::polls) {
        g.nodes[me].need = commands.empty() ? wait_need::nothing : wait_need::any;
        g.nodes[me].state = "looks at its ring now and then";
        for (const wait_graph::id c : commands)
            g.wait(me, c, fmt::format("waits for {} to complete", g.nodes[c].name));
        return;
    }
    g.wait(me, interrupt, "waits without limit for an interrupt", host.since);
    wait_graph::node& lost = g.nodes[interrupt];
    lost.need = wait_need::never;
    const register_file& r = block_.host_registers();
    const std::uint32_t causes = r.get(registers::irq_status), enabled = r.get(registers::irq_enable);
    const std::uint64_t address = std::uint64_t{r.get(registers::msi_address_high)} << 32 | r.get(registers::msi_address_low);
    const std::uint32_t data = r.get(registers::msi_data);
    std::string pending;
    if (causes & registers::irq_status_completion_mask)
        pending = "completion";
    if (causes & registers::irq_status_error_mask)
        pending += pending.empty() ? "error" : " and error";
    const std::string standing = pending.empty() ? std::string("no cause is pending") : fmt::format("irq_status holds {}", pending);
    if (!block_.core_running() && commands.empty()) {
        lost.need = wait_need::all;
        g.wait(interrupt, g.at(wait_kind::core, 0, "the control core"), "the control core would raise");
    } else if (address == 0) {
        lost.state = fmt::format("is lost: {}, but the message address (msi_address) is 0, so nothing is sent", standing);
    } else if ((causes & enabled) == 0 && (!pending.empty() || (enabled & registers::irq_enable_completion_mask) == 0)) {
        lost.state = fmt::format("is lost: {}, but irq_enable is {:#x}, so nothing is sent", standing, enabled);
    } else if (address != host.address || data != host.data) {
        lost.state = fmt::format("is lost: {}, but messages go to {:#x} with data {:#x}, and the host listens at {:#x} for {:#x}", standing, address, data,
                                 host.address, host.data);
    } else if (!pending.empty()) {
        lost.need = wait_need::all;
        g.wait(interrupt, me, fmt::format("comes again only after the host has cleared {} in irq_status: its message was sent", pending));
    } else if (commands.empty()) {
        lost.state = "nobody will send: no command is owed to the host";
    } else {
        lost.need = wait_need::any;
        for (const wait_graph::id c : commands)
            g.wait(interrupt, c, fmt::format("{} would raise by completing", g.nodes[c].name));
    }
    if (host.astray != 0 && !lost.state.empty())
        lost.state += fmt::format(" ({} messages went astray, the last one to {:#x})", host.astray, host.astray_address);
}

wait_graph npu::waits(const host_state& host) {
    wait_graph g;
    for (unsigned e = 0; e < engines_.size(); ++e)
        g.at(wait_kind::engine, e, engine_label(e));
    for (engine* e : engines_)
        e->add_waits(g);
    for (engine* e : engines_)
        e->add_supplies(g);

    const wait_graph::id core = core_.add_waits(g, host.quiet_since);
    const register_file &host_side = block_.host_registers(), &core_side = block_.core_registers();
    if (block_.core_running() && (host_side.get(registers::status) & registers::status_trapped_mask) != 0 && g.nodes[core].need != wait_need::nothing) {
        g.nodes[core].state = fmt::format("has stopped at an unexpected trap: mcause {:#x}, mepc {:#010x}; {}", host_side.get(registers::trap_cause),
                                          host_side.get(registers::trap_pc), core_.describe());
    } else if (core_.asleep() && g.nodes[core].need == wait_need::never) {
        // Whatever raises an event wakes it.
        const std::uint32_t events = core_side.get(control::event), enabled = core_side.get(control::event_enable);
        g.nodes[core].need = wait_need::any;
        for (unsigned e = 0; e < engines_.size(); ++e)
            if (engines_[e]->running() && (enabled & control::event_enable_engine_mask) != 0)
                g.wait(core, e, "waits for " + engine_label(e));
        if (const wait_graph::id mover = g.find(wait_kind::mover, 0); mover != wait_graph::none && (enabled & control::event_enable_mover_mask) != 0)
            g.wait(core, mover, "waits for the mover");
        if (!g.has_edges(core))
            g.nodes[core].state += (events & ~enabled) != 0 ? fmt::format("; events {:#x} are pending, but event_enable is {:#x}", events, enabled)
                                                           : ", and nothing is left that would wake it";
    }

    // Full: what is posted and not consumed fills it. The host says what it has consumed in cq_head.
    wait_graph::id completion_ring = wait_graph::none;
    const std::uint32_t entries = core_side.get(control::cq_entries), head = core_side.get(control::cq_head);
    const auto held = entries == 0 ? 0 : static_cast<std::uint32_t>(book_.posted() - head) & (2 * entries - 1);
    if (entries != 0 && held >= entries) {
        completion_ring = g.at(wait_kind::ring, completions, "the completion ring");
        g.wait(completion_ring, g.at(wait_kind::host, 0, "the host"),
               fmt::format("is full ({} of {} entries) until the host consumes some and writes cq_head (now {})", held, entries, head));
    }
    add_ring_waits(g, core, completion_ring);
    for (const command_book::line& l : book_.lines())
        add_command_waits(g, l, core, completion_ring);
    add_host_waits(g, host);
    return g;
}

std::string npu::describe() { return list_waits(waits({})); }

} // namespace retrace
