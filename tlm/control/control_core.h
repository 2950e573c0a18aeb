#pragma once
// The control core with its private memory and its mover, and the way of its register accesses. The core runs ahead of the kernel only
// inside its private memory and never past the next event that could interrupt it; register accesses happen in the control phase of their
// cycle, after everything else, and what they start begins in the next cycle. Its timer counts device cycles.
// What the core may not run past has to be pending in the kernel: the platform's next moment at which the host acts, too.
#include <deque>
#include <functional>

#include <systemc>
#include <tlm_utils/simple_initiator_socket.h>

#include "tlm/backplane.h"
#include "tlm/core/accounting/wait_graph.h"
#include "tlm/core/riscv/clint.h"
#include "tlm/core/riscv/riscv_core.h"
#include "tlm/protocol.h"
#include "trace/probe_values.h"

namespace retrace {

class control_core : public sc_core::sc_module {
public:
    /// The mover's way to host memory and to device DRAM.
    tlm_utils::simple_initiator_socket<control_core, 32, memory_protocol> host{"host"}, dram{"dram"};

    struct handlers {
        std::function<bool(std::uint32_t offset, std::uint32_t& value)> read_register;
        std::function<bool(std::uint32_t offset, std::uint32_t value)> write_register;
        std::function<void(bool ok)> mover_finished;
    };

    control_core(const sc_core::sc_module_name& name, backplane& plane, handlers block);

    void reset(bool run);
    void set_interrupt(bool level);
    void move(std::uint64_t host_address, std::uint32_t local_address, std::uint32_t bytes, bool to_host);
    riscv_core& core() { return core_; }
    std::string describe() const;
    /// Its node of the graph: works, sleeps or has stopped. A core that has not slept since before `quiet_since` is in a loop: whatever it
    /// is waited for, it does not come. The mover has a node only while it copies.
    wait_graph::id add_waits(wait_graph& g, std::uint64_t quiet_since) const;
    bool asleep() const { return running_ && stopped_ == riscv_core::stop::wait_for_interrupt; }

private:
    struct job {
        std::uint64_t host_address;
        std::uint32_t local_address, bytes;
        bool to_host;
    };

    void execute();
    /// Waits for the control phase of `cycle`; false if the core has been reset meanwhile.
    bool reach(std::uint64_t cycle);
    void sleep();
    void access_bus();
    void serve_mover();
    bool carry_out(const job& j);
    std::uint64_t horizon() const;

    backplane& plane_;
    handlers block_;
    riscv_core core_;
    clint timer_;
    bool running_ = false;
    std::uint64_t resets_ = 0;
    riscv_core::stop stopped_{}; ///< why the core last stopped
    std::uint64_t awake_since_ = 0, asleep_since_ = 0;
    std::deque<job> jobs_;
    const job* moving_ = nullptr; ///< what the mover copies now
    bool cancelled_ = false;
    requester mover_;
    memory_access access_;
    std::vector<std::byte> data_;
    sc_core::sc_event reset_, interrupted_, job_pushed_;
    void show(trace::core_state state);
    void show_mover();
    const trace::probe_id state_probe_, pc_probe_, interrupt_probe_, mover_probe_;
};

} // namespace retrace
