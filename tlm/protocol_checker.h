#pragma once
// Watches the rules of TLM-2.0 on sockets: a module that stands between an initiator and its target, hands
// every call on as it came, and ends the simulation at the first broken rule. It lets no time pass and wakes
// nobody, so that cycles are the same with and without it. Clauses are those of IEEE 1666-2011;
// "tlm/protocol.h" stands for what this house's protocol asks for beyond them. Where the standard leaves the
// target a choice, the house's is checked: streaming is refused, and there is no interconnect that could
// change an address.
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <systemc>
#include <tlm>
#include <tlm_utils/passthrough_target_socket.h>
#include <tlm_utils/simple_initiator_socket.h>

#include "tlm/protocol.h"

namespace retrace {

enum class protocol_rule {
    calling_process,      ///< b_transport comes from a thread of the running simulation
    payload_reuse,        ///< a payload under way is not sent again, on whatever socket
    status_on_entry,      ///< TLM_INCOMPLETE_RESPONSE
    command,              ///< read, write or ignore
    data_pointer,         ///< not null for a read or write
    data_length,          ///< not zero for a read or write
    streaming_width,      ///< not zero for a read or write
    byte_enable_length,   ///< not zero with a byte enable pointer
    dmi_hint_on_entry,    ///< false
    extension,            ///< what the protocol's own type asks for
    status_on_return,     ///< TLM_OK_RESPONSE or one of the errors
    streaming_refused,    ///< less streaming width than data ends with an error
    attributes,           ///< nobody changes what only the initiator may set while the payload is under way
    write_data,           ///< nobody changes the data of a write while it is under way
    dmi_hint_on_return,   ///< true only with TLM_OK_RESPONSE
    time,                 ///< sc_time_stamp() + delay does not go back during a call
    debug_payload,        ///< transport_dbg: command, and a data pointer if there is a length
    debug_time,           ///< transport_dbg takes no time
    debug_count,          ///< transport_dbg returns at most the data length
    debug_side_effect,    ///< transport_dbg leaves every attribute as it is
    dmi_region,           ///< start <= end (inclusive), around the address, with memory behind both ends
    dmi_access,           ///< a pointer, and at least the access asked for
    dmi_invalidation,     ///< start <= end (inclusive)
    dmi_use,              ///< only what has been granted and not invalidated
    nonblocking_transport ///< the house's sockets speak b_transport only
};
inline constexpr unsigned protocol_rule_count = 25;

std::string_view name_of(protocol_rule rule);
/// Where the rule is from.
std::string_view clause_of(protocol_rule rule);

/// A broken rule: a fault in the model, never in its input. Its text names socket, rule, clause and
/// transaction.
class protocol_violation : public std::logic_error {
public:
    protocol_violation(protocol_rule rule, const std::string& text) : std::logic_error(text), rule_(rule) {}
    protocol_rule rule() const { return rule_; }

private:
    protocol_rule rule_;
};

/// What all checked sockets of a device have in common.
struct protocol_account {
    std::uint64_t sockets = 0, transactions = 0, debug_accesses = 0, violations = 0;
    std::unordered_map<const tlm::tlm_generic_payload*, std::string>
        under_way; ///< and the socket it went through
};

/// What a protocol asks of a payload beyond the generic one's rules: empty if it is met, otherwise what is
/// wrong.
template <typename Types>
struct protocol_requirements {
    static std::string complaint(const tlm::tlm_generic_payload&) { return {}; }
};
template <>
struct protocol_requirements<memory_protocol> {
    static std::string complaint(const tlm::tlm_generic_payload& payload);
};

/// The attributes that nobody but the initiator may set (14.7), with the address: the house has no
/// interconnect.
struct payload_attributes {
    explicit payload_attributes(const tlm::tlm_generic_payload& payload);
    /// Name of the first one that differs; empty if none does.
    std::string_view difference(const payload_attributes& other) const;

    tlm::tlm_command command;
    std::uint64_t address;
    const unsigned char *data, *byte_enables;
    unsigned length, byte_enable_length, streaming_width;
};

/// The rules of one socket, whatever the protocol's type.
class protocol_rules {
public:
    protocol_rules(std::string socket, protocol_account& account);

    /// One b_transport, from entry to return. Not checked on return if the call ends with an exception.
    class transfer {
    public:
        transfer(protocol_rules& rules, tlm::tlm_generic_payload& payload, const sc_core::sc_time& delay,
                 const std::string& complaint);
        ~transfer() { rules_.account_.under_way.erase(&payload_); }
        transfer(const transfer&) = delete;
        transfer& operator=(const transfer&) = delete;
        void returned(const sc_core::sc_time& delay) const;

    private:
        protocol_rules& rules_;
        tlm::tlm_generic_payload& payload_;
        payload_attributes sent_;
        std::uint64_t number_;
        sc_core::sc_time time_;
        std::vector<unsigned char> written_;
    };
    /// One transport_dbg.
    class debug_access {
    public:
        debug_access(protocol_rules& rules, const tlm::tlm_generic_payload& payload);
        void returned(unsigned count) const;

