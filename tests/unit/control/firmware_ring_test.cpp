// Rings at their edges: full, wrapping, refused doorbells, a host that does not make room, memory that is not
// there.
#include <gtest/gtest.h>

#include <cstring>
#include <set>

#include "tests/unit/control/test_host.h"

namespace retrace {
namespace {

using status = spec::command_status;
namespace regs = spec::host_block;

void expect_ok(const std::vector<spec::completion>& all, std::uint32_t first) {
    for (std::size_t i = 0; i < all.size(); ++i) {
        EXPECT_EQ(all[i].sequence, first + i);
        EXPECT_EQ(static_cast<status>(all[i].status), status::ok);
    }
}

struct ring_size : testing::TestWithParam<std::pair<unsigned, unsigned>> {};

TEST_P(ring_size, many_times_around_in_bursts_of_every_size) {
    const auto [submission, completion] = GetParam();
    test_device device(submission * 31 + completion);
    test_host host(device, submission, completion);
    device.script = [&](const engine_run&) { return engine_outcome{device.uniform(5, 300)}; };
    unsigned submitted = 0;
    while (submitted < 12 * std::max(submission, completion) + 100) {
        const auto burst = static_cast<unsigned>(1 + device.uniform(0, submission - 1));
        const std::uint32_t first = host.next_sequence;
        for (unsigned i = 0; i < burst; ++i) {
            host.put(host.command(1)); // one engine: completions keep the order
        }
        host.ring();
        const auto all = host.collect(burst);
        ASSERT_EQ(all.size(), burst);
        expect_ok(all, first);
        submitted += burst;
    }
    EXPECT_EQ(host.read(regs::sq_head), host.tail);
    EXPECT_TRUE(device.violations().empty());
}

INSTANTIATE_TEST_SUITE_P(entries, ring_size,
                         testing::Values(std::pair{2u, 2u}, std::pair{2u, 64u}, std::pair{4u, 2u},
                                         std::pair{8u, 16u}, std::pair{32u, 4u}, std::pair{128u, 2u},
                                         std::pair{64u, 1024u}));

TEST(ring, full_completion_ring_holds_the_device_back_and_nothing_is_overwritten) {
    test_device device;
    test_host host(device, 64, 4);
    host.release_room = false;
    for (int i = 0; i < 60; ++i) {
        host.put(host.command(1));
    }
    host.ring();
    const auto first = host.collect(5, 1'000'000);
    ASSERT_EQ(first.size(), 4u); // the fifth has no room
    expect_ok(first, 1);
    // The device took what its table and queue hold, and no more.
    EXPECT_LE(device.runs().size(), 4u + 32u);
    EXPECT_LT(host.read(regs::sq_head), 60u);
    for (std::uint32_t i = 0; i < 4; ++i) {
        spec::completion entry;
        std::memcpy(&entry, device.host_memory.data() + test_host::completion_at + i * spec::completion_bytes,
                    sizeof entry);
        EXPECT_EQ(entry.sequence, i + 1);
    }
    host.release_room = true;
    host.write(regs::cq_head, host.head);
    const auto rest = host.collect(56);
    ASSERT_EQ(rest.size(), 56u);
    expect_ok(rest, 5);
    EXPECT_TRUE(device.violations().empty());
}

TEST(ring, a_long_command_between_short_ones_and_a_host_that_takes_nothing_lose_no_completion) {
    // The long one keeps its place in the table while those around it end: finished commands are in table and
    // queue at once. Wherever it stands, what was fetched must find room in the queue.
    constexpr std::uint32_t count = 45;
    for (std::uint32_t position = 1; position <= count; ++position) {
        test_device device(position);
        test_host host(device, 64, 2);
        host.release_room = false;
        device.script = [](const engine_run&) { return engine_outcome{60'000}; };
        for (std::uint32_t i = 1; i <= count; ++i) {
            host.put(host.command(i == position ? 1 : 0));
        }
        host.ring();
        device.run_until(device.now() + 200'000);
        host.release_room = true;
        std::set<std::uint32_t> seen;
        for (const auto& each : host.collect(count)) {
            EXPECT_EQ(static_cast<status>(each.status), status::ok);
            seen.insert(each.sequence);
        }
        EXPECT_EQ(seen.size(), count) << "the long command is number " << position;
        EXPECT_TRUE(device.violations().empty());
    }
}

TEST(ring, refused_doorbells_leave_the_device_working) {
    test_device device;
    test_host host(device, 8, 8);
    auto& random = device.random();
    for (int round = 0; round < 300; ++round) {
        const auto junk = static_cast<std::uint32_t>(random());
        const std::uint32_t asked = (junk - host.tail) % 16;
        if ((junk & 0xffff) >= 16 || asked > 8) { // everything is consumed here: head == tail
            host.write(regs::sq_doorbell, junk);
            EXPECT_EQ(host.read(regs::ring_error) & 0xff,
                      static_cast<std::uint32_t>(spec::ring_error::bad_tail));
        }
        const std::uint32_t first = host.next_sequence;
        host.submit(host.command(1));
        const auto one = host.collect(1);
        ASSERT_EQ(one.size(), 1u);
        expect_ok(one, first);
        // until the core has told its head, the block judges by the old one
        device.run_until(device.now() + 500);
    }
}

TEST(ring, a_nonsense_completion_head_is_reported_once_and_ignored) {
    test_device device;
    test_host host(device, 16, 8);
    for (const std::uint32_t head : {5u, 15u, 16u, 0xffffu}) {
        host.write(regs::irq_status, 3);
        host.write(regs::cq_head, head);
        host.submit(host.command(1));
        device.run_until(device.now() + 20'000);
        EXPECT_EQ(host.read(regs::ring_error),
                  static_cast<std::uint32_t>(spec::ring_error::bad_completion_head) | head << 16);
        EXPECT_NE(host.read(regs::irq_status) & regs::irq_status_error_mask, 0u);
        host.collect_one();
    }
    const std::uint32_t first = host.next_sequence;
    for (int i = 0; i < 12; ++i) {
        host.put(host.command(1));
    }
    host.ring();
    const auto all = host.collect(12);
    ASSERT_EQ(all.size(), 12u);
    expect_ok(all, first);
}

TEST(ring, descriptors_that_cannot_be_read_complete_with_that_status) {
    test_device device;
    test_host host(device, 8, 8);
    host.write(regs::sq_base_high, 7); // nothing is there
    host.put(host.command(1)), host.put(host.command(1)), host.ring();
    const auto all = host.collect(2);
    ASSERT_EQ(all.size(), 2u);
    for (std::uint32_t i = 0; i < 2; ++i) {
        EXPECT_EQ(static_cast<status>(all[i].status), status::descriptor_fetch_failed);
        EXPECT_EQ(all[i].sequence, i + 1); // the number it should have carried
    }
    EXPECT_EQ(host.read(regs::status), regs::status_ready_mask);
}

TEST(ring, completions_that_cannot_be_written_are_reported_as_a_ring_error) {
    test_device device;
    test_host host(device, 8, 8);
    host.write(regs::cq_base_high, 7);
    host.submit(host.command(1));
    device.run_until(device.now() + 50'000);
    EXPECT_TRUE(device.run_of(1)->ended);
    EXPECT_EQ(host.read(regs::ring_error),
              static_cast<std::uint32_t>(spec::ring_error::completion_lost) | 1u << 16);
    EXPECT_NE(host.read(regs::irq_status) & regs::irq_status_error_mask, 0u);
    EXPECT_EQ(host.read(regs::status), regs::status_ready_mask);
}

TEST(ring, every_completion_is_followed_by_a_message_for_a_host_that_sleeps) {
    // The host looks at the ring only after a message, and acknowledges as the driver does: clear, read back,
    // look.
    for (std::uint64_t seed = 1; seed <= 30; ++seed) {
        test_device device(seed);
        test_host host(device, 32, 32);
        device.script = [&](const engine_run&) { return engine_outcome{device.uniform(1, 1500)}; };
        bool message = false;
        device.on_message = [&](std::uint64_t address, std::uint32_t) {
            EXPECT_EQ(address, spec::host_window_base + test_host::message_at);
            message = true;
        };
        for (int i = 0; i < 30; ++i) {
            auto c = host.command(1);
            c.program_engine[0] = static_cast<std::uint8_t>(i % 7);
            host.put(c);
        }
        host.ring();
        std::size_t seen = 0;
        while (seen < 30) {
            ASSERT_TRUE(device.run_while_not([&] { return message; }, 200'000))
                << "seed " << seed << ": lost after " << seen;
            message = false;
            host.write(regs::irq_status, regs::irq_status_completion_mask);
            seen += host.collect(30 - seen, 0).size();
            device.run_until(device.now() + device.uniform(0, 700));
        }
    }
}

} // namespace
} // namespace retrace
