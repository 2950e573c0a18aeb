// Random descriptors, sound, spoilt and pure noise, with random latencies and faults: whatever is submitted,
// each entry gets exactly one completion, the device's rules hold, the firmware never traps, and a sound
// command afterwards runs.
#include <gtest/gtest.h>

#include <cstring>
#include <set>

#include "tests/unit/control/test_host.h"

namespace retrace {
namespace {

using status = spec::command_status;
namespace regs = spec::host_block;

struct fuzz : testing::TestWithParam<std::uint64_t> {};

spec::command mutate(test_host& host, test_device& device) {
    auto& random = device.random();
    auto c = host.command(static_cast<unsigned>(random() % 6), static_cast<unsigned>(random() % 17));
    for (unsigned i = 0; i < c.program_count; ++i) {
        c.program_engine[i] = static_cast<std::uint8_t>((random() % 7 + i) % 7);
    }
    for (auto& wait : c.wait) {
        wait = random() % 2 == 0 || c.sequence == 1
                   ? 0
                   : static_cast<std::uint32_t>(c.sequence - 1 - random() % std::min(c.sequence, 20u));
    }
    c.work_base = static_cast<std::uint32_t>(random() % 8) * 65536;
    c.work_bytes = static_cast<std::uint32_t>(random() % 3) * 65536;
    c.psum_first = static_cast<std::uint16_t>(random() % 4);
    c.psum_count = static_cast<std::uint16_t>(random() % 3);
    const auto bytes = std::as_writable_bytes(std::span(&c, 1));
    switch (random() % 8) {
    case 0: // noise from end to end
        for (auto& byte : bytes) {
            byte = static_cast<std::byte>(random());
        }
        break;
    case 1: // noise behind a valid head
        for (auto& byte : bytes.subspan(8)) {
            byte = static_cast<std::byte>(random());
        }
        break;
    case 2:
    case 3: // a few bytes
        for (int i = 0; i < 3; ++i) {
            bytes[random() % bytes.size()] = static_cast<std::byte>(random());
        }
        break;
    case 4: // an extreme word
        std::memset(bytes.data() + random() % 128 * 4, random() % 2 == 0 ? 0xff : 0, 4);
        break;
    default:
        break;
    }
    return c;
}

TEST_P(fuzz, descriptors_never_stop_the_device) {
    test_device device(GetParam());
    auto& random = device.random();
    device.mover_latency_low = 1 + random() % 100;
    device.mover_latency_high = device.mover_latency_low + random() % 2000;
    device.register_cycles = random() % 20;
    test_host host(device, 2u << random() % 6, 2u << random() % 6);
    const std::uint32_t entries = host.read(regs::sq_entries);
    device.script = [&](const engine_run&) {
        const auto faults = random() % 10 == 0;
        return engine_outcome{device.uniform(1, 1500),
                              faults ? spec::engine_fault::bad_shape : spec::engine_fault::none, 1, 2};
    };
    std::uint32_t expected = 1; // the next number in sequence
    for (int round = 0; round < 40; ++round) {
        const auto burst = static_cast<std::uint32_t>(1 + random() % entries);
        std::multiset<std::uint32_t> submitted, completed;
        for (std::uint32_t i = 0; i < burst; ++i) {
            host.next_sequence = expected;
            const auto c = mutate(host, device);
            expected += c.sequence == expected ? 1 : 0;
            submitted.insert(c.sequence);
            host.put(c);
        }
        host.ring();
        const auto all = host.collect(burst);
        ASSERT_EQ(all.size(), burst) << "round " << round;
        for (const auto& c : all) {
            completed.insert(c.sequence);
            EXPECT_LT(c.status, spec::command_status_count);
        }
        EXPECT_EQ(submitted, completed);
        if (random() % 4 == 0) {
            host.write(regs::sq_doorbell,
                       static_cast<std::uint32_t>(random() | 0x8000)); // never a valid tail
        }
        ASSERT_EQ(host.read(regs::status), regs::status_ready_mask)
            << "trap " << host.read(regs::trap_cause) << " at " << std::hex << host.read(regs::trap_pc);
    }
    device.script = [](const engine_run&) { return engine_outcome{50}; };
    host.next_sequence = expected;
    host.submit(host.command(5, 8));
    const auto last = host.collect_one();
    EXPECT_EQ(static_cast<status>(last.status), status::ok);
    EXPECT_TRUE(host.collect(1, 10'000).empty());
    for (const auto& each : device.violations()) {
        ADD_FAILURE() << each;
    }
}

INSTANTIATE_TEST_SUITE_P(seeds, fuzz, testing::Range<std::uint64_t>(1, 41));

} // namespace
} // namespace retrace
