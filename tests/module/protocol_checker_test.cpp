// The protocol checker: every rule broken once by a bad initiator or a bad target; good traffic passes.
#include <set>

#include "tests/module/probe.h"
#include "tlm/protocol_checker.h"

namespace retrace::test {
namespace {

/// Behaves unless told otherwise: 256 bytes of memory that answer at once.
template <typename Types>
class pliable_target : public sc_core::sc_module {
public:
    tlm_utils::multi_passthrough_target_socket<pliable_target, 32, Types> port{"port"};
    std::function<void(tlm::tlm_generic_payload&, sc_core::sc_time&)> misbehave = [](auto&, auto&) {};
    std::function<unsigned(tlm::tlm_generic_payload&)> debug = [](tlm::tlm_generic_payload& p) {
        return p.get_address() < 256 ? static_cast<unsigned>(std::min<std::uint64_t>(p.get_data_length(),
                                                                                     256 - p.get_address()))
                                     : 0u;
    };
    std::function<bool(tlm::tlm_generic_payload&, tlm::tlm_dmi&)> direct = [](auto&, auto&) { return false; };

    explicit pliable_target(const sc_core::sc_module_name& name) : sc_module(name) {
        port.register_b_transport(this, &pliable_target::b_transport);
        port.register_transport_dbg(this, &pliable_target::transport_dbg);
        port.register_get_direct_mem_ptr(this, &pliable_target::get_direct_mem_ptr);
    }
    unsigned calls = 0;

private:
    void b_transport(int, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
        ++calls;
        payload.set_response_status(tlm::TLM_OK_RESPONSE);
        misbehave(payload, delay);
    }
    unsigned transport_dbg(int, tlm::tlm_generic_payload& payload) { return debug(payload); }
    bool get_direct_mem_ptr(int, tlm::tlm_generic_payload& payload, tlm::tlm_dmi& dmi) {
        return direct(payload, dmi);
    }
};

/// A probe, a checker and a target that does what the test says.
struct pair_bench {
    explicit pair_bench(std::function<void(pair_bench&)> script)
        : one("one", 1, [this, script](probe&) { script(*this); }),
          checker("checker", "one -> target", account), target("target") {
        one.socket.bind(checker.from_initiator);
        checker.to_target.bind(target.port);
    }
    ~pair_bench() { EXPECT_TRUE(one.done); }

    /// A good write of 16 bytes, ready to be spoilt.
    tlm::tlm_generic_payload& fresh() {
        one.access.set(tlm::TLM_WRITE_COMMAND, 64, data.data(), 16);
        return one.access.payload;
    }
    void send() { one.access.transport(one.socket); }
    /// The rule that `action` breaks; its violation is counted and names socket, rule and clause.
    template <typename Action>
    std::string broken_by(Action&& action) {
        const std::uint64_t before = account.violations;
        try {
            action();
        } catch (const protocol_violation& v) {
            const std::string text = v.what(), name(name_of(v.rule()));
            EXPECT_EQ(account.violations, before + 1);
            for (const std::string& part :
                 {std::string("one -> target"), name, std::string(clause_of(v.rule()))})
                EXPECT_NE(text.find(part), std::string::npos) << text;
            broken.insert(name);
            return name;
        }
        EXPECT_EQ(account.violations, before);
        return "none";
    }
    /// Sends a write that `spoil` has been at; the target must not have seen it.
    template <typename Spoil>
    std::string sent_with(Spoil&& spoil) {
        spoil(fresh());
        const unsigned before = target.calls;
        const std::string rule = broken_by([&] { send(); });
        EXPECT_EQ(target.calls, before + (rule == "none"));
        EXPECT_TRUE(account.under_way.empty());
        return rule;
    }
    /// Sends a good write to a target that does `misbehave` to it.
    std::string answered_with(std::function<void(tlm::tlm_generic_payload&, sc_core::sc_time&)> misbehave) {
        fresh();
        target.misbehave = std::move(misbehave);
        const std::string rule = broken_by([&] { send(); });
        target.misbehave = [](auto&, auto&) {};
        EXPECT_TRUE(account.under_way.empty());
        return rule;
    }

