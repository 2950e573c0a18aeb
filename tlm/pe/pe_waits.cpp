// What the PE array's two ports wait for: only read when somebody asks.
#include <fmt/format.h>

#include "tlm/pe/pe_array.h"

namespace retrace {

namespace {

enum port_key : std::uint64_t { weights, operands, sums };

bool swaps(const spec::instruction_header& h) {
    return h.opcode == static_cast<std::uint8_t>(spec::opcode::matmul) && (h.flags & spec::matmul_swap) != 0;
}

} // namespace

void pe_array::add_own_waits(wait_graph& g, wait_graph::id me, const fetched_instruction* handing_over) {
    const auto text = [](const operation& op) { return instruction_text(op.fetched.pc, op.i.opcode); };
    const bool weights_at_work = in_weight_port_ || !loads_.empty(), operands_at_work = in_operand_port_ || !streams_.empty();
    const wait_graph::id weight_port = weights_at_work ? g.at(wait_kind::port, weights, "pe's weight port") : wait_graph::none;
    const wait_graph::id operand_port = operands_at_work ? g.at(wait_kind::port, operands, "pe's operand port") : wait_graph::none;
    const wait_graph::id column_sums = landing_ || !flights_.empty() ? g.at(wait_kind::port, sums, "pe's column sums") : wait_graph::none;
    if (column_sums != wait_graph::none) {
        g.nodes[column_sums].need = wait_need::nothing;
        g.nodes[column_sums].state = "are on their way to PSUM";
    }
    if (weights_at_work) {
        wait_graph::node& port = g.nodes[weight_port];
        port.need = wait_need::nothing;
        port.state = "works";
        if (in_weight_port_ && weight_port_waits_ && loads_begun_ != swaps_) {
            port.need = wait_need::any;
            port.state = fmt::format("holds {}, which waits for a matmul that swaps the weights before it in: no remaining instruction does",
                                     text(*in_weight_port_));
            const std::string wait = fmt::format("waits with {} for the weights before it to be swapped in", text(*in_weight_port_));
            const auto swapping = [](const operation& op) { return swaps(op.fetched.header()); };
            if (operands_at_work && ((in_operand_port_ && swapping(*in_operand_port_)) || std::any_of(streams_.begin(), streams_.end(), swapping)))
                g.wait(weight_port, operand_port, wait, port_since_[weights]);
            for (const coming_instruction& c : coming())
                if (swaps(c.header)) {
                    g.wait(weight_port, me, wait + ", by " + instruction_text(c.pc, c.header.opcode), port_since_[weights]);
                    break;
                }
            if (g.has_edges(weight_port))
                port.state.clear();
        }
    }
    if (operands_at_work) {
        wait_graph::node& port = g.nodes[operand_port];
        port.need = wait_need::nothing;
        port.state = "works";
        if (in_operand_port_ && operand_port_waits_ && weights_at_work) {
            port.need = wait_need::all;
            port.state.clear();
            g.wait(operand_port, weight_port, fmt::format("waits with {} for its weights", text(*in_operand_port_)), port_since_[operands]);
        }
    }
    if (handing_over) {
        // The port's one place is taken; or, at the first instruction, what an aborted program left has not run out.
        const unsigned opcode = handing_over->header().opcode;
        const bool load = opcode == static_cast<std::uint8_t>(spec::opcode::load_weights);
        const wait_graph::id port = load ? weight_port : operand_port;
        if (!(load ? loads_ : streams_).empty())
            g.wait(me, port, fmt::format("waits for a place in its {} port with {}", load ? "weight" : "operand", instruction_text(handing_over->pc, opcode)),
                   handing_over->begin);
        return;
    }
    if (!current() || current()->in_flight == 0 || !coming().empty())
        return;
    for (const wait_graph::id port : {weight_port, operand_port, column_sums})
        if (port != wait_graph::none)
            g.wait(me, port, fmt::format("waits at the end of command {}'s program for {}", current()->sequence, g.nodes[port].name));
}

std::vector<pe_array::held_instruction> pe_array::held(const wait_graph& g) const {
    std::vector<held_instruction> list;
    const auto add = [&](const operation& op, port_key port) {
        if (!op.run->cancelled)
            list.push_back({&op.fetched, g.find(wait_kind::port, port)});
    };
    if (in_weight_port_)
        add(*in_weight_port_, weights);
    if (in_operand_port_)
        add(*in_operand_port_, operands);
    if (landing_)
        add(*landing_, sums);
    for (const operation& op : loads_)
        add(op, weights);
    for (const operation& op : streams_)
        add(op, operands);
    for (const flight& f : flights_)
        add(f, sums);
    return list;
}

} // namespace retrace
