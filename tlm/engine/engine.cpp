#include "tlm/engine/engine.h"

#include <bit>

#include <fmt/format.h>

#include "tlm/core/accounting/engine_label.h"
#include "tlm/core/seeded_fault.h"
#include "tlm/engine/instruction_label.h"

namespace retrace {

using spec::engine_fault;

namespace {

constexpr unsigned fetch_requesters = 100; ///< in the arbitration, instruction fetches come after the engines' data

bool executes(unsigned engine, const spec::instruction_info& info) {
    switch (engine) {
    case spec::engine_pe: return info.pe;
    case spec::engine_activation: return info.activation;
    case spec::engine_vector: return info.vector;
    default: return info.dma;
    }
}

std::string block_name(unsigned engine) { return engine == spec::engine_pe ? "array" : engine_label(engine); }

/// The instruction's description, after the checks that are the same for every engine.
void check_header(unsigned engine, const spec::instruction_header& h) {
    for (const spec::instruction_info& info : spec::instructions) {
        if (static_cast<std::uint8_t>(info.code) != h.opcode || !executes(engine, info))
            continue;
        if (h.flags & ~info.flags)
            throw engine_error{engine_fault::reserved_bits, h.flags};
        for (const unsigned s : {h.wait0, h.wait1, h.signal0, h.signal1})
            if (s >= spec::semaphores)
                throw engine_error{engine_fault::bad_slot, s};
        return;
    }
    throw engine_error{engine_fault::illegal_opcode, h.opcode};
}

} // namespace

engine::engine(const sc_core::sc_module_name& name, unsigned number, backplane& plane, finished_callback finished)
    : sc_module(name), plane_(plane), requester_(number), number_(number), finished_(std::move(finished)),
      fetch_requester_(fetch_requesters + number), label_(engine_label(number)), block_(block_name(number)),
      probes_{plane.probes.number(block_, "state", 3, "sequencer"), plane.probes.number(block_, "command", 32), plane.probes.number(block_, "pc", 32),
              plane.probes.number(block_, "opcode", 8, "opcode"),   plane.probes.text(block_, "instruction"),   plane.probes.text(block_, "waits_for"),
              plane.probes.number(block_, "queue", 16, "level"),
              plane.probes.number(block_, "fault", std::bit_width(spec::engine_fault_count - 1u), "fault"),
              plane.probes.real(block_, "utilisation")},
      utilisation_(plane.probes.registry, probes_.utilisation) {
    plane.probes.registry.add_text_source([this](std::uint64_t cycle) { tell_texts(cycle); });
    SC_HAS_PROCESS(engine);
    SC_THREAD(run_programs);
    SC_THREAD(fetch_programs);
}

void engine::start(unsigned context, std::uint32_t program, std::uint32_t count) {
    run_ = std::make_shared<program_run>();
    run_->context = context;
    run_->program = program;
    run_->count = count;
    run_->sequence = plane_.contexts[context].command().sequence;
    run_->step = plane_.contexts[context].command().step;
    pc_ = 0;
    now_does(activity::starts);
    plane_.probes.registry.set(probes_.command, since_, run_->sequence);
    plane_.probes.registry.set(probes_.fault, since_, 0);
    log_program(trace::program_event::moment::begun, engine_fault::none);
    plane_.stalls.run(plane_.clock.now(), number_, context, signalled_semaphores(program, count));
    started_.notify(sc_core::SC_ZERO_TIME);
}

void engine::log_program(trace::program_event::moment what, engine_fault fault) {
    if (!wants_timing())
        return;
    trace::program_event e;
    e.what = what;
    e.cycle = plane_.clock.now();
    e.device = plane_.device;
    e.context = run_->context;
    e.engine = number_;
    e.sequence = run_->sequence;
    e.step = run_->step;
    e.address = run_->program;
    e.count = run_->count;
    e.fault = fault;
    plane_.sink->timing(e);
}

void engine::abort() {
    if (run_)
        cancel(engine_fault::aborted, pc_, 0);
}

void engine::cancel(engine_fault fault, std::uint32_t pc, std::uint32_t detail) {
    run_->cancelled = true;
    // Threads of this engine that wait in the middle of something find the run cancelled and drop what they hold.
    for (sc_core::sc_event* e : {&cancelled_, &fetched_more_, &landed_})
        e->notify(sc_core::SC_ZERO_TIME);
    for (requester* r : {&requester_, &fetch_requester_})
        plane_.arbitration.withdraw(*r);
    if (waits_for_ >= 0)
        plane_.semaphore_changed[run_->context][static_cast<unsigned>(waits_for_)].notify(sc_core::SC_ZERO_TIME);
    on_cancel();
    end(fault, pc, detail);
}

void engine::end(engine_fault fault, std::uint32_t pc, std::uint32_t detail) {
    log_program(trace::program_event::moment::ended, fault);
    now_does(activity::idle);
    for (const trace::probe_id text : {probes_.instruction, probes_.waits_for})
        plane_.probes.registry.set_text(text, since_, {});
    for (const trace::probe_id number : {probes_.command, probes_.pc, probes_.opcode, probes_.queue})
        plane_.probes.registry.set(number, since_, 0);
    plane_.probes.registry.set(probes_.fault, since_, static_cast<unsigned>(fault));
    run_.reset();
    plane_.stalls.stop(plane_.clock.now(), number_);
    finished_(number_, fault, pc, detail);
}

std::uint32_t engine::signalled_semaphores(std::uint32_t program, std::uint32_t count) {
    // Only for the attribution of waits; costs no simulated time and changes nothing.
    spec::instruction_header h;
    std::uint32_t mask = 0;
    for (std::uint32_t i = 0; i < count; ++i) {
        if (!peek(program + std::uint64_t{i} * spec::instruction_bytes, h))
            break;
        if (h.signal0_count && h.signal0 < spec::semaphores)
            mask |= 1u << h.signal0;
        if (h.signal1_count && h.signal1 < spec::semaphores)
            mask |= 1u << h.signal1;
    }
    return mask;
}

void engine::fetch_programs() {
    memory_access access(fetch_requester_);
    std::vector<std::byte> block(std::size_t{plane_.config.sequencer.fetch_block} * spec::instruction_bytes);
    for (;;) {
        // Up to two blocks ahead of the sequencer.
        const auto idle = [this] {
            return !run_ || run_->count == 0 || (fetching_ == run_ && (fetch_failed_ || next_fetch_ >= run_->count ||
                                                   fetched_.size() > plane_.config.sequencer.fetch_block * (1 + RETRACE_FAULT(greedy_fetch))));
        };
        while (idle())
            wait(fetch_more_);
        const run_handle run = run_;
        if (fetching_ != run) {
            fetching_ = run;
            fetched_.clear();
            next_fetch_ = 0;
            fetch_failed_ = false;
        }
        const std::uint32_t first = next_fetch_, count = std::min(plane_.config.sequencer.fetch_block, run->count - first);
        access.extension.tensor = {};
        access.extension.origin = origin(run, first);
        access.extension.cancelled = &run->cancelled;
        access.set(tlm::TLM_READ_COMMAND, run->program + std::uint64_t{first} * spec::instruction_bytes, block.data(),
                   count * spec::instruction_bytes);
        const bool ok = access.transport(fetch);
        if (run->cancelled || fetching_ != run)
            continue;
        fetch_failed_ = !ok;
        for (std::uint32_t i = 0; ok && i < count; ++i) {
            fetched_instruction f;
            std::memcpy(f.bytes.data(), block.data() + std::size_t{i} * spec::instruction_bytes, spec::instruction_bytes);
            f.pc = first + i;
            fetched_.push_back(f);
        }
        next_fetch_ = first + count;
        show_fetched();
        fetched_more_.notify(sc_core::SC_ZERO_TIME);
    }
}

fetched_instruction engine::next_instruction(std::uint32_t pc) {
    const run_handle run = run_;
    const auto available = [&] { return fetching_ == run && !fetched_.empty(); };
    if (!available()) {
        plane_.stalls.busy(plane_.clock.now(), number_, stall::dram);
        now_does(activity::fetches);
        fetch_more_.notify(sc_core::SC_ZERO_TIME);
        while (!available()) {
            // The fetch may have failed long ago, while earlier instructions were still at work.
            if (fetching_ == run && fetch_failed_)
                throw engine_error{engine_fault::bus_error, pc};
            wait(fetched_more_);
            check(run);
        }
        plane_.stalls.busy(plane_.clock.now(), number_, stall::command);
    }
    fetched_instruction i = fetched_.front();
    fetched_.pop_front();
    i.taken = plane_.clock.now();
    show_fetched();
    fetch_more_.notify(sc_core::SC_ZERO_TIME);
    return i;
}

void engine::wait_for_semaphore(unsigned semaphore, unsigned count) {
    if (count == 0)
        return;
    const run_handle run = run_;
    context_state& context = context_of(run);
    if (context.try_wait(number_, semaphore, count)) {
        plane_.probes.semaphore(plane_.clock.now(), run->context, semaphore, context);
        return;
    }
    plane_.stalls.waiting(plane_.clock.now(), number_, semaphore);
    waits_for_ = static_cast<int>(semaphore);
    wanted_ = count;
    now_does(activity::waits);
    show_wait(since_);
    do {
        wait(plane_.semaphore_changed[run->context][semaphore]);
        if (run->cancelled)
            waits_for_ = -1;
        check(run);
    } while (!context.try_wait(number_, semaphore, count));
    waits_for_ = -1;
    plane_.probes.semaphore(plane_.clock.now(), run->context, semaphore, context);
    plane_.probes.registry.set_text(probes_.waits_for, plane_.clock.now(), {});
    plane_.stalls.busy(plane_.clock.now(), number_, stall::command);
}

void engine::pass_until(const run_handle& run, std::uint64_t cycle) {
    while (!run->cancelled && plane_.clock.until(cycle) != sc_core::SC_ZERO_TIME)
        wait(plane_.clock.until(cycle), cancelled_);
    check(run);
}

void engine::finish(const run_handle& run, const fetched_instruction& i) {
    if (run->cancelled)
        return;
    const spec::instruction_header h = i.header();
    ++instructions_;
    if (wants_timing()) {
        trace::instruction_event e;
        e.taken = i.taken;
        e.begun = i.begin;
        e.ended = plane_.clock.now();
        e.device = plane_.device;
        e.context = run->context;
        e.engine = number_;
        e.sequence = run->sequence;
        e.step = run->step;
        e.pc = i.pc;
        e.opcode = static_cast<spec::opcode>(h.opcode);
        plane_.sink->timing(e);
    }
    try {
        const auto signal = [&](unsigned semaphore, unsigned count) {
            if (count == 0)
                return;
            context_of(run).signal(semaphore, count);
            plane_.probes.semaphore(plane_.clock.now(), run->context, semaphore, context_of(run));
            plane_.semaphore_changed[run->context][semaphore].notify(sc_core::SC_ZERO_TIME);
        };
        signal(h.signal0, h.signal0_count);
        if (!RETRACE_FAULT(lost_signal))
            signal(h.signal1, h.signal1_count);
    } catch (const engine_error& error) {
        fail(run, i, error);
    }
}

void engine::fail(const run_handle& run, const fetched_instruction& i, const engine_error& error) {
    if (run->cancelled)
        return;
    cancel(error.fault, i.pc, error.detail);
}

void engine::end_flight(const run_handle& run) {
    if (--run->in_flight == 0)
        landed_.notify(sc_core::SC_ZERO_TIME);
}

void engine::run_program() {
    const run_handle run = run_;
    fetched_instruction& i = at_;
    try {
        pass_until(run, plane_.clock.now() + 1); // the control core starts engines at the end of a cycle
        for (pc_ = 0; pc_ < run->count; ++pc_) {
            i.pc = pc_; // also if it cannot be fetched
            i = next_instruction(pc_);
            now_does(activity::issues);
            show_instruction(i);
            pass_until(run, plane_.clock.now() + plane_.config.sequencer.issue_cycles - RETRACE_FAULT(early_issue));
            const spec::instruction_header h = i.header();
            check_header(number_, h);
            wait_for_semaphore(h.wait0, h.wait0_count);
            if (!RETRACE_FAULT(missing_semaphore_wait))
                wait_for_semaphore(h.wait1, h.wait1_count);
            i.begin = plane_.clock.now();
            now_does(activity::executes);
            if (h.opcode == static_cast<std::uint8_t>(spec::opcode::nop) && number_ < spec::engine_dma)
                finish(run, i);
            else
                execute(i);
            check(run);
        }
        now_does(activity::lands);
        while (run->in_flight != 0) {
            wait(landed_);
            check(run);
        }
        end(engine_fault::none, 0, 0);
    } catch (const cancelled_program&) {
    } catch (const engine_error& error) {
        fail(run, i, error);
    }
}

void engine::show_wait(std::uint64_t cycle) {
    if (plane_.probes.registry.wanted(probes_.waits_for))
        plane_.probes.registry.set_text(probes_.waits_for, cycle, fmt::format("semaphore {} for {}", waits_for_, wanted_));
}

void engine::tell_texts(std::uint64_t cycle) {
    if (!run_)
        return;
    if (doing_ == activity::waits)
        show_wait(cycle);
    if (plane_.probes.registry.wanted(probes_.instruction) && doing_ >= activity::issues)
        plane_.probes.registry.set_text(probes_.instruction, cycle, probe_text(run_, at_));
}

void engine::show_instruction(const fetched_instruction& i) {
    const trace::probe_registry& registry = plane_.probes.registry;
    if (registry.wanted(probes_.instruction))
        plane_.probes.registry.set_text(probes_.instruction, since_, probe_text(run_, i, columns_of_weights(i)));
    plane_.probes.registry.set(probes_.pc, since_, i.pc);
    plane_.probes.registry.set(probes_.opcode, since_, i.header().opcode);
}

std::string engine::probe_text(const run_handle& run, const fetched_instruction& i, unsigned columns) const {
    return instruction_label(i.bytes, i.pc, columns, plane_.contexts[run->context].command(), plane_.probes.registry);
}

void engine::run_programs() {
    for (;;) {
        while (!run_)
            wait(started_);
        fetch_more_.notify(sc_core::SC_ZERO_TIME);
        run_program();
    }
}

void engine::log(const run_handle& run, const fetched_instruction& i, bool write, spec::memory_kind memory, std::uint64_t base,
                 const std::array<std::uint32_t, 4>& sizes, const std::array<std::uint32_t, 3>& strides, trace::tensor_id tensor) {
    trace::access_event e;
    e.begin = i.begin;
    e.end = plane_.clock.now();
    e.device = plane_.device;
    e.context = run->context;
    e.engine = number_;
    e.sequence = run->sequence;
    e.step = run->step;
    e.pc = i.pc;
    e.opcode = static_cast<spec::opcode>(i.header().opcode);
    e.write = write;
    e.memory = memory;
    e.base = base;
    e.sizes = sizes;
    e.strides = strides;
    e.tensor = tensor;
    plane_.sink->on(e);
}

void engine::log(const run_handle& run, const fetched_instruction& i, bool write, const resolved_operand& o) {
    log(run, i, write, o.memory, o.address, {static_cast<std::uint32_t>(o.row_bytes), static_cast<std::uint32_t>(o.rows), 1, 1},
        {static_cast<std::uint32_t>(o.pitch), 0, 0}, o.tensor);
}

} // namespace retrace
