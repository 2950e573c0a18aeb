// The sequencer that all engines share: fetch, semaphores, contexts, the end of a program.
#include "tests/module/device_bench.h"

namespace retrace::test {
namespace {

using spec::engine_fault;
constexpr unsigned vec = spec::engine_vector, act = spec::engine_activation, queue = spec::engine_dma;

spec::matrix_instruction small_binary(const sync& s) {
    auto i = matrix(spec::opcode::binary, s, number_format::fp32, number_format::fp32, 1, 4);
    i.a = at(work, 0, 16);
    i.b = at(work, 16, 16);
    i.d = at(work, 32, 16);
    return i;
}

TEST(engine, an_empty_program_ends_at_once) {
    device_bench bench;
    for (unsigned e = 0; e < bench.engines.size(); ++e) {
        const auto end = bench.execute(e, {});
        EXPECT_EQ(end.engine, e);
        EXPECT_EQ(end.fault, engine_fault::none);
    }
}

TEST(engine, every_engine_runs_nops_and_counts_them) {
    device_bench bench;
    for (unsigned e = 0; e < bench.engines.size(); ++e) {
        const program p(100, encode(nop({})));
        EXPECT_EQ(bench.execute(e, p).fault, engine_fault::none);
        EXPECT_EQ(bench.engines[e]->instructions(), 100u);
        EXPECT_EQ(bench.engines[e]->describe(), "idle");
    }
}

TEST(engine, a_program_started_after_an_abort_takes_the_time_it_takes_on_an_idle_engine) {
    npu_config c = bench_config();
    c.ideal_memories = true; // no open pages, no banks: the same times whatever came before
    device_bench bench(c);
    bench.put(bench.buffer_memory, 0, random_bytes(32768, 1));
    auto activate = matrix(spec::opcode::activate, {}, number_format::fp32, number_format::fp32, 20, 16);
    activate.a = at(work, 0, 64), activate.d = at(work, 8192, 64);
    auto turn = copy({}, work, 0, work, 16384, 128, 64, 128, 128);
    turn.flags = spec::copy_transpose;
    turn.element_bytes = 2;
    const std::pair<unsigned, program> cases[] = {
        {act, {encode(activate), encode(activate)}},
        {queue, {encode(turn), encode(copy({}, work, 0, slot::host, 0, 20'000)), encode(nop({}))}},
    };
    for (const auto& [e, p] : cases) {
        const std::uint64_t begin = bench.clock.now();
        const std::uint64_t alone = bench.execute(e, p).cycle - begin;
        for (std::uint64_t delay = 0; delay < alone; ++delay) {
            bench.start(e, p);
            bench.pass(delay);
            bench.engines[e]->abort();
            ASSERT_EQ(bench.one_ending().fault, engine_fault::aborted);
            const std::uint64_t again = bench.clock.now();
            bench.start(e, p);
            EXPECT_NE(bench.engines[e]->describe().find("instruction 0 of"), std::string::npos);
            ASSERT_TRUE(bench.run());
            const auto end = bench.one_ending();
            ASSERT_EQ(end.fault, engine_fault::none);
            ASSERT_EQ(end.cycle - again, alone) << "engine " << e << " aborted after " << delay;
        }
    }
}

TEST(engine, a_fetch_under_way_at_an_abort_does_not_delay_the_next_program) {
    device_bench bench;
    const program p{encode(nop({}))};
    bench.execute(vec, p); // opens the page of the programs
    bench.pass(100);
    std::uint64_t begin = bench.clock.now();
    const std::uint64_t alone = bench.execute(vec, p).cycle - begin;
    bench.pass(100);
    bench.start(vec, p);
    bench.pass(5); // the fetch takes some fifteen cycles, of which it holds the channel for two
    bench.engines[vec]->abort();
    EXPECT_EQ(bench.one_ending().fault, engine_fault::aborted);
    begin = bench.clock.now();
    EXPECT_EQ(bench.execute(vec, p).cycle - begin, alone);
}

TEST(engine, issue_takes_its_cycles_and_fetch_stays_ahead) {
    npu_config slow = bench_config();
    slow.sequencer.issue_cycles = 4; // a block of 16 takes longer to issue than to fetch
    device_bench bench(slow);
    const unsigned n = 200;
    const program p(n, encode(nop({})));
    const std::uint64_t before = bench.clock.now();
    const auto end = bench.execute(act, p);
    // One cycle to start, the first block from DRAM (row miss, 8 bursts a channel), then the issue of each:
    // fetch is hidden.
    const dram_settings& d = bench.config.device_dram;
    const std::uint64_t first = static_cast<std::uint64_t>(d.t_rcd_ns + d.t_cas_ns) + 8 * d.burst_cycles;
    EXPECT_EQ(end.cycle - before, 1 + first + n * bench.config.sequencer.issue_cycles);
}

TEST(engine, semaphores_count_between_engines) {
    device_bench bench;
    bench.put(bench.buffer_memory, 0, std::vector<std::byte>(32));
    bench.start(vec, {encode(small_binary(sync().wait(3, 5).signal(4, 2)))});
    bench.start(act, {encode(nop(sync().signal(3, 2))), encode(nop(sync().signal(3, 2))),
                      encode(nop(sync().wait(4, 2))), encode(nop(sync().signal(5)))});
    bench.pass(1000);
    EXPECT_EQ(bench.contexts[0].semaphore(3), 4u); // five are needed: nothing is taken yet
    EXPECT_NE(bench.engines[vec]->describe().find("semaphore 3 (value 4)"), std::string::npos)
        << bench.engines[vec]->describe();
    bench.start(queue, {encode(nop(sync().signal(3, 3)))});
    EXPECT_TRUE(bench.run());
    EXPECT_EQ(bench.contexts[0].semaphore(3), 2u);
    EXPECT_EQ(bench.contexts[0].semaphore(4), 0u);
    EXPECT_EQ(bench.contexts[0].semaphore(5), 1u);
}

TEST(engine, both_waits_must_hold_one_after_the_other) {
    device_bench bench;
    bench.start(vec, {encode(nop(sync().wait(1).wait(2).signal(9)))});
    bench.start(act, {encode(nop(sync().signal(2)))});
    bench.pass(300);
    EXPECT_EQ(bench.contexts[0].semaphore(9), 0u);
    EXPECT_EQ(bench.contexts[0].semaphore(2), 1u);
    bench.start(queue, {encode(nop(sync().signal(1)))});
    EXPECT_TRUE(bench.run());
    EXPECT_EQ(bench.contexts[0].semaphore(9), 1u);
    EXPECT_EQ(bench.contexts[0].semaphore(2), 0u);
}

TEST(engine, contexts_do_not_share_semaphores_or_operands) {
    device_bench bench;
    spec::command c = bench.standard_command();
    c.sequence = 2;
    c.operands[work].base = 4096;
    c.operands[work].bytes = 48;
    bench.begin(1, c);
    bench.put(bench.buffer_memory, 0, std::vector<std::byte>(32));
    bench.put(bench.buffer_memory, 4096, std::vector<std::byte>(32));
    bench.start(vec, {encode(small_binary(sync().wait(1)))}, 1);
    bench.start(act, {encode(nop(sync().signal(1)))}, 0);
    bench.pass(300);
    EXPECT_TRUE(bench.engines[vec]->running());
    bench.start(queue, {encode(nop(sync().signal(1)))}, 1);
    EXPECT_TRUE(bench.run());
    EXPECT_EQ(bench.contexts[0].semaphore(1), 1u);
    ASSERT_FALSE(bench.events.accesses.empty());
    EXPECT_EQ(bench.events.accesses[0].base, 4096u);
    EXPECT_EQ(bench.events.accesses[0].sequence, 2u);
    EXPECT_EQ(bench.events.accesses[0].context, 1u);
}

TEST(engine, a_program_beyond_dram_is_a_bus_error_and_what_was_fetched_before_runs) {
    device_bench bench;
    const auto end_of_dram = static_cast<std::uint32_t>(bench.config.device_dram.capacity_bytes);
    bench.start_at(vec, end_of_dram, 1);
    ASSERT_TRUE(bench.run());
    auto e = bench.one_ending();
    EXPECT_EQ(e.fault, engine_fault::bus_error);
    EXPECT_EQ(e.pc, 0u);

    // A whole block lies inside; the failure of the next is known long before its turn comes.
    for (unsigned i = 0; i < 16; ++i)
        bench.put(bench.dram_memory, end_of_dram - 1024 + i * 64, std::vector<std::byte>(64));
    bench.start_at(vec, end_of_dram - 1024, 20);
    ASSERT_TRUE(bench.run()) << "the engine waits for a fetch that has failed";
    e = bench.one_ending();
    EXPECT_EQ(e.fault, engine_fault::bus_error);
    EXPECT_EQ(e.pc, 16u);
    EXPECT_EQ(bench.engines[vec]->instructions(), 16u);

    bench.start_at(vec, 0xffffffc0, 0xffffff); // the largest program there is
    ASSERT_TRUE(bench.run());
    EXPECT_EQ(bench.one_ending().fault, engine_fault::bus_error);
    EXPECT_EQ(bench.execute(vec, {encode(nop({}))}).fault, engine_fault::none);
}

TEST(engine, memory_that_was_never_written_is_no_program) {
    device_bench bench;
    bench.start_at(act, 3u << 20, 4);
    ASSERT_TRUE(bench.run());
    const auto e = bench.one_ending();
    EXPECT_EQ(e.fault, engine_fault::illegal_opcode);
    EXPECT_EQ(e.detail, 0xffu);
    EXPECT_FALSE(bench.events.stale.empty());
}

TEST(engine, an_abort_ends_a_wait_for_a_semaphore) {
    device_bench bench;
    bench.start(vec, {encode(nop(sync().wait(7)))});
    bench.pass(500);
    bench.engines[vec]->abort();
    EXPECT_EQ(bench.one_ending().fault, engine_fault::aborted);
    bench.contexts[0].signal(7, 1); // comes too late
    bench.semaphore_changed[0][7].notify(sc_core::SC_ZERO_TIME);
    bench.pass(500);
    EXPECT_EQ(bench.contexts[0].semaphore(7), 1u);
    EXPECT_EQ(bench.engines[vec]->instructions(), 0u);
    EXPECT_EQ(bench.execute(vec, {encode(nop(sync().wait(7)))}).fault, engine_fault::none);
}

TEST(engine, aborts_at_every_moment_leave_the_engine_usable) {
    device_bench bench;
    bench.put(bench.buffer_memory, 0, std::vector<std::byte>(32));
    const program long_one(30, encode(small_binary({})));
    for (unsigned delay = 0; delay < 250; ++delay) {
        bench.start(vec, long_one);
        bench.pass(delay);
        ASSERT_TRUE(bench.engines[vec]->running());
        bench.engines[vec]->abort();
        ASSERT_EQ(bench.one_ending().fault, engine_fault::aborted);
        const std::uint64_t finished = bench.engines[vec]->instructions();
        if (delay % 3 == 0)
            bench.pass(delay % 5);
        ASSERT_EQ(bench.execute(vec, {encode(nop({})), encode(small_binary({})), encode(nop({}))}).fault,
                  engine_fault::none);
        ASSERT_EQ(bench.engines[vec]->instructions(), finished + 3) << delay;
    }
}

} // namespace
} // namespace retrace::test
