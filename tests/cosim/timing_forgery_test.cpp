// A checker is worth what it finds: each rule is broken once, in one event of a log that is otherwise real,
// or by a machine that has another number than the checker was told; the first finding must name the rule and
// the unit.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "sim/cosim/timing_memories.h"
#include "tests/cosim/timing_case.h"
#include "tests/cosim/timing_record.h"

namespace retrace::cosim {
namespace {

using test::record;
using test::recorded_run;
using test::told;
using trace::grant_event;
using trace::instruction_event;
using trace::resource;

struct forgery {
    const char *name, *rule, *unit; ///< unit: part of the sentence
    bool (*forge)(recorded_run& r); ///< false: the log has nothing of the kind
};

template <class Event, class Predicate>
Event* first(std::vector<Event>& events, Predicate wanted) {
    const auto found = std::find_if(events.begin(), events.end(), wanted);
    return found == events.end() ? nullptr : &*found;
}

template <class Predicate>
grant_event* grant(recorded_run& r, Predicate wanted) {
    return first(r.log.grants, wanted);
}
grant_event* grant_of(recorded_run& r, unsigned requester) {
    return grant(r, [=](const grant_event& e) { return e.requester == requester; });
}
grant_event* grant_of(recorded_run& r, unsigned requester, resource what) {
    return grant(r, [=](const grant_event& e) { return e.requester == requester && e.what == what; });
}
instruction_event* instruction(recorded_run& r, spec::opcode opcode, unsigned nth = 0) {
    return first(r.log.instructions,
                 [&](const instruction_event& e) { return e.opcode == opcode && nth-- == 0; });
}

/// What is wrong is to be one thing: a request that comes at another time is granted then.
bool move(grant_event* e, int cycles) {
    if (e)
        e->requested += cycles, e->granted += cycles;
    return e != nullptr;
}
bool add(std::uint64_t* value, int cycles) {
    if (value)
        *value += cycles;
    return value != nullptr;
}
template <class Event>
std::uint64_t* field(Event* e, std::uint64_t Event::*member) {
    return e ? &(e->*member) : nullptr;
}
template <class Event>
bool erase(std::vector<Event>& events, Event* e) {
    if (e)
        events.erase(events.begin() + (e - events.data()));
    return e != nullptr;
}
template <class Event>
bool repeat(std::vector<Event>& events, Event* e) {
    if (e)
        events.insert(events.begin() + (e - events.data()), Event(*e));
    return e != nullptr;
}

constexpr unsigned dma0 = 3, dma1 = 4, dma1_write = 44, weights = 20, operands = 21, mover = 60,
                   fetch_pe = 100;

instruction_event* waited(recorded_run& r) {
    return first(r.log.instructions, [&](const instruction_event& e) {
        return e.begun > e.taken + r.config.sequencer.issue_cycles;
    });
}
/// A read that had to wait for a place: more than the set-up after the one before it.
grant_event* late_read(recorded_run& r) {
    return grant(r, [](const grant_event& e) {
        return e.requester == dma0 && e.what == resource::link_up && e.order == 2;
    });
}
grant_event* first_of_a_program(recorded_run& r, unsigned block) {
    return grant(r, [&](const grant_event& e) {
        return e.requester == fetch_pe && e.pc == block * r.config.sequencer.fetch_block;
    });
}
/// The first grant that comes while its banks are taken.
grant_event* conflict(recorded_run& r) {
    return grant(r, [](const grant_event& e) { return e.what == resource::banks && e.resumed > e.granted; });
}

const forgery plain[] = {
    {"a fetch is granted late", "9.2", "fetch of pe",
     [](auto& r) { return add(field(grant_of(r, fetch_pe), &grant_event::granted), 1); }},
    {"a fetch is granted early", "9.2", "fetch of pe",
     [](auto& r) { return add(field(grant_of(r, fetch_pe), &grant_event::granted), -1); }},
    {"banks are granted late", "9.2", "weights of the array",
     [](auto& r) { return add(field(grant_of(r, weights), &grant_event::granted), 1); }},
    {"a message is granted early", "9.2", "read of dma0",
     [](auto& r) { return add(field(grant_of(r, dma0), &grant_event::granted), -1); }},
    {"requests of a cycle are granted in another order", "9.2", "is granted in cycle",
     [](auto& r) {
         for (std::size_t g = 1; g < r.log.grants.size(); ++g)
             if (auto& a = r.log.grants[g - 1], &b = r.log.grants[g];
                 a.granted == b.granted && a.requester < b.requester) {
                 std::swap(a, b);
                 return true;
             }
         return false;
     }},
    {"chunks of a queue are granted in another order", "9.2", "read of dma",
     [](auto& r) {
         for (std::size_t g = 1; g < r.log.grants.size(); ++g)
             if (auto& a = r.log.grants[g - 1], &b = r.log.grants[g];
                 a.granted == b.granted && a.requester == b.requester && a.order < b.order) {
                 std::swap(a, b);
                 return true;
             }
         return false;
     }},

    {"the first block is fetched late", "9.3", "fetch of pe",
     [](auto& r) { return move(first_of_a_program(r, 0), 1); }},
    {"the second block is fetched late", "9.3", "fetch of pe",
     [](auto& r) { return move(first_of_a_program(r, 1), 1); }},
    {"the third block is fetched before the queue has room", "9.3", "fetch of pe",
     [](auto& r) { return move(first_of_a_program(r, 2), -1); }},
    {"a block is never fetched", "9.3", "fetch of pe",
     [](auto& r) { return erase(r.log.grants, first_of_a_program(r, 1)); }},
    {"a block is fetched twice", "9.3", "fetch of pe",
     [](auto& r) { return repeat(r.log.grants, first_of_a_program(r, 1)); }},
    {"a shorter block is fetched", "9.3", "fetch of pe",
     [](auto& r) { return add(field(first_of_a_program(r, 0), &grant_event::bytes), -64); }},
    {"another block is fetched", "9.3", "fetch of pe",
     [](auto& r) { return add(field(first_of_a_program(r, 1), &grant_event::address), 64); }},
    {"an instruction is taken late", "9.3", "taken in cycle",
     [](auto& r) { return add(field(instruction(r, spec::opcode::copy), &instruction_event::taken), 1); }},
    {"an instruction begins before its semaphore holds", "9.3", "begun in cycle",
     [](auto& r) { return add(field(waited(r), &instruction_event::begun), -1); }},
    {"an instruction sees a signal late", "9.3", "begun in cycle",
     [](auto& r) { return add(field(waited(r), &instruction_event::begun), 1); }},
    {"an instruction never finishes", "9.3", "never finishes",
     [](auto& r) { return erase(r.log.instructions, instruction(r, spec::opcode::binary)); }},
    {"an instruction finishes twice", "9.3", "for the second time",
     [](auto& r) { return repeat(r.log.instructions, instruction(r, spec::opcode::binary)); }},
    {"another instruction is carried out", "9.3", "its opcode is",
     [](auto& r) {
         instruction_event* e = instruction(r, spec::opcode::binary);
         if (e)
             e->opcode = spec::opcode::reduce_rows;
         return e != nullptr;
     }},
    {"a program ends early", "9.3", "the program ended",
     [](auto& r) {
         auto* e = first(r.log.programs, [](const trace::program_event& p) {
             return p.what == trace::program_event::moment::ended;
         });
         return add(field(e, &trace::program_event::cycle), -1);
     }},
    {"a program never begins", "9.3", "",
     [](auto& r) {
         auto* e = first(r.log.programs,
                         [](const trace::program_event& p) { return p.engine == spec::engine_vector; });
         return erase(r.log.programs, e);
     }},
    {"a program begins elsewhere", "9.3", "its program begins at",
     [](auto& r) { return add(&r.log.programs.front().address, 64); }},

    {"weights are loaded before the shadow registers are free", "9.5", "weights of the array",
     [](auto& r) {
         return move(grant(r, [](const grant_event& e) { return e.requester == weights && e.pc == 1; }), -1);
     }},
    {"weights are loaded late", "9.5", "weights of the array",
     [](auto& r) {
         return move(grant(r, [](const grant_event& e) { return e.requester == weights && e.pc == 1; }), 1);
     }},
    {"rows are streamed before the weights are there", "9.5", "operands of the array",
     [](auto& r) { return move(grant_of(r, operands), -1); }},
    {"rows begin to enter late", "9.5", "operands of the array",
     [](auto& r) { return add(field(grant_of(r, operands), &grant_event::resumed), 1); }},
    {"a load finishes early", "9.5", "load_weights",
     [](auto& r) {
         return add(field(instruction(r, spec::opcode::load_weights), &instruction_event::ended), -1);
     }},
    {"sums are there early", "9.5", "matmul",
     [](auto& r) { return add(field(instruction(r, spec::opcode::matmul), &instruction_event::ended), -1); }},
    {"a load is never granted", "9.5", "weights of the array",
     [](auto& r) { return erase(r.log.grants, grant_of(r, weights)); }},
    {"a stream is granted twice", "9.5", "operands of the array",
     [](auto& r) { return repeat(r.log.grants, grant_of(r, operands)); }},

    {"an activation begins late", "9.6", "activation",
     [](auto& r) { return add(field(grant_of(r, 1), &grant_event::resumed), 1); }},
    {"an activation requests late", "9.6", "activation", [](auto& r) { return move(grant_of(r, 1), 1); }},
    {"an activation finishes late", "9.6", "activate",
     [](auto& r) {
         return add(field(instruction(r, spec::opcode::activate), &instruction_event::ended), 1);
     }},
    {"a vector instruction reads elsewhere", "9.6", "vector",
     [](auto& r) { return add(field(grant_of(r, 2), &grant_event::address), 16); }},

    {"banks are taken while they are taken", "9.7", "its banks are not free",
     [](auto& r) { return add(field(conflict(r), &grant_event::resumed), -1); }},
    {"lines are moved too fast", "9.7", "write of dma1",
     [](auto& r) { return add(field(grant_of(r, dma1_write, resource::lines), &grant_event::resumed), -1); }},

    {"a descriptor is cut early", "9.8", "read of dma0", [](auto& r) { return move(grant_of(r, dma0), -1); }},
    {"a chunk is read before its place is free", "9.8", "read of dma0",
     [](auto& r) { return move(late_read(r), -1); }},
    {"a chunk is written before it is there", "9.8", "write of dma1",
     [](auto& r) { return move(grant_of(r, dma1_write), -1); }},
    {"a chunk is cut shorter", "9.8", "write of dma1",
     [](auto& r) { return add(field(grant_of(r, dma1_write), &grant_event::bytes), -16); }},
    {"a chunk is read elsewhere", "9.8", "read of dma1",
     [](auto& r) { return add(field(grant_of(r, dma1, resource::dram), &grant_event::address), 64); }},
    {"a chunk is never written", "9.8", "write of dma1",
     [](auto& r) { return erase(r.log.grants, grant_of(r, dma1_write)); }},
    {"a chunk is read twice", "9.8", "read of dma1",
     [](auto& r) { return repeat(r.log.grants, grant_of(r, dma1, resource::dram)); }},
    {"a chunk takes another's turn", "9.8", "read of dma1",
     [](auto& r) { return add(field(grant_of(r, dma1), &grant_event::order), 1000); }},
    {"a tile is turned too fast", "9.8", "read of dma1",
     [](auto& r) { return add(field(grant_of(r, dma1, resource::transposer), &grant_event::resumed), -1); }},
    {"a copy finishes late", "9.8", "copy",
     [](auto& r) { return add(field(instruction(r, spec::opcode::copy), &instruction_event::ended), 1); }},

    {"a burst of DRAM is early", "9.9", "fetch of pe",
     [](auto& r) { return add(field(grant_of(r, fetch_pe), &grant_event::resumed), -1); }},
    {"a burst of DRAM is late", "9.9", "write of dma0",
     [](auto& r) { return add(field(grant_of(r, dma0 + 40, resource::dram), &grant_event::resumed), 1); }},

    {"a message arrives early", "9.10", "read of dma0",
     [](auto& r) { return add(field(grant_of(r, dma0, resource::link_up), &grant_event::arrived), -1); }},
    {"host memory answers late", "9.10", "read of dma0",
     [](auto& r) { return add(field(grant_of(r, dma0, resource::link_up), &grant_event::resumed), 1); }},
    {"a posted write leaves the wire late", "9.10", "write of dma2",
     [](auto& r) { return add(field(grant_of(r, 45, resource::link_up), &grant_event::resumed), 1); }},
    {"a register access goes out while another is on the wire", "9.10", "register access",
     [](auto& r) {
         unsigned n = 0;
         grant_event* e = grant(r, [&](const grant_event& g) { return g.requester == 200 && ++n == 2; });
         if (e)
             e->requested = e->granted = r.log.grants.front().resumed - 1;
         return e != nullptr;
     }},
    {"a register is read late", "9.10", "answer to a register read",
     [](auto& r) { return move(grant_of(r, 202), 1); }},
    {"a register read has no answer", "9.10", "answer to a register read",
     [](auto& r) { return erase(r.log.grants, grant_of(r, 202)); }},

    {"the mover begins late", "9.11", "mover", [](auto& r) { return move(grant_of(r, mover), 1); }},
    {"the mover's answer is requested early", "9.11", "mover",
     [](auto& r) { return move(grant_of(r, mover, resource::link_down), -1); }},
    {"the mover does nothing", "9.11", "mover",
     [](auto& r) { return erase(r.log.grants, grant_of(r, mover)); }},
    {"the mover moves by itself", "9.11", "mover",
     [](auto& r) { return erase(r.log.movers, &r.log.movers.front()); }},
};

const forgery stressed[] = {
    {"a request is not held back", "9.13", "granted in cycle",
     [](auto& r) {
         grant_event* e = grant(r, [](const grant_event& g) { return g.granted > g.requested; });
         if (e)
             e->granted = e->requested;
         return e != nullptr;
     }},
    {"a request is held back without need", "9.13", "granted in cycle",
     [](auto& r) {
         return add(field(grant(r, [](const grant_event& g) { return g.granted == g.requested; }),
                          &grant_event::granted),
                    3);
     }},
    {"a message arrives without its delay", "9.13", "arrived in cycle",
     [](auto& r) {
         grant_event* e = grant(r, [&](const grant_event& g) {
             return g.arrived && g.what == resource::link_down && g.requester == 200 &&
                    g.arrived > g.resumed + 60;
         });
         if (e)
             e->arrived = e->resumed + 60;
         return e != nullptr;
     }},
    {"a place is free without its delay", "9.8", "read of dma",
     [](auto& r) {
         // The place of the chunk before the last one: held when the read does not follow the write at once.
         for (grant_event& e : r.log.grants)
             if (e.requester >= 3 && e.requester < 6 && e.order >= r.config.dma.outstanding_chunks &&
                 e.what == resource::link_up &&
                 timing::hold(r.config.stress.seed, 300 + e.requester - 3,
                              e.order - r.config.dma.outstanding_chunks, 0, r.config.stress.chunk_cycles) > 1)
                 return move(&e, -1);
         return false;
     }},
};

const forgery frozen[] = {
    {"a burst begins while the array stands still", "13", "in which the array stands still",
     [](auto& r) {
         const timing::freezes array(r.config.array.stress);
         return add(field(grant(r,
                                [&](const grant_event& e) {
                                    return e.what == resource::banks && e.requester >= weights &&
                                           e.resumed > e.granted && array.frozen(e.resumed - 1);
                                }),
                          &grant_event::resumed),
                    -1);
     }},
    {"sums come although the array has stood still", "9.5", "finished in cycle",
     [](auto& r) {
         const timing::freezes array(r.config.array.stress);
         for (instruction_event& e : r.log.instructions)
             for (const grant_event& g : r.log.grants)
                 if (g.requester == operands && g.sequence == e.sequence && g.pc == e.pc && e.engine == 0)
                     for (std::uint64_t c = g.resumed; c < e.ended; ++c)
                         if (array.frozen(c)) {
                             --e.ended;
                             return true;
                         }
         return false;
     }},
};

const forgery ideal[] = {
    {"an ideal access takes two cycles", "9.11", "done in cycle",
     [](auto& r) { return add(field(grant_of(r, dma0, resource::host), &grant_event::resumed), 1); }},
    {"an ideal fetch takes two cycles", "9.11", "fetch of pe",
     [](auto& r) { return add(field(grant_of(r, fetch_pe), &grant_event::resumed), 1); }},
};

/// The run's log, checked against another machine: its first finding is that of a device with the wrong
/// number.
struct wrong_number {
    const char *name, *rule;
    void (*change)(npu_config& c);
};

const wrong_number numbers[] = {
    {"fetch block", "9.3", [](auto& c) { c.sequencer.fetch_block = 4; }},
    {"issue", "9.3", [](auto& c) { ++c.sequencer.issue_cycles; }},
    {"pipeline depth", "9.5", [](auto& c) { c.array.fma_depth = 2; }},
    {"weight registers", "9.5", [](auto& c) { c.array.weight_registers = 1; }},
    {"cycles of an operand", "9.5", [](auto& c) { c.array.operand_cycles[1] = 2; }},
    {"latency of the activation", "9.6", [](auto& c) { ++c.activation.latency_cycles; }},
    {"lanes of the vector engine", "9.6", [](auto& c) { c.vector.lanes = 4; }},
    {"line", "9.7", [](auto& c) { c.array.rows = 4; }},
    {"chunk", "9.8", [](auto& c) { c.dma.chunk_bytes = 256; }},
    {"places", "9.8", [](auto& c) { c.dma.outstanding_chunks = 3; }},
    {"set-up", "9.8", [](auto& c) { --c.dma.setup_cycles; }},
    {"transpose unit", "9.8", [](auto& c) { c.dma.transpose_bytes_per_cycle = 16; }},
    {"no refresh", "9.9", [](auto& c) { c.device_dram.t_refi_ns = 1e9; }},
    {"refresh interval", "9.9", [](auto& c) { c.device_dram.t_refi_ns = 800; }},
    {"activation of a row", "9.9", [](auto& c) { c.device_dram.t_rcd_ns = 15; }},
    {"closing of a row", "9.9", [](auto& c) { c.device_dram.t_rp_ns = 15; }},
    {"burst", "9.9", [](auto& c) { c.device_dram.burst_cycles = 3; }},
    {"channels", "9.9", [](auto& c) { c.device_dram.channels = 1; }},
    {"page", "9.9", [](auto& c) { c.device_dram.page_bytes = 512; }},
    {"header of a packet", "9.10", [](auto& c) { c.host_link.header_bytes = 20; }},
    {"payload of a packet", "9.10", [](auto& c) { c.host_link.payload_bytes = 64; }},
    {"bandwidth", "9.10", [](auto& c) { c.host_link.bytes_per_second /= 2; }},
    {"latency of the link", "9.10", [](auto& c) { c.host_link.latency_ns += 1; }},
    {"latency of the host", "9.10", [](auto& c) { c.host_link.host_latency_ns += 1; }},
    {"stress that the device does not have", "9.13", [](auto& c) { c.stress.request_cycles = 9; }},
};

void expect_first(const char* name, const std::vector<timing_finding>& found, const char* rule,
                  const char* unit) {
    ASSERT_FALSE(found.empty()) << name << ": nothing was found";
    EXPECT_EQ(found.front().rule, rule) << name << ":\n" << told(found);
    EXPECT_NE(found.front().sentence.find(unit), std::string::npos) << name << ":\n" << told(found);
}

template <std::size_t N>
void expect_found(test_case c, const forgery (&forgeries)[N]) {
    const auto real = record(std::move(c));
    ASSERT_EQ(told(real->check()), "");
    for (const forgery& f : forgeries) {
        recorded_run forged = *real;
        // The copied programs are its own.
        if (!f.forge(forged))
            ADD_FAILURE() << f.name << ": the run has no such event";
        else
            expect_first(f.name, check_timing(real->config, forged.log, real->commands), f.rule, f.unit);
    }
}

TEST(timing_forgery, each_rule_broken_once_is_found_by_its_name) { expect_found(test::timing_case(), plain); }

TEST(timing_forgery, stress_that_is_not_as_the_seed_says_is_found) {
    test_case c = test::timing_case();
    c.machine.stress_seed = 11;
    c.machine.request_stress = 7;
    c.machine.chunk_stress = 16;
    c.machine.message_stress = 50;
    expect_found(c, stressed);
}

TEST(timing_forgery, an_array_that_ignores_its_stalls_is_found) {
    test_case c = test::timing_case();
    c.machine.stress_seed = 2800; // long stalls, a few cycles apart
    c.machine.array_stress = true;
    expect_found(c, frozen);
}

TEST(timing_forgery, ideal_memories_that_are_not_are_found) {
    test_case c = test::timing_case();
    c.machine.ideal_memories = true;
    expect_found(c, ideal);
}

TEST(timing_forgery, a_machine_with_another_number_is_found_by_the_rule_that_uses_it) {
    const auto real = record(test::timing_case());
    for (const wrong_number& n : numbers) {
        npu_config config = real->config;
        n.change(config);
        expect_first(n.name, check_timing(config, real->log, real->commands), n.rule, "");
    }
}

} // namespace
} // namespace retrace::cosim
