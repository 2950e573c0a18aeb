// Schedules that keep, overwrite or read the wrong bytes: each is noticed, by the check that is meant to.
#include "tests/system/system_bench.h"
#include "tests/system/wrong_schedule.h"

namespace retrace::test {
namespace {

using names = std::vector<std::string>;

constexpr std::uint64_t activation_bytes = 40 * 16 * 2;

TEST(wrong_memory, outputs_alternate_between_two_buffers) {
    EXPECT_EQ(failed_after(six_layers(schedule_kind::recompute),
                           [](wrong_schedule& s) {
                               const std::uint64_t second = s.spare(spec::region_kind::activations);
                               for (std::size_t k = 2; k <= 6; k += 2)
                                   s.for_each_operand({tensor_role::io, k}, spec::memory_kind::device_dram,
                                                      [&](planned_operand& o) { o.base = second; });
                           }),
              names{"overwrites_range"});
}

TEST(wrong_memory, a_temporary_is_copied_over_the_input_at_the_end) {
    // The in-place layer stores its blocks into an unnamed temporary in device DRAM; a last copy takes the
    // whole over the input.
    EXPECT_EQ(
        failed_after(six_layers(schedule_kind::recompute),
                     [](wrong_schedule& s) {
                         using namespace compiler;
                         const std::size_t f = s.find(step_kind::forward, 2);
                         compiled_kernel& k = s.kernel(f);
                         constexpr unsigned temporary = forward_slots::count, done = spec::semaphores - 1;
                         std::vector<instruction>& stores = s.program(k, s.queue(stream::stores));
                         for (instruction& i : stores)
                             edit_copy(i, [](spec::copy_instruction& c) { c.destination_slot = temporary; });
                         edit_copy(stores.back(),
                                   [](spec::copy_instruction& c) { c.signal1 = done, c.signal1_count = 1; });
                         stores.push_back(
                             encode(make_copy(sync().wait(done), forward_slots::output, {temporary, 0, 32},
                                              {forward_slots::output, 0, 32}, 32, 40)));
                         for (const std::size_t user : s.users_of_kernel(f)) {
                             std::vector<planned_operand>& table = s.command(user).operands;
                             planned_operand o = table.at(forward_slots::output);
                             o.base = s.spare(spec::region_kind::activations);
                             o.access = releases; // under its tag, without a permission to write
                             planned_operand unnamed = o;
                             unnamed.tag = 0;
                             unnamed.access = can_read | can_write;
                             table.push_back(unnamed);
                             table.push_back(o);
                         }
                     }),
        (names{"overwrites_rows_tiles", "overwrites_running_tiles"}));
}

TEST(wrong_memory, a_row_is_overwritten_before_all_its_columns_are_finished) {
    // The first panel's columns of block 0 leave at once, the rest as it should: the result is right, the
    // order is not.
    EXPECT_EQ(failed_after(six_layers(schedule_kind::recompute),
                           [](wrong_schedule& s) {
                               using namespace compiler;
                               compiled_kernel& k = s.kernel(s.find(step_kind::forward, 2));
                               constexpr unsigned first_half = spec::semaphores - 1;
                               edit_matrix(s.program(k, spec::engine_activation).at(1),
                                           [](spec::matrix_instruction& m) {
                                               ASSERT_EQ(m.signal1_count, 0);
                                               m.signal1 = first_half, m.signal1_count = 1;
                                           });
                               std::vector<instruction>& stores = s.program(k, s.queue(stream::stores));
                               instruction early = stores.front();
                               edit_copy(early, [](spec::copy_instruction& c) {
                                   c.size0 = 16;
                                   c.wait0 = first_half, c.wait0_count = 1, c.wait1_count = 0;
                                   c.signal0_count = c.signal1_count = 0;
                               });
                               edit_copy(stores.front(), [](spec::copy_instruction& c) {
                                   c.size0 = 16, c.source_offset += 16, c.destination_offset += 16;
                               });
                               stores.insert(stores.begin(), early);
                           }),
              names{"overwrites_rows_tiles"});
}

TEST(wrong_memory, nothing_is_overwritten_before_the_input_was_read_whole) {
    // The first store waits for the last load: the state buffer holds what device DRAM could not.
    EXPECT_EQ(failed_after(
                  six_layers(schedule_kind::recompute),
                  [](wrong_schedule& s) {
                      using namespace compiler;
                      compiled_kernel& k = s.kernel(s.find(step_kind::forward, 2));
                      constexpr unsigned read_whole = spec::semaphores - 1;
                      edit_copy(s.program(k, s.queue(stream::blocks)).back(), [](spec::copy_instruction& c) {
                          ASSERT_EQ(c.signal1_count, 0);
                          c.signal1 = read_whole, c.signal1_count = 1;
                      });
                      edit_copy(s.program(k, s.queue(stream::stores)).front(), [](spec::copy_instruction& c) {
                          ASSERT_EQ(c.wait1_count, 0);
                          c.wait1 = read_whole, c.wait1_count = 1;
                      });
                  }),
              names{"overwrites_running_tiles"});
}

TEST(wrong_memory, a_copy_stays_in_the_state_buffer) {
    // In-place layers keep a row of their input behind the working buffers.
    EXPECT_EQ(
        failed_after(six_layers(schedule_kind::recompute),
                     [](wrong_schedule& s) {
                         using namespace compiler;
                         const std::size_t f = s.find(step_kind::forward, 2);
                         compiled_kernel& k = s.kernel(f);
                         constexpr unsigned kept = forward_slots::count;
                         std::vector<instruction>& loads = s.program(k, s.queue(stream::blocks));
                         loads.insert(loads.begin(),
                                      encode(make_copy({}, forward_slots::input,
                                                       {forward_slots::input, 0, 32}, {kept, 0, 32}, 32, 1)));
                         const std::uint64_t base = s.spare_state_buffer();
                         for (const std::size_t user : s.users_of_kernel(f))
                             s.command(user).operands.push_back({spec::memory_kind::state_buffer, base, 32, 0,
                                                                 can_write, host_tensor::none, 0});
                     }),
        names{"copies_released"});
}

TEST(wrong_memory, a_buffer_is_read_that_holds_nothing_yet) {
    EXPECT_EQ(failed_after(
                  six_layers(schedule_kind::store_all),
                  [](wrong_schedule& s) {
                      const std::size_t f = s.find(step_kind::forward, 3),
                                        later = s.find(step_kind::forward, 5);
                      s.operand(f, {tensor_role::io, 2}).base = s.operand(later, {tensor_role::io, 5}).base;
                  }),
              names{"stale_reads"});
}

TEST(wrong_memory, a_segment_is_not_regenerated) {
    // B_4 finds IO_2 where IO_3 should be; what it loads of it is called IO_3 in the state buffer.
    EXPECT_EQ(failed_after(six_layers(schedule_kind::recompute),
                           [](wrong_schedule& s) { s.erase(s.find(step_kind::backward, 4) - 1); }),
              (names{"executions", "copies_released", "stale_reads"}));
}

TEST(wrong_memory, an_output_leaves_its_region) {
    EXPECT_EQ(failed_after(six_layers(schedule_kind::store_all),
                           [](wrong_schedule& s) {
                               const std::uint64_t elsewhere = s.spare(spec::region_kind::gradients);
                               s.for_each_operand({tensor_role::io, 3}, spec::memory_kind::device_dram,
                                                  [&](planned_operand& o) { o.base = elsewhere; });
                           }),
              names{"capacity"});
}

TEST(wrong_memory, a_region_holds_more_than_it_may) {
    const scratch_folder folder;
    small_run run = six_layers(schedule_kind::store_all);
    run.log = folder.file("events.sqlite");
    const run_outcome outcome = execute(run);
    ASSERT_EQ(outcome.error, "");
    proof_expectations expectations = expectations_of(run);
    for (proof_expectations::memory& m : expectations.memories)
        if (m.name == "state_buffer")
            m.bytes = outcome.peaks.at("state_buffer");
    EXPECT_EQ(failed_checks(run.log, expectations), names{});
    for (proof_expectations::memory& m : expectations.memories)
        if (m.name == "state_buffer")
            --m.bytes;
    EXPECT_EQ(failed_checks(run.log, expectations), names{"capacity"});
}

TEST(wrong_memory, the_activations_region_is_not_small) {
    const scratch_folder folder;
    small_run run = six_layers(schedule_kind::recompute);
    run.overrides = {"npu.device_dram.regions.activations=3840"};
    run.log = folder.file("events.sqlite");
    ASSERT_EQ(execute(run).error, "");
    proof_expectations expectations = expectations_of(run);
    EXPECT_EQ(3 * activation_bytes, 3840u);
    EXPECT_FALSE(expectations.small_activations); // exactly input + IO_1 + IO_2
    expectations.small_activations = true;
    EXPECT_EQ(failed_checks(run.log, expectations), names{"small_activations"});
}

} // namespace
} // namespace retrace::test
