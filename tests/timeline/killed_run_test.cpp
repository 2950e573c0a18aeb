// Runs that were killed outright: what they had written can be asked, proved and reported.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <fstream>
#include <functional>
#include <thread>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim/log/log_reader.h"
#include "tests/timeline/real_run.h"

namespace retrace::test {
namespace {

namespace fs = std::filesystem;

std::uintmax_t bytes_in(const std::string& file) {
    std::error_code error;
    const auto bytes = fs::file_size(file, error);
    return error ? 0 : bytes;
}

std::size_t lines_in(const std::string& file) {
    std::ifstream in(file);
    return static_cast<std::size_t>(std::count(std::istreambuf_iterator<char>(in), {}, '\n'));
}

/// Trains for longer than any test waits, and kills the process when `ripe`.
void train_and_kill(const real_run& r, std::vector<std::string> more, const std::function<bool()>& ripe) {
    std::vector<std::string> all{RETRACE_PROGRAM, "train", r.config(), "--quiet", "--out", r.run(), "--set", "training.steps=1000000"};
    all.insert(all.end(), more.begin(), more.end());
    std::vector<char*> arguments;
    for (std::string& a : all)
        arguments.push_back(a.data());
    arguments.push_back(nullptr);
    const pid_t child = fork();
    if (child == 0) {
        execv(arguments[0], arguments.data());
        _exit(127);
    }
    ASSERT_GT(child, 0);
    int status = 0;
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(200);
    // The process stands while it is looked at, so that it is killed just there.
    const auto stands_ripe = [&] {
        if (!ripe())
            return false;
        kill(child, SIGSTOP);
        if (waitpid(child, &status, WUNTRACED) != child || !WIFSTOPPED(status) || ripe())
            return true;
        kill(child, SIGCONT);
        return false;
    };
    while (!stands_ripe()) {
        ASSERT_EQ(waitpid(child, &status, WNOHANG), 0) << "the run ended by itself";
        if (std::chrono::steady_clock::now() > until) {
            kill(child, SIGKILL);
            waitpid(child, &status, 0);
            FAIL() << "the run did not come so far";
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status));
}

TEST(killed_run, between_two_commits_is_asked_proved_and_reported) {
    real_run r;
    const std::string journal = r.log() + "-journal";
    std::string steps = "log.steps=[1";
    for (unsigned s = 2; s <= 400; ++s)
        steps += "," + std::to_string(s);
    // So large only with rows of commands in it.
    train_and_kill(r, {"--set", steps + "]"}, [&] { return bytes_in(r.log()) > 400'000 && bytes_in(journal) > 1024; });
    ASSERT_TRUE(fs::exists(journal)) << "killed too late";

    const fs::path copies = fs::path(r.run()).parent_path(), forged = copies / "forged", proved = copies / "proved", reported = copies / "reported";
    for (const fs::path& copy : {forged, proved, reported})
        fs::copy(r.run(), copy);

    // Each of them alone has to cope with what the run left half written.
    const program_result asked = r.inspect({"SELECT count(*) FROM command"});
    EXPECT_EQ(asked.exit, 0) << asked.err;
    EXPECT_GT(std::stoul(asked.out.substr(asked.out.find('\n'))), 20u) << asked.out;
    EXPECT_FALSE(fs::exists(journal));
    const program_result report = run_program({"report", reported.string()});
    EXPECT_EQ(report.exit, 0) << report.err;
    const std::string page = text_of((reported / "report.html").string());
    EXPECT_NE(page.find("\"summary\":null"), std::string::npos);
    EXPECT_EQ(page.find("\"log_problem\""), std::string::npos);
    EXPECT_NE(page.find("\"schedule\":{\"phases\""), std::string::npos);
    const program_result prove = run_program({"prove", proved.string()});
    EXPECT_NE(prove.exit, 2) << prove.err; // of a run that was cut, claims about whole steps may fail
    EXPECT_NE(prove.out.find("schedule recompute"), std::string::npos) << prove.err;

    // SQLite deletes a file that a journal names when it has rolled back. No run names one.
    const std::string victim = (copies / "victim").string();
    std::ofstream(victim) << "keep me";
    std::ofstream end((forged / "events.sqlite-journal").string(), std::ios::binary | std::ios::app);
    const auto word = [&](std::uint32_t value) {
        for (int shift = 24; shift >= 0; shift -= 8)
            end.put(static_cast<char>(value >> shift));
    };
    std::uint32_t sum = 0;
    for (const char c : victim)
        sum += static_cast<std::uint32_t>(c);
    word(0x40000000 / 8192 + 1); // the page that holds SQLite's locks
    end << victim;
    word(static_cast<std::uint32_t>(victim.size()));
    word(sum);
    end << "\xd9\xd5\x05\xf9\x20\xa1\x63\xd7";
    end.close();
    const program_result forgery = run_program({"inspect", forged.string()});
    EXPECT_EQ(forgery.exit, 2);
    EXPECT_NE(forgery.err.find("the journal beside it is no run's"), std::string::npos) << forgery.err;
    EXPECT_TRUE(fs::exists(victim));
}

TEST(killed_run, of_a_few_steps_or_without_a_log_still_has_its_training_steps) {
    real_run r;
    train_and_kill(r, {"--set", "log.steps=[]"}, [&] { return lines_in(r.file("steps.csv")) >= 4; });
    EXPECT_EQ(run_program({"report", r.run()}).exit, 0);
    EXPECT_NE(text_of(r.file("report.html")).find("\"steps\":{\"of\":"), std::string::npos);
    // Killed before the log held anything.
    std::filesystem::resize_file(r.log(), 0);
    std::filesystem::remove(r.log() + "-journal");
    const program_result asked = r.inspect({"live-at", "1000"});
    EXPECT_EQ(asked.exit, 2);
    EXPECT_NE(asked.err.find("it is empty: the run was stopped before"), std::string::npos) << asked.err;
    const program_result report = run_program({"report", r.run()});
    EXPECT_EQ(report.exit, 0) << report.err;
    const std::string page = text_of(r.file("report.html"));
    EXPECT_NE(page.find("\"log_problem\":\"the event log events.sqlite cannot be asked: it is empty"), std::string::npos);
    EXPECT_NE(page.find("\"steps\":{\"of\":"), std::string::npos);
}

} // namespace
} // namespace retrace::test
