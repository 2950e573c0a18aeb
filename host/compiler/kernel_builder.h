#pragma once
// Builds a command's programs so that they cannot deadlock.
//
// Instructions of all engines are emitted in ONE order in which they could run one at a time: every wait is
// satisfied by signals emitted before it, and each semaphore has a single waiting engine. Then no timing can
// deadlock. Take the first instruction of that order which has not run: all before it have, its engine stands
// at it, and the tokens it needs are there, because only its own engine takes them. That holds for any number
// of DMA queues, whatever shares a queue. The builder checks both conditions on every instruction; breaking
// one is a fault of the compiler (std::logic_error).
#include <array>
#include <cstdint>
#include <map>
#include <vector>

#include "host/device_capabilities.h"
#include "host/compiler/program.h"

namespace retrace::compiler {

/// What a kernel's DMA work is split into; `queue_for` maps it to the queues there are.
enum class stream : std::uint8_t { panels, blocks, stores, uploads };

/// Engine number of the queue that serves a stream.
unsigned queue_for(stream s, const device_capabilities& device);

class kernel_builder {
public:
    /// A new semaphore; throws std::logic_error past spec::semaphores.
    unsigned semaphore();

    void emit(unsigned engine, const spec::matrix_instruction& i) { add(engine, encode(i)); }
    void emit(unsigned engine, const spec::copy_instruction& i) { add(engine, encode(i)); }

    /// The programs, ordered by engine. Every semaphore must be back at zero.
    std::vector<engine_program> finish();

private:
    void add(unsigned engine, const instruction& i);
    void take(unsigned engine, unsigned semaphore, unsigned count);

    std::map<unsigned, std::vector<instruction>> programs_;
    std::array<std::uint32_t, spec::semaphores> value_{};
    std::array<int, spec::semaphores> waiter_{};
    unsigned used_ = 0;
};

} // namespace retrace::compiler
