// The two views of host memory under stress, without a device.
#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

#include "sim/platform/weak_memory.h"

namespace retrace::test {
namespace {

constexpr std::size_t size = 20'000; // not a multiple of a page

struct bench {
    std::vector<std::byte> device = std::vector<std::byte>(size);
    weak_memory memory;
    std::span<std::byte> cpu;

    explicit bench(std::uint64_t seed = 1) : memory(device, seed), cpu(memory.cpu_side()) {}
    static std::size_t count(std::span<const std::byte> bytes, int value) {
        return static_cast<std::size_t>(std::count(bytes.begin(), bytes.end(), std::byte(value)));
    }
};

TEST(weak_memory, stores_reach_the_device_at_the_barrier) {
    bench b;
    std::fill(b.cpu.begin(), b.cpu.end(), std::byte{1});
    EXPECT_EQ(bench::count(b.device, 1), 0u);
    b.memory.read_barrier();
    EXPECT_EQ(bench::count(b.device, 1), 0u);
    EXPECT_EQ(bench::count(b.cpu, 1), size);
    b.memory.write_barrier();
    EXPECT_EQ(bench::count(b.device, 1), size);
}

TEST(weak_memory, writes_of_the_device_reach_the_cpu_at_the_barrier) {
    bench b;
    std::fill(b.device.begin(), b.device.end(), std::byte{1});
    EXPECT_EQ(bench::count(b.cpu, 1), 0u);
    b.memory.write_barrier();
    EXPECT_EQ(bench::count(b.cpu, 1), 0u);
    EXPECT_EQ(bench::count(b.device, 1), size);
    b.memory.read_barrier();
    EXPECT_EQ(bench::count(b.cpu, 1), size);
}

TEST(weak_memory, time_lets_some_of_both_through_in_whole_registers) {
    bench b;
    std::fill(b.cpu.begin(), b.cpu.begin() + 10'000, std::byte{1});
    std::fill(b.device.begin() + 10'000, b.device.end(), std::byte{2});
    bool some_stores = false, some_writes = false;
    for (int i = 0; i < 200; ++i) {
        b.memory.let_time_pass();
        const std::size_t stores = bench::count(b.device, 1), writes = bench::count(b.cpu, 2);
        some_stores |= stores > 1000 && stores < 9000;
        some_writes |= writes > 1000 && writes < 9000;
        EXPECT_EQ(stores % 8, 0u);
        EXPECT_EQ(writes % 8, 0u);
    }
    EXPECT_TRUE(some_stores);
    EXPECT_TRUE(some_writes);
    EXPECT_EQ(bench::count(b.device, 1), 10'000u); // in the end everything arrives
    EXPECT_EQ(bench::count(b.cpu, 2), 10'000u);
}

TEST(weak_memory, neighbours_in_a_granule_do_not_disturb_each_other) {
    bench b;
    b.cpu[8] = std::byte{1};
    b.device[9] = std::byte{2};
    b.memory.write_barrier();
    b.memory.read_barrier();
    for (const std::byte* side : {b.cpu.data(), b.device.data()}) {
        EXPECT_EQ(side[8], std::byte{1});
        EXPECT_EQ(side[9], std::byte{2});
    }
}

TEST(weak_memory, a_race_ends_as_the_cpu_wrote) {
    bench b;
    b.cpu[8] = std::byte{1};
    b.device[8] = std::byte{2};
    b.memory.read_barrier();
    EXPECT_EQ(b.cpu[8], std::byte{1});
    b.memory.write_barrier();
    EXPECT_EQ(b.device[8], std::byte{1});
}

TEST(weak_memory, the_same_seed_lets_the_same_through) {
    const auto seen = [](std::uint64_t seed) {
        bench b(seed);
        std::fill(b.cpu.begin(), b.cpu.end(), std::byte{1});
        for (int i = 0; i < 4; ++i)
            b.memory.let_time_pass();
        return b.device;
    };
    bool differ = false;
    for (std::uint64_t seed = 1; seed < 20; ++seed) {
        EXPECT_EQ(seen(seed), seen(seed));
        differ |= seen(seed) != seen(seed + 1);
    }
    EXPECT_TRUE(differ);
}

} // namespace
} // namespace retrace::test
