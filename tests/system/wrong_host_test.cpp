// Schedules that let the wrong things cross the link, or at the wrong time: each is noticed, by the check
// that is meant to.
#include "tests/system/system_bench.h"
#include "tests/system/wrong_schedule.h"

namespace retrace::test {
namespace {

using names = std::vector<std::string>;

constexpr std::uint64_t activation_bytes = 40 * 16 * 2, weight_bytes = 16 * 16 * 2;

schedule_operation moves(step_kind kind, std::size_t layer) { return {kind, layer, false, {}, {}, {}}; }

TEST(wrong_host, a_hidden_output_is_downloaded) {
    EXPECT_EQ(failed_after(six_layers(schedule_kind::store_all),
                           [](wrong_schedule& s) {
                               const std::size_t f = s.find(step_kind::forward, 3);
                               planned_operand from = s.operand(f, {tensor_role::io, 2});
                               from.access = can_read;
                               const planned_operand to{spec::memory_kind::host, 0, 0, from.tag, can_write,
                                                        host_tensor::logits,     0};
                               s.insert(f, moves(step_kind::download_output, 2),
                                        s.transfer(from, to, activation_bytes));
                           }),
              (names{"hidden_stays", "hidden_stays_tiles"}));
}

TEST(wrong_host, a_hidden_output_is_downloaded_under_another_name) {
    // The operand table speaks of the loss; only the instruction says whose bytes they are.
    EXPECT_EQ(failed_after(six_layers(schedule_kind::store_all),
                           [](wrong_schedule& s) {
                               const std::size_t f = s.find(step_kind::forward, 3);
                               planned_operand from = s.operand(f, {tensor_role::io, 2});
                               from.access = can_read;
                               const planned_operand to{
                                   spec::memory_kind::host, 0, 0, tag_of({tensor_role::loss, 6}), can_write,
                                   host_tensor::logits,     0};
                               const planned_command c = s.transfer(from, to, activation_bytes);
                               s.insert(f, moves(step_kind::download_output, 2), c);
                               compiler::compiled_kernel& k = s.kernel(f);
                               edit_copy(k.programs.at(0).code.at(0), [](spec::copy_instruction& i) {
                                   i.tag_slot = compiler::transfer_slots::from;
                               });
                           }),
              names{"hidden_stays_tiles"});
}

TEST(wrong_host, a_command_could_write_something_unnamed_to_the_host) {
    EXPECT_EQ(failed_after(six_layers(schedule_kind::store_all),
                           [](wrong_schedule& s) {
                               s.command(s.find(step_kind::forward, 3))
                                   .operands.push_back({spec::memory_kind::host, 0, 64, 0, can_write,
                                                        host_tensor::logits, 0});
                           }),
              names{"hidden_stays"});
}

TEST(wrong_host, a_gradient_stays_on_the_device) {
    const scratch_folder folder;
    small_run run = six_layers(schedule_kind::store_all);
    run.log = folder.file("events.sqlite");
    std::size_t backward = 0;
    std::uint64_t elsewhere = 0;
    run.edit_plan = [&](plan& p) {
        const wrong_schedule s(p);
        backward = s.find(step_kind::backward, 3);
        elsewhere = s.spare(spec::region_kind::gradients);
    };
    run.edit_commands = [&](std::uint32_t, std::vector<spec::command>& commands) {
        spec::operand& o = commands.at(backward).operands[compiler::backward_slots::weight_gradient];
        o.memory = static_cast<std::uint8_t>(spec::memory_kind::device_dram);
        o.base = elsewhere;
    };
    ASSERT_EQ(execute(run).error, "");
    EXPECT_EQ(failed_checks(run.log, expectations_of(run)), names{"gradients_out"});
}

TEST(wrong_host, a_gradient_is_sent_in_part) {
    EXPECT_EQ(failed_after(six_layers(schedule_kind::store_all),
                           [](wrong_schedule& s) { // the last store of dW_3 leaves half of its rows out
                               compiler::compiled_kernel& k = s.own_kernel(s.find(step_kind::backward, 3));
                               std::vector<compiler::instruction>& stores =
                                   s.program(k, s.queue(compiler::stream::stores));
                               for (auto i = stores.rbegin(); i != stores.rend(); ++i)
                                   if (compiler::copy_of(*i).destination_slot ==
                                       compiler::backward_slots::weight_gradient) {
                                       edit_copy(*i, [](spec::copy_instruction& c) {
                                           if (c.size1 > 1)
                                               c.size1 /= 2;
                                           else
                                               c.size0 /= 2;
                                       });
                                       break;
                                   }
                           }),
              names{"gradients_out_tiles"});
}

TEST(wrong_host, weights_are_copied_by_the_device) {
    EXPECT_EQ(failed_after(six_layers(schedule_kind::store_all),
                           [](wrong_schedule& s) {
                               const std::size_t f = s.find(step_kind::forward, 3);
                               planned_operand from = s.operand(f, {tensor_role::weight, 3}), to = from;
                               to.base = s.spare(spec::region_kind::weights);
                               to.access = can_write;
                               s.insert(f, moves(step_kind::upload_weights, 3),
                                        s.transfer(from, to, weight_bytes));
                           }),
              (names{"weights_from_host", "weights_from_host_tiles"}));
}

TEST(wrong_host, weights_are_copied_by_the_device_under_a_table_that_names_the_host) {
    EXPECT_EQ(failed_after(six_layers(schedule_kind::store_all),
                           [](wrong_schedule& s) {
                               const std::size_t f = s.find(step_kind::forward, 3),
                                                 u = s.find(step_kind::upload_weights, 3);
                               const planned_operand host = s.operand(u, {tensor_role::weight, 3});
                               planned_operand from = s.operand(f, {tensor_role::weight, 3}), to = from;
                               to.base = s.spare(spec::region_kind::weights);
                               to.access = can_write;
                               planned_command c = s.transfer(from, to, weight_bytes);
                               c.operands.push_back(host);
                               s.insert(f, moves(step_kind::upload_weights, 3), c);
                           }),
              names{"weights_from_host_tiles"});
}

TEST(wrong_host, new_weights_go_down_before_the_backward_has_ended) {
    // In step 1 W_1 of step 2 goes down in front of B_1, which does not read it.
    const scratch_folder folder;
    small_run run = six_layers(schedule_kind::store_all);
    run.log = folder.file("events.sqlite");
    std::size_t early = 0;
    run.edit_plan = [&](plan& p) {
        wrong_schedule s(p);
        early = s.find(step_kind::backward, 1);
        s.insert(early, moves(step_kind::upload_weights, 1), s.command(s.find(step_kind::upload_weights, 1)));
    };
    run.edit_commands = [&](std::uint32_t step, std::vector<spec::command>& commands) {
        if (step != 1)
            return;
        spec::command& c = commands.at(early);
        c.step = 2;
        for (spec::operand& o : c.operands)
            if (o.tag != 0)
                o.version = 2;
    };
    ASSERT_EQ(execute(run).error, "");
    EXPECT_EQ(failed_checks(run.log, expectations_of(run)), names{"weights_after_backward"});
}

} // namespace
} // namespace retrace::test
