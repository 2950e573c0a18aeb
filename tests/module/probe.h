#pragma once
// An initiator that runs a test's own lines as a process: plays any requester of a memory or of the link.
#include <functional>

#include <systemc>
#include <tlm_utils/simple_initiator_socket.h>

#include "tests/module/device_bench.h"
#include "tlm/protocol.h"

namespace retrace::test {

class probe : public sc_core::sc_module {
public:
    tlm_utils::simple_initiator_socket<probe, 32, memory_protocol> socket{"socket"};

    probe(const sc_core::sc_module_name& name, unsigned requester_number, std::function<void(probe&)> script)
        : sc_module(name), who(requester_number), access(who), script_(std::move(script)) {
        SC_HAS_PROCESS(probe);
        SC_THREAD(run);
    }
    requester who;
    memory_access access;
    bool done = false;

    tlm::tlm_response_status transfer(tlm::tlm_command command, std::uint64_t address,
                                      std::vector<std::byte>& data) {
        access.set(command, address, data.data(), static_cast<std::uint32_t>(data.size()));
        access.transport(socket);
        return access.payload.get_response_status();
    }

private:
    void run() {
        script_(*this);
        done = true;
    }
    std::function<void(probe&)> script_;
};

} // namespace retrace::test
