// tagged_memory, one rule of the memory contract per test.
#include <cstring>
#include <numeric>

#include <gtest/gtest.h>

#include "tests/unit/device/event_recorder.h"
#include "tlm/core/memory/tagged_memory.h"

namespace retrace {
namespace {

using moment = trace::tensor_event::moment;
using test::event_recorder;

std::vector<std::byte> bytes(std::size_t n, unsigned from = 1) {
    std::vector<std::byte> v(n);
    for (std::size_t i = 0; i < n; ++i)
        v[i] = static_cast<std::byte>(from + i);
    return v;
}

class memory_model : public testing::Test {
protected:
    event_recorder events;
    tagged_memory dram{"device_dram", spec::memory_kind::device_dram, 4096, 1, 0, &events};
    access_origin at{100, 3, 7, 5};

    void write(std::uint64_t address, std::size_t n, trace::tensor_id owner, unsigned from = 1) {
        dram.write(address, bytes(n, from).data(), n, owner, at);
    }
    std::vector<std::byte> read(std::uint64_t address, std::size_t n, trace::tensor_id expected) {
        std::vector<std::byte> out(n);
        dram.read(address, out.data(), n, expected, at);
        return out;
    }
    std::vector<moment> moments() const {
        std::vector<moment> m;
        for (const trace::tensor_event& e : events.tensors)
            m.push_back(e.what);
        return m;
    }
};

TEST_F(memory_model, bytes_are_live_from_their_first_write) {
    EXPECT_EQ(dram.live_bytes(), 0u);
    write(10, 20, {1, 1});
    EXPECT_EQ(dram.live_bytes(), 20u);
    write(20, 20, {1, 1}); // ten of them again
    EXPECT_EQ(dram.live_bytes(), 30u);
    EXPECT_EQ(read(10, 10, {1, 1}), bytes(10));
    EXPECT_EQ(read(20, 20, {1, 1}), bytes(20));
    EXPECT_TRUE(events.stale.empty());
    EXPECT_EQ(moments(), std::vector{moment::live});
}

TEST_F(memory_model, the_peak_is_the_high_water_mark) {
    write(0, 100, {1, 1});
    dram.release(0, 100, {1, 1}, at);
    EXPECT_EQ(dram.live_bytes(), 0u);
    EXPECT_EQ(dram.peak_bytes(), 100u);
    write(50, 70, {2, 1});
    EXPECT_EQ(dram.peak_bytes(), 100u);
    write(0, 60, {3, 1}); // ten bytes change hands: the total stays below the sum
    EXPECT_EQ(dram.live_bytes(), 120u);
    EXPECT_EQ(dram.peak_bytes(), 120u);
}

TEST_F(memory_model, another_tag_or_version_overwrites) {
    write(0, 16, {1, 1});
    write(0, 8, {2, 1});
    EXPECT_EQ(moments(), (std::vector{moment::live, moment::live})); // half of the first still stands
    write(8, 8, {1, 2});
    ASSERT_EQ(moments(), (std::vector{moment::live, moment::live, moment::live, moment::overwritten}));
    EXPECT_EQ(events.tensors[3].tensor, (trace::tensor_id{1, 1}));
    EXPECT_EQ(events.tensors[3].sequence, 7u);
    EXPECT_EQ(dram.live_bytes(), 16u);
    EXPECT_EQ(dram.peak_bytes(), 16u);
}

TEST_F(memory_model, rewriting_a_tensor_is_not_its_end) {
    write(0, 16, {1, 1});
    write(0, 16, {1, 1}, 50);
    write(0, 32, {1, 1}, 60);
    EXPECT_EQ(moments(), std::vector{moment::live});
    EXPECT_EQ(read(0, 32, {1, 1}), bytes(32, 60));
}

TEST_F(memory_model, a_tensor_that_returns_lives_again) {
    write(0, 8, {1, 1});
    write(0, 8, {2, 1});
    write(0, 8, {1, 1});
    EXPECT_EQ(moments(), (std::vector{moment::live, moment::live, moment::overwritten, moment::live,
                                      moment::overwritten}));
}

TEST_F(memory_model, bytes_that_are_not_live_read_as_ff_with_one_event) {
    write(4, 4, {1, 1});
    const auto got = read(0, 12, {1, 1});
    for (unsigned i = 0; i < 12; ++i)
        EXPECT_EQ(got[i], i >= 4 && i < 8 ? static_cast<std::byte>(i - 3) : std::byte{0xff}) << i;
    ASSERT_EQ(events.stale.size(), 1u);
    const trace::stale_read_event& e = events.stale[0];
    EXPECT_EQ(e.address, 0u);
    EXPECT_EQ(e.bytes, 8u);
    EXPECT_EQ(e.engine, 3u);
    EXPECT_EQ(e.pc, 5u);
    EXPECT_EQ(e.sequence, 7u);
    EXPECT_EQ(e.expected, (trace::tensor_id{1, 1}));
    EXPECT_EQ(e.found, (trace::tensor_id{}));
    EXPECT_EQ(dram.stale_reads(), 1u);
}

TEST_F(memory_model, reading_the_wrong_tag_or_version_is_stale_but_gives_the_bytes) {
    write(0, 8, {1, 1});
    EXPECT_EQ(read(0, 8, {2, 1}), bytes(8));
    EXPECT_EQ(read(0, 8, {1, 2}), bytes(8));
    ASSERT_EQ(events.stale.size(), 2u);
    EXPECT_EQ(events.stale[0].found, (trace::tensor_id{1, 1}));
    EXPECT_EQ(events.stale[1].expected, (trace::tensor_id{1, 2}));
}

TEST_F(memory_model, the_stale_event_names_the_first_wrong_byte) {
    write(0, 100, {1, 1});
    write(40, 8, {2, 9});
    EXPECT_FALSE(dram.check(0, 10, 10, 10, {1, 1}, at));
    ASSERT_EQ(events.stale.size(), 1u);
    EXPECT_EQ(events.stale[0].address, 40u);
    EXPECT_EQ(events.stale[0].bytes, 8u);
    EXPECT_EQ(events.stale[0].found, (trace::tensor_id{2, 9}));
}

TEST_F(memory_model, check_looks_at_rows_and_not_at_what_lies_between_them) {
    for (unsigned r = 0; r < 4; ++r)
        write(r * 32, 8, {1, 1});
    EXPECT_TRUE(dram.check(0, 4, 8, 32, {1, 1}, at));
    EXPECT_FALSE(dram.check(0, 4, 9, 32, {1, 1}, at));
    EXPECT_TRUE(dram.check(0, 0, 8, 32, {1, 1}, at));
}

TEST_F(memory_model, released_bytes_read_as_ff_and_only_the_owners_go) {
    write(0, 8, {1, 1});
    write(8, 8, {2, 1});
    write(16, 8, {1, 1});
    dram.release(0, 24, {1, 1}, at);
    EXPECT_EQ(dram.live_bytes(), 8u);
    EXPECT_EQ(read(8, 8, {2, 1}), bytes(8));
    EXPECT_EQ(read(0, 8, {1, 1}), std::vector<std::byte>(8, std::byte{0xff}));
    ASSERT_EQ(moments(), (std::vector{moment::live, moment::live, moment::released}));
    EXPECT_EQ(events.tensors[2].tensor, (trace::tensor_id{1, 1}));
}

TEST_F(memory_model, release_keeps_what_lies_outside_the_range) {
    write(0, 32, {1, 1});
    dram.release(8, 8, {1, 1}, at);
    EXPECT_EQ(dram.live_bytes(), 24u);
    EXPECT_EQ(moments(), std::vector{moment::live});
    dram.release(0, 32, {5, 1}, at); // never wrote here
    EXPECT_EQ(dram.live_bytes(), 24u);
}

TEST_F(memory_model, a_working_set_counts_whole_but_is_readable_only_once_written) {
    dram.begin_working_set(100, 200, at);
    EXPECT_EQ(dram.live_bytes(), 200u);
    EXPECT_EQ(read(100, 4, {0, 0}), std::vector<std::byte>(4, std::byte{0xff}));
    EXPECT_EQ(events.stale.size(), 1u);
    write(120, 10, {1, 1});
    write(140, 10, {0, 0}); // a temporary that belongs to no tensor
    EXPECT_EQ(dram.live_bytes(), 200u);
    EXPECT_EQ(read(120, 10, {1, 1}), bytes(10));
    EXPECT_EQ(read(140, 10, {0, 0}), bytes(10));
    EXPECT_EQ(events.stale.size(), 1u);
    dram.end_working_set(100, 200, at);
    EXPECT_EQ(dram.live_bytes(), 0u);
    EXPECT_EQ(dram.peak_bytes(), 200u);
    EXPECT_EQ(moments(), (std::vector{moment::live, moment::released})); // tag 0 is nobody's: no events
    EXPECT_EQ(read(120, 1, {1, 1})[0], std::byte{0xff});
}

TEST_F(memory_model, a_working_set_overwrites_what_lay_there) {
    write(0, 16, {1, 1});
    dram.begin_working_set(0, 16, at);
    EXPECT_EQ(moments(), (std::vector{moment::live, moment::overwritten}));
    EXPECT_EQ(dram.live_bytes(), 16u);
    dram.begin_working_set(0, 0, at); // an empty one is none
    dram.end_working_set(5000, 0, at);
    EXPECT_EQ(dram.live_bytes(), 16u);
}

TEST_F(memory_model, on_chip_bytes_that_are_not_live_hold_ff_in_place) {
    tagged_memory sram("state_buffer", spec::memory_kind::state_buffer, 256, 1, 0, nullptr);
    const auto all_ff = [&] {
        return std::all_of(sram.data(), sram.data() + 256, [](std::byte b) { return b == std::byte{0xff}; });
    };
    EXPECT_TRUE(all_ff());
    sram.begin_working_set(0, 256, at);
    sram.write(10, bytes(10).data(), 10, {1, 1}, at);
    EXPECT_FALSE(all_ff());
    sram.end_working_set(0, 256, at);
    EXPECT_TRUE(all_ff());
    sram.write(10, bytes(10).data(), 10, {1, 1}, at);
    sram.release(0, 256, {1, 1}, at);
    EXPECT_TRUE(all_ff());
}

TEST_F(memory_model, regions_count_their_own_bytes) {
    dram.add_region("activations", 0, 1024);
    dram.add_region("gradients", 1024, 1024);
    write(100, 50, {1, 1});
    write(1024, 30, {2, 1});
    EXPECT_EQ(dram.regions()[0].live, 50u);
    EXPECT_EQ(dram.regions()[1].live, 30u);
    write(3000, 10, {3, 1}); // in no region
    EXPECT_EQ(dram.live_bytes(), 90u);
    dram.release(0, 4096, {1, 1}, at);
    EXPECT_EQ(dram.regions()[0].live, 0u);
    EXPECT_EQ(dram.regions()[0].peak, 50u);
    dram.log_occupancy(at);
    ASSERT_EQ(events.occupancies.size(), 3u);
    EXPECT_EQ(events.occupancies[0].name, "device_dram");
    EXPECT_EQ(events.occupancies[0].live, 40u);
    EXPECT_EQ(events.occupancies[2].name, "gradients");
    EXPECT_EQ(events.occupancies[2].peak, 30u);
    EXPECT_THROW(dram.add_region("beyond", 4000, 97), std::invalid_argument);
    EXPECT_THROW(dram.add_region("wrap", ~std::uint64_t{0}, 2), std::invalid_argument);
}

TEST_F(memory_model, a_run_across_regions_counts_in_each) {
    dram.add_region("activations", 0, 1000);
    dram.add_region("gradients", 1000, 1000);
    write(900, 1200, {1, 1});
    EXPECT_EQ(dram.live_bytes(), 1200u);
    EXPECT_EQ(dram.regions()[0].live, 100u);
    EXPECT_EQ(dram.regions()[1].live, 1000u);
    dram.release(950, 100, {1, 1}, at);
    EXPECT_EQ(dram.regions()[0].live, 50u);
    EXPECT_EQ(dram.regions()[1].live, 950u);
}

TEST_F(memory_model, contains_does_not_overflow) {
    EXPECT_TRUE(dram.contains(0, 4096));
    EXPECT_TRUE(dram.contains(4096, 0));
    EXPECT_FALSE(dram.contains(4095, 2));
    EXPECT_FALSE(dram.contains(~std::uint64_t{0}, 2));
    EXPECT_FALSE(dram.contains(1, ~std::uint64_t{0}));
}

TEST_F(memory_model, completion_tells_bytes_and_a_checksum_of_the_tensor_alone) {
    const auto checksum = [&](std::uint64_t address, std::uint64_t size, trace::tensor_id t) {
        dram.log_complete(address, size, t, at);
        return std::pair(events.tensors.back().bytes, events.tensors.back().checksum);
    };
    write(0, 64, {1, 1});
    const auto dense = checksum(0, 64, {1, 1});
    EXPECT_EQ(dense.first, 64u);
    EXPECT_EQ(events.tensors.back().what, moment::complete);

    // The same bytes elsewhere, written backwards in pieces, with a row pitch.
    const auto data = bytes(64);
    for (int r = 7; r >= 0; --r)
        dram.write(1000 + r * 40, data.data() + r * 8, 8, {1, 2}, at);
    EXPECT_EQ(checksum(1000, 7 * 40 + 8, {1, 2}), dense);
    // Others' bytes between the rows do not count, a changed byte does.
    write(1010, 10, {9, 1});
    EXPECT_EQ(checksum(1000, 7 * 40 + 8, {1, 2}), dense);
    write(1000, 1, {1, 2}, 200);
    EXPECT_NE(checksum(1000, 7 * 40 + 8, {1, 2}).second, dense.second);
    // What is gone does not count.
    EXPECT_EQ(checksum(0, 64, {7, 7}).first, 0u);
    const std::size_t before = events.tensors.size();
    dram.log_complete(0, 64, {0, 0}, at); // nobody's
    EXPECT_EQ(events.tensors.size(), before);
}

TEST_F(memory_model, versions_beyond_the_number_of_owner_entries_are_recycled) {
    for (std::uint32_t version = 1; version <= 200'000; ++version)
        write(version % 64, 16, {1, version});
    EXPECT_EQ(read(200'000 % 64, 16, {1, 200'000}), bytes(16));
    EXPECT_TRUE(events.stale.empty());
    dram.release(0, 4096, {1, 200'000}, at);
    EXPECT_EQ(read(200'000 % 64, 16, {1, 200'000}), std::vector<std::byte>(16, std::byte{0xff}));
}

TEST_F(memory_model, too_many_live_tensors_are_an_error_that_names_the_memory) {
    tagged_memory large("device_dram", spec::memory_kind::device_dram, 1 << 17, 1, 0, nullptr);
    const std::byte b{1};
    try {
        for (std::uint32_t i = 0; i < 1u << 17; ++i)
            large.write(i, &b, 1, {i + 1, 1}, at);
        FAIL() << "no limit";
    } catch (const std::runtime_error& e) {
        EXPECT_NE(std::string(e.what()).find("device_dram"), std::string::npos);
    }
    EXPECT_EQ(large.live_bytes(), 65'533u);
}

TEST_F(memory_model, word_granules_accept_unaligned_reads) {
    tagged_memory psum("psum", spec::memory_kind::psum, 64, 4, 0, &events);
    psum.write(0, bytes(16).data(), 16, {1, 1}, at);
    EXPECT_TRUE(psum.check(1, 1, 2, 2, {1, 1}, at));
    EXPECT_TRUE(psum.check(3, 2, 2, 5, {1, 1}, at));
    EXPECT_TRUE(psum.check(14, 1, 2, 2, {1, 1}, at));
    EXPECT_FALSE(psum.check(14, 1, 3, 3, {1, 1}, at)); // its last byte is in the fifth word
    std::byte out[2];
    psum.read(5, out, 2, {1, 1}, at);
    EXPECT_EQ(out[0], std::byte{6});
    EXPECT_EQ(out[1], std::byte{7});
}

} // namespace
} // namespace retrace