    femtoseconds resolution;
    std::vector<std::byte> data = random_bytes(16, 1);
    protocol_account account;
    probe one;
    protocol_checker<memory_protocol> checker;
    pliable_target<memory_protocol> target;
    std::set<std::string> broken;
};

using payload = tlm::tlm_generic_payload;

TEST(protocol_checker, passes_what_keeps_the_rules) {
    pair_bench bench([](pair_bench& b) {
        for (unsigned i = 0; i < 1000; ++i)
            EXPECT_EQ(b.sent_with([](payload&) {}), "none");
        EXPECT_EQ(b.account.transactions, 1000u);
        EXPECT_EQ(b.sent_with([](payload& p) { p.set_command(tlm::TLM_READ_COMMAND); }), "none");
        EXPECT_EQ(b.sent_with([](payload& p) { // moves nothing, and needs nothing to move it
            p.set_command(tlm::TLM_IGNORE_COMMAND);
            p.set_data_ptr(nullptr);
            p.set_data_length(0);
        }),
                  "none");
        const auto answer = [&](tlm::tlm_response_status status) {
            return b.answered_with(
                [status](payload& p, sc_core::sc_time&) { p.set_response_status(status); });
        };
        for (const auto status : {tlm::TLM_GENERIC_ERROR_RESPONSE, tlm::TLM_ADDRESS_ERROR_RESPONSE,
                                  tlm::TLM_COMMAND_ERROR_RESPONSE, tlm::TLM_BURST_ERROR_RESPONSE,
                                  tlm::TLM_BYTE_ENABLE_ERROR_RESPONSE})
            EXPECT_EQ(answer(status), "none");
        EXPECT_EQ(b.answered_with([](payload& p, sc_core::sc_time&) { p.set_dmi_allowed(true); }), "none");
        // Time may pass by waiting, by annotation, and an annotation may be waited off.
        b.target.misbehave = [](payload&, sc_core::sc_time& delay) {
            sc_core::wait(delay);
            delay = sc_core::sc_time(3, sc_core::SC_NS);
        };
        b.fresh();
        sc_core::sc_time delay(10, sc_core::SC_NS);
        b.one.socket->b_transport(b.one.access.payload, delay);
        EXPECT_EQ(sc_core::sc_time_stamp(), sc_core::sc_time(10, sc_core::SC_NS));
        EXPECT_EQ(delay, sc_core::sc_time(3, sc_core::SC_NS));
        EXPECT_EQ(b.account.violations, 0u);
    });
    sc_core::sc_start(1, sc_core::SC_US);
}

TEST(protocol_checker, catches_a_bad_initiator) {
    pair_bench bench([](pair_bench& b) {
        EXPECT_EQ(b.sent_with([](payload& p) { p.set_response_status(tlm::TLM_OK_RESPONSE); }),
                  "status_on_entry");
        EXPECT_EQ(b.sent_with([](payload& p) { p.set_command(static_cast<tlm::tlm_command>(7)); }),
                  "command");
        EXPECT_EQ(b.sent_with([](payload& p) { p.set_data_ptr(nullptr); }), "data_pointer");
        EXPECT_EQ(b.sent_with([](payload& p) { p.set_data_length(0); }), "data_length");
        EXPECT_EQ(b.sent_with([](payload& p) { p.set_streaming_width(0); }), "streaming_width");
        unsigned char enable = 0xff;
        EXPECT_EQ(b.sent_with([&](payload& p) {
            p.set_byte_enable_ptr(&enable);
            p.set_byte_enable_length(0);
        }),
                  "byte_enable_length");
        EXPECT_EQ(b.sent_with([&](payload& p) {
            p.set_byte_enable_ptr(&enable);
            p.set_byte_enable_length(1);
        }),
                  "none");
        EXPECT_EQ(b.sent_with([](payload& p) { p.set_dmi_allowed(true); }), "dmi_hint_on_entry");
        memory_extension& e = b.one.access.extension;
        EXPECT_EQ(b.sent_with([&](payload& p) { p.clear_extension(&e); }), "extension");
        b.one.access.payload.set_extension(&e);
        EXPECT_EQ(b.sent_with([&](payload&) { e.who = nullptr; }), "extension");
        e.who = &b.one.who;
        trace::grant_event told;
        arbitration_request pending{&b.one.who, {}, told};
        EXPECT_EQ(b.sent_with([&](payload&) { b.one.who.waits_for = &pending; }), "extension");
        b.one.who.waits_for = nullptr;
        const std::vector<byte_run> good{{64, 8}, {128, 8}}, bad{{64, 8}, {128, 4}};
        EXPECT_EQ(b.sent_with([&](payload&) { e.runs = &good; }), "none");
        EXPECT_EQ(b.sent_with([&](payload&) { e.runs = &bad; }), "extension");
        e.runs = nullptr;
        EXPECT_EQ(b.broken_by([&] {
            tlm::tlm_phase phase = tlm::BEGIN_REQ;
            sc_core::sc_time delay;
            b.one.socket->nb_transport_fw(b.fresh(), phase, delay);
        }),
                  "nonblocking_transport");
        EXPECT_EQ(b.sent_with([](payload&) {}), "none"); // nothing of all that is left behind
        EXPECT_EQ(b.broken.size(), 9u);
    });
    sc_core::sc_start(1, sc_core::SC_US);
}

TEST(protocol_checker, catches_a_bad_target) {
    pair_bench bench([](pair_bench& b) {
        using sc_core::sc_time;
        EXPECT_EQ(b.answered_with(
                      [](payload& p, sc_time&) { p.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE); }),
                  "status_on_return");
        EXPECT_EQ(b.answered_with([](payload& p, sc_time&) {
            p.set_response_status(static_cast<tlm::tlm_response_status>(2));
        }),
                  "status_on_return");
        EXPECT_EQ(b.answered_with([](payload& p, sc_time&) {
            p.set_response_status(static_cast<tlm::tlm_response_status>(-9));
        }),
                  "status_on_return");

        unsigned char byte = 0;
        const std::pair<const char*, std::function<void(payload&)>> changes[] = {
            {"command", [](payload& p) { p.set_command(tlm::TLM_READ_COMMAND); }},
            {"address", [](payload& p) { p.set_address(65); }},
            {"data pointer", [&](payload& p) { p.set_data_ptr(&byte); }},
            {"data length", [](payload& p) { p.set_data_length(15); }},
            {"byte enable pointer", [&](payload& p) { p.set_byte_enable_ptr(&byte); }},
            {"byte enable length", [](payload& p) { p.set_byte_enable_length(9); }},
            {"streaming width", [](payload& p) { p.set_streaming_width(32); }},
        };
        for (const auto& [what, change] : changes) {
            EXPECT_EQ(b.answered_with([&change = change](payload& p, sc_time&) { change(p); }), "attributes")
                << what;
            b.one.access.payload.set_byte_enable_length(0);
        }
        EXPECT_EQ(b.answered_with([](payload& p, sc_time&) { p.get_data_ptr()[15] ^= 1; }), "write_data");
        EXPECT_EQ(b.answered_with([](payload& p, sc_time&) {
            p.set_dmi_allowed(true);
            p.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
        }),
                  "dmi_hint_on_return");

        const auto streamed = [&](tlm::tlm_response_status status) {
            b.fresh().set_streaming_width(8);
            b.target.misbehave = [status](payload& p, sc_time&) { p.set_response_status(status); };
            return b.broken_by([&] { b.send(); });
        };
        EXPECT_EQ(streamed(tlm::TLM_OK_RESPONSE), "streaming_refused");
        EXPECT_EQ(streamed(tlm::TLM_BURST_ERROR_RESPONSE), "none");

        const auto delayed = [&](std::function<void(payload&, sc_time&)> misbehave) {
            b.fresh();
            b.target.misbehave = std::move(misbehave);
            sc_time delay(10, sc_core::SC_NS);
            return b.broken_by([&] { b.one.socket->b_transport(b.one.access.payload, delay); });
        };
        EXPECT_EQ(delayed([](payload&, sc_time& delay) { delay = sc_time(9, sc_core::SC_NS); }), "time");
        EXPECT_EQ(delayed([](payload&, sc_time& delay) {
                      sc_core::wait(9, sc_core::SC_NS);
                      delay = sc_core::SC_ZERO_TIME;
                  }),
                  "time");
        EXPECT_EQ(delayed([](payload&, sc_time& delay) {
                      sc_core::wait(9, sc_core::SC_NS);
                      delay = sc_time(1, sc_core::SC_NS);
                  }),
                  "none");
        // An exception of the target's own passes, and the payload is free again.
        EXPECT_THROW(delayed([](payload&, sc_time&) { throw std::runtime_error("out of order"); }),
                     std::runtime_error);
        EXPECT_TRUE(b.account.under_way.empty());
        EXPECT_EQ(b.broken.size(), 6u);
    });
    sc_core::sc_start(1, sc_core::SC_US);
}

TEST(protocol_checker, catches_a_payload_sent_twice_and_says_where_it_is) {
    femtoseconds resolution;
    protocol_account account;
    std::string text;
    tlm::tlm_generic_payload* shared = nullptr;
    probe first("first", 1, [&](probe& self) {
        auto data = random_bytes(16, 1);
        shared = &self.access.payload;
        EXPECT_EQ(self.transfer(tlm::TLM_READ_COMMAND, 0, data), tlm::TLM_OK_RESPONSE);
    });
    probe second("second", 2, [&](probe& self) {
        sc_core::wait(5, sc_core::SC_NS);
        sc_core::sc_time delay;
        try {
            self.socket->b_transport(*shared, delay);
        } catch (const protocol_violation& v) {
            EXPECT_EQ(v.rule(), protocol_rule::payload_reuse);
            text = v.what();
        }
        sc_core::wait(20, sc_core::SC_NS);
        EXPECT_TRUE(account.under_way.empty());
        auto data = random_bytes(16, 1);
        shared->set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
        shared->set_data_ptr(reinterpret_cast<unsigned char*>(data.data()));
        EXPECT_NO_THROW(self.socket->b_transport(*shared, delay)); // afterwards it may
    });
    protocol_checker<memory_protocol> here("here", "first socket", account),
        there("there", "second socket", account);
    pliable_target<memory_protocol> target("target");
    target.misbehave = [](payload&, sc_core::sc_time&) { sc_core::wait(10, sc_core::SC_NS); };
    first.socket.bind(here.from_initiator);
    here.to_target.bind(target.port);
    second.socket.bind(there.from_initiator);
    there.to_target.bind(target.port);
    sc_core::sc_start(1, sc_core::SC_US);
    EXPECT_TRUE(first.done && second.done);
    EXPECT_NE(text.find("second socket"), std::string::npos) << text;
    EXPECT_NE(text.find("under way on first socket"), std::string::npos) << text;
    EXPECT_NE(text.find("read of 16 bytes at 0x0"), std::string::npos) << text;
    EXPECT_EQ(account.violations, 1u);
}

/// Calls b_transport from a method.
struct method_initiator : sc_core::sc_module {
    tlm_utils::simple_initiator_socket<method_initiator, 32, memory_protocol> socket{"socket"};
    requester who{3};
    memory_access access{who};
    std::string rule = "none";

