#pragma once
// The two rings in host memory. Positions count modulo 2 * entries, so that full and empty differ.
#include <cstdint>
#include <optional>

#include "host/driver/allocator.h"

namespace retrace {

/// The host's end of the submission ring. The caller keeps count of the room.
class submission_ring {
public:
    submission_ring(const host_buffer& memory, unsigned entries) : memory_(memory), entries_(entries) {}

    unsigned entries() const { return entries_; }
    std::uint64_t bus_address() const { return memory_.bus_address; }
    /// Writes the descriptor behind the tail and moves the tail; the device learns of it by the doorbell.
    void put(const spec::command& command);
    std::uint32_t tail() const { return tail_; }
    void clear();

private:
    host_buffer memory_;
    unsigned entries_;
    std::uint32_t tail_ = 0;
};

/// The host's end of the completion ring. An entry is there when its `valid` word holds the number of this
/// pass.
class completion_ring {
public:
    completion_ring(const host_buffer& memory, unsigned entries) : memory_(memory), entries_(entries) {}

    unsigned entries() const { return entries_; }
    std::uint64_t bus_address() const { return memory_.bus_address; }
    /// The next completion, if the device has posted it; after this the payload it covers is valid too.
    std::optional<spec::completion> take(port& door);
    std::uint32_t head() const { return consumed_ % (2 * entries_); }
    std::uint32_t consumed() const { return consumed_; }
    void clear();

private:
    host_buffer memory_;
    unsigned entries_;
    std::uint32_t consumed_ = 0;
};

} // namespace retrace
