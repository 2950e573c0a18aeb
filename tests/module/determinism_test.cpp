// The same programs give the same events, in every run and next to any other device.
#include <sys/wait.h>
#include <unistd.h>

#include <random>

#include "tests/module/device_bench.h"

namespace retrace::test {
namespace {

/// All engines at work, meeting at banks, DRAM and the link.
void busy_programs(device_bench& b, unsigned seed) {
    std::mt19937 engine(seed);
    b.put(b.buffer_memory, 0, random_matrix(number_format::bf16, 16384, seed));
    b.put(b.dram_memory, 0, random_bytes(65536, seed));
    program p, a, v, d[3];
    for (unsigned i = 0; i < 20; ++i) {
        p.push_back(encode(load_weights({}, number_format::bf16, 8, 8, 128 * (engine() % 40), 16)));
        p.push_back(encode(matmul(sync().signal(1), number_format::bf16, 4 + engine() % 20, 8,
                                  128 * (engine() % 60), 16, 0, 8, spec::matmul_swap)));
        auto act = matrix(spec::opcode::activate, sync().wait(1).signal(2), number_format::fp32,
                          number_format::bf16, 4, 8);
        act.a = at(sums, 0, 32), act.d = at(work, 33000 + 64 * (engine() % 20), 16);
        a.push_back(encode(act));
        auto bin =
            matrix(spec::opcode::binary, sync().wait(2), number_format::bf16, number_format::bf16, 4, 8);
        bin.second_format = static_cast<std::uint8_t>(number_format::bf16);
        bin.a = at(work, 64 * (engine() % 60), 16), bin.b = at(work, 9000, 16), bin.d = at(work, 40000, 16);
        v.push_back(encode(bin));
        for (program& q : d) {
            if (i % 4 == 3) { // chunks that pass the transpose unit, several at a time
                auto turn = copy({}, slot::dram, engine() % 4096, slot::host, 600'000 + engine() % 4096, 256,
                                 200, 256, 400);
                turn.flags = spec::copy_transpose;
                turn.element_bytes = 2;
                q.push_back(encode(turn));
            }
            const unsigned places[] = {slot::dram, work, slot::host};
            const unsigned from = places[engine() % 3], to = places[engine() % 3];
            q.push_back(
                encode(copy({}, from, engine() % 4096, to, 45000 + engine() % 4096, 1 + engine() % 9000)));
        }
    }
    b.start(0, p), b.start(1, a), b.start(2, v), b.start(3, d[0]), b.start(4, d[1]), b.start(5, d[2]);
}

std::string history(device_bench& b) {
    std::string text = b.events.text;
    for (const auto& e : b.endings)
        text += fmt::format("end {} fault {} pc {} cycle {}\n", e.engine, static_cast<int>(e.fault), e.pc,
                            e.cycle);
    b.stalls.until(b.clock.now());
    for (unsigned s = 0; s < stall_count; ++s)
        text += fmt::format("{} {}\n", name_of(static_cast<stall>(s)), b.stalls.of(static_cast<stall>(s)));
    return text;
}

/// What a process of its own sees; `companions` more devices work beside it.
std::string in_own_process(unsigned companions) {
    int ends[2];
    if (pipe(ends) != 0)
        return "no pipe";
    const pid_t child = fork();
    if (child == 0) {
        std::string text;
        {
            std::vector<std::unique_ptr<device_bench>> others;
            for (unsigned i = 0; i < companions; ++i)
                others.push_back(std::make_unique<device_bench>(bench_config(), kernel_factory(),
                                                                fmt::format("before{}", i)));
            device_bench b;
            b.stalls.begin(0);
            busy_programs(b, 5);
            for (unsigned i = 0; i < companions; ++i)
                busy_programs(*others[i], 100 + i);
            text = b.run() ? history(b) : "never ended";
        }
        for (std::size_t done = 0; done < text.size();) {
            const ssize_t n = write(ends[1], text.data() + done, text.size() - done);
            if (n <= 0)
                break;
            done += static_cast<std::size_t>(n);
        }
        _exit(testing::Test::HasFailure());
    }
    close(ends[1]);
    std::string text;
    char block[4096];
    for (ssize_t n; (n = read(ends[0], block, sizeof block)) > 0;)
        text.append(block, static_cast<std::size_t>(n));
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
    return text;
}

TEST(determinism, the_same_programs_have_the_same_history) {
    const std::string first = in_own_process(0);
    EXPECT_GT(std::count(first.begin(), first.end(), '\n'), 200);
    EXPECT_EQ(first.find("fault 1"), std::string::npos);
    EXPECT_EQ(in_own_process(0), first);
}

TEST(determinism, other_devices_do_not_show_in_a_devices_history) {
    const std::string alone = in_own_process(0);
    const std::string beside = in_own_process(2);
    // All but the last lines: the account goes on until the simulation stops, which the others may delay.
    EXPECT_EQ(sorted_lines(beside.substr(0, beside.find("compute "))),
              sorted_lines(alone.substr(0, alone.find("compute "))));
    EXPECT_NE(alone.find("compute "), std::string::npos);
}

} // namespace
} // namespace retrace::test