    explicit method_initiator(const sc_core::sc_module_name& name) : sc_module(name) {
        SC_HAS_PROCESS(method_initiator);
        SC_METHOD(act);
    }
    void act() {
        std::byte data[4];
        access.set(tlm::TLM_READ_COMMAND, 0, data, 4);
        try {
            access.transport(socket);
        } catch (const protocol_violation& v) {
            rule = name_of(v.rule());
        }
    }
};

TEST(protocol_checker, catches_transport_from_a_method_and_from_outside) {
    femtoseconds resolution;
    protocol_account account;
    method_initiator initiator("initiator");
    protocol_checker<memory_protocol> checker("checker", "socket", account);
    pliable_target<memory_protocol> target("target");
    initiator.socket.bind(checker.from_initiator);
    checker.to_target.bind(target.port);
    sc_core::sc_start(1, sc_core::SC_NS);
    EXPECT_EQ(initiator.rule, "calling_process");
    initiator.rule = "none";
    initiator.act();
    EXPECT_EQ(initiator.rule, "calling_process");
    EXPECT_EQ(target.calls, 0u);
}

TEST(protocol_checker, catches_a_bad_debug_access) {
    pair_bench bench([](pair_bench& b) {
        const auto look = [&](std::function<unsigned(payload&)> debug) {
            b.target.debug = std::move(debug);
            tlm::tlm_generic_payload& p = b.fresh();
            p.set_command(tlm::TLM_READ_COMMAND);
            return b.broken_by([&] { b.one.socket->transport_dbg(p); });
        };
        EXPECT_EQ(look([](payload&) { return 16u; }), "none");
        EXPECT_EQ(look([](payload& p) {
                      p.get_data_ptr()[0] = 7;
                      return 3u;
                  }),
                  "none");
        EXPECT_EQ(look([](payload&) { return 17u; }), "debug_count");
        EXPECT_EQ(look([](payload&) {
                      sc_core::wait(1, sc_core::SC_NS);
                      return 16u;
                  }),
                  "debug_time");
        EXPECT_EQ(look([](payload&) {
                      sc_core::wait(sc_core::SC_ZERO_TIME);
                      return 16u;
                  }),
                  "debug_time");
        EXPECT_EQ(look([](payload& p) {
                      p.set_response_status(tlm::TLM_OK_RESPONSE);
                      return 16u;
                  }),
                  "debug_side_effect");
        EXPECT_EQ(look([](payload& p) {
                      p.set_data_length(8);
                      return 8u;
                  }),
                  "debug_side_effect");
        b.target.debug = [](payload&) { return 0u; };
        b.fresh().set_data_ptr(nullptr);
        EXPECT_EQ(b.broken_by([&] { b.one.socket->transport_dbg(b.one.access.payload); }), "debug_payload");
        b.fresh().set_command(static_cast<tlm::tlm_command>(-1));
        EXPECT_EQ(b.broken_by([&] { b.one.socket->transport_dbg(b.one.access.payload); }), "debug_payload");
        EXPECT_EQ(b.account.debug_accesses, 9u);
        EXPECT_EQ(b.account.transactions, 0u);
        EXPECT_EQ(b.broken.size(), 4u);
    });
    sc_core::sc_start(1, sc_core::SC_US);
}

TEST(protocol_checker, catches_bad_direct_memory) {
    pair_bench bench([](pair_bench& b) {
        static unsigned char memory[256];
        const auto good = [](payload&, tlm::tlm_dmi& dmi) {
            dmi.init();
            dmi.set_dmi_ptr(memory);
            dmi.set_start_address(0);
            dmi.set_end_address(255);
            dmi.allow_read_write();
            return true;
        };
        const auto ask = [&](std::function<void(payload&, tlm::tlm_dmi&)> spoil, bool granted = true) {
            b.target.direct = [&, granted](payload& p, tlm::tlm_dmi& dmi) {
                good(p, dmi);
                spoil(p, dmi);
                return granted;
            };
            tlm::tlm_dmi dmi;
            return b.broken_by([&] { EXPECT_EQ(b.one.socket->get_direct_mem_ptr(b.fresh(), dmi), granted); });
        };
        EXPECT_EQ(ask([](payload&, tlm::tlm_dmi& d) { d.set_end_address(256); }),
                  "dmi_region"); // not inclusive
        EXPECT_EQ(ask([](payload&, tlm::tlm_dmi& d) { d.set_start_address(65), d.set_end_address(64); }),
                  "dmi_region");
        EXPECT_EQ(ask([](payload&, tlm::tlm_dmi& d) { d.set_end_address(63); }),
                  "dmi_region"); // the request was for 64
        EXPECT_EQ(ask([](payload&, tlm::tlm_dmi& d) { d.set_dmi_ptr(nullptr); }), "dmi_access");
        EXPECT_EQ(ask([](payload&, tlm::tlm_dmi& d) { d.allow_read(); }),
                  "dmi_access"); // the request was to write
        EXPECT_EQ(ask([](payload& p, tlm::tlm_dmi&) { p.set_address(0); }), "attributes");
        EXPECT_EQ(ask([](payload&, tlm::tlm_dmi& d) { d.init(); }, false), "none"); // refused, everywhere
    });
    sc_core::sc_start(1, sc_core::SC_US);
    EXPECT_EQ(bench.broken, (std::set<std::string>{"attributes", "dmi_access", "dmi_region"}));
}

TEST(protocol_checker, catches_direct_memory_used_without_a_grant) {
    pair_bench bench([](pair_bench& b) {
        static unsigned char memory[256];
        b.target.direct = [](payload&, tlm::tlm_dmi& dmi) {
            dmi.set_dmi_ptr(memory);
            dmi.set_start_address(0);
            dmi.set_end_address(255);
            dmi.allow_write();
            return true;
        };
        const auto use = [&](tlm::tlm_command command, std::uint64_t address, std::uint64_t bytes) {
            return b.broken_by([&] { b.checker.rules().direct_access(command, address, bytes); });
        };
        EXPECT_EQ(use(tlm::TLM_WRITE_COMMAND, 0, 16), "dmi_use");
        tlm::tlm_dmi dmi;
        EXPECT_TRUE(b.one.socket->get_direct_mem_ptr(b.fresh(), dmi));
        EXPECT_EQ(use(tlm::TLM_WRITE_COMMAND, 240, 16), "none"); // up to the inclusive end
        EXPECT_EQ(use(tlm::TLM_WRITE_COMMAND, 241, 16), "dmi_use");
        EXPECT_EQ(use(tlm::TLM_READ_COMMAND, 0, 16), "dmi_use"); // only writes were granted
        EXPECT_EQ(b.broken_by([&] { b.target.port[0]->invalidate_direct_mem_ptr(9, 8); }),
                  "dmi_invalidation");
        b.target.port[0]->invalidate_direct_mem_ptr(256, 300); // beside it
        EXPECT_EQ(use(tlm::TLM_WRITE_COMMAND, 0, 16), "none");
        b.target.port[0]->invalidate_direct_mem_ptr(255, 255);
        EXPECT_EQ(use(tlm::TLM_WRITE_COMMAND, 0, 16), "dmi_use");
    });
    sc_core::sc_start(1, sc_core::SC_US);
}

TEST(protocol_checker, asks_the_base_protocol_for_no_extension) {
    struct plain : sc_core::sc_module {
        tlm_utils::simple_initiator_socket<plain> socket{"socket"};
        std::string rule = "none";
        explicit plain(const sc_core::sc_module_name& name) : sc_module(name) {
            SC_HAS_PROCESS(plain);
            SC_THREAD(run);
        }
        void run() {
            unsigned char data[4] = {};
            tlm::tlm_generic_payload p;
            p.set_command(tlm::TLM_WRITE_COMMAND);
            p.set_data_ptr(data);
            p.set_data_length(4);
            p.set_streaming_width(4);
            sc_core::sc_time delay;
            socket->b_transport(p, delay);
            try {
                socket->b_transport(p, delay); // not reset
            } catch (const protocol_violation& v) {
                rule = name_of(v.rule());
            }
        }
    };
    femtoseconds resolution;
    protocol_account account;
    plain initiator("initiator");
    protocol_checker<tlm::tlm_base_protocol_types> checker("checker", "socket", account);
    pliable_target<tlm::tlm_base_protocol_types> target("target");
    initiator.socket.bind(checker.from_initiator);
    checker.to_target.bind(target.port);
    sc_core::sc_start(1, sc_core::SC_NS);
    EXPECT_EQ(initiator.rule, "status_on_entry");
    EXPECT_EQ(target.calls, 1u);
}

TEST(protocol_checker, names_of_rules_are_different_and_each_has_a_source) {
    std::set<std::string_view> names;
    for (unsigned r = 0; r < protocol_rule_count; ++r) {
        names.insert(name_of(static_cast<protocol_rule>(r)));
        EXPECT_FALSE(clause_of(static_cast<protocol_rule>(r)).empty());
    }
    EXPECT_EQ(names.size(), protocol_rule_count);
    EXPECT_EQ(name_of(protocol_rule::nonblocking_transport),
              "nonblocking_transport"); // the last one: the table is complete
}

} // namespace
} // namespace retrace::test
