#pragma once
// A processor without control core and firmware: its memories, link and engines on one clock, and a test that
// plays the control core. Programs are written straight into device DRAM and started; run() lets time pass
// until they have ended.
#include <memory>
#include <optional>

#include <gtest/gtest.h>

#include "tests/module/programs.h"
#include "tests/unit/device/event_recorder.h"
#include "tlm/core/array/array_interface.h"
#include "tlm/dma/dma_queue.h"
#include "tlm/elementwise/elementwise_engine.h"
#include "tlm/link/host_link.h"
#include "tlm/pe/pe_array.h"
#include "tlm/protocol_checker.h"

namespace retrace::test {

/// 8 x 8 array, 64 KiB state buffer in 8 banks, PSUM of 4 banks of 32 rows, 4 MiB DRAM, 3 DMA queues, 1 GHz;
/// no refresh; a protocol checker on every socket.
npu_config bench_config();
pe_array::array_factory kernel_factory();
pe_array::array_factory stepped_factory();

/// The kernel's resolution, before the first clock domain; once per process (sim/platform does it for
/// itself).
struct femtoseconds {
    femtoseconds();
};

class device_bench {
public:
    struct ending {
        unsigned engine;
        spec::engine_fault fault;
        std::uint32_t pc, detail;
        std::uint64_t cycle;
        bool operator==(const ending&) const = default;
    };

    explicit device_bench(const npu_config& c = bench_config(),
                          const pe_array::array_factory& array = kernel_factory(),
                          const std::string& name = "device");

    /// Operand table of `slot`, no working set.
    spec::command standard_command() const;
    void begin(unsigned context, const spec::command& command) { contexts[context].begin(command); }
    /// Writes the program into device DRAM and starts it at the end of this cycle.
    void start(unsigned engine, const program& p, unsigned context = 0);
    /// Starts what stands at `address`.
    void start_at(unsigned engine, std::uint32_t address, std::uint32_t count, unsigned context = 0);
    /// Lets time pass until every started program has ended; false if `cycles` pass first.
    bool run(std::uint64_t cycles = 2'000'000);
    /// Lets `cycles` pass, whatever happens.
    void pass(std::uint64_t cycles);
    /// The only ending since the last call. Fails the test if there is none or more than one.
    ending one_ending();
    /// start + run + one_ending
    ending execute(unsigned engine, const program& p);

    void put(tagged_memory& memory, std::uint64_t address, const std::vector<std::byte>& bytes,
             trace::tensor_id owner = {});
    std::vector<std::byte> get(const tagged_memory& memory, std::uint64_t address, std::size_t bytes) const;
    std::vector<std::uint32_t> words(const tagged_memory& memory, std::uint64_t address,
                                     std::size_t count) const;
    /// The accesses of an instruction of an engine, in the order they were logged.
    std::vector<trace::access_event> accesses(unsigned engine, std::uint32_t pc) const;

    femtoseconds resolution;
    npu_config config;
    event_recorder events;
    clock_domain clock;
    arbiter arbitration;
    std::array<context_state, spec::contexts> contexts;
    std::array<std::array<sc_core::sc_event, spec::semaphores>, spec::contexts> semaphore_changed;
    stall_account stalls;
    trace::probe_registry probes;
    device_probes device_signals;
    backplane plane;
    tagged_memory dram_memory, buffer_memory, psum_memory;
    device_dram dram;
    state_buffer buffer;
    bank_schedule psum_ports;
    std::vector<std::pair<std::uint64_t, std::uint32_t>> messages;
    std::vector<std::uint64_t> message_cycles;
    std::vector<std::uint32_t>
        registers; ///< what the link's register accesses reach: 64 words, read and write
    host_link link;
    engine::finished_callback finished;
    on_chip_memories on_chip;
    pe_array pe;
    elementwise_engine activation, vector;
    std::vector<std::unique_ptr<dma_queue>> dma;
    std::vector<engine*> engines;
    socket_binder sockets;
    std::vector<ending> endings;

private:
    unsigned running_ = 0;
    std::uint32_t next_program_ = 2u << 20;
};

/// The lines of a history in ascending order: what happens in one cycle has no order.
std::string sorted_lines(const std::string& text);
std::vector<std::byte> random_bytes(std::size_t count, unsigned seed);
/// Moderate values of a format, dense.
std::vector<std::byte> random_matrix(number_format f, std::size_t elements, unsigned seed);

} // namespace retrace::test
