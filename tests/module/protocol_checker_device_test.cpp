// The protocol checkers of a whole processor: they see every socket, change neither history nor cycles, and
// what they throw reaches the host.
#include <sys/wait.h>
#include <unistd.h>

#include <sstream>

#include "tests/module/npu_bench.h"
#include "tests/module/probe.h"
#include "tlm/protocol_checker.h"

namespace retrace::test {
namespace {

TEST(protocol_checker_device, a_violation_in_a_device_reaches_the_host_as_it_was_thrown) {
    simulated_port door(whole_config(), 0, nullptr);
    protocol_account account;
    probe bad("bad", 5, [](probe& self) {
        sc_core::wait(100, sc_core::SC_NS);
        std::vector<std::byte> nothing;
        self.transfer(tlm::TLM_READ_COMMAND, spec::host_window_base, nothing);
    });
    protocol_checker<memory_protocol> checker("checker", "bad -> link", account);
    bad.socket.bind(checker.from_initiator);
    checker.to_target.bind(door.device().link().port);
    EXPECT_THROW(door.read_register(0), protocol_violation);
    EXPECT_FALSE(bad.done);
    EXPECT_EQ(account.violations, 1u);
}

/// History and final cycle of a processor at work on every socket, in a process of its own; the checkers'
/// account in front.
std::string processor_history(bool check) {
    int ends[2];
    if (pipe(ends) != 0)
        return "no pipe";
    const pid_t child = fork();
    if (child == 0) {
        npu_config config = whole_config();
        config.check_protocol = check;
        npu_bench bench(config);
        std::vector<instruction> queue[3];
        for (unsigned i = 0; i < 12; ++i)
            for (unsigned q = 0; q < 3; ++q) {
                const unsigned places[] = {slot::dram, slot::host, work};
                queue[q].push_back(encode(copy({}, places[(i + q) % 3], 512 * i, places[(i / 3 + q) % 3],
                                               12000 + 320 * i, 100 + 700 * i, 2, 800, 9000)));
            }
        for (unsigned round = 0; round < 2; ++round) {
            const auto done = bench.execute(bench.command({{0, {encode(nop({}))}},
                                                           {1, {encode(nop({}))}},
                                                           {2, {encode(nop({}))}},
                                                           {3, queue[0]},
                                                           {4, queue[1]},
                                                           {5, queue[2]}}));
            EXPECT_TRUE(done) << (done ? std::string() : done.failure().text);
        }
        const protocol_account& seen = bench.door.device().protocol();
        const std::string text = fmt::format("{} {} {} {}\n", seen.sockets, seen.transactions,
                                             seen.debug_accesses, seen.violations) +
                                 bench.events.text + fmt::format("cycle {}\n", bench.door.cycles());
        for (std::size_t done = 0; done < text.size();) {
            const ssize_t n = write(ends[1], text.data() + done, text.size() - done);
            if (n <= 0)
                break;
            done += static_cast<std::size_t>(n);
        }
        _exit(testing::Test::HasFailure());
    }
    close(ends[1]);
    std::string text;
    char block[4096];
    for (ssize_t n; (n = read(ends[0], block, sizeof block)) > 0;)
        text.append(block, static_cast<std::size_t>(n));
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
    return text;
}

TEST(protocol_checker_device, changes_nothing_in_a_processor_and_has_seen_all_its_sockets) {
    const std::string with = processor_history(true), without = processor_history(false);
    std::istringstream account(with);
    unsigned sockets = 0, transactions = 0, debug_accesses = 0, violations = 1;
    account >> sockets >> transactions >> debug_accesses >> violations;
    EXPECT_EQ(sockets,
              6 + 3 * 3 + 2u); // fetches of three engines and three queues, the queues' data, the mover
    EXPECT_GT(transactions, 100u);
    EXPECT_GT(debug_accesses, 0u);
    EXPECT_EQ(violations, 0u);
    EXPECT_EQ(without.substr(0, without.find('\n')), "0 0 0 0");
    EXPECT_GT(std::count(with.begin(), with.end(), '\n'), 100);
    EXPECT_EQ(with.substr(with.find('\n')), without.substr(without.find('\n')));
}

} // namespace
} // namespace retrace::test
