#pragma once
// A sequencer: fetches an engine program from device DRAM, waits for semaphores, hands each instruction to the engine behind it and
// reports the end. What all engines share; the engine itself says in execute() what an instruction does and how long it takes.
//
// Owes the control core exactly one engine_finished per start. abort() takes effect at once: nothing in flight is visible afterwards, but
// for writes that are on their way up the host link; and the engine is free: a program started in the next cycle runs as on an idle one.
#include <cstring>
#include <deque>
#include <functional>
#include <memory>

#include <systemc>
#include <tlm_utils/simple_initiator_socket.h>

#include "tlm/backplane.h"
#include "tlm/core/accounting/wait_graph.h"
#include "tlm/probes/utilisation.h"
#include "tlm/protocol.h"
#include "trace/probe_values.h"

namespace retrace {

struct fetched_instruction {
    std::array<std::byte, spec::instruction_bytes> bytes{};
    std::uint32_t pc = 0;
    std::uint64_t taken = 0; ///< cycle at which the sequencer took it out of its queue
    std::uint64_t begin = 0; ///< cycle at which its waits were over

    template <typename Layout>
    Layout as() const {
        Layout layout;
        static_assert(sizeof layout == spec::instruction_bytes);
        std::memcpy(&layout, bytes.data(), sizeof layout);
        return layout;
    }
    spec::instruction_header header() const {
        spec::instruction_header h;
        std::memcpy(&h, bytes.data(), sizeof h);
        return h;
    }
};

class engine : public sc_core::sc_module {
public:
    using finished_callback = std::function<void(unsigned engine, spec::engine_fault, std::uint32_t pc, std::uint32_t detail)>;

    tlm_utils::simple_initiator_socket<engine, 32, memory_protocol> fetch{"fetch"};

    engine(const sc_core::sc_module_name& name, unsigned number, backplane& plane, finished_callback finished);

    void start(unsigned context, std::uint32_t program, std::uint32_t count);
    void abort();

    unsigned number() const { return number_; }
    bool running() const { return run_ != nullptr; }
    /// Of the program that runs.
    unsigned context() const { return run_->context; }
    /// For the watchdog: what it does and waits for, from its node of the graph on. Then, once every engine has said so, which of the
    /// semaphores that somebody waits for its program and what it has in flight can still signal.
    void add_waits(wait_graph& g);
    /// The same of this engine alone, in words.
    std::string describe();
    void add_supplies(wait_graph& g);
    std::uint64_t instructions() const { return instructions_; }

protected:
    /// One program in execution. Activities that outlive an instruction (in-flight tiles and chunks) hold it and look at `cancelled`.
    struct program_run {
        unsigned context = 0;
        std::uint32_t program = 0, count = 0, sequence = 0, step = 0;
        bool cancelled = false;
        unsigned in_flight = 0; ///< activities that have not finished
    };
    using run_handle = std::shared_ptr<program_run>;
    struct cancelled_program {};

    /// Carries out the instruction after its waits, from the sequencer's thread; returns when the next one may be issued. Must see to
    /// it that finish() is called once, now or later. Throws engine_error.
    virtual void execute(const fetched_instruction& i) = 0;
    /// The program was aborted or has failed: wake whatever waits on its behalf.
    virtual void on_cancel() {}
    /// Lets time pass for an instruction of `run`; throws cancelled_program, at once, if the run is aborted meanwhile.
    void pass_until(const run_handle& run, std::uint64_t cycle);

