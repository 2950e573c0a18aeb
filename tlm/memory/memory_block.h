#pragma once
// A memory on a socket: checks, timing, data. Device DRAM and the state buffer are two of them; the difference is the timing.
// Owes its neighbours: an access outside the memory ends with TLM_ADDRESS_ERROR_RESPONSE and touches nothing; a good one takes its time
// from the arbitration on, and has its effect when it finishes. Not modelled: byte enables, DMI, streaming (refused with their status).
#include <systemc>
#include <tlm>
#include <tlm_utils/multi_passthrough_target_socket.h>

#include "tlm/backplane.h"
#include "tlm/core/memory/tagged_memory.h"
#include "tlm/core/timing/bank_schedule.h"
#include "tlm/core/timing/dram_timing.h"
#include "tlm/protocol.h"

namespace retrace {

class memory_block : public sc_core::sc_module {
public:
    tlm_utils::multi_passthrough_target_socket<memory_block, 32, memory_protocol> port{"port"};

    /// `block`: the first part of the names of its signals.
    memory_block(const sc_core::sc_module_name& name, const std::string& block, backplane& plane, tagged_memory& memory, trace::resource resource);

    tagged_memory& memory() { return memory_; }

protected:
    /// Cycle at which the runs, granted to `who` at `cycle`, have been transferred.
    virtual std::uint64_t finish(std::uint64_t cycle, const byte_run* runs, std::size_t count, unsigned who) = 0;
    backplane& plane_;

private:
    void b_transport(int id, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay);
    unsigned transport_dbg(int id, tlm::tlm_generic_payload& payload);

    tagged_memory& memory_;
    trace::resource resource_;
    const trace::probe_id requests_probe_, serves_probe_, access_probe_;
    unsigned requests_ = 0; ///< that wait or are served
};

class device_dram : public memory_block {
public:
    device_dram(const sc_core::sc_module_name& name, backplane& plane, tagged_memory& memory);

private:
    std::uint64_t finish(std::uint64_t cycle, const byte_run* runs, std::size_t count, unsigned who) override;
    dram_timing timing_;
};

/// The state buffer: engines reserve its banks directly (bank_schedule) and read its bytes in place; DMA comes over the socket.
class state_buffer : public memory_block {
public:
    state_buffer(const sc_core::sc_module_name& name, backplane& plane, tagged_memory& memory);

    bank_schedule& banks() { return banks_; }
    /// Banks that rows of a matrix lie in.
    bank_range banks_of(const resolved_operand& operand) const;

private:
    std::uint64_t finish(std::uint64_t cycle, const byte_run* runs, std::size_t count, unsigned who) override;

    bank_schedule banks_;
    std::uint64_t bank_bytes_, line_bytes_;
};

} // namespace retrace
