// Ways to hang, and what the watchdog says about each: the cause in the first line, who waits for what below it. And what is no hang.
// Here: engines and commands. hang_host_test.cpp has rings, firmware and interrupts.
#include <nlohmann/json.hpp>

#include "tests/system/hang_bench.h"
#include "tests/system/program.h"
#include "tests/system/system_bench.h"

namespace retrace::test {
namespace {

// ---- semaphores

TEST(hang, a_signal_that_nobody_gives) {
    npu_bench bench(watched());
    const hang h = hang_of(bench, bench.command({{2, {encode(nop({})), encode(nop(sync().wait(5)))}}, {3, {encode(nop(sync().signal(4)))}}}));
    ASSERT_EQ(h.analysis.causes.size(), 1u) << h.text;
    EXPECT_EQ(h.cause(), wait_cause::kind::too_little);
    EXPECT_TRUE(h.begins("vector waits for semaphore 5 (value 0) to reach 1 at instruction 1 of 2 (nop) of command 3 since cycle ")) << h.text;
    EXPECT_TRUE(h.begins(": nobody will signal it: no remaining instruction of command 3 does")) << h.text;
    EXPECT_TRUE(h.says("held up by this: ")) << h.text;
    EXPECT_TRUE(h.says("command 3: step 1, forward, layer 0, in context ")) << h.text;
    EXPECT_TRUE(h.says("idle: pe, activation, dma0, dma1, dma2")) << h.text;
}

TEST(hang, a_count_that_the_signals_do_not_reach) {
    npu_bench bench(watched());
    // 2 have come, 4 are wanted.
    const hang h = hang_of(bench, bench.command({{1, {encode(nop(sync().wait(6, 4)))}}, {3, {encode(nop(sync().signal(6, 2)))}}}));
    EXPECT_EQ(h.cause(), wait_cause::kind::too_little);
    EXPECT_TRUE(h.begins("activation waits for semaphore 6 (value 2) to reach 4 at instruction 0 of 1 (nop)")) << h.text;
    EXPECT_TRUE(h.begins("nobody will signal it")) << h.text;
}

TEST(hang, what_is_left_of_the_programs_is_counted) {
    npu_bench bench(watched());
    // dma0 would add 2 of the 3 that are missing, if the vector engine went on.
    const hang h = hang_of(bench, bench.command({{2, {encode(nop(sync().wait(6, 3).signal(7)))}},
                                                 {3, {encode(nop(sync().wait(7).signal(6))), encode(nop(sync().signal(6)))}}}));
    ASSERT_EQ(h.analysis.causes.size(), 1u) << h.text;
    EXPECT_EQ(h.cause(), wait_cause::kind::too_little);
    EXPECT_TRUE(h.begins("vector waits for semaphore 6 (value 0) to reach 3")) << h.text;
    EXPECT_TRUE(h.begins("all that is left to signal it adds 2 of the 3 that are missing; dma0 would signal at its instruction 0 (nop), "
                         "the first of 2 that add 2 in all"))
        << h.text;
    EXPECT_TRUE(h.says("held up by this: dma0")) << h.text;
}

TEST(hang, a_ring_of_waits_is_printed_as_one) {
    npu_bench bench(watched());
    const hang h = hang_of(bench, bench.command({{0, {encode(nop(sync().wait(3))), encode(nop({})), encode(nop(sync().signal(5)))}},
                                                 {2, {encode(nop(sync().wait(5))), encode(nop(sync().signal(3)))}},
                                                 {4, {encode(nop(sync().wait(9)))}}, // waits for one that is in the ring
                                                 {1, {encode(nop(sync().wait(10).signal(9)))}},
                                                 {3, {encode(nop(sync().wait(11).signal(10))), encode(nop(sync().wait(12)))}},
                                                 {5, {encode(nop({}))}}}));
    // dma0 (engine 3) waits for what nobody signals: the second cause.
    ASSERT_EQ(h.analysis.causes.size(), 2u) << h.text;
    bool ring = false;
    for (const wait_cause& c : h.analysis.causes)
        if (c.what == wait_cause::kind::cycle) {
            ring = true;
            EXPECT_EQ(c.edges.size(), 4u);
            EXPECT_NE(c.text.find("pe waits for semaphore 3 (value 0) to reach 1 at instruction 0 of 3 (nop) of command 7 since cycle "), std::string::npos) << c.text;
            EXPECT_NE(c.text.find(", which vector would signal at its instruction 1 (nop), but vector waits for semaphore 5 "), std::string::npos) << c.text;
            EXPECT_NE(c.text.find(", which pe would signal at its instruction 2 (nop): a cycle"), std::string::npos) << c.text;
        } else {
            EXPECT_NE(c.text.find("dma0 waits for semaphore 11"), std::string::npos) << c.text;
            EXPECT_EQ(c.held_up.front(), 1u) << c.text; // activation, and dma1 behind it
        }
    EXPECT_TRUE(ring) << h.text;
    EXPECT_TRUE(h.says("also: ")) << h.text;
}

TEST(hang, an_engine_that_waits_for_its_own_later_signal) {
    npu_bench bench(watched());
    const hang h = hang_of(bench, bench.command({{2, {encode(nop(sync().wait(3))), encode(nop(sync().signal(3)))}}}));
    EXPECT_EQ(h.cause(), wait_cause::kind::cycle);
    EXPECT_TRUE(h.begins("which vector would signal at its instruction 1 (nop): a cycle")) << h.text;
}

TEST(hang, semaphores_of_another_command_do_not_help) {
    npu_bench bench(watched());
    auto first = bench.command({{2, {encode(nop(sync().wait(5)))}}});
    auto second = bench.command({{3, {encode(nop(sync().wait(6))), encode(nop(sync().signal(5)))}}});
    for (spec::command* c : {&first, &second})
        c->work_bytes = c->psum_count = 0;
    const hang h = hang_of([&] {
        ASSERT_TRUE(bench.driver->launch(first));
        static_cast<void>(bench.execute(second));
    });
    EXPECT_EQ(h.analysis.causes.size(), 2u) << h.text;
    EXPECT_TRUE(h.says("vector waits for semaphore 5 ")) << h.text;
    EXPECT_TRUE(h.says("dma0 waits for semaphore 6 ")) << h.text;
}

// ---- the array's ports

TEST(hang, a_pe_program_that_ends_with_two_loads_that_nobody_took) {
    npu_bench bench(watched());
    constexpr number_format f = number_format::bf16;
    const hang h = hang_of(bench, bench.command({{0, {encode(nop({})), encode(load_weights({}, f, 8, 8, 0, 16)), encode(load_weights({}, f, 8, 8, 1024, 16))}}}));
    EXPECT_EQ(h.cause(), wait_cause::kind::stopped);
    EXPECT_TRUE(h.begins("pe waits at the end of command 2's program for pe's weight port, but pe's weight port holds instruction 2 (load_weights), which "
                         "waits for a matmul that swaps the weights before it in: no remaining instruction does"))
        << h.text;
}

TEST(hang, a_load_in_the_port_whose_swap_waits_for_a_signal) {
    npu_bench bench(watched());
    constexpr number_format f = number_format::bf16;
    const hang h = hang_of(bench, bench.command({{0,
                                                  {encode(load_weights({}, f, 8, 8, 0, 16)), encode(load_weights(sync().signal(2), f, 8, 8, 1024, 16)),
                                                   encode(matmul(sync().wait(1), f, 8, 8, 2048, 16, 0, 8, spec::matmul_swap)),
                                                   encode(matmul({}, f, 8, 8, 2048, 16, 0, 8, spec::matmul_swap))}},
                                                 {2, {encode(nop(sync().wait(2).signal(1)))}}}));
    // pe waits for the vector engine's signal, which waits for that of the load in the port, which waits for pe to swap.
    EXPECT_EQ(h.cause(), wait_cause::kind::cycle);
    EXPECT_TRUE(h.begins("which pe's weight port would signal at its instruction 1 (load_weights), but pe's weight port waits with instruction 1 "
                         "(load_weights) for the weights before it to be swapped in, by instruction 2 (matmul)"))
        << h.text;
    EXPECT_TRUE(h.begins(": a cycle")) << h.text;
}

// ---- commands

TEST(hang, a_command_that_waits_for_one_that_never_ends) {
    npu_bench bench(watched());
    auto first = bench.command({{2, {encode(nop(sync().wait(5)))}}});
    auto second = bench.command({{3, {encode(nop({}))}}});
    auto third = bench.command({{4, {encode(nop({}))}}});
    auto fourth = bench.command({{2, {encode(nop({}))}}});
    second.work_bytes = second.psum_count = 0;
    const hang h = hang_of([&] {
        second.wait[0] = bench.driver->launch(first).value().sequence;
        ASSERT_TRUE(bench.driver->launch(second));
        ASSERT_TRUE(bench.driver->launch(third));
        static_cast<void>(bench.execute(fourth));
    });
    ASSERT_EQ(h.analysis.causes.size(), 1u) << h.text;
    EXPECT_TRUE(h.begins("vector waits for semaphore 5 ")) << h.text;
    EXPECT_TRUE(h.says("held up by this: command 5, command 6, command 7, command 8, the host")) << h.text;
    EXPECT_TRUE(h.says("command 6: step 1, forward, layer 0; waits for command 5 to complete since cycle ")) << h.text;
    EXPECT_TRUE(h.says("command 7: step 1, forward, layer 0; waits for its working set, which overlaps that of command 5 since ")) << h.text;
    EXPECT_TRUE(h.says("command 8: step 1, forward, layer 0; waits for vector, which command 5 uses since cycle ")) << h.text;
}

TEST(hang, a_command_for_which_there_is_no_context) {
    npu_bench bench(watched());
    std::vector<spec::command> commands;
    for (unsigned e = 1; e < 6; ++e) {
        commands.push_back(bench.command({{e, {encode(nop(sync().wait(e)))}}}));
        commands.back().work_bytes = commands.back().psum_count = 0;
    }
    const hang h = hang_of([&] {
        for (const spec::command& c : commands)
            ASSERT_TRUE(bench.driver->launch(c));
        static_cast<void>(bench.driver->wait_all());
    });
    EXPECT_EQ(h.analysis.causes.size(), 4u) << h.text;
    EXPECT_TRUE(h.says("command 10: step 1, forward, layer 0; waits for a free context since cycle ")) << h.text;
}

// ---- what is no hang

TEST(no_hang, while_the_host_computes_or_rests) {
    npu_bench bench(watched(100'000));
    const auto command = bench.command({{3, {encode(copy({}, slot::host, 0, work, 0, 8192))}}});
    for (const std::uint64_t cycles : {1'000'000u, 5'000'000u}) {
        const auto handle = bench.driver->launch(command);
        ASSERT_TRUE(handle);
        bench.door.compute(cycles); // the completion waits for the host, not the other way
        EXPECT_TRUE(bench.driver->wait(handle.value()));
        bench.door.wait_interrupt(2000); // the message of the completion, if it has not been heard
        EXPECT_FALSE(bench.door.wait_interrupt(cycles));
        bench.door.compute(cycles);
        bench.door.read_register(spec::host_block::status);
    }
}

TEST(no_hang, with_a_full_ring_that_a_busy_host_empties_late) {
    npu_bench bench(watched(100'000));
    std::vector<command_handle> handles;
    for (int i = 0; i < 40; ++i)
        handles.push_back(bench.driver->launch(spec::command{}).value());
    bench.door.compute(10'000'000);
    for (const command_handle& handle : handles)
        EXPECT_TRUE(bench.driver->wait(handle));
}

TEST(hang, slow_work_is_called_slow) {
    npu_config config = watched(500'000);
    config.host_link.host_latency_ns = 3e6; // a read of host memory takes 3 M cycles
    npu_bench bench(config);
    const hang h = hang_of([&] { bench.command({{3, {encode(nop({}))}}}); });
    EXPECT_TRUE(h.analysis.causes.empty()) << h.text;
    EXPECT_TRUE(h.begins("nothing is stuck, it is slow; still at work: the mover (copies 512 bytes from the host to 0x8")) << h.text;
}

TEST(hang, the_program_ends_with_exit_3_and_says_what_still_works) {
    const scratch_folder folder;
    const program_result r = run_program({"train", std::string(RETRACE_SOURCE_FOLDER) + "/examples/digits/recompute.yaml", "--set", "npu.watchdog_cycles=1000", "--out",
                                          folder.file("run"), "--quiet"});
    EXPECT_EQ(r.exit, 3) << r.err;
    EXPECT_NE(r.err.find("hang: no engine has finished an instruction since cycle "), std::string::npos) << r.err;
    EXPECT_NE(r.err.find("nothing is stuck, it is slow; still at work: "), std::string::npos) << r.err;
    EXPECT_NE(r.err.find("a larger npu.watchdog_cycles (now 1000) would let it go on"), std::string::npos) << r.err;
    const nlohmann::json run = nlohmann::json::parse(text_of(folder.file("run/summary.json"))).at("run");
    EXPECT_EQ(run.at("status"), "hang");
    EXPECT_NE(run.at("reason").get<std::string>().find("who waits for what:"), std::string::npos);
}

} // namespace
} // namespace retrace::test
