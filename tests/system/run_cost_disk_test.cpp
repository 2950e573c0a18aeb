// A run that would fill the disk is refused before it creates anything; a disk that fills all the same ends the run with a reason, and
// with everything that was written until then.
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <nlohmann/json.hpp>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "sim/cost/run_cost.h"
#include "sim/log/log_reader.h"
#include "tests/system/program.h"
#include "tests/system/system_bench.h"

namespace retrace::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const std::string digits = std::string(RETRACE_SOURCE_FOLDER) + "/examples/digits/";

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

disk_needs some_needs() {
    disk_needs n;
    n.log = 1'000'000;
    n.log_tiles = 400'000;
    n.timeline = 300'000;
    n.waves = 200'000;
    n.other = 50'000;
    return n;
}

TEST(disk_room, as_much_as_is_needed_is_enough_and_a_byte_less_is_not) {
    const scratch_folder folder;
    const disk_needs needs = some_needs();
    EXPECT_EQ(needs.total(), 1'550'000u);
    fs::path asked;
    const auto free = [&](std::uint64_t bytes) {
        return [&asked, bytes](const fs::path& path) {
            asked = path;
            return bytes;
        };
    };
    EXPECT_NO_THROW(check_room(folder.file("run"), needs, free(1'550'000)));
    EXPECT_EQ(asked, folder.file("run"));
    try {
        check_room(folder.file("a/b/run"), needs, free(1'549'999));
        ADD_FAILURE() << "not refused";
    } catch (const disk_room_error& e) {
        const std::string text = e.what();
        for (const char* part : {"1.55 MB", "1.00 MB", "400 kB", "300 kB", "waves up to 200 kB", "log.steps", "log.events=false", "--timeline-max",
                                 "--wave-max", "--out"})
            EXPECT_TRUE(holds(text, part)) << part << ": " << text;
        EXPECT_TRUE(holds(text, fs::path(folder.file("x")).parent_path().string() + ")")) << text; // the folder that exists
    }
    // Only what was asked for is named.
    disk_needs log_only;
    log_only.log = 2'000;
    try {
        check_room(folder.file("run"), log_only, free(1'000));
        ADD_FAILURE() << "not refused";
    } catch (const disk_room_error& e) {
        for (const char* part : {"log.steps", "--timeline-max", "--wave-max"})
            EXPECT_FALSE(holds(e.what(), part)) << part << ": " << e.what();
    }
}

TEST(disk_room, the_run_that_is_replaced_leaves_its_room) {
    const scratch_folder folder;
    const auto free = [](const fs::path&) { return std::uint64_t{1'000'000}; };
    fs::create_directories(folder.file("run"));
    std::ofstream(folder.file("run/events.sqlite")) << std::string(600'000, 'x');
    EXPECT_THROW(check_room(folder.file("run"), some_needs(), free), disk_room_error); // not a run: nobody deletes it
    std::ofstream(folder.file("run/.retrace-run")) << "mark\n";
    EXPECT_NO_THROW(check_room(folder.file("run"), some_needs(), free));
    EXPECT_EQ(room_for(folder.file("run"), free).available(), 1'600'005u);
}

TEST(disk_room, waves_take_what_their_instructions_take_within_the_limit) {
    EXPECT_EQ(wave_bytes(1'000, 200'000'000), 74'000u);
    EXPECT_EQ(wave_bytes(~std::uint64_t{0}, 200'000'000), 200'000'000u);
}

TEST(disk_room, the_free_bytes_are_the_file_systems) {
    const scratch_folder folder;
    const std::uint64_t here = free_bytes(folder.file("not/there/yet"));
    EXPECT_GT(here, 0u);
    EXPECT_NEAR(static_cast<double>(here), static_cast<double>(fs::space(fs::path(folder.file("x")).parent_path()).available), 2e9);
}

TEST(disk_room, bytes_have_three_digits) {
    EXPECT_EQ(bytes_text(0), "0 bytes");
    EXPECT_EQ(bytes_text(999), "999 bytes");
    EXPECT_EQ(bytes_text(1'000), "1.00 kB");
    EXPECT_EQ(bytes_text(15'687'680), "15.7 MB");
    EXPECT_EQ(bytes_text(999'600), "1.00 MB");
    EXPECT_EQ(bytes_text(200'000'000), "200 MB");
}

TEST(disk_room, train_and_plan_refuse_a_run_that_no_disk_holds) {
    const scratch_folder folder;
    const std::string out = folder.file("run");
    // About 90 kB a step.
    const std::vector<std::string> long_run{digits + "recompute.yaml", "--set", "training.epochs=null", "--set", "training.steps=1000000000", "--out", out};
    auto train = long_run, plan = long_run;
    train.insert(train.begin(), "train");
    plan.insert(plan.begin(), "plan");
    plan.emplace_back("--no-calibration");
    for (const auto& arguments : {train, plan}) {
        const program_result r = run_program(arguments);
        EXPECT_EQ(r.exit, 2) << r.err;
        for (const char* part : {"would fill the disk", " TB", "log.events=false", "Nothing was created"})
            EXPECT_TRUE(holds(r.err, part)) << part << ": " << r.err;
        EXPECT_FALSE(fs::exists(out));
        if (arguments[0] == "plan") {
            EXPECT_TRUE(holds(r.out, "What a run will cost")) << r.out;
        }
    }
}

TEST(disk_room, waves_on_another_disk_are_held_against_that_one) {
    const scratch_folder folder;
    disk_needs needs = some_needs();
    needs.wave_file = "/proc/self/waves.fst"; // a file system of its own, wherever the tests run
    const auto free = [&](std::uint64_t here, std::uint64_t there) {
        return [=](const fs::path& path) { return path.string().starts_with("/proc/") ? there : here; };
    };
    EXPECT_NO_THROW(check_room(folder.file("run"), needs, free(1'350'000, 200'000)));
    EXPECT_THROW(check_room(folder.file("run"), needs, free(1'349'999, 200'000)), disk_room_error);
    try {
        check_room(folder.file("run"), needs, free(1'350'000, 199'999));
        ADD_FAILURE() << "not refused";
    } catch (const disk_room_error& e) {
        EXPECT_TRUE(holds(e.what(), "the waves would fill the disk: they take up to 200 kB")) << e.what();
        EXPECT_TRUE(holds(e.what(), "--wave-max")) << e.what();
    }
}

/// `body` with a file system of so many bytes at `at`, in a process of its own; empty where this process may not mount one.
std::string on_small_disk(const std::string& at, const std::string& bytes, const std::function<std::string()>& body) {
    return in_child([&]() -> std::string {
        if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
            mount("tmpfs", at.c_str(), "tmpfs", 0, ("size=" + bytes).c_str()) != 0)
            return "";
        return body();
    });
}

TEST(disk_room, a_small_disk_refuses_what_a_smaller_log_would_make_fit) {
    const scratch_folder folder;
    const std::string disk = folder.file("disk");
    fs::create_directory(disk);
    const std::string out = disk + "/run";
    const std::string answer = on_small_disk(disk, "6m", [&]() -> std::string {
        const std::vector<std::string> demo{"train", digits + "recompute.yaml", "--quiet", "--set", "training.epochs=1", "--out", out};
        const program_result train = run_program(demo);
        EXPECT_EQ(train.exit, 2) << train.err;
        EXPECT_TRUE(holds(train.err, "would fill the disk")) << train.err;
        EXPECT_TRUE(holds(train.err, disk)) << train.err;
        EXPECT_TRUE(fs::is_empty(disk));
        const program_result gemm = run_program({"gemm", "--m", "1024", "--k", "1024", "--n", "1024", "--timeline-steps", "1", "--out", out});
        EXPECT_EQ(gemm.exit, 2) << gemm.err;
        EXPECT_TRUE(holds(gemm.err, "leave out --timeline-steps")) << gemm.err;
        EXPECT_TRUE(fs::is_empty(disk));
        // What the message says helps.
        auto less = demo;
        less.insert(less.end(), {"--set", "log.steps=[]"});
        EXPECT_EQ(run_program(less).exit, 0);
        return "ran";
    });
    if (answer.empty())
        GTEST_SKIP() << "this user may not mount a file system";
}

TEST(disk_room, a_file_that_may_not_grow_ends_the_run_with_a_reason_and_a_log_of_what_was) {
    const scratch_folder folder;
    const std::string out = folder.file("run"), words = folder.file("words");
    // As a shell's user meets the limit: SIGXFSZ as it comes. 6 MB (blocks of 512 bytes) hold the first logged step.
    const std::string command = "ulimit -f 12000; exec '" RETRACE_PROGRAM "' train '" + digits + "recompute.yaml' --quiet --set training.epochs=1 --out '" +
                                out + "' 2>'" + words + "'";
    const int status = std::system(command.c_str());
    ASSERT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status);
    EXPECT_EQ(WEXITSTATUS(status), 1);
    EXPECT_TRUE(holds(text_of(words), "events.sqlite cannot grow, the disk is full or a limit is reached")) << text_of(words);
    const json s = json::parse(text_of(out + "/summary.json"));
    EXPECT_EQ(s.at("run").at("status"), "failed");
    EXPECT_TRUE(holds(s.at("run").at("reason"), "event log")) << s.dump(1);
    log_reader log(out + "/events.sqlite");
    log_query accesses(log, "SELECT count(*) FROM access WHERE step = 1");
    ASSERT_TRUE(accesses.next());
    EXPECT_EQ(accesses.number(0), 55'360u); // all of step 1; what is missing are the last rows alone
    EXPECT_TRUE(holds(text_of(out + "/steps.csv"), "\n1,1,"));
    EXPECT_FALSE(fs::exists(out + "/timeline.json"));
    // And when the limit meets the timeline alone, the run is whole and good, and no half a picture stays.
    const std::string second = "ulimit -f 26000; exec '" RETRACE_PROGRAM "' train '" + digits + "recompute.yaml' --quiet --set training.epochs=1 --out '" +
                               out + "' 2>'" + words + "'";
    const int after = std::system(second.c_str());
    ASSERT_TRUE(WIFEXITED(after)) << "signal " << WTERMSIG(after);
    EXPECT_EQ(WEXITSTATUS(after), 0);
    EXPECT_TRUE(holds(text_of(words), "timeline.json")) << text_of(words);
    EXPECT_EQ(json::parse(text_of(out + "/summary.json")).at("run").at("status"), "complete");
    EXPECT_TRUE(fs::exists(out + "/report.html"));
    EXPECT_FALSE(fs::exists(out + "/timeline.json"));
}

} // namespace
} // namespace retrace::test
