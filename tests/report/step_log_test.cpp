#include <cmath>

#include <gtest/gtest.h>

#include "sim/report/report_error.h"
#include "sim/report/run_folder.h"
#include "sim/report/step_log.h"
#include "tests/report/small_run.h"

namespace retrace::test {
namespace {

TEST(step_log, reads_back_what_it_wrote_to_the_last_bit) {
    const run_files run;
    {
        step_log log(run.path() / "steps.csv");
        log.add({1, 1, 1.0 / 3, 0.1, 1'234'567'890'123});
        log.add({2, 1, std::nan(""), 1, 1'234'567'890'124});
    }
    const std::vector<training_step> steps = read_steps(run.path() / "steps.csv");
    ASSERT_EQ(steps.size(), 2u);
    EXPECT_EQ(steps[0].loss, 1.0 / 3);
    EXPECT_EQ(steps[0].accuracy, 0.1);
    EXPECT_EQ(steps[0].cycles, 1'234'567'890'123u);
    EXPECT_TRUE(std::isnan(steps[1].loss));
    EXPECT_EQ(steps[1].step, 2u);
}

TEST(step_log, a_line_cut_off_is_left_out_and_no_file_is_no_steps) {
    const run_files run;
    EXPECT_TRUE(read_steps(run.path() / "steps.csv").empty());
    run.write("steps.csv", "step,epoch,loss,accuracy,cycles\n1,1,2,0.5,100\n2,1,1,0.");
    EXPECT_EQ(read_steps(run.path() / "steps.csv").size(), 1u);
}

TEST(step_log, what_is_no_step_log_is_refused_with_its_line) {
    const run_files run;
    run.write("steps.csv", "a,b\n1,2\n");
    EXPECT_THROW(read_steps(run.path() / "steps.csv"), report_error);
    run.write("steps.csv", "step,epoch,loss,accuracy,cycles\n1,1,2,0.5,100\n2,1,x,0.5,100\n");
    try {
        read_steps(run.path() / "steps.csv");
        ADD_FAILURE() << "no error";
    } catch (const report_error& e) {
        EXPECT_NE(std::string(e.what()).find("line 3"), std::string::npos) << e.what();
    }
}

TEST(step_log, a_file_that_cannot_be_written_is_an_error) {
    const run_files run;
    EXPECT_THROW(step_log(run.path() / "no" / "steps.csv"), run_folder_error);
}

} // namespace
} // namespace retrace::test
