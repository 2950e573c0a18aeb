// Stress changes cycles, never values: training with its proofs, and random programs, under every kind of back-pressure, delay and order.
#include <fmt/format.h>

#include "host/driver/device.h"
#include "firmware/firmware_image.h"
#include "sim/cosim/generator.h"
#include "sim/cosim/machine.h"
#include "sim/cosim/reference.h"
#include "sim/cosim/values.h"
#include "sim/support/sha256.h"
#include "tests/system/ordering_bench.h"

namespace retrace::test {
namespace {

struct stress_kind {
    const char* name;
    stress_settings settings; ///< without seed
};

void PrintTo(const stress_kind& k, std::ostream* out) { *out << k.name; }

constexpr stress_kind kinds[] = {{"requests", {0, 100, 0, 0, false}},   {"chunks", {0, 0, 300, 0, false}},
                                 {"messages", {0, 0, 0, 500, false}},   {"reordered_messages", {0, 0, 0, 500, true}},
                                 {"weak_memory", {0, 0, 0, 0, true}},   {"everything", {0, 150, 200, 400, true}},
                                 {"everything_short", {0, 2, 2, 3, true}}};

/// What memory shows late changes a cycle only where the host finds a completion later: that it acts at all is shown where barriers are
/// forgotten (ordering_test.cpp).
bool holds_back(const stress_settings& s) { return s.request_cycles + s.chunk_cycles + s.message_cycles != 0; }

class stress : public testing::TestWithParam<stress_kind> {};

std::vector<std::string> overrides_of(const stress_settings& s) {
    return {"npu.host_link.host_memory=1MiB",
            fmt::format("npu.stress.seed={}", s.seed),
            fmt::format("npu.stress.requests={}", s.request_cycles),
            fmt::format("npu.stress.chunks={}", s.chunk_cycles),
            fmt::format("npu.stress.messages={}", s.message_cycles),
            fmt::format("npu.stress.reorder={}", s.reorder)};
}

TEST_P(stress, training_gives_the_same_bits_and_its_proofs_hold) {
    const scratch_folder folder;
    for (const schedule_kind schedule : {schedule_kind::store_all, schedule_kind::recompute}) {
        small_run run = six_layers(schedule);
        run.overrides = overrides_of({});
        const run_outcome calm = execute(run);
        ASSERT_EQ(calm.error, "");
        std::uint64_t before = calm.cycles;
        for (std::uint64_t seed = 1; seed <= 3; ++seed) {
            stress_settings s = GetParam().settings;
            s.seed = seed;
            run.overrides = overrides_of(s);
            run.log = folder.file(fmt::format("{}_{}.sqlite", to_string(schedule), seed));
            const run_outcome stressed = execute(run);
            const std::string what = fmt::format("{}, seed {}", to_string(schedule), seed);
            EXPECT_EQ(stressed.error, "") << what;
            EXPECT_EQ(stressed.weights, calm.weights) << what;
            EXPECT_EQ(stressed.losses, calm.losses) << what;
            EXPECT_EQ(stressed.stale_reads, 0u) << what;
            EXPECT_EQ(stressed.peaks, calm.peaks) << what;
            if (holds_back(s)) {
                EXPECT_NE(stressed.cycles, before) << what << ": the stress changed nothing";
            }
            before = stressed.cycles;
            EXPECT_EQ(failed_checks(run.log, expectations_of(run)), std::vector<std::string>{}) << what;
        }
    }
}

/// A random program of the co-simulation through driver, rings and firmware: what all memories hold at its end, and the cycles.
std::string run_case(std::uint64_t case_seed, const stress_settings& settings) {
    using namespace cosim;
    const test_case c = generate(case_seed);
    npu_config config = config_of(c.machine);
    config.stress = settings;
    simulated_port platform(config, 0, nullptr);
    device_options options;
    options.submission_entries = options.completion_entries = 2;
    options.poll_cycles = forgetful_port::patience;
    forgetful_port door(platform, forgotten_barrier::none);
    auto opened = device::open(door, control_firmware(), options);
    device& npu = **opened;
    const host_buffer part = npu.host().allocate(host_data_bytes, 4096).value();
    for (const buffer& b : c.buffers)
        if (b.memory == spec::memory_kind::host)
            fill(b, part.bytes.subspan(b.base, b.bytes));
    const prepared_case p = prepare(c, part.bus_address);
    for (const auto& place : p.programs())
        npu.load_programs(place.address, std::as_bytes(std::span(place.program->code))).value();
    std::vector<command_handle> handles;
    for (spec::command d : p.commands) {
        for (std::uint32_t& w : d.wait)
            w = w ? handles[w - 1].sequence : 0;
        handles.push_back(npu.launch(d).value());
    }
    for (const command_handle h : handles)
        npu.wait(h).value();
    if (door.slept_in_vain() != 0)
        return "an interrupt was lost";
    sha256 digest;
    digest.add(part.bytes);
    std::vector<std::byte> bytes;
    std::uint64_t stale = 0;
    for (const tagged_memory* m : {&platform.device().dram(), &platform.device().buffer(), &platform.device().psum()}) {
        bytes.resize(m->capacity());
        m->peek(0, bytes.data(), bytes.size());
        digest.add(bytes);
        stale += m->stale_reads();
    }
    return fmt::format("{} {} stale reads, {}", digest.hex(), stale, platform.cycles());
}

TEST_P(stress, random_programs_leave_the_same_memories) {
    unsigned changed = 0;
    for (std::uint64_t case_seed = 1; case_seed <= 8; ++case_seed) {
        const auto run = [&](const stress_settings& s) {
            const std::string text = in_child([&] {
                try {
                    return run_case(case_seed, s);
                } catch (const std::exception& e) {
                    return std::string("failed: ") + e.what();
                }
            });
            const std::size_t cycles = text.rfind(' ');
            return std::pair(text.substr(0, cycles), text.substr(cycles + 1));
        };
        const auto calm = run({});
        ASSERT_NE(calm.first.find("0 stale reads"), std::string::npos) << calm.first;
        stress_settings s = GetParam().settings;
        s.seed = case_seed;
        const auto stressed = run(s);
        EXPECT_EQ(stressed.first, calm.first) << "case " << case_seed;
        changed += stressed.second != calm.second;
    }
    if (holds_back(GetParam().settings)) {
        EXPECT_GE(changed, 5u) << "the stress changed nothing"; // a case may have less than two chunks
    }
}

INSTANTIATE_TEST_SUITE_P(kinds, stress, testing::ValuesIn(kinds), [](const auto& info) { return std::string(info.param.name); });

} // namespace
} // namespace retrace::test
