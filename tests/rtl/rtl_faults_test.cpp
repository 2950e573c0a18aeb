// Seeded faults: each can be seen from outside, none is there when none is selected, and both tables name the
// same ones.
#include <gtest/gtest.h>

#include <cctype>
#include <fstream>
#include <iostream>
#include <map>
#include <random>
#include <regex>

#include <fmt/format.h>

#include "hw/verilated/faulty_array.h"
#include "tests/rtl/array_program.h"
#include "tests/rtl/fma_triples.h"
#include "tlm/core/array/stepped_array.h"

namespace retrace {
namespace {

array_config config_of(unsigned depth) {
    array_config config;
    config.fma_depth = depth;
    return config;
}

// What is seen first, or nothing.
std::string symptom(array_interface& stepped, array_interface& faulty, const test::array_program& program) {
    const auto expected = test::run(stepped, program);
    try {
        return test::difference(expected, test::run(faulty, program));
    } catch (const array_protocol_error& e) {
        return e.what();
    } catch (const rtl_error& e) {
        return e.what();
    }
}

std::string adder_symptom(array_interface& stepped, array_interface& faulty, std::uint32_t seed) {
    std::mt19937_64 engine(seed);
    std::vector<std::uint32_t> sums, expected;
    for (unsigned i = 0; i < 64; ++i) {
        const test::fma_triple t = test::draw_triple(engine);
        sums.push_back(t.a);
        expected.push_back(t.c);
    }
    for (const bool integer : {false, true}) {
        auto right = expected, wrong = expected;
        stepped.accumulate(right, sums, integer);
        faulty.accumulate(wrong, sums, integer);
        if (right != wrong) {
            return integer ? "the adder's int32 sums differ" : "the adder's binary32 sums differ";
        }
    }
    return {};
}

// The number of programs it took to see the fault and what was seen; 0 when it was not.
std::pair<unsigned, std::string> find(unsigned fault, unsigned depth, unsigned programs) {
    for (unsigned seed = 1; seed <= programs; ++seed) {
        const array_config config = config_of(depth);
        stepped_array stepped(config);
        const auto faulty = make_faulty_rtl_array(config, fault);
        std::string seen = adder_symptom(stepped, *faulty, seed);
        if (seen.empty()) {
            seen = symptom(stepped, *faulty, test::random_program(config, seed));
        }
        if (!seen.empty()) {
            return {seed, seen};
        }
    }
    return {0, {}};
}

class rtl_fault_at_depth : public ::testing::TestWithParam<unsigned> {};

TEST_P(rtl_fault_at_depth, every_fault_shows) {
    fmt::print("{:>2} {:20} {:>8}  {}\n", "no", "fault", "program", "first symptom");
    for (const rtl_fault& fault : rtl_faults) {
        const auto [seed, seen] = find(fault.number, GetParam(), 200);
        EXPECT_NE(seed, 0u) << fault.name << ": " << fault.description;
        fmt::print("{:2} {:20} {:>8}  {}\n", fault.number, fault.name, seed, seen);
    }
}

TEST_P(rtl_fault_at_depth, without_a_fault_nothing_shows) {
    EXPECT_EQ(find(0, GetParam(), 60).second, "");
}

INSTANTIATE_TEST_SUITE_P(, rtl_fault_at_depth, ::testing::Values(1u, 3u),
                         [](const auto& info) { return std::to_string(info.param); });

TEST(rtl_faults, numbers_follow_each_other) {
    for (std::size_t i = 0; i < rtl_faults.size(); ++i) {
        EXPECT_EQ(rtl_faults[i].number, i + 1);
    }
    EXPECT_THROW(make_faulty_rtl_array(config_of(1), static_cast<unsigned>(rtl_faults.size()) + 1), std::out_of_range);
    EXPECT_THROW(make_faulty_rtl_array(config_of(2), 1), rtl_unavailable);
}

TEST(rtl_faults, the_systemverilog_has_the_same_table) {
    std::ifstream file(RETRACE_RTL "/faults.svh");
    ASSERT_TRUE(file);
    const std::regex entry("`define RT_FAULT_([A-Z0-9_]+) 6'd([0-9]+)");
    std::map<unsigned, std::string> names;
    for (std::string line; std::getline(file, line);) {
        std::smatch match;
        if (std::regex_match(line, match, entry)) {
            std::string name = match[1];
            for (char& c : name) {
                c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
            }
            EXPECT_TRUE(names.emplace(std::stoi(match[2]), name).second) << line;
        }
    }
    std::map<unsigned, std::string> expected{{0, "none"}};
    for (const rtl_fault& fault : rtl_faults) {
        expected.emplace(fault.number, fault.name);
    }
    EXPECT_EQ(names, expected);
}

} // namespace
} // namespace retrace
