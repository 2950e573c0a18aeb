// Payload, doorbell, completion and interrupt in order: the driver and the firmware keep it under every stress, and each barrier of the
// driver and each step of the firmware is needed, because without it the same procedure fails.
#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <sstream>

#include "tests/system/ordering_bench.h"

namespace retrace::test {
namespace {

const std::pair<const char*, ordering_host> hosts[] = {{"driver", driver_host}, {"resetting", resetting_host}, {"greedy", greedy_host}};

std::string describe(const ordering_setup& s) {
    std::ostringstream text;
    text << "stress seed " << s.stress.seed << ", rings of " << s.submission_entries << " and " << s.completion_entries;
    return text.str();
}

/// Runs every setup with every host; how many went wrong, with an example of each host.
unsigned count_wrong(std::vector<ordering_setup> setups, const std::string& what, const std::function<void(ordering_setup&)>& change,
                     std::initializer_list<const char*> with = {"driver", "resetting", "greedy"}) {
    unsigned wrong = 0;
    std::cout << what << ":";
    std::string examples;
    for (const auto& [name, host] : hosts) {
        if (std::find_if(with.begin(), with.end(), [&](const char* w) { return std::string(w) == name; }) == with.end())
            continue;
        unsigned of_host = 0;
        for (ordering_setup s : setups) {
            change(s);
            const ordering_outcome outcome = outcome_of(s, host);
            if (outcome.wrong.empty())
                continue;
            if (of_host++ == 0)
                examples += "\n    " + std::string(name) + ", " + describe(s) + ": " + outcome.wrong;
        }
        std::cout << " " << name << " host " << of_host << " of " << setups.size() << " seeds;";
        wrong += of_host;
    }
    std::cout << examples << '\n';
    return wrong;
}

constexpr unsigned seeds = 12;

/// RETRACE_ORDERING_SEEDS=500: for long runs.
TEST(ordering, driver_and_firmware_keep_it) {
    const char* more = std::getenv("RETRACE_ORDERING_SEEDS");
    EXPECT_EQ(count_wrong(all_setups(more ? static_cast<unsigned>(std::stoul(more)) : 2 * seeds), "as it is", [](ordering_setup&) {}), 0u);
}

TEST(ordering, driver_and_firmware_keep_it_without_stress_and_with_each_alone) {
    const stress_settings kinds[] = {{},
                                     {1, 150, 0, 0, false},
                                     {1, 0, 200, 0, false},
                                     {1, 0, 0, 400, false},
                                     {1, 0, 0, 0, true},
                                     {1, 0, 0, 400, true}};
    for (const auto& [name, host] : hosts)
        for (stress_settings kind : kinds)
            for (kind.seed = 1; kind.seed <= 3; ++kind.seed) {
                ordering_setup s = all_setups(kind.seed).back();
                s.stress = kind;
                EXPECT_EQ(outcome_of(s, host).wrong, "") << name << ", " << describe(s);
            }
}

TEST(ordering, a_seed_gives_the_same_run_again) {
    for (const ordering_setup& s : all_setups(3)) {
        const ordering_outcome first = outcome_of(s, driver_host), again = outcome_of(s, driver_host);
        EXPECT_EQ(first.cycles, again.cycles) << describe(s);
        ordering_setup other = s;
        other.stress.seed += 100;
        EXPECT_NE(outcome_of(other, driver_host).cycles, first.cycles) << describe(s);
    }
}

TEST(ordering, a_forgotten_barrier_shows) {
    const std::pair<forgotten_barrier, const char*> barriers[] = {
        {forgotten_barrier::before_the_doorbell, "no write barrier before the doorbell"},
        {forgotten_barrier::after_the_valid_word, "no read barrier after the valid word"},
        {forgotten_barrier::after_the_causes, "no read barrier after the causes were read back"},
        {forgotten_barrier::after_the_stop, "no read barrier after the device has stopped"},
        {forgotten_barrier::all_writes, "no write barriers"},
        {forgotten_barrier::all_reads, "no read barriers"}};
    for (const auto& [barrier, what] : barriers) {
        // The greedy host has barriers of its own: this is about the driver's.
        const auto forget = [&](ordering_setup& s) { s.forgotten = barrier; };
        EXPECT_NE(count_wrong(all_setups(seeds), what, forget, {"driver", "resetting"}), 0u) << what;
    }
}

// The barriers of this test's own host are needed too: what it says about firmware would be worth less otherwise.
TEST(ordering, the_greedy_host_needs_its_barriers) {
    for (const forgotten_barrier barrier : {forgotten_barrier::all_writes, forgotten_barrier::all_reads})
        EXPECT_NE(count_wrong(all_setups(seeds), "greedy without", [&](ordering_setup& s) { s.forgotten = barrier; }, {"greedy"}), 0u);
}

// Without weakly ordered memory nothing depends on barriers: it is the stress that finds them missing.
TEST(ordering, a_strongly_ordered_host_needs_no_barrier) {
    for (const forgotten_barrier barrier : {forgotten_barrier::all_writes, forgotten_barrier::all_reads})
        EXPECT_EQ(count_wrong(all_setups(3), "strongly ordered",
                              [&](ordering_setup& s) {
                                  s.forgotten = barrier;
                                  s.stress.reorder = false;
                              }),
                  0u);
}

class firmware_mutant : public testing::TestWithParam<std::string> {};

TEST_P(firmware_mutant, is_caught) {
    const std::string image = std::string(RETRACE_MUTANT_FOLDER) + "/" + GetParam() + ".bin";
    EXPECT_NE(count_wrong(all_setups(seeds), GetParam(), [&](ordering_setup& s) { s.firmware = image; }), 0u);
}

std::vector<std::string> mutants() {
    std::istringstream in(RETRACE_MUTANTS);
    std::vector<std::string> names;
    for (std::string name; in >> name;)
        names.push_back(name);
    return names;
}

INSTANTIATE_TEST_SUITE_P(ordering, firmware_mutant, testing::ValuesIn(mutants()), [](const auto& info) { return info.param; });

} // namespace
} // namespace retrace::test
