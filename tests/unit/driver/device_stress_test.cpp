// Random everything between the real driver and the real firmware: latencies, durations, faults, lost and
// repeated messages.
#include <gtest/gtest.h>

#include "tests/unit/driver/test_bench.h"

namespace retrace {
namespace {

struct stress : testing::TestWithParam<std::uint64_t> {};

TEST_P(stress, every_command_completes_as_it_must) {
    const std::uint64_t seed = GetParam();
    std::mt19937_64 random(seed * 977);
    device_options options;
    options.submission_entries = 2u << random() % 6;
    options.completion_entries = 2u << random() % 6;
    options.poll_cycles = 20'000;
    test_bench bench(seed, options);
    bench.door.latency_low = random() % 50;
    bench.door.latency_high = bench.door.latency_low + random() % 1000;
    bench.machine.mover_latency_high = 50 + random() % 3000;
    bench.machine.mover_latency_low = 50;
    bench.machine.register_cycles = random() % 12;
    if (seed % 3 != 0) {
        bench.door.copies = [&] { return static_cast<unsigned>(random() % (seed % 3 == 1 ? 3 : 2)); };
    }
    // The script decides from the command alone, so that the expectation can be computed beside it.
    bench.machine.script = [&](const engine_run& run) {
        const bool faults = run.command.seed == 1 && run.engine == run.command.program_engine[0];
        return engine_outcome{bench.machine.uniform(1, 2500),
                              faults ? spec::engine_fault::bad_shape : spec::engine_fault::none, 0, 0};
    };
    struct expectation {
        command_handle handle;
        spec::command_status status;
    };
    std::vector<expectation> launched;
    std::vector<spec::command_status> history{spec::command_status::ok}; // by sequence
    for (int i = 0; i < 150; ++i) {
        const auto first = static_cast<unsigned>(random() % 7);
        auto c =
            bench.command({first, (first + 1) % 7, (first + 2 + static_cast<unsigned>(random() % 3)) % 7});
        c.program_count = static_cast<std::uint8_t>(1 + random() % 3);
        c.work_base = static_cast<std::uint32_t>(random() % 6) * 4096;
        c.work_bytes = static_cast<std::uint32_t>(random() % 3) * 4096;
        auto status = spec::command_status::ok;
        if (random() % 12 == 0) {
            c.seed = 1;
            status = spec::command_status::engine_fault;
        }
        for (auto& wait : c.wait) {
            if (random() % 3 == 0 && history.size() > 1) {
                const std::size_t back = 1 + random() % std::min<std::size_t>(history.size() - 1, 30);
                wait = static_cast<std::uint32_t>(history.size() - back);
                if (history[wait] != spec::command_status::ok) {
                    status = spec::command_status::dependency_failed;
                }
            }
        }
        if (random() % 20 == 0) {
            c.operand_count = 200;
            status = spec::command_status::bad_operand;
        }
        launched.push_back({bench.driver->launch(c).value(), status});
        history.push_back(status);
        if (random() % 4 == 0 && !launched.empty()) { // wait for some of them on the way
            const std::size_t at = random() % launched.size();
            const auto done = bench.driver->wait(launched[at].handle, 5'000'000);
            const auto seen =
                done ? spec::command_status::ok
                     : static_cast<spec::command_status>(done.failure().completion.value().status);
            EXPECT_EQ(seen, launched[at].status) << launched[at].handle.sequence;
            launched.erase(launched.begin() + static_cast<long>(at));
        }
    }
    for (const auto& each : launched) {
        const auto done = bench.driver->wait(each.handle, 5'000'000);
        ASSERT_TRUE(done || done.error() == driver_error::command_failed) << done.failure().text;
        const auto seen = done ? spec::command_status::ok
                               : static_cast<spec::command_status>(done.failure().completion->status);
        EXPECT_EQ(seen, each.status) << each.handle.sequence;
    }
    EXPECT_EQ(bench.driver->in_flight(), 0u);
    for (const auto& each : bench.machine.violations()) {
        ADD_FAILURE() << each;
    }
}

INSTANTIATE_TEST_SUITE_P(seeds, stress, testing::Range<std::uint64_t>(1, 31));

TEST(interrupts, a_driver_that_loses_every_message_still_sees_every_completion) {
    device_options options;
    options.poll_cycles = 5000;
    test_bench bench(1, options);
    bench.door.copies = [] { return 0u; };
    for (int i = 0; i < 20; ++i) {
        ASSERT_TRUE(bench.driver->wait(bench.driver->launch(bench.command()).value(), 100'000));
    }
}

TEST(interrupts, without_loss_no_wait_needs_the_polling) {
    // With polling practically off, a lost interrupt would be a time-out.
    device_options options;
    options.poll_cycles = device::forever;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        test_bench bench(seed, options);
        bench.machine.script = [&](const engine_run&) {
            return engine_outcome{bench.machine.uniform(1, 1200)};
        };
        for (int i = 0; i < 60; ++i) {
            std::vector<command_handle> burst;
            for (unsigned n = 0; n <= bench.machine.uniform(0, 5); ++n) {
                burst.push_back(bench.driver->launch(bench.command({n % 7})).value());
            }
            for (const auto& handle : burst) {
                ASSERT_TRUE(bench.driver->wait(handle, 1'000'000)) << "seed " << seed;
            }
        }
    }
}

TEST(interrupts, streams_cost_few_register_accesses) {
    test_bench bench;
    bench.machine.script = [](const engine_run&) { return engine_outcome{200}; };
    const std::uint64_t writes = bench.door.register_writes;
    for (int i = 0; i < 640; ++i) {
        bench.driver->launch(bench.command()).value();
    }
    ASSERT_TRUE(bench.driver->wait_all());
    // One doorbell each; head updates twice per ring; acknowledgements only when the driver had to sleep.
    EXPECT_LE(bench.door.register_writes - writes, 640u + 20u + bench.door.sleeps);
}

} // namespace
} // namespace retrace
