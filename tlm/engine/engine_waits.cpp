// What an engine waits for, and what it can still signal: only read when somebody asks.
#include <fmt/format.h>

#include "tlm/engine/engine.h"

namespace retrace {

bool engine::peek(std::uint64_t address, spec::instruction_header& h) {
    tlm::tlm_generic_payload payload;
    payload.set_command(tlm::TLM_READ_COMMAND);
    payload.set_address(address);
    payload.set_data_ptr(reinterpret_cast<unsigned char*>(&h));
    payload.set_data_length(sizeof h);
    payload.set_streaming_width(sizeof h);
    return fetch->transport_dbg(payload) == sizeof h;
}

std::vector<engine::coming_instruction> engine::coming() {
    std::vector<coming_instruction> list;
    if (!run_)
        return list;
    spec::instruction_header h;
    for (std::uint32_t pc = pc_; pc < run_->count && peek(run_->program + std::uint64_t{pc} * spec::instruction_bytes, h); ++pc)
        list.push_back({pc, h});
    return list;
}

std::string engine::instruction_text(std::uint32_t pc, unsigned opcode) {
    return fmt::format("instruction {} ({})", pc, spec::name_of(static_cast<spec::opcode>(opcode)));
}

void engine::add_waits(wait_graph& g) {
    const wait_graph::id me = g.at(wait_kind::engine, number_, label_);
    if (!run_) {
        g.nodes[me].need = wait_need::never;
        g.nodes[me].state = "is idle";
        g.nodes[me].idle = true;
        return;
    }
    const std::string where =
        doing_ == activity::lands ? fmt::format("at the end of the {} instructions of command {}", run_->count, run_->sequence)
        : doing_ == activity::starts || doing_ == activity::fetches
            ? fmt::format("instruction {} of {} of command {}", pc_, run_->count, run_->sequence)
            : fmt::format("instruction {} of {} ({}) of command {}", pc_, run_->count,
                          spec::name_of(static_cast<spec::opcode>(at_.header().opcode)), run_->sequence);
    const bool executes = doing_ == activity::executes;
    add_own_waits(g, me, executes ? &at_ : nullptr);
    if (doing_ == activity::waits) {
        const auto s = static_cast<unsigned>(waits_for_);
        const wait_graph::id semaphore = g.at(wait_kind::semaphore, run_->context * spec::semaphores + s,
                                              fmt::format("semaphore {} of command {}", s, run_->sequence));
        wait_graph::node& node = g.nodes[semaphore];
        const unsigned value = plane_.contexts[run_->context].semaphore(s);
        node.need = wait_need::amount;
        node.missing = wanted_ - std::min(wanted_, value);
        node.state = fmt::format("nobody will signal it: no remaining instruction of command {} does", run_->sequence);
        g.wait(me, semaphore, fmt::format("waits for semaphore {} (value {}) to reach {} at {}", s, value, wanted_, where), since_);
        return;
    }
    static constexpr const char* words[] = {"is idle", "starts", "fetches", "issues", "waits", "executes", "waits for what is in flight"};
    g.nodes[me].state = fmt::format("{}{} {} since cycle {}", words[static_cast<unsigned>(doing_)], doing_ == activity::starts ? " with" : "",
                                    where, since_);
    if (!g.has_edges(me))
        g.nodes[me].need = wait_need::nothing;
    else
        g.nodes[me].state.clear(); // the edges say it
}

void engine::add_supplies(wait_graph& g) {
    if (!run_)
        return;
    struct supply {
        std::uint64_t amount = 0;
        unsigned instructions = 0;
        std::uint32_t pc = 0;
        unsigned opcode = 0;
    };
    const auto key = [this](unsigned s) { return std::uint64_t{run_->context} * spec::semaphores + s; };
    const auto add = [&](std::map<wait_graph::id, supply>& list, std::uint32_t pc, const spec::instruction_header& h) {
        for (const auto& [s, count] : {std::pair{h.signal0, h.signal0_count}, std::pair{h.signal1, h.signal1_count}}) {
            const wait_graph::id semaphore = count == 0 || s >= spec::semaphores ? wait_graph::none : g.find(wait_kind::semaphore, key(s));
            if (semaphore == wait_graph::none)
                continue;
            supply& mine = list[semaphore];
            if (mine.instructions++ == 0) {
                mine.pc = pc;
                mine.opcode = h.opcode;
            }
            mine.amount += count;
        }
    };
    const auto tell = [&](wait_graph::id who, const std::map<wait_graph::id, supply>& list) {
        for (const auto& [semaphore, s] : list) {
            std::string text = fmt::format("{} would signal at its {}", g.nodes[who].name, instruction_text(s.pc, s.opcode));
            if (s.instructions > 1)
                text += fmt::format(", the first of {} that add {} in all", s.instructions, s.amount);
            else if (s.amount > 1)
                text += fmt::format(" by {}", s.amount);
            g.wait(semaphore, who, std::move(text), wait_graph::unknown, s.amount);
        }
    };
    std::map<wait_graph::id, supply> mine;
    for (const coming_instruction& c : coming())
        add(mine, c.pc, c.header);
    tell(g.at(wait_kind::engine, number_, label_), mine);
    std::map<wait_graph::id, std::map<wait_graph::id, supply>> in_flight; // by port
    for (const held_instruction& h : held(g))
        add(in_flight[h.node], h.i->pc, h.i->header());
    for (const auto& [port, list] : in_flight)
        tell(port, list);
}

std::string engine::describe() {
    if (!run_)
        return "idle";
    wait_graph g;
    add_waits(g);
    return list_waits(g);
}

} // namespace retrace