    private:
        protocol_rules& rules_;
        const tlm::tlm_generic_payload& payload_;
        payload_attributes sent_;
        tlm::tlm_response_status status_;
        bool dmi_hint_;
        sc_core::sc_time time_;
        std::uint64_t delta_;
    };
    /// The answer to a get_direct_mem_ptr; `readable` asks the target for the byte at an address with
    /// transport_dbg.
    template <typename Readable>
    void direct_memory(const payload_attributes& asked, const tlm::tlm_generic_payload& payload, bool granted,
                       const tlm::tlm_dmi& dmi, Readable&& readable) {
        direct_memory_answer(asked, payload, granted, dmi);
        // An end that is one too far has no byte behind it. A target without debug transport has none at the
        // start either.
        if (granted && dmi.get_end_address() != ~sc_dt::uint64{0} && readable(dmi.get_start_address()) &&
            !readable(dmi.get_end_address()))
            fail(protocol_rule::dmi_region, payload, 0, "there is no byte at the region's inclusive end");
    }
    void invalidated(std::uint64_t start, std::uint64_t end);
    /// An initiator that goes through a granted pointer says so here: the socket does not see it.
    void direct_access(tlm::tlm_command command, std::uint64_t address, std::uint64_t bytes);

    [[noreturn]] void fail(protocol_rule rule, const std::string& transaction, const std::string& what);
    [[noreturn]] void fail(protocol_rule rule, const tlm::tlm_generic_payload& payload, std::uint64_t number,
                           const std::string& what);

private:
    struct grant {
        std::uint64_t start, end;
        bool read, write;
    };
    void direct_memory_answer(const payload_attributes& asked, const tlm::tlm_generic_payload& payload,
                              bool granted, const tlm::tlm_dmi& dmi);

    std::string socket_;
    protocol_account& account_;
    std::uint64_t transactions_ = 0;
    std::vector<grant> grants_;
};

template <typename Types, unsigned Width = 32>
class protocol_checker : public sc_core::sc_module {
public:
    using payload_type = typename Types::tlm_payload_type;
    using phase_type = typename Types::tlm_phase_type;

    tlm_utils::passthrough_target_socket<protocol_checker, Width, Types> from_initiator{"from_initiator"};
    tlm_utils::simple_initiator_socket<protocol_checker, Width, Types> to_target{"to_target"};

    /// `socket`: what a violation calls the place.
    protocol_checker(const sc_core::sc_module_name& name, std::string socket, protocol_account& account)
        : sc_module(name), rules_(std::move(socket), account) {
        from_initiator.register_b_transport(this, &protocol_checker::b_transport);
        from_initiator.register_nb_transport_fw(this, &protocol_checker::nb_transport);
        from_initiator.register_transport_dbg(this, &protocol_checker::transport_dbg);
        from_initiator.register_get_direct_mem_ptr(this, &protocol_checker::get_direct_mem_ptr);
        to_target.register_nb_transport_bw(this, &protocol_checker::nb_transport);
        to_target.register_invalidate_direct_mem_ptr(this, &protocol_checker::invalidate_direct_mem_ptr);
    }

    protocol_rules& rules() { return rules_; }

private:
    void b_transport(payload_type& payload, sc_core::sc_time& delay) {
        protocol_rules::transfer transfer(rules_, payload, delay,
                                          protocol_requirements<Types>::complaint(payload));
        to_target->b_transport(payload, delay);
        transfer.returned(delay);
    }

    tlm::tlm_sync_enum nb_transport(payload_type& payload, phase_type&, sc_core::sc_time&) {
        rules_.fail(protocol_rule::nonblocking_transport, payload, 0, "nb_transport was called");
        return tlm::TLM_COMPLETED;
    }

    unsigned transport_dbg(payload_type& payload) {
        protocol_rules::debug_access access(rules_, payload);
        const unsigned count = to_target->transport_dbg(payload);
        access.returned(count);
        return count;
    }

    bool get_direct_mem_ptr(payload_type& payload, tlm::tlm_dmi& dmi) {
        const payload_attributes asked(payload);
        const bool granted = to_target->get_direct_mem_ptr(payload, dmi);
        rules_.direct_memory(asked, payload, granted, dmi, [this](std::uint64_t address) {
            unsigned char byte = 0;
            payload_type look;
            look.set_command(tlm::TLM_READ_COMMAND);
            look.set_address(address);
            look.set_data_ptr(&byte);
            look.set_data_length(1);
            look.set_streaming_width(1);
            return to_target->transport_dbg(look) == 1;
        });
        return granted;
    }

    void invalidate_direct_mem_ptr(sc_dt::uint64 start, sc_dt::uint64 end) {
        rules_.invalidated(start, end);
        from_initiator->invalidate_direct_mem_ptr(start, end);
    }

    protocol_rules rules_;
};

/// Binds the sockets of a device, directly or with a checker in between. Lives as long as the sockets are
/// used.
class socket_binder {
public:
    explicit socket_binder(bool check) : check_(check) {}
    socket_binder(const socket_binder&) = delete;
    socket_binder& operator=(const socket_binder&) = delete;

    template <typename Initiator, typename Target>
    void bind(Initiator& initiator, Target& target) {
        if (!check_) {
            initiator.bind(target);
            return;
        }
        checkers_.push_back(std::make_unique<protocol_checker<memory_protocol>>(
            sc_core::sc_gen_unique_name("protocol_checker"),
            std::string(initiator.name()) + " -> " + target.name(), account_));
        initiator.bind(checkers_.back()->from_initiator);
        checkers_.back()->to_target.bind(target);
    }
    /// All zeros if nothing is checked.
    const protocol_account& account() const { return account_; }

private:
    bool check_;
    protocol_account account_;
    std::vector<std::unique_ptr<protocol_checker<memory_protocol>>> checkers_;
};

} // namespace retrace
