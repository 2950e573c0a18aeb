#pragma once
// The memory protocol inside the processor: TLM-2.0 generic payload over b_transport, with an extension that carries whose bytes they are
// and, for scattered accesses, the runs. The extension is not ignorable, so the sockets have their own protocol type (IEEE 1666-2011,
// 14.2.2): only sockets that know it can be bound.
#include <vector>

#include <systemc>
#include <tlm>

#include "tlm/arbiter/arbiter.h"
#include "tlm/core/dma/transfer.h"
#include "tlm/core/memory/tagged_memory.h"

namespace retrace {

struct memory_protocol {
    using tlm_payload_type = tlm::tlm_generic_payload;
    using tlm_phase_type = tlm::tlm_phase;
};

/// data_length bytes, in the order of `runs` (empty: one run at the payload's address).
struct memory_extension : tlm::tlm_extension<memory_extension> {
    requester* who = nullptr; ///< whose request this is in the arbitration
    trace::tensor_id tensor;
    access_origin origin;
    const std::vector<byte_run>* runs = nullptr;
    bool posted = false;             ///< a write to the host may end when it is on the wire; the wire keeps the order
    const bool* cancelled = nullptr; ///< set while the access waits: it ends without effect

    tlm::tlm_extension_base* clone() const override { return new memory_extension(*this); }
    void copy_from(const tlm::tlm_extension_base& other) override { *this = static_cast<const memory_extension&>(other); }
};

/// A payload with its extension, reusable for many accesses; the extension lives as long as this object.
class memory_access {
public:
    explicit memory_access(requester& who) {
        extension.who = &who;
        payload.set_extension(&extension);
    }
    ~memory_access() { payload.clear_extension(&extension); }
    memory_access(const memory_access&) = delete;
    memory_access& operator=(const memory_access&) = delete;

    void set(tlm::tlm_command command, std::uint64_t address, std::byte* data, std::uint32_t bytes) {
        payload.set_command(command);
        payload.set_address(address);
        payload.set_data_ptr(reinterpret_cast<unsigned char*>(data));
        payload.set_data_length(bytes);
        payload.set_streaming_width(bytes);
        payload.set_byte_enable_ptr(nullptr);
        payload.set_dmi_allowed(false);
        payload.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
    }
    template <typename Socket>
    bool transport(Socket& socket) {
        sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
        socket->b_transport(payload, delay);
        return payload.is_response_ok();
    }

    tlm::tlm_generic_payload payload;
    memory_extension extension;
};

} // namespace retrace
