// What no schedule can bring about: a device or a host that behaves wrongly. A true log is changed
// afterwards, and the proofs notice.
#include <sqlite3.h>

#include "tests/system/system_bench.h"

namespace retrace::test {
namespace {

using names = std::vector<std::string>;

class forged_log : public testing::Test {
protected:
    void SetUp() override {
        run_.log = folder_.file("events.sqlite");
        ASSERT_EQ(execute(run_).error, "");
    }
    /// The checks that fail when `sql` has changed a copy of the log; it must change something.
    names failed_after(const std::string& sql) {
        const std::string copy = folder_.file("forged.sqlite");
        std::filesystem::copy_file(run_.log, copy, std::filesystem::copy_options::overwrite_existing);
        sqlite3* database = nullptr;
        EXPECT_EQ(sqlite3_open(copy.c_str(), &database), SQLITE_OK);
        EXPECT_EQ(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
            << sqlite3_errmsg(database);
        EXPECT_NE(sqlite3_changes(database), 0) << sql;
        sqlite3_close(database);
        return failed_checks(copy, expectations_of(run_));
    }
    /// Of step 1.
    static std::string sequence_of(const std::string& phase, int layer) {
        return "(SELECT min(sequence) FROM commands WHERE step = 1 AND phase = '" + phase +
               "' AND layer = " + std::to_string(layer) + ")";
    }

    const scratch_folder folder_;
    small_run run_ = six_layers(schedule_kind::recompute);
};

TEST_F(forged_log, is_true_to_begin_with) {
    EXPECT_EQ(failed_after("UPDATE command SET context = 0"), names{});
}

TEST_F(forged_log, a_command_fails) {
    EXPECT_EQ(failed_after("UPDATE command_moment SET status = 9 WHERE moment = 'ended' AND sequence = " +
                           sequence_of("recompute", 2)),
              names{"device_work"});
}

TEST_F(forged_log, a_command_begins_before_the_host_submits_it) {
    EXPECT_EQ(
        failed_after(
            "UPDATE command_moment SET cycle = cycle + 1000000 WHERE moment = 'submitted' AND sequence = " +
            sequence_of("forward", 3)),
        names{"device_work"});
}

TEST_F(forged_log, the_host_sees_a_command_before_it_has_ended) {
    EXPECT_EQ(failed_after("UPDATE command_moment SET cycle = 0 WHERE moment = 'seen' AND sequence = " +
                           sequence_of("backward", 3)),
              names{"device_work"});
}

TEST_F(forged_log, a_command_is_never_seen) {
    EXPECT_EQ(failed_after("DELETE FROM command_moment WHERE moment = 'seen' AND sequence = " +
                           sequence_of("loss_gradient", 6)),
              names{"device_work"});
}

TEST_F(forged_log, a_backward_overtakes_the_one_above_it) {
    EXPECT_EQ(failed_after("UPDATE command SET begun = 1 + (SELECT begun FROM commands WHERE sequence = " +
                           sequence_of("backward", 2) + ") WHERE sequence = " + sequence_of("backward", 1)),
              names{"order"});
}

TEST_F(forged_log, the_host_updates_weights_before_their_gradient_has_arrived) {
    EXPECT_EQ(
        failed_after(
            "UPDATE host_event SET cycle = 0 WHERE action = 'weights_updated' AND step = 1 AND layer = 2"),
        names{"gradients_out"});
}

TEST_F(forged_log, a_gradient_is_never_received) {
    EXPECT_EQ(
        failed_after("DELETE FROM host_event WHERE action = 'gradient_received' AND step = 2 AND layer = 4"),
        names{"gradients_out"});
}

TEST_F(forged_log, weights_go_down_before_the_host_has_written_them) {
    EXPECT_EQ(failed_after("UPDATE host_event SET cycle = 1 << 40 WHERE action = 'weights_written' AND step "
                           "= 2 AND layer = 5"),
              names{"weights_after_backward"});
}

TEST_F(forged_log, a_peak_is_never_measured) {
    EXPECT_EQ(failed_after("DELETE FROM occupancy WHERE name = 'psum'"), names{"capacity"});
}

TEST_F(forged_log, a_tensor_is_complete_with_other_bytes) {
    EXPECT_EQ(failed_after(
                  "UPDATE tensor_life SET checksum = checksum + 1 WHERE moment = 'complete' AND sequence = " +
                  sequence_of("recompute", 3)),
              names{"same_bits"});
}

TEST_F(forged_log, a_life_never_ends) {
    // IO_2's bytes in PSUM under F_2 are said to stay.
    EXPECT_EQ(failed_after("DELETE FROM tensor_life WHERE moment = 'released' AND memory = (SELECT value "
                           "FROM code WHERE name = 'psum' AND kind = "
                           "'memory') AND tag = (SELECT tag FROM tensor WHERE name = 'IO_2') AND version = 1 "
                           "AND sequence = " +
                           sequence_of("forward", 2)),
              names{"copies_released"});
}

} // namespace
} // namespace retrace::test
