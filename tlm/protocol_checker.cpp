#include "tlm/protocol_checker.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

namespace retrace {

namespace {

struct rule_text {
    std::string_view name, clause;
};

constexpr std::array<rule_text, protocol_rule_count> rule_texts{{
    {"calling_process", "11.1.1"},
    {"payload_reuse", "14.5"},
    {"status_on_entry", "14.17"},
    {"command", "14.9"},
    {"data_pointer", "14.11"},
    {"data_length", "14.12"},
    {"streaming_width", "14.15"},
    {"byte_enable_length", "14.14"},
    {"dmi_hint_on_entry", "14.16"},
    {"extension", "14.2, tlm/protocol.h"},
    {"status_on_return", "14.17"},
    {"streaming_refused", "14.15, tlm/protocol.h"},
    {"attributes", "14.7"},
    {"write_data", "14.11"},
    {"dmi_hint_on_return", "14.16"},
    {"time", "11.1.3"},
    {"debug_payload", "11.3"},
    {"debug_time", "11.3"},
    {"debug_count", "11.3"},
    {"debug_side_effect", "11.3, 14.7"},
    {"dmi_region", "11.2.5"},
    {"dmi_access", "11.2.5"},
    {"dmi_invalidation", "11.2.6"},
    {"dmi_use", "11.2.6"},
    {"nonblocking_transport", "tlm/protocol.h"},
}};

std::string_view name_of_command(tlm::tlm_command command) {
    switch (command) {
    case tlm::TLM_READ_COMMAND:
        return "read";
    case tlm::TLM_WRITE_COMMAND:
        return "write";
    case tlm::TLM_IGNORE_COMMAND:
        return "ignore";
    default:
        return "unknown command";
    }
}

bool is_known(tlm::tlm_command command) { return name_of_command(command) != "unknown command"; }
bool moves_data(tlm::tlm_command command) {
    return command == tlm::TLM_READ_COMMAND || command == tlm::TLM_WRITE_COMMAND;
}

bool in_thread() {
    if (!sc_core::sc_is_running())
        return false;
    const sc_core::sc_process_handle process = sc_core::sc_get_current_process_handle();
    return process.valid() && (process.proc_kind() == sc_core::SC_THREAD_PROC_ ||
                               process.proc_kind() == sc_core::SC_CTHREAD_PROC_);
}

} // namespace

std::string_view name_of(protocol_rule rule) { return rule_texts.at(static_cast<std::size_t>(rule)).name; }
std::string_view clause_of(protocol_rule rule) {
    return rule_texts.at(static_cast<std::size_t>(rule)).clause;
}

std::string protocol_requirements<memory_protocol>::complaint(const tlm::tlm_generic_payload& payload) {
    const memory_extension* extension = payload.get_extension<memory_extension>();
    if (!extension)
        return "there is no memory_extension";
    if (!extension->who)
        return "the memory_extension does not say whose request it is";
    if (extension->who->waits_for)
        return fmt::format("requester {} still waits for another access", extension->who->id);
    if (!extension->runs)
        return {};
    std::uint64_t bytes = 0;
    for (const byte_run& run : *extension->runs)
        bytes += run.bytes;
    if (bytes != payload.get_data_length())
        return fmt::format("its runs have {} bytes", bytes);
    return {};
}

payload_attributes::payload_attributes(const tlm::tlm_generic_payload& payload)
    : command(payload.get_command()), address(payload.get_address()), data(payload.get_data_ptr()),
      byte_enables(payload.get_byte_enable_ptr()), length(payload.get_data_length()),
      byte_enable_length(payload.get_byte_enable_length()), streaming_width(payload.get_streaming_width()) {}

std::string_view payload_attributes::difference(const payload_attributes& other) const {
    if (command != other.command)
        return "command";
    if (address != other.address)
        return "address";
    if (data != other.data)
        return "data pointer";
    if (length != other.length)
        return "data length";
    if (byte_enables != other.byte_enables)
        return "byte enable pointer";
    if (byte_enable_length != other.byte_enable_length)
        return "byte enable length";
    if (streaming_width != other.streaming_width)
        return "streaming width";
    return {};
}

protocol_rules::protocol_rules(std::string socket, protocol_account& account)
    : socket_(std::move(socket)), account_(account) {
    ++account_.sockets;
}

void protocol_rules::fail(protocol_rule rule, const std::string& transaction, const std::string& what) {
    ++account_.violations;
    throw protocol_violation(rule, fmt::format("TLM-2.0 protocol: {}: {} ({}): {}; {}, at {}", socket_,
                                               name_of(rule), clause_of(rule), what, transaction,
                                               sc_core::sc_time_stamp().to_string()));
}

void protocol_rules::fail(protocol_rule rule, const tlm::tlm_generic_payload& payload, std::uint64_t number,
                          const std::string& what) {
    fail(rule,
         fmt::format("{}{} of {} bytes at {:#x}", number ? fmt::format("transaction {}, ", number) : "",
                     name_of_command(payload.get_command()), payload.get_data_length(),
                     payload.get_address()),
         what);
}

protocol_rules::transfer::transfer(protocol_rules& rules, tlm::tlm_generic_payload& payload,
                                   const sc_core::sc_time& delay, const std::string& complaint)
    : rules_(rules), payload_(payload), sent_(payload), number_(++rules.transactions_),
      time_(sc_core::sc_time_stamp() + delay) {
    ++rules.account_.transactions;
    const auto demand = [&](bool met, protocol_rule rule, const char* what) {
        if (!met)
            rules.fail(rule, payload, number_, what);
    };
    using enum protocol_rule;
    if (!in_thread())
        rules.fail(calling_process, payload, number_,
                   "b_transport was not called from a thread process of the running simulation");
    // First of what concerns the payload: a second use spoils the other attributes, too.
    if (const auto other = rules.account_.under_way.find(&payload); other != rules.account_.under_way.end())
        rules.fail(payload_reuse, payload, number_, "the payload is still under way on " + other->second);
    demand(payload.get_response_status() == tlm::TLM_INCOMPLETE_RESPONSE, status_on_entry,
           "the response status is not TLM_INCOMPLETE_RESPONSE");
    demand(is_known(sent_.command), command, "the command is none of the standard's");
    if (moves_data(sent_.command)) {
        demand(sent_.data != nullptr, data_pointer, "the data pointer is null");
        demand(sent_.length != 0, data_length, "the data length is zero");
        demand(sent_.streaming_width != 0, streaming_width, "the streaming width is zero");
        demand(!sent_.byte_enables || sent_.byte_enable_length != 0, byte_enable_length,
               "there are byte enables of length zero");
    }
    demand(!payload.is_dmi_allowed(), dmi_hint_on_entry,
           "the DMI hint is set before the target has seen the payload");
    if (!complaint.empty())
        rules.fail(extension, payload, number_, complaint);
    if (sent_.command == tlm::TLM_WRITE_COMMAND)
        written_.assign(sent_.data, sent_.data + sent_.length);
    rules.account_.under_way.emplace(&payload, rules.socket_);
}

void protocol_rules::transfer::returned(const sc_core::sc_time& delay) const {
    const auto demand = [&](bool met, protocol_rule rule, const char* what) {
        if (!met)
            rules_.fail(rule, payload_, number_, what);
    };
    using enum protocol_rule;
    if (const std::string_view changed = sent_.difference(payload_attributes(payload_)); !changed.empty())
        rules_.fail(attributes, payload_, number_,
                    fmt::format("the {} was changed while the payload was under way", changed));
    demand(std::equal(written_.begin(), written_.end(), sent_.data), write_data,
           "the data of a write was changed while it was under way");
    const tlm::tlm_response_status status = payload_.get_response_status();
    demand(status != tlm::TLM_INCOMPLETE_RESPONSE, status_on_return,
           "the target has not set the response status");
    demand(status <= tlm::TLM_OK_RESPONSE && status >= tlm::TLM_BYTE_ENABLE_ERROR_RESPONSE, status_on_return,
           "the response status is none of the standard's");
    demand(status != tlm::TLM_OK_RESPONSE || !moves_data(sent_.command) ||
               sent_.streaming_width >= sent_.length,
           streaming_refused,
           "the streaming width is less than the data length, and the target said TLM_OK_RESPONSE");
    demand(!payload_.is_dmi_allowed() || status == tlm::TLM_OK_RESPONSE, dmi_hint_on_return,
           "the DMI hint is set with an error");
    demand(sc_core::sc_time_stamp() + delay >= time_, time,
           "the call has ended before it began: the delay went down without a wait");
}

protocol_rules::debug_access::debug_access(protocol_rules& rules, const tlm::tlm_generic_payload& payload)
    : rules_(rules), payload_(payload), sent_(payload), status_(payload.get_response_status()),
      dmi_hint_(payload.is_dmi_allowed()), time_(sc_core::sc_time_stamp()),
      delta_(sc_core::sc_delta_count()) {
    ++rules.account_.debug_accesses;
    if (!is_known(sent_.command))
        rules.fail(protocol_rule::debug_payload, payload, 0, "the command is none of the standard's");
    if (moves_data(sent_.command) && sent_.length != 0 && !sent_.data)
        rules.fail(protocol_rule::debug_payload, payload, 0, "the data pointer is null");
}

void protocol_rules::debug_access::returned(unsigned count) const {
    using enum protocol_rule;
    if (sc_core::sc_time_stamp() != time_ || sc_core::sc_delta_count() != delta_)
        rules_.fail(debug_time, payload_, 0, "transport_dbg has waited");
    if (count > sent_.length)
        rules_.fail(debug_count, payload_, 0, fmt::format("transport_dbg says it moved {} bytes", count));
    if (const std::string_view changed = sent_.difference(payload_attributes(payload_)); !changed.empty())
        rules_.fail(debug_side_effect, payload_, 0, fmt::format("transport_dbg has changed the {}", changed));
    if (payload_.get_response_status() != status_ || payload_.is_dmi_allowed() != dmi_hint_)
        rules_.fail(debug_side_effect, payload_, 0,
                    "transport_dbg has changed the response status or the DMI hint");
}

void protocol_rules::direct_memory_answer(const payload_attributes& asked,
                                          const tlm::tlm_generic_payload& payload, bool granted,
                                          const tlm::tlm_dmi& dmi) {
    const auto demand = [&](bool met, protocol_rule rule, const char* what) {
        if (!met)
            fail(rule, payload, 0, what);
    };
    using enum protocol_rule;
    if (const std::string_view changed = asked.difference(payload_attributes(payload)); !changed.empty())
        fail(attributes, payload, 0, fmt::format("get_direct_mem_ptr has changed the {}", changed));
    const std::uint64_t start = dmi.get_start_address(), end = dmi.get_end_address();
    demand(start <= end, dmi_region, "the region ends before it starts: its end is inclusive");
    demand(start <= asked.address && asked.address <= end, dmi_region,
           "the region is not around the address asked for");
    if (!granted)
        return;
    demand(dmi.get_dmi_ptr() != nullptr, dmi_access, "granted without a pointer");
    demand(asked.command == tlm::TLM_WRITE_COMMAND
               ? dmi.is_write_allowed()
               : asked.command != tlm::TLM_READ_COMMAND || dmi.is_read_allowed(),
           dmi_access, "granted, but not the access asked for");
    grants_.push_back({start, end, dmi.is_read_allowed(), dmi.is_write_allowed()});
}

void protocol_rules::invalidated(std::uint64_t start, std::uint64_t end) {
    if (start > end)
        fail(protocol_rule::dmi_invalidation, fmt::format("invalidation of {:#x} to {:#x}", start, end),
             "the range ends before it starts");
    std::erase_if(grants_, [&](const grant& g) { return g.start <= end && start <= g.end; });
}

void protocol_rules::direct_access(tlm::tlm_command command, std::uint64_t address, std::uint64_t bytes) {
    const bool allowed = std::any_of(grants_.begin(), grants_.end(), [&](const grant& g) {
        return g.start <= address && address <= g.end && bytes != 0 && bytes - 1 <= g.end - address &&
               (command == tlm::TLM_WRITE_COMMAND ? g.write : g.read);
    });
    if (!allowed)
        fail(protocol_rule::dmi_use,
             fmt::format("direct {} of {} bytes at {:#x}", name_of_command(command), bytes, address),
             "nothing grants this access, or what did has been invalidated");
}

} // namespace retrace
