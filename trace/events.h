#pragma once
// What happened, as plain structs, and an abstract sink for them. Everything that must be proved is proved from these events.
// An event comes from the block that acted, at that moment. Cycles are the device's integer clock.
#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "hw/spec/spec.h"

namespace retrace::trace {

using cycle_t = std::uint64_t;

/// A tensor as operands and memory bytes carry it: tag 0 is "nobody's" (working buffers).
struct tensor_id {
    std::uint32_t tag = 0;
    std::uint32_t version = 0;
    bool operator==(const tensor_id&) const = default;
};

/// A command began or ended on the device (control core's context), or was submitted or seen complete by the host.
struct command_event {
    enum class moment : std::uint8_t { submitted, begun, ended, seen };
    moment what{};
    cycle_t cycle = 0;
    unsigned device = 0, context = 0;
    std::uint32_t sequence = 0, step = 0, layer = 0;
    spec::phase phase{};
    spec::command_status status{};
    std::array<std::uint32_t, spec::max_waits> waits{};
    std::span<const spec::operand> operands; ///< operand table (begun only; empty otherwise)
};

/// One memory operand of one instruction or DMA descriptor: what was read or written, whose bytes, by which instruction.
struct access_event {
    cycle_t begin = 0, end = 0; ///< the instruction's first cycle and the cycle at which it finished
    unsigned device = 0, context = 0, engine = 0;
    std::uint32_t sequence = 0, step = 0, pc = 0;
    spec::opcode opcode{};
    bool write = false;
    spec::memory_kind memory{};
    std::uint64_t base = 0;                   ///< byte address of the first element
    std::array<std::uint32_t, 4> sizes{};     ///< bytes of a contiguous run, then counts (1 where unused)
    std::array<std::uint32_t, 3> strides{};   ///< bytes between runs, per outer dimension
    tensor_id tensor;
};

/// The life of a tensor version in one memory.
struct tensor_event {
    enum class moment : std::uint8_t {
        live,       ///< its first byte was written
        complete,   ///< a command that writes it ended; bytes and checksum are of what is live under it
        overwritten,///< its last byte was overwritten under another tag or version
        released    ///< its last byte was released
    };
    moment what{};
    cycle_t cycle = 0;
    unsigned device = 0;
    spec::memory_kind memory{};
    tensor_id tensor;
    std::uint32_t sequence = 0;  ///< command that caused it (0: none)
    std::uint64_t bytes = 0;     ///< complete: live bytes; overwritten, released: bytes lost at that moment
    std::uint64_t checksum = 0;  ///< complete: of the live bytes in the order of their addresses, wherever and with what gaps they lie
};

/// A read met bytes that are not live, or that belong to another tensor or version than the instruction says.
struct stale_read_event {
    cycle_t cycle = 0;
    unsigned device = 0, engine = 0;
    std::uint32_t sequence = 0, pc = 0;
    spec::memory_kind memory{};
    std::uint64_t address = 0, bytes = 0; ///< first such byte, and how many
    tensor_id expected, found;
};

/// Live bytes of a memory or of a region of device DRAM, sampled when a command ends.
struct occupancy_event {
    cycle_t cycle = 0;
    unsigned device = 0;
    std::string_view name; ///< "state_buffer", "psum", "device_dram" or the region's kind
    std::uint32_t sequence = 0;
    std::uint64_t live_bytes = 0, peak_bytes = 0;
};

/// Something the host did that the order of training depends on.
struct host_event {
    enum class action : std::uint8_t {
        weights_written,   ///< new weights of a layer stand in host memory, ready to go down (version = their step)
        gradient_received, ///< a layer's weight gradient arrived
        weights_updated    ///< the optimizer changed the layer's master weights
    };
    action what{};
    cycle_t cycle = 0;
    std::uint32_t step = 0, layer = 0;
    tensor_id tensor;
    std::uint64_t checksum = 0;
};

// ---- timing: what every wait and every grant was, so that cycles can be derived again from the manual ----------------------------------

/// An engine began a program, or ended it: finished, stopped by a fault or aborted.
struct program_event {
    enum class moment : std::uint8_t { begun, ended };
    moment what{};
    cycle_t cycle = 0; ///< begun: the control core's start; the engine's first request is made one cycle later
    unsigned device = 0, context = 0, engine = 0;
    std::uint32_t sequence = 0, step = 0;
    std::uint64_t address = 0; ///< of the program in device DRAM
    std::uint32_t count = 0;   ///< instructions
    spec::engine_fault fault{}; ///< ended only
};

/// An instruction finished. One event each, `nop` too, in the order in which they finish.
struct instruction_event {
    cycle_t taken = 0; ///< by the sequencer, out of its queue
    cycle_t begun = 0; ///< issued, and its waits over
    cycle_t ended = 0; ///< finished: its signals were given
    unsigned device = 0, context = 0, engine = 0;
    std::uint32_t sequence = 0, step = 0, pc = 0;
    spec::opcode opcode{};
};

/// What the arbitration grants.
enum class resource : std::uint8_t {
    banks,      ///< an engine's bursts on banks of state buffer and PSUM, all of an instruction's operands at once (PE array: one)
    lines,      ///< a chunk's lines of the state buffer
    dram,       ///< bursts of device DRAM
    link_up,    ///< a message from device to host
    link_down,  ///< a message from host to device
    transposer, ///< a chunk's time in a queue's transpose unit
    host        ///< host memory, with `ideal_memories` only
};

/// A request was granted. In the order of the grants.
struct grant_event {
    cycle_t requested = 0; ///< the cycle in whose arbitration it takes part at the earliest
    cycle_t granted = 0;   ///< the cycle in whose arbitration it was granted
    cycle_t resumed = 0;   ///< the requester goes on; `banks`: the bursts begin
    cycle_t arrived = 0;   ///< link: the message is on the other side
    unsigned device = 0, requester = 0; ///< number in the arbitration
    std::uint64_t order = 0;            ///< DMA reads and transposes: number of the chunk since the device was made; 0: others
    resource what{};
    bool write = false;           ///< of memory; link: of the host's memory or of a register
    std::uint64_t address = 0;    ///< first byte (`banks`: of the first operand); link: 0 where the message has none
    std::uint64_t bytes = 0;      ///< of all runs; link: payload of the message; `banks`: 0
    std::uint32_t sequence = 0, pc = 0; ///< the instruction, where there is one; fetch: pc of the first one fetched
};

/// The control core started its mover; its first request is made one cycle later.
struct mover_event {
    cycle_t cycle = 0;
    unsigned device = 0;
    std::uint64_t host_address = 0;
    std::uint32_t local_address = 0, bytes = 0;
    bool to_host = false;
};

class event_sink {
public:
    virtual ~event_sink() = default;
    virtual void on(const command_event&) = 0;
    virtual void on(const access_event&) = 0;
    virtual void on(const tensor_event&) = 0;
    virtual void on(const stale_read_event&) = 0;
    virtual void on(const occupancy_event&) = 0;
    virtual void on(const host_event&) = 0;
    /// Names the tensor behind a tag ("IO_3", "dW_2", ...), once, by the host.
    virtual void name_tensor(std::uint32_t tag, std::string_view name) = 0;
    /// Whether access events of this training step are wanted (tile level); command level is always on.
    virtual bool wants_accesses(std::uint32_t step) const = 0;

    // Timing, for those who want it.
    virtual bool wants_timing() const { return false; }
    virtual void timing(const program_event&) {}
    virtual void timing(const instruction_event&) {}
    virtual void timing(const grant_event&) {}
    virtual void timing(const mover_event&) {}
};

} // namespace retrace::trace
