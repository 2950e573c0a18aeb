// Who ended which wait, by the units of a semaphore.
#include <gtest/gtest.h>

#include "sim/timeline/program_book.h"
#include "tests/timeline/hand_made_log.h"

namespace retrace::test {
namespace {

logged_instruction at(unsigned engine, std::uint64_t pc, std::uint64_t begun, std::uint64_t ended, std::uint64_t sequence = 1) {
    logged_instruction i;
    i.engine = engine;
    i.pc = pc;
    i.begun = begun;
    i.ended = ended;
    i.sequence = sequence;
    return i;
}

class program_book_of_two : public testing::Test {
protected:
    // Vector gives 1, 1, 2 units of semaphore 7; the PE array takes 1, then 3 (its second and third instruction finish the other
    // way round).
    void SetUp() override {
        made.begin(1, 1, 100);
        made.program(1, 1, 2, 101,
                     {instruction_with(spec::opcode::binary, 0, 0, 7, 1), instruction_with(spec::opcode::binary, 0, 0, 7, 1),
                      instruction_with(spec::opcode::binary, 0, 0, 7, 2)});
        made.program(1, 1, 0, 101,
                     {instruction_with(spec::opcode::matmul, 7, 1, 0, 0), instruction_with(spec::opcode::matmul, 7, 1, 0, 0),
                      instruction_with(spec::opcode::load_weights, 7, 2, 0, 0)});
        reader = std::make_unique<log_reader>(made.close());
        book = std::make_unique<program_book>(*reader);
    }
    hand_made_log made;
    std::unique_ptr<log_reader> reader;
    std::unique_ptr<program_book> book;
};

TEST_F(program_book_of_two, units_are_taken_in_the_order_in_which_they_were_given) {
    for (unsigned pc = 0; pc < 3; ++pc)
        book->ended(at(2, pc, 0, 110 + pc), {9, pc});
    const auto third = book->waits(at(0, 2, 120, 130)), first = book->waits(at(0, 0, 120, 140)),
               second = book->waits(at(0, 1, 120, 150));
    ASSERT_EQ(third.size(), 1u);
    EXPECT_EQ(third[0].semaphore, 7u);
    EXPECT_EQ(third[0].count, 2u);
    ASSERT_EQ(third[0].givers.size(), 1u);
    EXPECT_EQ(third[0].givers[0].who.pc, 2u);
    EXPECT_EQ(third[0].givers[0].drawn.track, 9u);
    ASSERT_EQ(first[0].givers.size(), 1u);
    EXPECT_EQ(first[0].givers[0].who.pc, 0u);
    EXPECT_EQ(second[0].givers[0].who.pc, 1u);
    EXPECT_EQ(second[0].givers[0].who.ended, 111u);
}

TEST_F(program_book_of_two, what_the_log_lacks_has_no_waits) {
    EXPECT_TRUE(book->waits(at(0, 0, 0, 0, 55)).empty());
    EXPECT_TRUE(book->waits(at(0, 3, 0, 0)).empty());
    EXPECT_TRUE(book->waits(at(5, 0, 0, 0)).empty());
    EXPECT_EQ(book->code(at(1, 0, 0, 0)), nullptr);
    book->ended(at(18, 99, 0, 0), {});
    EXPECT_EQ(book->waits(at(0, 0, 0, 0))[0].givers.size(), 0u); // nobody has given anything
}

TEST(program_book, a_wait_for_several_units_names_all_who_gave_them) {
    hand_made_log made;
    made.begin(1, 1, 100);
    std::vector<spec::matrix_instruction> givers(6, instruction_with(spec::opcode::binary, 0, 0, 3, 1));
    made.program(1, 1, 2, 101, givers);
    made.program(1, 1, 0, 101, {instruction_with(spec::opcode::matmul, 3, 6, 0, 0)});
    log_reader log(made.close());
    program_book book(log);
    for (unsigned pc = 0; pc < 6; ++pc)
        book.ended(at(2, pc, 0, 110 + pc));
    const auto waits = book.waits(at(0, 0, 120, 130));
    ASSERT_EQ(waits.at(0).givers.size(), program_book::most_givers);
    EXPECT_EQ(waits[0].givers.back().who.pc, 5u);
    EXPECT_EQ(waits[0].givers.front().who.pc, 2u);
}

} // namespace
} // namespace retrace::test
