// Base/limit checks of a command in execution: what outside input may try.
#include <functional>

#include <gtest/gtest.h>

#include "tlm/core/engine/context.h"

namespace retrace {
namespace {

using spec::engine_fault;
using spec::memory_kind;
using spec::operand_access;

spec::operand slot(memory_kind memory, std::uint64_t base, std::uint32_t bytes, unsigned access,
                   std::uint32_t tag = 0) {
    spec::operand o;
    o.base = base;
    o.bytes = bytes;
    o.tag = tag;
    o.version = tag ? 4 : 0;
    o.memory = static_cast<std::uint8_t>(memory);
    o.access = static_cast<std::uint8_t>(access);
    return o;
}

engine_error fault_of(const std::function<void()>& f) {
    try {
        f();
    } catch (const engine_error& e) {
        return e;
    }
    return {engine_fault::none, 0};
}

class context : public testing::Test {
protected:
    context() {
        spec::command c;
        c.operand_count = 4;
        c.operands[0] = slot(memory_kind::state_buffer, 1000, 100, 3);
        c.operands[1] = slot(memory_kind::device_dram, 5000, 0xffffffff, 1, 9);
        c.operands[2] = slot(memory_kind::psum, 0, 64, 2, 8);
        c.operands[3] = slot(memory_kind::host, ~std::uint64_t{0} - 10, 100, 3);
        c.operands[4] =
            slot(memory_kind::state_buffer, 0, 100, 7); // beyond operand_count: garbage of an earlier command
        state.begin(c);
    }
    spec::memory_operand at(unsigned s, std::uint32_t offset, std::uint32_t pitch, unsigned tag = 0) {
        spec::memory_operand m;
        m.slot = static_cast<std::uint8_t>(s);
        m.tag_slot = static_cast<std::uint8_t>(tag);
        m.offset = offset;
        m.pitch = pitch;
        return m;
    }
    engine_error refused(const spec::memory_operand& m, std::uint64_t rows, std::uint64_t row_bytes,
                         operand_access access) {
        return fault_of([&] { state.resolve(m, rows, row_bytes, access); });
    }
    context_state state;
};

TEST_F(context, resolves_base_rows_and_the_tag_of_another_slot) {
    const resolved_operand o = state.resolve(at(0, 10, 20, 1), 4, 20, operand_access::read);
    EXPECT_EQ(o.memory, memory_kind::state_buffer);
    EXPECT_EQ(o.address, 1010u);
    EXPECT_EQ(o.rows, 4u);
    EXPECT_EQ(o.pitch, 20u);
    EXPECT_EQ(o.tensor, (trace::tensor_id{9, 4}));
}

TEST_F(context, the_last_byte_may_touch_the_limit_and_not_pass_it) {
    EXPECT_EQ(refused(at(0, 0, 25), 4, 25, operand_access::read).fault, engine_fault::none);
    EXPECT_EQ(refused(at(0, 1, 25), 4, 25, operand_access::read).fault, engine_fault::out_of_bounds);
    EXPECT_EQ(refused(at(0, 1, 25), 4, 25, operand_access::read).detail, 1u);
    EXPECT_EQ(refused(at(0, 99, 0), 1, 1, operand_access::read).fault, engine_fault::none);
    EXPECT_EQ(refused(at(0, 100, 0), 1, 1, operand_access::read).fault, engine_fault::out_of_bounds);
    EXPECT_EQ(refused(at(0, 0xffffffff, 0), 1, 1, operand_access::read).fault, engine_fault::out_of_bounds);
    // The last row needs no whole pitch.
    EXPECT_EQ(refused(at(0, 0, 90), 2, 10, operand_access::read).fault, engine_fault::none);
    EXPECT_EQ(refused(at(0, 0, 91), 2, 10, operand_access::read).fault, engine_fault::out_of_bounds);
}

TEST_F(context, large_shapes_do_not_wrap) {
    EXPECT_EQ(refused(at(1, 0, 0xffffffff), 65535, 4 * 65535, operand_access::read).fault,
              engine_fault::out_of_bounds);
    EXPECT_EQ(refused(at(1, 0, 0x10001), 65535, 4, operand_access::read).fault,
              engine_fault::none); // ends at 0xffff0002
    EXPECT_EQ(refused(at(1, 0, 0x80000000), 3, 4, operand_access::read).fault, engine_fault::out_of_bounds);
    EXPECT_EQ(refused(at(1, 0xfffffff0, 16), 1, 16, operand_access::read).fault, engine_fault::out_of_bounds);
    EXPECT_EQ(refused(at(1, 0xffffffef, 16), 1, 16, operand_access::read).fault, engine_fault::none);
}

TEST_F(context, a_slot_whose_end_has_no_address_is_refused) {
    EXPECT_EQ(refused(at(3, 50, 1), 1, 1, operand_access::read).fault, engine_fault::out_of_bounds);
}

TEST_F(context, permissions_hold) {
    EXPECT_EQ(refused(at(1, 0, 4), 1, 4, operand_access::write).fault, engine_fault::not_permitted);
    EXPECT_EQ(refused(at(1, 0, 4), 1, 4, operand_access::write).detail, 1u);
    EXPECT_EQ(refused(at(2, 0, 4), 1, 4, operand_access::read).fault, engine_fault::not_permitted);
    EXPECT_EQ(refused(at(2, 0, 4), 1, 4, operand_access::write).fault, engine_fault::none);
}

TEST_F(context, only_used_slots_exist) {
    EXPECT_EQ(refused(at(4, 0, 4), 1, 4, operand_access::read).fault, engine_fault::bad_slot);
    EXPECT_EQ(refused(at(16, 0, 4), 1, 4, operand_access::read).fault, engine_fault::bad_slot);
    EXPECT_EQ(refused(at(255, 0, 4), 1, 4, operand_access::read).fault, engine_fault::bad_slot);
    EXPECT_EQ(refused(at(0, 0, 4, 4), 1, 4, operand_access::read).fault, engine_fault::bad_slot);
    spec::command c;
    c.operand_count = 255; // more than there are
    state.begin(c);
    EXPECT_EQ(fault_of([&] { static_cast<void>(state.tensor(16)); }).fault, engine_fault::bad_slot);
    EXPECT_EQ(fault_of([&] { static_cast<void>(state.tensor(15)); }).fault, engine_fault::none);
}

TEST_F(context, empty_and_overlapping_rows_are_refused) {
    EXPECT_EQ(refused(at(0, 0, 4), 0, 4, operand_access::read).fault, engine_fault::bad_shape);
    EXPECT_EQ(refused(at(0, 0, 4), 1, 0, operand_access::read).fault, engine_fault::bad_shape);
    EXPECT_EQ(refused(at(0, 0, 3), 2, 4, operand_access::read).fault, engine_fault::bad_shape);
    EXPECT_EQ(refused(at(0, 0, 3), 1, 4, operand_access::read).fault, engine_fault::none);
    auto m = at(0, 0, 4);
    m.reserved = 1;
    EXPECT_EQ(refused(m, 1, 4, operand_access::read).fault, engine_fault::reserved_bits);
}

TEST_F(context, semaphores_count_and_start_at_zero) {
    EXPECT_FALSE(state.try_wait(1, 3, 1));
    EXPECT_TRUE(state.try_wait(1, 3, 0));
    state.signal(3, 5);
    EXPECT_FALSE(state.try_wait(1, 3, 6));
    EXPECT_TRUE(state.try_wait(1, 3, 2));
    EXPECT_EQ(state.semaphore(3), 3u);
    EXPECT_EQ(state.semaphore(2), 0u);
    state.begin(state.command());
    EXPECT_EQ(state.semaphore(3), 0u);
    EXPECT_TRUE(state.active());
    state.end();
    EXPECT_FALSE(state.active());
}

TEST_F(context, a_semaphore_beyond_its_maximum_is_a_fault_and_keeps_its_value) {
    for (unsigned i = 0; i < 257; ++i)
        state.signal(0, 255);
    EXPECT_EQ(state.semaphore(0), spec::semaphore_max);
    EXPECT_EQ(fault_of([&] { state.signal(0, 1); }).fault, engine_fault::semaphore_overflow);
    EXPECT_EQ(state.semaphore(0), spec::semaphore_max);
}

} // namespace
} // namespace retrace
