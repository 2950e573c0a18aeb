// The whole processor: from the doorbell through firmware and engines to the interrupt.
#include "tests/module/npu_bench.h"

#include "tlm/core/array/gemm_reference.h"

namespace retrace::test {
namespace {

TEST(npu, boots_and_shows_what_it_is) {
    npu_bench bench;
    EXPECT_EQ(bench.door.read_register(spec::host_block::id), spec::device_id);
    EXPECT_EQ(bench.door.read_register(spec::host_block::status), 1u);
    EXPECT_EQ(bench.driver->capabilities().rows, 8u);
    const std::uint64_t cycle = bench.driver->device_cycle();
    EXPECT_GT(cycle, 0u);
    EXPECT_LT(cycle, bench.door.cycles());
    EXPECT_EQ(bench.door.read_register(0xff0), 0xffffffffu); // no such register
}

/// host -> DRAM -> state buffer -> array -> PSUM -> activation -> host, with semaphores all along.
spec::command product_command(npu_bench& bench) {
    constexpr number_format f = number_format::bf16;
    auto first = copy(sync().signal(9), slot::host, 0, slot::dram, 0, 512);
    first.tag_slot = slot::dram;
    auto second = copy(sync().wait(9).signal(2), slot::dram, 0, work, 0, 512);
    second.tag_slot = slot::dram;
    auto load = load_weights(sync().wait(1), f, 8, 8, 16384, 16);
    auto mm = matmul(sync().wait(2).signal(3), f, 32, 8, 0, 16, 0, 8, spec::matmul_swap);
    mm.a.tag_slot = slot::dram;
    auto act = matrix(spec::opcode::activate, sync().wait(3).signal(4), number_format::fp32,
                      number_format::fp32, 32, 8);
    act.a = at(sums, 0, 32), act.d = at(work, 8192, 32, tensor);
    auto out = copy(sync().wait(4), work, 8192, slot::host, 4096, 1024);
    out.tag_slot = tensor;
    auto keep = copy({}, work, 8192, tensor, 0, 1024);
    keep.tag_slot = tensor;
    return bench.command({{0, {encode(load), encode(mm)}},
                          {1, {encode(act)}},
                          {3,
                           {encode(first), encode(copy(sync().signal(1), slot::host, 1024, work, 16384, 128)),
                            encode(second)}},
                          {4, {encode(out), encode(keep)}}});
}

TEST(npu, a_command_runs_through_every_block_and_its_events_say_so) {
    npu_bench bench;
    const auto a = random_matrix(number_format::bf16, 256, 1), w = random_matrix(number_format::bf16, 64, 2);
    std::copy(a.begin(), a.end(), bench.host.bytes.begin());
    std::copy(w.begin(), w.end(), bench.host.bytes.begin() + 1024);
    auto c = product_command(bench);
    const auto done = bench.execute(c);
    ASSERT_TRUE(done) << done.failure().text;
    std::vector<std::uint32_t> expected(256), got(256);
    gemm_reference({a.data(), 16, 32, 8, number_format::bf16}, {w.data(), 16, 8, 8, number_format::bf16}, 8,
                   expected.data(), 8);
    for (std::uint32_t& e : expected)
        e = e == 0x80000000u ? 0u : e; // the activation adds +0
    std::memcpy(got.data(), bench.host.bytes.data() + 4096, 1024);
    EXPECT_EQ(got, expected);
    EXPECT_TRUE(bench.events.stale.empty()) << bench.events.text;

    // Commands: submitted, begun, ended, seen, in this order of cycles.
    std::vector<trace::command_event> mine;
    for (const auto& e : bench.events.commands)
        if (e.sequence == done.value().sequence)
            mine.push_back(e);
    ASSERT_EQ(mine.size(), 4u);
    for (unsigned i = 0; i < 4; ++i) {
        EXPECT_EQ(static_cast<unsigned>(mine[i].what), i);
        if (i > 0) {
            EXPECT_GE(mine[i].cycle, mine[i - 1].cycle);
        }
    }
    EXPECT_GT(done.value().start_cycle, mine[0].cycle);
    EXPECT_LE(done.value().start_cycle, mine[1].cycle); // the firmware reads the clock, then begins
    for (const auto& access : bench.events.accesses) {
        EXPECT_GE(access.begin, mine[1].cycle);
        EXPECT_LE(access.end, mine[2].cycle);
        EXPECT_EQ(access.sequence, done.value().sequence);
    }
    // Memory: the working set was live whole and is gone; the tensors stay.
    const npu& n = bench.door.device();
    EXPECT_EQ(n.buffer().live_bytes(), 0u);
    EXPECT_EQ(n.buffer().peak_bytes(), 32768u);
    EXPECT_EQ(n.psum().peak_bytes(), 2048u);
    EXPECT_EQ(n.dram().regions()[0].live, 512u);
    EXPECT_EQ(n.dram().regions()[1].live, 1024u);
    unsigned completes = 0;
    for (const auto& t : bench.events.tensors)
        if (t.what == trace::tensor_event::moment::complete && t.tensor == trace::tensor_id{7, 1}) {
            ++completes;
            EXPECT_EQ(t.bytes, 1024u);
        }
    EXPECT_EQ(completes, 1u);

    // Every cycle since the first doorbell has a reason.
    stall_account& stalls = bench.door.device().stalls();
    std::uint64_t sum = 0;
    for (unsigned s = 0; s < stall_count; ++s)
        sum += stalls.of(static_cast<stall>(s));
    EXPECT_EQ(sum, stalls.total());
    EXPECT_EQ(stalls.of(stall::compute), 32u);
    EXPECT_EQ(stalls.of(stall::other), 0u);
}

TEST(npu, operands_marked_release_go_at_the_commands_end) {
    npu_bench bench;
    auto i = copy({}, slot::host, 0, tensor, 0, 4096);
    i.tag_slot = tensor;
    ASSERT_TRUE(bench.execute(bench.command({{3, {encode(i)}}})));
    const npu& n = bench.door.device();
    EXPECT_EQ(n.dram().regions()[1].live, 4096u);
    auto c = bench.command({{3, {encode(nop({}))}}});
    c.operands[tensor].access = 1 | 4;
    ASSERT_TRUE(bench.execute(c));
    EXPECT_EQ(n.dram().regions()[1].live, 0u);
    EXPECT_EQ(n.dram().regions()[1].peak, 4096u);
    EXPECT_EQ(bench.events.tensors.back().what, trace::tensor_event::moment::released);
    EXPECT_EQ(bench.events.tensors.back().tensor, (trace::tensor_id{7, 1}));
}

TEST(npu, a_completion_is_in_memory_before_its_interrupt) {
    npu_bench bench;
    // Many short commands: if an interrupt overtook its completion, the driver would find nothing and fall
    // back to polling.
    std::vector<command_handle> handles;
    for (unsigned i = 0; i < 200; ++i)
        handles.push_back(bench.driver->launch(bench.command({{3 + i % 3, {encode(nop({}))}}})).value());
    const std::uint64_t before = bench.door.cycles();
    EXPECT_TRUE(bench.driver->wait_all());
    EXPECT_LT(bench.door.cycles() - before, 900'000u); // below one polling interval
}

TEST(npu, devices_have_messages_of_their_own) {
    simulated_port first(whole_config(), 0, nullptr), second(whole_config(), 1, nullptr);
    EXPECT_EQ(first.message().address, second.message().address);
    EXPECT_NE(first.message().data, second.message().data);
}

} // namespace
} // namespace retrace::test
