#pragma once
// The host link: register accesses down, DMA both ways, interrupt messages up. Each direction is a wire with a bandwidth and a latency;
// messages of a direction overtake each other only under stress, and a posted one never, so a completion is in host memory before the interrupt that announces it.
//
// The host's side is called from outside the kernel (sim/platform): it queues accesses and runs the kernel until they have happened.
#include <array>
#include <deque>
#include <functional>
#include <span>
#include <vector>

#include <systemc>
#include <tlm>
#include <tlm_utils/multi_passthrough_target_socket.h>

#include "tlm/backplane.h"
#include "tlm/core/timing/link_timing.h"
#include "tlm/protocol.h"

namespace retrace {

class host_link : public sc_core::sc_module {
public:
    /// Device side: accesses of host memory by bus address.
    tlm_utils::multi_passthrough_target_socket<host_link, 32, memory_protocol> port{"port"};

    struct handlers {
        std::function<bool(std::uint32_t offset, std::uint32_t& value)> read_register;
        std::function<bool(std::uint32_t offset, std::uint32_t value)> write_register;
        std::function<void(std::uint64_t address, std::uint32_t data)> message; ///< an interrupt message reached the host
    };

    host_link(const sc_core::sc_module_name& name, backplane& plane, handlers device);

    std::span<std::byte> host_memory() { return {host_memory_.get(), plane_.config.host_link.host_memory_bytes}; }

    // Host side, outside the kernel.
    void post_write(std::uint32_t offset, std::uint32_t value);
    /// `done` is called when the answer is back; all ones if the register does not exist, as on a real bus.
    void post_read(std::uint32_t offset, std::function<void(std::uint32_t)> done);

    /// Device side: an interrupt message.
    void send_message(std::uint64_t address, std::uint32_t data);

private:
    struct access {
        bool write;
        std::uint32_t offset, value;
        std::function<void(std::uint32_t)> done;
        std::uint64_t arrival = 0;
    };

    void b_transport(int id, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay);
    void send_accesses();
    void deliver_accesses();
    void serve_messages();
    /// A word: the answer to a register read, an interrupt message.
    void send_up(requester& who, message_kind kind);
    void land_writes();
    /// A message on the wire, from the slot's first cycle to its last.
    void show(trace::probe_id text, const link_direction::slot& slot, std::string_view what, std::uint64_t bytes);
    /// One message more, or one less, that waits or is sent or on its way.
    void queue(unsigned direction, int change) {
        plane_.probes.registry.set(queues_[direction], plane_.clock.now(), queued_[direction] += static_cast<unsigned>(change));
    }
    void scatter(const byte_run* runs, std::size_t count, const std::byte* data);

    backplane& plane_;
    handlers device_;
    link_direction up_, down_;
    std::uint64_t host_latency_;
    zeroed_array<std::byte> host_memory_;
    std::deque<access> accesses_, under_way_; ///< not yet on the wire; on it
    std::deque<std::pair<std::uint64_t, std::uint32_t>> messages_;
    /// A device's write that is on the wire: the device goes on when it is sent, the host sees it when it arrives.
    struct posted_write {
        std::uint64_t arrival;
        std::vector<byte_run> runs;
        std::vector<std::byte> data;
    };
    std::deque<posted_write> posted_;
    sc_core::sc_event access_posted_, access_sent_, message_sent_, write_sent_;
    requester host_, answer_, interrupt_;
    enum : unsigned { up, down };
    const std::array<trace::probe_id, 2> wires_, queues_;
    std::array<unsigned, 2> queued_{};
};

} // namespace retrace
