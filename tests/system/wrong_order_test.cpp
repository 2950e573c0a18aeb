// Schedules with a wrong order, wrong reads or wrong counts: each is noticed, by the check that is meant to.
#include "tests/system/system_bench.h"
#include "tests/system/wrong_schedule.h"

namespace retrace::test {
namespace {

using names = std::vector<std::string>;

TEST(wrong_order, the_first_recompute_does_not_wait_for_the_loss_gradient) {
    EXPECT_EQ(failed_after(six_layers(schedule_kind::recompute),
                           [](wrong_schedule& s) {
                               std::erase(s.operation(s.find(step_kind::recompute, 1)).waits,
                                          s.find(step_kind::loss_gradient, 6));
                           }),
              names{"regenerated_after_loss"});
}

TEST(wrong_order, a_layer_is_regenerated_before_the_loss_gradient) {
    EXPECT_EQ(failed_after(six_layers(schedule_kind::interval, 2),
                           [](wrong_schedule& s) {
                               // F_1' moves in front of LG. The place of IO_1 still holds IO_5 then: IO_1
                               // gets another one.
                               const std::size_t late = s.find(step_kind::recompute, 1),
                                                 lg = s.find(step_kind::loss_gradient, 6);
                               schedule_operation op = s.operation(late);
                               op.waits.clear();
                               const planned_command c = s.command(late);
                               s.erase(late);
                               s.insert(lg, op, c);
                               for (std::size_t i = lg; i < s.size(); ++i)
                                   for (planned_operand& o : s.command(i).operands)
                                       if (o.tag == tag_of({tensor_role::io, 1}))
                                           o.base = s.spare_state_buffer();
                           }),
              names{"regenerated_after_loss"});
}

TEST(wrong_order, a_forward_runs_after_the_loss_gradient) {
    EXPECT_EQ(failed_after(
                  six_layers(schedule_kind::store_all),
                  [](wrong_schedule& s) {
                      const std::size_t f = s.find(step_kind::forward, 2),
                                        lg = s.find(step_kind::loss_gradient, 6);
                      schedule_operation op = s.operation(f);
                      op.waits.clear();
                      s.insert(lg + 1, op, s.command(f));
                  },
                  1),
              names{"order"});
}

TEST(wrong_order, a_gradient_comes_from_the_host) {
    EXPECT_EQ(failed_after(six_layers(schedule_kind::store_all),
                           [](wrong_schedule& s) {
                               const std::size_t b = s.find(step_kind::backward, 3);
                               planned_operand to = s.operand(b, {tensor_role::gradient, 3});
                               to.access = can_write;
                               const planned_operand from{spec::memory_kind::host, 0, 0, to.tag, can_read,
                                                          host_tensor::logits,     0};
                               const planned_command c = s.transfer(from, to, 40 * 16 * 2);
                               s.insert(b, {step_kind::upload_gradient, 3, false, {}, {}, {}}, c);
                           }),
              names{"device_work"});
}

TEST(wrong_order, a_layer_is_computed_without_the_array) {
    // F_3 passes IO_2 on: loads it, moves it through the activation engine, stores it as IO_3.
    EXPECT_EQ(failed_after(six_layers(schedule_kind::store_all),
                           [](wrong_schedule& s) {
                               using namespace compiler;
                               const std::size_t f = s.find(step_kind::forward, 3);
                               compiled_kernel& k = s.own_kernel(f);
                               const auto bf16 = spec::number_format::bf16;
                               const matrix in{slot_work, 2, 0, 0, 32}, out{slot_work, 3, 0, 4096, 32};
                               k.programs.clear();
                               s.program(k, s.queue(stream::blocks)) = {encode(
                                   make_copy(sync().signal(0), 2, {2, 0, 32}, {slot_work, 0, 32}, 32, 40))};
                               s.program(k, spec::engine_activation) = {encode(make_activate(
                                   sync().wait(0).signal(1), {bf16, bf16, {}},
                                   spec::activation_function::identity, 1.0f, 40, 16, in, out))};
                               s.program(k, s.queue(stream::stores)) = {encode(
                                   make_copy(sync().wait(1), 3, {slot_work, 4096, 32}, {3, 0, 32}, 32, 40))};
                               k.work_bytes = std::max<std::uint64_t>(k.work_bytes, 4096 + 40 * 32);
                               s.command(f).operands[slot_work].bytes = k.work_bytes;
                           }),
              names{"device_work_tiles"});
}

TEST(wrong_order, what_is_resident_is_regenerated) {
    // IO_5 of the last segment waits in the state buffer for B_6.
    EXPECT_EQ(failed_after(
                  six_layers(schedule_kind::interval, 3),
                  [](wrong_schedule& s) {
                      const std::size_t f = s.find(step_kind::forward, 5),
                                        lg = s.find(step_kind::loss_gradient, 6);
                      schedule_operation op = s.operation(f);
                      op.kind = step_kind::recompute;
                      op.waits = {lg};
                      planned_command c = s.command(f);
                      c.phase = spec::phase::recompute;
                      s.insert(lg + 1, op, c);
                  },
                  1),
              names{"resident_used"});
}

TEST(wrong_order, a_backward_may_read_an_extra_tensor) {
    EXPECT_EQ(failed_after(six_layers(schedule_kind::recompute),
                           [](wrong_schedule& s) {
                               const std::size_t b = s.find(step_kind::backward, 3),
                                                 f = s.find(step_kind::forward, 3);
                               s.command(b).operands.push_back(s.operand(f, {tensor_role::bias, 3}));
                           }),
              names{"backward_reads"});
}

TEST(wrong_order, a_backward_reads_an_extra_tensor) {
    EXPECT_EQ(failed_after(six_layers(schedule_kind::recompute),
                           [](wrong_schedule& s) {
                               using namespace compiler;
                               const std::size_t b = s.find(step_kind::backward, 3),
                                                 f = s.find(step_kind::forward, 3);
                               const auto slot = static_cast<unsigned>(s.command(b).operands.size());
                               s.command(b).operands.push_back(s.operand(f, {tensor_role::bias, 3}));
                               compiled_kernel& k = s.own_kernel(b);
                               const std::uint64_t behind = k.work_bytes;
                               k.work_bytes += 64;
                               s.command(b).operands[slot_work].bytes = k.work_bytes;
                               s.program(k, s.queue(stream::panels))
                                   .push_back(encode(
                                       make_copy({}, slot, {slot, 0, 64}, {slot_work, behind, 64}, 64, 1)));
                           }),
              (names{"backward_reads", "backward_reads_tiles"}));
}

TEST(wrong_order, a_backward_reads_an_extra_tensor_through_the_operand_of_another) {
    // b_3 stands behind W_3: the operand of W_3 is made long enough, the tag comes from an operand that may
    // not be accessed.
    EXPECT_EQ(failed_after(six_layers(schedule_kind::recompute),
                           [](wrong_schedule& s) {
                               using namespace compiler;
                               const std::size_t b = s.find(step_kind::backward, 3),
                                                 f = s.find(step_kind::forward, 3);
                               planned_operand bias = s.operand(f, {tensor_role::bias, 3});
                               planned_operand& weights = s.operand(b, {tensor_role::weight, 3});
                               const std::uint64_t offset = bias.base - weights.base;
                               weights.bytes = offset + bias.bytes;
                               bias.access = 0;
                               const auto slot = static_cast<unsigned>(s.command(b).operands.size());
                               s.command(b).operands.push_back(bias);
                               compiled_kernel& k = s.own_kernel(b);
                               const std::uint64_t behind = k.work_bytes;
                               k.work_bytes += 64;
                               s.command(b).operands[slot_work].bytes = k.work_bytes;
                               s.program(k, s.queue(stream::panels))
                                   .push_back(encode(
                                       make_copy({}, slot, {4, offset, 64}, {slot_work, behind, 64}, 64, 1)));
                           }),
              names{"backward_reads_tiles"});
}

TEST(wrong_order, a_regenerated_output_is_corrupted) {
    EXPECT_EQ(failed_after(six_layers(schedule_kind::recompute),
                           [](wrong_schedule& s) { // F_2' before B_3 forgets the ReLU
                               compiler::compiled_kernel& k =
                                   s.own_kernel(s.find(step_kind::recompute, 2, 3));
                               for (compiler::instruction& i : s.program(k, spec::engine_activation))
                                   if (compiler::header_of(i).opcode ==
                                       static_cast<std::uint8_t>(spec::opcode::activate))
                                       edit_matrix(i, [](spec::matrix_instruction& m) {
                                           m.function =
                                               static_cast<std::uint8_t>(spec::activation_function::identity);
                                       });
                           }),
              names{"same_bits"});
}

TEST(wrong_order, a_recompute_uses_another_version_of_the_weights) {
    // In step 2 W_3 comes down once more, elsewhere and as version 1, and one F_3' reads it there. The bytes
    // are the same.
    const scratch_folder folder;
    small_run run = six_layers(schedule_kind::recompute);
    run.log = folder.file("events.sqlite");
    std::size_t upload = 0, recompute = 0;
    const std::uint32_t tag = tag_of({tensor_role::weight, 3});
    run.edit_plan = [&](plan& p) {
        wrong_schedule s(p);
        recompute = s.find(step_kind::recompute, 3);
        upload = s.find(step_kind::upload_weights, 3);
        const std::uint64_t elsewhere = s.spare(spec::region_kind::weights);
        planned_operand from = s.operand(upload, {tensor_role::weight, 3}), to = from;
        to.memory = spec::memory_kind::device_dram, to.host = host_tensor::none, to.access = can_write,
        to.base = elsewhere;
        s.operand(recompute, {tensor_role::weight, 3}).base = elsewhere;
        s.insert(recompute, {step_kind::upload_weights, 3, false, {}, {}, {}},
                 s.transfer(from, to, 16 * 16 * 2));
        upload = recompute++;
    };
    run.edit_commands = [&](std::uint32_t step, std::vector<spec::command>& commands) {
        for (const std::size_t i : {upload, recompute})
            for (spec::operand& o : commands.at(i).operands)
                if (step == 2 && o.tag == tag)
                    o.version = 1;
    };
    ASSERT_EQ(execute(run).error, "");
    EXPECT_EQ(failed_checks(run.log, expectations_of(run)), names{"same_weights"});
}

TEST(wrong_order, a_segment_is_regenerated_twice) {
    EXPECT_EQ(failed_after(six_layers(schedule_kind::recompute),
                           [](wrong_schedule& s) { // F_1' F_2' before B_3
                               const std::size_t b = s.find(step_kind::backward, 3);
                               s.repeat(b - 2, 2);
                           }),
              names{"executions"});
}

TEST(wrong_order, one_schedule_is_not_taken_for_another) {
    const scratch_folder folder;
    small_run run = six_layers(schedule_kind::interval, 2);
    run.log = folder.file("events.sqlite");
    ASSERT_EQ(execute(run).error, "");
    run.schedule.kind = schedule_kind::interval_overwrite;
    EXPECT_EQ(failed_checks(run.log, expectations_of(run)), names{"executions"});
    run.schedule.kind = schedule_kind::recompute;
    EXPECT_EQ(failed_checks(run.log, expectations_of(run)),
              (names{"executions", "overwrites_range", "overwrites_rows_tiles", "overwrites_running_tiles"}));
}

} // namespace
} // namespace retrace::test
