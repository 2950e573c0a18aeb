// The picture of a log whose every row is known.
#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <gtest/gtest.h>
#include <sys/resource.h>

#include "sim/config/quantity.h"
#include "sim/log/log_reader.h"
#include "sim/timeline/timeline.h"
#include "sim/timeline/trace_writer.h"
#include "tests/timeline/hand_made_log.h"
#include "tests/timeline/trace_checker.h"

namespace retrace::test {
namespace {

std::string text_of(const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

/// Two commands: in each the vector engine signals the activation engine, which waits for it; and a chunk of a DMA queue.
void two_commands(hand_made_log& made) {
    for (std::uint32_t n = 1; n <= 2; ++n) {
        const std::uint64_t t = 1000 * n;
        made.begin(n, n, t);
        made.program(n, n, 2, t + 1, {instruction_with(spec::opcode::binary, 0, 0, 7, 1)});
        made.program(n, n, 1, t + 1, {instruction_with(spec::opcode::activate, 7, 1, 0, 0)});
        trace::grant_event g;
        g.requested = g.granted = t + 10;
        g.resumed = t + 60;
        g.requester = 3;
        g.what = trace::resource::dram;
        g.address = 64;
        g.bytes = 128;
        g.order = 4;
        g.sequence = n;
        made.log().timing(g);
        g.requester = 43;
        g.order = 0;
        g.what = trace::resource::lines;
        g.write = true;
        g.requested = g.granted = t + 60;
        g.resumed = t + 70;
        made.log().timing(g);
        trace::access_event a;
        a.begin = t + 12;
        a.end = t + 40;
        a.engine = 2;
        a.sequence = n;
        a.step = n;
        a.opcode = spec::opcode::binary;
        a.write = true;
        a.memory = spec::memory_kind::state_buffer;
        a.base = 0x4a00;
        a.sizes = {16, 8, 1, 1};
        a.tensor = {3, 1};
        made.access(a);
        made.instruction(n, n, 2, 0, spec::opcode::binary, t + 10, t + 12, t + 40);
        made.instruction(n, n, 1, 0, spec::opcode::activate, t + 10, t + 40, t + 90);
        made.end(n, t + 100);
    }
}

struct drawn {
    timeline_result result;
    checked_trace trace;
    std::string text;
};

drawn draw(hand_made_log& made, const timeline_options& options = {}) {
    drawn d;
    const std::string log = made.close(), file = made.file("timeline.json");
    d.result = write_timeline(log, file, options);
    d.text = text_of(file);
    d.trace = check_trace(d.text);
    EXPECT_EQ(d.text.size(), d.result.bytes);
    EXPECT_EQ(d.trace.events, d.result.events);
    for (const std::string& fault : d.trace.faults)
        ADD_FAILURE() << fault;
    return d;
}

TEST(timeline, slices_arrows_and_counters_are_those_of_the_log) {
    hand_made_log made;
    two_commands(made);
    const drawn d = draw(made);
    EXPECT_EQ(d.result.left_out, "");
    const auto slice = [&](const char* track, std::size_t n) { return d.trace.slices.at(track).at(n); };
    const auto expect = [](const checked_slice& s, std::uint64_t begin, std::uint64_t end, const char* name) {
        EXPECT_EQ(s.begin, begin);
        EXPECT_EQ(s.end, end);
        EXPECT_EQ(s.name, name);
    };
    expect(slice("host/training steps", 0), 995, 1104, "step 1");
    expect(slice("npu0 commands/context 0", 1), 2000, 2100, "forward 3");
    const checked_slice vector = slice("npu0 engines/vector", 0);
    expect(vector, 1012, 1040, "binary IO_3");
    EXPECT_EQ(vector.arguments.at("writes"), "IO_3 state_buffer+0x4a00");
    EXPECT_EQ(vector.arguments.at("shape"), "8x16");
    EXPECT_EQ(vector.arguments.at("phase"), "forward");
    EXPECT_EQ(vector.arguments.at("step"), 1);
    expect(slice("npu0 engines/activation", 1), 2040, 2090, "activate");
    expect(slice("npu0 engines/activation waits", 0), 1012, 1040, "wait for semaphore 7");
    EXPECT_EQ(slice("npu0 engines/activation waits", 0).arguments.at("first"), "semaphore 7 x1 from vector #0");
    expect(slice("npu0 DMA queues/dma0 read 0", 0), 1010, 1060, "DRAM");
    expect(slice("npu0 DMA queues/dma0 write", 0), 1060, 1070, "state buffer");
    // 128 bytes from 64 on with bursts of 64: bursts 1 and 2, channels 1 and 0.
    expect(slice("npu0 memory/DRAM channel 0", 0), 1010, 1060, "dma0 read");
    expect(slice("npu0 memory/DRAM channel 1", 1), 2010, 2060, "dma0 read");
    ASSERT_EQ(d.trace.arrows.size(), 3u); // two semaphores and a wait set
    std::size_t semaphores = 0;
    for (const checked_arrow& a : d.trace.arrows)
        if (a.name == "semaphore") {
            ++semaphores;
            EXPECT_EQ(a.from, "npu0 engines/vector");
            EXPECT_EQ(a.to, "npu0 engines/activation");
            EXPECT_EQ(a.begin % 1000, 39u);
            EXPECT_EQ(a.end % 1000, 40u);
        }
    EXPECT_EQ(semaphores, 2u);
    using samples = std::vector<std::pair<std::uint64_t, std::int64_t>>;
    EXPECT_EQ(d.trace.counters.at("npu0 DMA queues/dma0 chunks in flight"),
              (samples{{1010, 1}, {1070, 0}, {2010, 1}, {2070, 0}}));
    EXPECT_EQ(d.trace.counters.at("npu0 memory/live activations"), (samples{{1100, 2200}, {2100, 4200}}));
    EXPECT_EQ(d.trace.metadata.at("instructions"), 4);
    EXPECT_EQ(d.trace.metadata.at("cycles per microsecond"), "1000.0");
}

TEST(timeline, chosen_steps_only_are_drawn_by_instructions_and_what_is_not_logged_is_told) {
    hand_made_log made;
    two_commands(made);
    timeline_options options;
    options.steps = step_set("2,7");
    const drawn d = draw(made, options);
    EXPECT_EQ(d.result.instructions, 2u);
    EXPECT_EQ(d.trace.slices.at("npu0 engines/vector").size(), 1u);
    EXPECT_EQ(d.trace.slices.at("npu0 commands/context 0").size(), 2u);
    EXPECT_EQ(d.result.left_out, "not in the log at tile level, and so drawn by commands: steps 7 (--set 'log.steps=[...]')\n");
    ASSERT_EQ(d.trace.instants.size(), 1u);
    EXPECT_NE(d.trace.instants[0].find("steps 7"), std::string::npos);
}

TEST(timeline, of_a_long_range_only_what_is_missing_is_told_and_no_list_is_cut) {
    std::vector<std::uint32_t> steps;
    std::string list;
    for (std::uint32_t step = 1; step <= 79; step += 2) {
        steps.push_back(step);
        list += (step > 1 ? "," : "") + std::to_string(step);
    }
    hand_made_log scattered(steps);
    two_commands(scattered);
    timeline_options options;
    options.steps = step_set("1-79");
    const drawn d = draw(scattered, options);
    ASSERT_EQ(d.trace.instants.size(), 1u);
    std::string missing;
    for (std::uint32_t step = 2; step <= 78; step += 2)
        missing += (step > 2 ? "," : "") + std::to_string(step);
    EXPECT_EQ(d.trace.instants[0], "not in the log at tile level, and so drawn by commands: steps " + missing + " (--set 'log.steps=[...]')");
    EXPECT_EQ(d.trace.metadata.at("steps at tile level in the log"), list);

    for (std::uint32_t step = 1; step <= 40; ++step)
        steps.push_back(step);
    hand_made_log all(steps);
    two_commands(all);
    options.steps = step_set("1-40");
    EXPECT_EQ(draw(all, options).result.left_out, "");
    // Very long lists are cut between two ranges, and say so.
    std::string odd;
    for (unsigned step = 1; step <= 1001; step += 2)
        odd += (step > 1 ? "," : "") + std::to_string(step);
    EXPECT_TRUE(step_set(odd).text().ends_with(" more ranges")) << step_set(odd).text();
}

TEST(timeline, steps_that_take_turns_or_overlap_are_drawn_whole) {
    hand_made_log made(std::vector<std::uint32_t>{});
    for (const auto& [sequence, step, begin, end] :
         {std::array{1u, 0u, 100u, 200u}, {2u, 1u, 300u, 400u}, {3u, 1u, 410u, 500u}, {4u, 0u, 600u, 700u}, {5u, 2u, 650u, 800u}}) {
        made.begin(sequence, step, begin);
        made.end(sequence, end);
    }
    const drawn d = draw(made);
    const auto text = [&](const char* track) {
        std::string all;
        for (const checked_slice& s : d.trace.slices.at(track))
            all += s.name + " " + std::to_string(s.begin) + "-" + std::to_string(s.end) + "; ";
        return all;
    };
    EXPECT_EQ(text("host/training steps"), "outside of steps 95-204; step 1 295-504; outside of steps 595-704; ");
    EXPECT_EQ(text("host/training steps (2)"), "step 2 645-804; ");
}

TEST(timeline, what_belongs_to_no_command_is_drawn_while_a_chosen_step_of_its_device_runs) {
    hand_made_log made;
    two_commands(made); // steps 1 and 2 of device 0
    made.change("INSERT INTO command SELECT 1, sequence, context, phase, step, layer, begun + 10, operands FROM command;"
                "INSERT INTO command_moment SELECT 1, sequence, moment, cycle + 10, status FROM command_moment;");
    for (const unsigned cycle : {1050u, 1500u, 2050u}) // in step 1, between both, in step 2
        made.change("INSERT INTO grant_ SELECT " + std::to_string(cycle) + ", " + std::to_string(cycle) + ", " + std::to_string(cycle + 5) +
                    ", 0, 1, 60, 0, 2, 0, 64, 64, 0, 0");
    made.change("CREATE TABLE sorted AS SELECT * FROM grant_ ORDER BY granted; DELETE FROM grant_; INSERT INTO grant_ SELECT * FROM sorted; "
                "DROP TABLE sorted");
    const drawn d = draw(made);
    const auto& slices = d.trace.slices.at("npu1 engines/mover");
    ASSERT_EQ(slices.size(), 2u);
    EXPECT_EQ(slices[0].begin, 1050u);
    EXPECT_EQ(slices[1].begin, 2050u);
}

TEST(timeline, a_file_that_cannot_be_finished_leaves_the_old_one) {
    hand_made_log made;
    two_commands(made);
    const std::string old = draw(made).text, file = made.file("timeline.json");
    made.change("WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < 9000) "
                "INSERT INTO host_event SELECT 3000 + n, 'weights_updated', 1, 1, 3, n, 0 FROM i");
    rlimit before{};
    ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    const rlimit small{100'000, before.rlim_max};
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
    EXPECT_THROW(write_timeline(made.close(), file, {}), timeline_error);
    setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, handler);
    EXPECT_EQ(text_of(file), old);
    EXPECT_FALSE(std::filesystem::exists(file + ".part"));
    EXPECT_GT(draw(made).text.size(), 500'000u);
}

TEST(timeline, a_clock_that_is_no_whole_number_of_ns_draws_no_overlaps) {
    for (const char* clock : {"1400000000", "3000000000", "933000000"}) {
        hand_made_log made;
        made.begin(1, 1, 100);
        for (std::uint32_t n = 0; n < 3000; ++n)
            made.instruction(1, 1, 1, n, spec::opcode::activate, 100 + n, 100 + n, 101 + n);
        made.end(1, 4000);
        made.change(std::string("UPDATE machine SET value = ") + clock + " WHERE key = 'clock'");
        const drawn d = draw(made);
        EXPECT_EQ(d.trace.slices.at("npu0 engines/activation").size(), 3000u);
        EXPECT_EQ(d.trace.slices.at("npu0 commands/context 0").at(0).end, 4000 * 1'000'000'000ull / std::stoull(clock));
    }
}

TEST(timeline, the_limit_holds_and_the_file_says_from_where_on_something_is_missing) {
    hand_made_log made({1, 2});
    for (std::uint32_t n = 1; n <= 400; ++n) {
        made.begin(n, n <= 200 ? 1 : 3, 1000 * n);
        for (std::uint32_t i = 0; i < 4 && n <= 200; ++i)
            made.instruction(n, 1, 1, i, spec::opcode::activate, 1000 * n + 100 * i, 1000 * n + 100 * i + 2,
                             1000 * n + 100 * i + 90);
        made.end(n, 1000 * n + 900);
    }
    const drawn whole = draw(made);
    EXPECT_EQ(whole.result.left_out, "");
    timeline_options options;
    options.max_bytes = timeline_options::least_bytes;
    const drawn cut = draw(made, options);
    EXPECT_LE(cut.text.size(), options.max_bytes);
    EXPECT_GT(cut.text.size(), options.max_bytes * 3 / 4);
    EXPECT_EQ(cut.trace.instants.size(), 2u);
    EXPECT_EQ(cut.trace.slices.at("npu0 commands/context 0").size() + cut.result.commands_left_out, 400u);
    EXPECT_EQ(cut.trace.slices.at("npu0 engines/activation").size() + cut.result.instructions_left_out, 800u);
    EXPECT_GT(cut.trace.slices.at("npu0 commands/context 0").size(), 30u);
    EXPECT_GT(cut.trace.slices.at("npu0 engines/activation").size(), 40u);
    // What is there is the beginning, whole.
    const auto& all = whole.trace.slices.at("npu0 engines/activation");
    const auto& some = cut.trace.slices.at("npu0 engines/activation");
    for (std::size_t n = 0; n < some.size(); ++n)
        EXPECT_EQ(some[n].begin, all[n].begin);
    EXPECT_NE(cut.result.left_out.find("instructions, chunks and grants from cycle"), std::string::npos) << cut.result.left_out;
    // Without the tile level the commands have all the room.
    options.steps = step_set("9");
    EXPECT_GT(draw(made, options).trace.slices.at("npu0 commands/context 0").size(),
              cut.trace.slices.at("npu0 commands/context 0").size() * 3 / 2);
}

TEST(timeline, names_cannot_break_the_file) {
    hand_made_log made;
    made.log().name_tensor(3, "a\"b\\c\n\xff\x01{}[]," + std::string(500, 'x'));
    two_commands(made);
    const drawn d = draw(made);
    EXPECT_EQ(d.trace.slices.at("npu0 engines/vector").at(0).name.substr(0, 14), "binary a\"b\\c??");
}

TEST(timeline, what_cannot_be_written_is_told) {
    hand_made_log made;
    EXPECT_THROW(write_timeline(made.close(), made.file("no/such/folder.json"), {}), timeline_error);
    EXPECT_THROW(write_timeline(made.file("none.sqlite"), made.file("t.json"), {}), log_reader_error);
}

TEST(step_set, without_is_what_is_left) {
    const auto rest = [](const char* all, const char* taken) { return step_set(all).without(step_set(taken)).text(); };
    EXPECT_EQ(rest("1-10", "3,5-6"), "1-2,4,7-10");
    EXPECT_EQ(rest("7,1-3,2-5", "4"), "1-3,5,7");
    EXPECT_EQ(rest("5-6", "1-9"), "");
    EXPECT_EQ(rest("1-3,8", "20"), "1-3,8");
    EXPECT_EQ(rest("10-18446744073709551615", "12-18446744073709551615"), "10-11");
    EXPECT_EQ(step_set("4-6").without(step_set()).text(), "4-6");
}

TEST(step_set, reads_numbers_and_ranges) {
    const step_set s("3,5-7,1");
    for (const std::uint64_t step : {1, 3, 5, 6, 7})
        EXPECT_TRUE(s.contains(step)) << step;
    for (const std::uint64_t step : {0, 2, 4, 8})
        EXPECT_FALSE(s.contains(step)) << step;
    EXPECT_EQ(s.text(), "3,5-7,1");
    for (const char* bad : {"", ",", "1,", "2-1", "a", "1--2", "-1", "1;2", "99999999999999999999999"})
        EXPECT_THROW(step_set{std::string_view(bad)}, value_error) << bad;
}

} // namespace
} // namespace retrace::test
