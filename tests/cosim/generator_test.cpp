// The generator: the same seed is the same case, every case is legal, and the reference finds nothing wrong with it.
#include <set>

#include <gtest/gtest.h>

#include "sim/cosim/case_rules.h"
#include "sim/cosim/coverage.h"
#include "sim/cosim/generator.h"
#include "sim/cosim/reference.h"

namespace retrace::cosim {
namespace {

constexpr std::uint64_t host_base = spec::host_window_base + 0x9000;

TEST(generator, same_seed_gives_the_same_bytes) {
    std::set<std::string> texts;
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
        const std::string text = to_text(generate(seed));
        EXPECT_EQ(text, to_text(generate(seed)));
        texts.insert(text);
    }
    EXPECT_EQ(texts.size(), 50u) << "different seeds, different cases";
}

// A change of the generator that changes what a seed means has to be wanted: reports name seeds.
TEST(generator, seeds_beyond_32_bits_are_seeds_of_their_own) {
    const std::uint64_t far = (std::uint64_t{1} << 40) + 1;
    EXPECT_NE(to_text(generate(1)), [&] {
        test_case c = generate(far);
        c.seed = 1;
        return to_text(c);
    }());
}

TEST(generator, five_hundred_cases_are_legal_and_the_reference_finds_no_fault) {
    for (std::uint64_t seed = 1; seed <= 500; ++seed) {
        const test_case c = generate(seed);
        const auto fault = find_fault(c);
        ASSERT_FALSE(fault) << "seed " << seed << ": " << fault->text;
        const prepared_case p = prepare(c, host_base);
        const auto reference = run_reference(c, p);
        ASSERT_TRUE(reference->faults.empty()) << "seed " << seed << ": " << reference->faults.front() << "\n" << describe(c);
        ASSERT_EQ(reference->completed.size(), p.commands.size());
    }
}

// What orders operations is in the programs: whatever the engines' pace, memory ends the same.
TEST(generator, results_do_not_depend_on_the_interleaving) {
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        const test_case c = generate(seed);
        const prepared_case p = prepare(c, host_base);
        const auto first = run_reference(c, p);
        for (std::uint64_t order = 1000; order < 1003; ++order) {
            reference_options options;
            options.interleaving = order;
            const auto other = run_reference(c, p, options);
            ASSERT_TRUE(other->faults.empty()) << "seed " << seed << ", order " << order << ": " << other->faults.front();
            EXPECT_EQ(first->host, other->host) << "seed " << seed;
            EXPECT_EQ(first->dram.data, other->dram.data) << "seed " << seed;
            EXPECT_EQ(first->state_buffer.data, other->state_buffer.data) << "seed " << seed;
            EXPECT_EQ(first->psum.data, other->psum.data) << "seed " << seed;
            EXPECT_EQ(first->state_buffer.all().live, other->state_buffer.all().live) << "seed " << seed;
        }
    }
}

TEST(generator, two_hundred_seeds_reach_every_bin) {
    coverage all;
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        const test_case c = generate(seed);
        const prepared_case p = prepare(c, host_base);
        all.merge(cover(c, p, *run_reference(c, p)));
    }
    std::string never;
    for (const std::string& bin : all.never_hit())
        never += bin + "\n";
    EXPECT_EQ(never, "");
}

TEST(generator, machines_for_checks_are_those_that_seeds_draw) {
    std::set<std::pair<unsigned, unsigned>> known, drawn;
    for (const machine_settings& m : generated_machines())
        known.insert({m.size, m.fma_depth});
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
        const machine_settings m = generate(seed).machine;
        drawn.insert({m.size, m.fma_depth});
    }
    EXPECT_EQ(known, drawn);
}

} // namespace
} // namespace retrace::cosim
