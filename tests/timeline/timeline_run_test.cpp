// Pictures of real runs: the rules of the format, and lengths that have to be what summary.json says by other means.
#include <algorithm>
#include <map>

#include <gtest/gtest.h>

#include "sim/log/log_reader.h"
#include "tests/timeline/real_run.h"
#include "tests/timeline/trace_checker.h"

namespace retrace::test {
namespace {

checked_trace check(const real_run& r) {
    checked_trace t = check_trace(text_of(r.file("timeline.json")));
    for (const std::string& fault : t.faults)
        ADD_FAILURE() << fault;
    return t;
}

std::uint64_t number(log_reader& log, const std::string& sql) {
    log_query q(log, sql);
    EXPECT_TRUE(q.next()) << sql;
    return q.number(0);
}

std::size_t count(const checked_trace& t, const std::string& track) {
    const auto found = t.slices.find(track);
    return found == t.slices.end() ? 0 : found->second.size();
}

/// Sum over the tracks whose name begins so.
std::size_t count_all(const checked_trace& t, const std::string& begin) {
    std::size_t sum = 0;
    for (const auto& [name, slices] : t.slices)
        sum += name.starts_with(begin) ? slices.size() : 0;
    return sum;
}

TEST(timeline_run, everything_that_the_log_has_is_there_and_times_are_those_of_the_summary) {
    real_run r;
    const program_result run = r.train();
    ASSERT_EQ(run.exit, 0) << run.err;
    EXPECT_EQ(run.err.find("timeline"), std::string::npos) << run.err;
    const checked_trace t = check(r);
    log_reader log(r.log());
    const auto instructions = [&](const char* where) {
        return number(log, std::string("SELECT count(*) FROM instruction WHERE ") + where);
    };
    EXPECT_EQ(count_all(t, "npu0 commands/context"), number(log, "SELECT count(*) FROM command"));
    EXPECT_EQ(count(t, "npu0 engines/pe weights"), instructions("opcode = 16"));
    EXPECT_EQ(count(t, "npu0 engines/pe rows"), instructions("opcode = 17"));
    EXPECT_EQ(count(t, "npu0 engines/pe sums"), instructions("opcode = 17"));
    EXPECT_EQ(count(t, "npu0 engines/activation"), instructions("engine = 1"));
    EXPECT_EQ(count(t, "npu0 engines/vector"), instructions("engine = 2"));
    EXPECT_GT(instructions("engine = 2"), 10u);
    for (unsigned q = 0; q < 3; ++q) {
        const std::string queue = "npu0 DMA queues/dma" + std::to_string(q);
        const std::string requester = std::to_string(3 + q), writer = std::to_string(43 + q);
        EXPECT_EQ(count(t, queue), instructions(("engine = " + requester).c_str()));
        EXPECT_EQ(count_all(t, queue + " read "), number(log, "SELECT count(*) FROM grant_ WHERE requester = " + requester));
        EXPECT_EQ(count(t, queue + " write"), number(log, "SELECT count(*) FROM grant_ WHERE requester = " + writer));
        EXPECT_GT(count(t, queue + " write"), 10u);
        const auto& chunks = t.counters.at(queue + " chunks in flight");
        EXPECT_EQ(chunks.back().second, 0);
        for (const auto& [ns, value] : chunks)
            EXPECT_LE(value, 4); // npu.dma.outstanding_chunks
    }
    // A row enters the array in so many cycles; every step is logged.
    EXPECT_EQ(t.length("npu0 engines/pe rows"), r.summary().at("cycles").at("stalls").at("compute").get<std::uint64_t>());
    // The last live bytes and the highest are those of the device.
    std::int64_t peak = 0;
    for (const auto& [ns, live] : t.counters.at("npu0 memory/live device_dram"))
        peak = std::max(peak, live);
    EXPECT_LE(peak, r.summary().at("memory").at("device_dram").at("peak_bytes").get<std::int64_t>());
    EXPECT_GT(peak, 0);
    // Every wait that somebody ended has its arrow.
    std::size_t arrows = 0;
    for (const checked_arrow& a : t.arrows)
        arrows += a.name == "semaphore";
    EXPECT_GE(
        arrows,
        number(
            log,
            "SELECT count(*) FROM instruction i JOIN program p USING(device, sequence, engine) JOIN program_code c ON c.code = p.code AND "
            "c.pc = i.pc WHERE c.wait0_count > 0"));
    EXPECT_EQ(t.metadata.at("instructions left out"), 0);
    EXPECT_EQ(t.metadata.at("instructions"), instructions("1"));
}

TEST(timeline_run, wires_are_busy_exactly_until_their_messages_have_left) {
    real_run r;
    ASSERT_EQ(r.train().exit, 0);
    const checked_trace t = check(r);
    log_reader log(r.log());
    for (const auto& [resource, track] : {std::pair{3, "npu0 host link/link up"}, {4, "npu0 host link/link down"}}) {
        // A message has left its wire `latency` before it arrives (`tiny`: 250 cycles; 4 bytes a cycle, 24 more for each 256).
        log_query q(log, "SELECT granted, arrived, bytes FROM grant_ WHERE resource = ? ORDER BY rowid");
        q.bind(resource);
        std::uint64_t free = 0, busy = 0;
        std::vector<std::uint64_t> begins;
        while (q.next()) {
            const std::uint64_t packets = std::max<std::uint64_t>(1, (q.number(2) + 255) / 256),
                                wire = (q.number(2) + packets * 24 + 3) / 4;
            const std::uint64_t left = q.number(1) - 250;
            EXPECT_GE(left - wire, std::max(free, q.number(0)));
            begins.push_back(left - wire);
            busy += wire;
            free = left;
        }
        EXPECT_GT(busy, 1000u);
        EXPECT_EQ(t.length(track), busy);
        EXPECT_EQ(t.slices.at(track).back().end, free);
        for (const checked_slice& s : t.slices.at(track)) // touching messages are one slice
            EXPECT_TRUE(std::binary_search(begins.begin(), begins.end(), s.begin)) << s.begin;
    }
}

TEST(timeline_run, dram_is_busy_from_each_grant_to_its_last_burst) {
    real_run r;
    ASSERT_EQ(r.train().exit, 0);
    const checked_trace t = check(r);
    log_reader log(r.log());
    log_query q(log, "SELECT granted, resumed FROM grant_ WHERE resource = 2 ORDER BY rowid");
    std::uint64_t free = 0, busy = 0;
    while (q.next()) {
        busy += std::max(free, q.number(1)) - std::max(free, q.number(0));
        free = std::max(free, q.number(1));
    }
    EXPECT_EQ(t.length("npu0 memory/DRAM channel 0"), busy); // `tiny` has one channel
}

TEST(timeline_run, steps_can_be_chosen_and_the_size_limited) {
    real_run r;
    ASSERT_EQ(r.train({"--timeline-steps", "2"}).exit, 0);
    const checked_trace one = check(r);
    log_reader log(r.log());
    EXPECT_EQ(one.metadata.at("instructions"),
              number(log, "SELECT count(*) FROM instruction i JOIN command c USING(device, sequence) WHERE c.step = 2"));
    EXPECT_EQ(count_all(one, "npu0 commands/context"), number(log, "SELECT count(*) FROM command"));

    const program_result cut = r.train({"--timeline-max", "200kB"});
    EXPECT_EQ(cut.exit, 0);
    EXPECT_NE(cut.err.find("left out to stay under the limit of 0.2 MB"), std::string::npos) << cut.err;
    EXPECT_LE(std::filesystem::file_size(r.file("timeline.json")), 200'000u);
    const checked_trace some = check(r);
    EXPECT_FALSE(some.instants.empty());
    EXPECT_NE(some.metadata.at("instructions left out"), 0);

    const program_result missing = r.train({"--timeline-steps", "2-9", "--set", "log.steps=[2]"});
    EXPECT_EQ(missing.exit, 0);
    EXPECT_NE(missing.err.find("steps 3-9 "), std::string::npos) << missing.err;
    EXPECT_EQ(r.train({"--timeline-max", "0"}).exit, 0);
    EXPECT_FALSE(std::filesystem::exists(r.file("timeline.json")));
    EXPECT_EQ(r.train({"--set", "log.events=false"}).exit, 0);
    EXPECT_FALSE(std::filesystem::exists(r.file("timeline.json")));
}

/// Slices of steps as they have to be: one for every run of commands of one step, in the order of their first moments.
std::vector<std::string> step_slices(log_reader& log) {
    struct command {
        std::uint64_t first, last, step;
    };
    std::map<std::uint64_t, command> commands; // by sequence
    log_query q(log, "SELECT c.sequence, m.cycle, c.step FROM command c JOIN command_moment m ON m.device = c.device AND m.sequence = c.sequence");
    while (q.next()) {
        command& c = commands.try_emplace(q.number(0), command{q.number(1), q.number(1), q.number(2)}).first->second;
        c.first = std::min(c.first, q.number(1));
        c.last = std::max(c.last, q.number(1));
    }
    std::vector<command> order, runs;
    for (const auto& [sequence, c] : commands)
        order.push_back(c);
    std::stable_sort(order.begin(), order.end(), [](const command& a, const command& b) { return a.first < b.first; });
    for (const command& c : order)
        if (runs.empty() || runs.back().step != c.step)
            runs.push_back(c);
        else
            runs.back().last = std::max(runs.back().last, c.last);
    std::vector<std::string> slices;
    for (const command& r : runs)
        slices.push_back(std::to_string(r.first) + "-" + std::to_string(r.last) + (r.step ? " step " + std::to_string(r.step) : " outside of steps"));
    std::sort(slices.begin(), slices.end());
    return slices;
}

TEST(timeline_run, slices_of_a_step_cover_exactly_its_commands) {
    real_run r;
    const auto drawn = [&] {
        const checked_trace t = check(r);
        std::vector<std::string> slices;
        for (const auto& [name, its] : t.slices)
            if (name.starts_with("host/training steps"))
                for (const checked_slice& s : its)
                    slices.push_back(std::to_string(s.begin) + "-" + std::to_string(s.end) + " " + s.name);
        std::sort(slices.begin(), slices.end());
        return slices;
    };
    ASSERT_EQ(r.gemm({"--m", "200", "--k", "64", "--n", "96"}).exit, 0); // copies in, the product, copies out
    {
        log_reader log(r.log());
        EXPECT_GE(step_slices(log).size(), 3u);
        EXPECT_EQ(drawn(), step_slices(log));
    }
    ASSERT_EQ(r.train().exit, 0);
    log_reader log(r.log());
    EXPECT_EQ(drawn(), step_slices(log));
}

TEST(timeline_run, a_timeline_that_cannot_be_written_fails_no_run) {
    real_run r;
    const std::vector<std::string> longer{"--set", "training.steps=8", "--set", "log.steps=[1,2,3,4,5,6,7,8]"};
    ASSERT_EQ(r.train(longer).exit, 0);
    const auto size = [&](const char* name) { return std::filesystem::file_size(r.file(name)); };
    const auto others = std::max(size("events.sqlite"), size("report.html"));
    ASSERT_GT(size("timeline.json"), others + 200'000);
    program_options full;
    full.file_bytes = others + 100'000;
    std::vector<std::string> loud{"train", r.config(), "--out", r.run()};
    loud.insert(loud.end(), longer.begin(), longer.end());
    const program_result run = run_program(loud, full);
    EXPECT_EQ(run.exit, 0) << run.err;
    EXPECT_NE(run.err.find("retrace: no timeline.json: "), std::string::npos) << run.err;
    EXPECT_NE(run.out.find("Files in"), std::string::npos) << run.out;
    EXPECT_EQ(run.out.find("timeline.json"), std::string::npos) << run.out;
    EXPECT_TRUE(std::filesystem::exists(r.file("report.html")));
    EXPECT_FALSE(std::filesystem::exists(r.file("timeline.json")) || std::filesystem::exists(r.file("timeline.json.part")));
}

TEST(timeline_run, choices_that_are_none_are_exit_2_and_create_nothing) {
    real_run r;
    for (const std::vector<std::string>& bad : {std::vector<std::string>{"--timeline-steps", "x"},
                                                {"--timeline-steps", "3-1"},
                                                {"--timeline-max", "-1"},
                                                {"--timeline-max", "5"},
                                                {"--timeline-max", "50 bananas"}}) {
        const program_result run = r.train(bad);
        EXPECT_EQ(run.exit, 2) << run.err;
        EXPECT_NE(run.err.find("--timeline"), std::string::npos) << run.err;
        EXPECT_FALSE(std::filesystem::exists(r.run()));
    }
}

TEST(timeline_run, the_same_run_draws_the_same_picture_and_writes_the_same_log) {
    real_run a, b;
    ASSERT_EQ(a.train().exit, 0);
    ASSERT_EQ(b.train().exit, 0);
    EXPECT_EQ(text_of(a.file("timeline.json")), text_of(b.file("timeline.json")));
    EXPECT_EQ(text_of(a.log()), text_of(b.log()));
}

TEST(timeline_run, stress_and_other_clocks_draw_no_overlaps) {
    real_run r;
    ASSERT_EQ(
        r.train({"--set", "npu.stress.requests=40", "--set", "npu.stress.chunks=60", "--set", "npu.stress.messages=100"}).exit,
        0);
    check(r);
    ASSERT_EQ(
        r.train({"--set", "npu.clock=1.4GHz", "--set", "npu.device_dram.channels=4", "--set", "npu.array.weight_registers=1"})
            .exit,
        0);
    const checked_trace t = check(r);
    EXPECT_GT(count(t, "npu0 memory/DRAM channel 3"), 10u);
}

TEST(timeline_run, a_product_is_drawn_by_commands_or_by_instructions) {
    real_run r;
    const std::vector<std::string> shape{"--m", "40", "--k", "30", "--n", "20"};
    const auto gemm = [&](std::vector<std::string> more) {
        more.insert(more.begin(), shape.begin(), shape.end());
        const program_result run = r.gemm(more);
        EXPECT_EQ(run.exit, 0) << run.err;
        return check(r);
    };
    const checked_trace commands = gemm({});
    EXPECT_GT(count_all(commands, "npu0 commands/context"), 3u);
    EXPECT_EQ(count(commands, "npu0 engines/pe rows"), 0u);
    const checked_trace whole = gemm({"--timeline-steps", "1"});
    EXPECT_EQ(whole.length("npu0 engines/pe rows"), r.summary().at("cycles").at("stalls").at("compute").get<std::uint64_t>());
    gemm({"--timeline-steps", "1", "--serial"});
    // Two clocks, two arrays: the same picture but for the clock.
    const checked_trace stepped = gemm({"--timeline-steps", "1", "--array", "stepped"});
    EXPECT_EQ(stepped.length("npu0 engines/pe sums"), whole.length("npu0 engines/pe sums"));
}

} // namespace
} // namespace retrace::test
