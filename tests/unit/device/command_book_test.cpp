// Commands on their way through the device, as the book has them.
#include <gtest/gtest.h>

#include "tlm/core/accounting/command_book.h"

namespace retrace {
namespace {

spec::command command(std::uint32_t sequence, std::initializer_list<std::uint8_t> engines = {}, std::uint32_t work_base = 0, std::uint32_t work_bytes = 0) {
    spec::command c;
    c.sequence = sequence;
    c.step = 3;
    c.phase = static_cast<std::uint8_t>(spec::phase::backward);
    for (const std::uint8_t e : engines)
        c.program_engine[c.program_count++] = e;
    c.work_base = work_base;
    c.work_bytes = work_bytes;
    c.wait[0] = sequence - 1;
    return c;
}

TEST(command_book, a_command_is_fetched_begins_ends_and_is_gone) {
    command_book book;
    book.fetched(10, command(1, {0, 2}));
    book.fetched(10, command(2, {3}));
    ASSERT_EQ(book.lines().size(), 2u);
    EXPECT_EQ(book.lines()[0].engines, 0b101u);
    EXPECT_EQ(book.lines()[1].waits[0], 1u);
    EXPECT_EQ(book.lines()[1].phase, spec::phase::backward);
    book.begun(20, 3, command(1));
    EXPECT_EQ(book.find(1)->now, command_book::state::begun);
    EXPECT_EQ(book.find(1)->context, 3u);
    EXPECT_EQ(book.find(1)->since, 20u);
    book.ended(30, 2); // another context
    EXPECT_EQ(book.find(1)->now, command_book::state::begun);
    book.ended(30, 3);
    EXPECT_EQ(book.find(1)->now, command_book::state::ended);
    book.completed(1);
    EXPECT_EQ(book.find(1), nullptr);
    EXPECT_EQ(book.posted(), 1u);
    EXPECT_EQ(book.lines().size(), 1u);
    book.clear();
    EXPECT_TRUE(book.lines().empty());
    EXPECT_EQ(book.posted(), 0u);
}

TEST(command_book, takes_what_it_has_not_seen_being_fetched) {
    command_book book;
    book.begun(5, 0, command(9, {1}));
    ASSERT_NE(book.find(9), nullptr);
    EXPECT_EQ(book.find(9)->now, command_book::state::begun);
    book.completed(8); // refused, perhaps
    EXPECT_EQ(book.lines().size(), 1u);
}

TEST(command_book, firmware_that_lets_anything_through_does_no_harm) {
    command_book book;
    spec::command c = command(1, {255, 31, 4});
    c.program_count = 255;
    book.fetched(0, c);
    EXPECT_EQ(book.find(1)->engines & 1u << 4, 1u << 4);
    EXPECT_EQ(book.find(1)->engines >> spec::max_engines, 0u);
}

TEST(command_book, working_sets_overlap_where_they_share_a_byte_or_a_bank) {
    command_book book;
    book.fetched(0, command(1, {}, 0, 100));
    book.fetched(0, command(2, {}, 100, 50));
    book.fetched(0, command(3, {}, 99, 1));
    book.fetched(0, command(4, {}, 99, 0));
    spec::command banks = command(5);
    banks.psum_first = 1;
    banks.psum_count = 2;
    book.fetched(0, banks);
    banks.sequence = 6;
    banks.psum_first = 2;
    book.fetched(0, banks);
    const auto& l = book.lines();
    EXPECT_FALSE(overlap(l[0], l[1]));
    EXPECT_TRUE(overlap(l[0], l[2]));
    EXPECT_FALSE(overlap(l[0], l[3])); // empty
    EXPECT_FALSE(overlap(l[0], l[4]));
    EXPECT_TRUE(overlap(l[4], l[5]));
}

} // namespace
} // namespace retrace
