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
};

} // namespace retrace::trace
