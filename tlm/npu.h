#pragma once
// The schematic of one processor: its memories, engines, control core and link, and how they are bound.
//
//   host --- link --- register block --- control core (RISC-V firmware, mover)
//              |                             | starts, aborts, contexts
//              |        +--------------------+---------------------+
//              |        |            |               |             |
//              +---- DMA queues   PE array      activation      vector        (each with a sequencer that fetches from DRAM)
//                     |      |       |  \          /  |            |
//                   DRAM   state buffer   PSUM ---+   +--- state buffer
#include <array>
#include <memory>
#include <optional>
#include <vector>

#include <systemc>

#include "tlm/backplane.h"
#include "tlm/control/control_core.h"
#include "tlm/core/accounting/command_book.h"
#include "tlm/core/accounting/wait_graph.h"
#include "tlm/core/control/control_block.h"
#include "tlm/dma/dma_queue.h"
#include "tlm/elementwise/elementwise_engine.h"
#include "tlm/link/host_link.h"
#include "tlm/memory/memory_block.h"
#include "tlm/pe/pe_array.h"
#include "tlm/protocol_checker.h"

namespace retrace {

class npu : public sc_core::sc_module, private control_environment {
public:
    using message_handler = std::function<void(std::uint64_t address, std::uint32_t data)>;

    /// `probes` hears of its signals; outlives it.
    npu(const sc_core::sc_module_name& name, const npu_config& config, unsigned device, trace::event_sink* sink, trace::probe_registry& probes,
        pe_array::array_factory make_array, message_handler message);

    host_link& link() { return link_; }
    const clock_domain& clock() const { return clock_; }
    stall_account& stalls() { return stalls_; }
    const pe_array& pe() const { return pe_; }
    const tagged_memory& dram() const { return dram_memory_; }
    const tagged_memory& buffer() const { return buffer_memory_; }
    const tagged_memory& psum() const { return psum_memory_; }
    const control_core& core() const { return core_; }
    /// What the checkers on the sockets have seen; nothing without npu_config::check_protocol.
    const protocol_account& protocol() const { return sockets_.account(); }
    std::uint64_t commands_running() const;
    /// Commands submitted whose completions are not in host memory: while there are any, something has to move.
    std::uint64_t commands_owed() const { return block_.commands_owed(); }
    /// The first fault of an engine since the device was made; aborts are none.
    struct engine_stop {
        unsigned engine = 0;
        std::uint64_t cycle = 0;
    };
    const std::optional<engine_stop>& first_fault() const { return first_fault_; }
    /// Instructions finished by all engines: what the watchdog looks at.
    std::uint64_t progress() const;
    /// What the host does, as far as it matters to whoever asks why nothing moves.
    struct host_state {
        enum class act : std::uint8_t {
            unknown,
            polls, ///< looks at its ring now and then, whatever interrupts do
            sleeps ///< until an interrupt comes
        } does = act::unknown;
        std::uint64_t since = 0;             ///< sleeps: cycle from which it does
        std::uint64_t quiet_since = ~std::uint64_t{0}; ///< cycle after which nothing has moved, if the caller knows
        std::uint64_t address = 0;           ///< the interrupt message that it listens to
        std::uint32_t data = 0;
        std::uint64_t astray = 0;            ///< other messages that have reached it, and the last one's address
        std::uint64_t astray_address = 0;
    };
    /// Who waits for whom: engines with their ports, commands, rings, control core and host. Nodes 0, 1, ... are the engines.
    wait_graph waits(const host_state& host);
    /// What every engine and the control core is doing or waiting for, a line each.
    std::string describe();

private:
    // control_environment: what the register block asks for
    std::uint64_t cycle() override { return clock_.now(); }
    void engine_start(unsigned engine, unsigned context, std::uint32_t program_address, std::uint32_t count) override;
    void engine_abort(unsigned engine) override;
    void context_begin(unsigned context, const spec::command& command) override;
    void context_end(unsigned context, spec::command_status status) override;
    void mover_start(std::uint64_t host_address, std::uint32_t local_address, std::uint32_t bytes, bool to_host) override;
    void send_message(std::uint64_t address, std::uint32_t data) override;
    bool read_local(std::uint32_t address, std::span<std::uint8_t> bytes) override;
    bool write_local(std::uint32_t address, std::span<const std::uint8_t> bytes) override;
    void core_reset(bool run) override;
    void set_core_interrupt(bool level) override;

    // npu_waits.cpp
    void note_copy();
    void add_command_waits(wait_graph& g, const command_book::line& l, wait_graph::id core, wait_graph::id completion_ring);
    void add_ring_waits(wait_graph& g, wait_graph::id core, wait_graph::id completion_ring);
    void add_host_waits(wait_graph& g, const host_state& host);

    tagged_memory* memory_of(spec::memory_kind kind);
    access_origin origin_of(const spec::command& command) const;
    void log_command(trace::command_event::moment what, unsigned context, const spec::command& command, spec::command_status status);

    npu_config config_;
    unsigned device_;
    trace::event_sink* sink_;
    clock_domain clock_;
    arbiter arbiter_;
    std::array<context_state, spec::contexts> contexts_;
    std::array<std::array<sc_core::sc_event, spec::semaphores>, spec::contexts> semaphore_changed_;
    stall_account stalls_;
    device_probes probes_;
    backplane plane_;

    tagged_memory dram_memory_, buffer_memory_, psum_memory_;
    device_dram dram_;
    state_buffer buffer_;
    bank_schedule psum_ports_;
    control_block block_;
    struct copy {
        std::uint64_t host_address = 0;
        std::uint32_t local_address = 0, bytes = 0;
        bool to_host = false;
    };
    copy moving_; ///< by the mover
    command_book book_;
    host_link link_;
    control_core core_;

    engine::finished_callback finished_;
    std::optional<engine_stop> first_fault_;
    on_chip_memories on_chip_;
    pe_array pe_;
    elementwise_engine activation_, vector_;
    std::vector<std::unique_ptr<dma_queue>> dma_;
    std::vector<engine*> engines_; ///< by engine number
    socket_binder sockets_;
};

} // namespace retrace