    /// Writes and reads are done: signals. From any thread.
    void finish(const run_handle& run, const fetched_instruction& i);
    void fail(const run_handle& run, const fetched_instruction& i, const engine_error& error);
    void begin_flight() { ++run_->in_flight; }
    void end_flight(const run_handle& run);
    /// Throws cancelled_program if the run was aborted meanwhile.
    static void check(const run_handle& run) {
        if (run->cancelled)
            throw cancelled_program{};
    }
    const run_handle& current() const { return run_; }
    /// Instructions that were handed over and have not finished, with the node that works on them.
    struct held_instruction {
        const fetched_instruction* i;
        wait_graph::id node;
    };
    virtual std::vector<held_instruction> held(const wait_graph&) const { return {}; }
    /// The nodes of the engine's own ports and places, what they wait for, and what `me` waits for of them: with the instruction that is
    /// being handed over, or with none, at the end of the program.
    virtual void add_own_waits(wait_graph&, wait_graph::id, const fetched_instruction*) {}
    /// Columns of the weights that a matmul which is being issued will work on; 0: no such instruction.
    virtual unsigned columns_of_weights(const fetched_instruction&) const { return 0; }
    std::string probe_text(const run_handle& run, const fetched_instruction& i, unsigned columns = 0) const;
    /// The first part of the names of its signals: "dma0".
    const std::string& block() const { return block_; }
    utilisation& utilised() { return utilisation_; }
    /// Instructions of the program that have not been handed over.
    struct coming_instruction {
        std::uint32_t pc;
        spec::instruction_header header;
    };
    std::vector<coming_instruction> coming();
    const std::string& label() const { return label_; }
    /// "instruction 3 (matmul)"
    static std::string instruction_text(std::uint32_t pc, unsigned opcode);
    context_state& context_of(const run_handle& run) { return plane_.contexts[run->context]; }
    access_origin origin(const run_handle& run, std::uint32_t pc) const { return {plane_.clock.now(), number_, run->sequence, pc}; }
    bool wants_timing() const { return plane_.sink && plane_.sink->wants_timing(); }
    bool logs(const run_handle& run) const { return plane_.sink && plane_.sink->wants_accesses(run->step); }
    void log(const run_handle& run, const fetched_instruction& i, bool write, spec::memory_kind memory, std::uint64_t base,
             const std::array<std::uint32_t, 4>& sizes, const std::array<std::uint32_t, 3>& strides, trace::tensor_id tensor);
    void log(const run_handle& run, const fetched_instruction& i, bool write, const resolved_operand& o);

    backplane& plane_;
    requester requester_;

private:
    void run_programs();
    void fetch_programs();
    void run_program();
    fetched_instruction next_instruction(std::uint32_t pc);
    void wait_for_semaphore(unsigned semaphore, unsigned count);
    void cancel(spec::engine_fault fault, std::uint32_t pc, std::uint32_t detail);
    void log_program(trace::program_event::moment what, spec::engine_fault fault);
    void end(spec::engine_fault fault, std::uint32_t pc, std::uint32_t detail);
    std::uint32_t signalled_semaphores(std::uint32_t program, std::uint32_t count);
    /// Reads an instruction's header behind the simulation's back; false if it lies outside the memory.
    bool peek(std::uint64_t address, spec::instruction_header& h);

    unsigned number_;
    finished_callback finished_;
    requester fetch_requester_;
    run_handle run_, fetching_;
    std::deque<fetched_instruction> fetched_;
    std::uint32_t next_fetch_ = 0;
    bool fetch_failed_ = false;
    std::uint32_t pc_ = 0;
    const std::string label_;
    using activity = trace::sequencer_state;
    activity doing_ = activity::idle;
    std::uint64_t since_ = 0; ///< cycle from which it does so
    void now_does(activity what) {
        doing_ = what;
        since_ = plane_.clock.now();
        plane_.probes.registry.set(probes_.state, since_, static_cast<unsigned>(what));
    }
    void show_instruction(const fetched_instruction& i);
    void show_wait(std::uint64_t cycle);
    void tell_texts(std::uint64_t cycle);
    void show_fetched() { plane_.probes.registry.set(probes_.queue, plane_.clock.now(), fetched_.size()); }
    int waits_for_ = -1;     ///< semaphore, or -1
    unsigned wanted_ = 0;    ///< of it
    fetched_instruction at_; ///< the instruction that it issues, waits with or executes
    std::uint64_t instructions_ = 0;
    sc_core::sc_event started_, cancelled_, fetch_more_, fetched_more_, landed_;

    const std::string block_;
    struct probe_ids {
        trace::probe_id state, command, pc, opcode, instruction, waits_for, queue, fault, utilisation;
    };
    const probe_ids probes_;
    utilisation utilisation_;
};

} // namespace retrace
