// Vectors in TestFloat's text format and the sweep by operand class: right functions pass, wrong ones are
// shown, malformed input is refused by line.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "tlm/core/array/fma_check.h"
#include "tlm/core/array/fma_classes.h"
#include "tlm/core/numeric/soft_float.h"

namespace retrace {
namespace {

using words = std::span<const std::uint32_t>;

std::vector<named_fma> all_functions() { return {kernel_fma(), stepped_fma(), oracle_fma()}; }

fma_report check(const std::string& text, const std::vector<named_fma>& functions = all_functions()) {
    std::istringstream in(text);
    return check_fma_vectors(in, "vectors", functions);
}

std::string refusal(const std::string& text) {
    try {
        check(text);
    } catch (const fma_vector_error& e) {
        return e.what();
    }
    ADD_FAILURE() << "accepted: " << text;
    return {};
}

// A function made of one that takes a triple.
named_fma faulty(std::string name, std::uint32_t (*run)(std::uint32_t, std::uint32_t, std::uint32_t)) {
    return {std::move(name), [run](words a, words b, words c, std::span<std::uint32_t> result) {
                for (std::size_t i = 0; i < a.size(); ++i) {
                    result[i] = run(a[i], b[i], c[i]);
                }
            }};
}

TEST(fma_check, vectors_of_known_results_pass_on_every_function) {
    const fma_report r = check("3F800000 40000000 40400000 40A00000 00\n"
                               "3f800800 3f800800 00000001 3f801001 01\r\n"
                               "\n"
                               "  \t\r\n"
                               "00000000 7f800000 00000000 ffc00000 10\n" // any NaN equals any NaN
                               "7f800001 00000000 00000000 7fffffff 10\n"
                               "80000000 00000000 80000000 80000000 0\n" // -0 * +0 + -0
                               "00000000 40400000 80000000 00000000 00\n"
                               "1a000000 1a000000 00000000 00000000 03"); // no end of line
    EXPECT_EQ(r.vectors, 7u);
    EXPECT_TRUE(r.passed()) << describe(r);
    ASSERT_EQ(r.functions.size(), 3u);
    EXPECT_EQ(r.functions[0].name, "kernel");
}

TEST(fma_check, differences_are_counted_and_the_first_shown_with_their_lines) {
    const auto wrong_zero = faulty("lost sign", [](std::uint32_t a, std::uint32_t b, std::uint32_t c) {
        const std::uint32_t r = soft::fma(a, b, c);
        return r == 0x80000000u ? 0u : r;
    });
    std::string text = "\n";
    for (int i = 0; i < 20; ++i) {
        text += "3f800000 3f800000 3f800000 40000000 00\n80000000 00000000 80000000 80000000 00\n";
    }
    const fma_report r = check(text, {oracle_fma(), wrong_zero});
    EXPECT_FALSE(r.passed());
    EXPECT_EQ(r.functions[0].wrong, 0u);
    EXPECT_EQ(r.functions[1].wrong, 20u);
    ASSERT_EQ(r.functions[1].first.size(), 10u);
    EXPECT_EQ(r.functions[1].first[0].number, 3u);
    EXPECT_EQ(r.functions[1].first[9].number, 21u);
    EXPECT_NE(
        describe(r).find("lost sign: 20 of 40 wrong\n  line 3: 80000000 * 00000000 + 80000000 = 80000000, "
                         "got 00000000\n"),
        std::string::npos)
        << describe(r);
}

TEST(fma_check, a_nan_where_none_belongs_is_wrong) {
    EXPECT_EQ(check("3f800000 3f800000 3f800000 7fc00000 00\n").functions[0].wrong, 1u);
    EXPECT_EQ(check("7fc00000 3f800000 3f800000 40000000 00\n").functions[1].wrong, 1u);
}

TEST(fma_check, a_malformed_line_is_refused_by_its_number) {
    const std::string good = "3f800000 3f800000 3f800000 40000000 00\n";
    EXPECT_NE(refusal(good + good + "3f800000 3f800000 3f800000 40000000\n").find("vectors:3: '3f800000"),
              std::string::npos);
    EXPECT_NE(refusal(good + "\n3f800000 3f800000 3f80000 40000000 00\n").find("vectors:3:"),
              std::string::npos);
    EXPECT_NE(refusal("3f800000 3f800000 3f800000 400000000 00\n").find("vectors:1:"), std::string::npos);
    EXPECT_NE(refusal("3f800000 3f800000 3f80000g 40000000 00\n").find("vectors:1:"), std::string::npos);
    EXPECT_NE(refusal("3f800000 3f800000 3f800000 40000000 00 00\n").find("vectors:1:"), std::string::npos);
    EXPECT_NE(refusal("0x3f8000 3f800000 3f800000 40000000 00\n").find("vectors:1:"), std::string::npos);
    EXPECT_NE(refusal("# comment\n").find("vectors:1:"), std::string::npos);
    EXPECT_NE(refusal(good + std::string("\0\1\2", 3)).find("vectors:2: '\?\?\?'"), std::string::npos);
    EXPECT_NE(refusal(good + std::string(3'000'000, 'a')).find("vectors:2:"), std::string::npos);
    EXPECT_NE(refusal("\n\n").find("no vector"), std::string::npos);
    EXPECT_NE(refusal("").find("no vector"), std::string::npos);
}

TEST(fma_check, a_missing_file_is_named) {
    try {
        check_fma_file("no such file", all_functions());
        FAIL();
    } catch (const fma_vector_error& e) {
        EXPECT_STREQ(e.what(), "no such file: cannot be opened");
    }
}

// Lines across the borders of the pieces in which a file is read.
TEST(fma_check, a_file_larger_than_what_is_held_is_checked_to_the_end) {
    const std::string path = testing::TempDir() + "fma_check_vectors.txt";
    constexpr unsigned lines = 100'000;
    {
        std::ofstream out(path, std::ios::binary);
        char line[64];
        for (unsigned i = 0; i < lines; ++i) {
            const fma_triple t = fma_triple_of(1, i);
            std::snprintf(line, sizeof line, "%08x %08x %08x %08x 00%s\n", t.a, t.b, t.c,
                          soft::fma(t.a, t.b, t.c), i % 3 == 0 ? "\r" : "");
            out << line;
        }
        out << "3f800000 3f800000 3f800000 40000001 00\n";
    }
    const fma_report r = check_fma_file(path, all_functions());
    std::filesystem::remove(path);
    EXPECT_EQ(r.vectors, lines + 1);
    for (const fma_tally& t : r.functions) {
        EXPECT_EQ(t.wrong, 1u);
        ASSERT_EQ(t.first.size(), 1u);
        EXPECT_EQ(t.first[0].number, lines + 1);
    }
}

TEST(fma_sweep, kernel_and_stepped_are_the_oracle_s_equals) {
    const fma_report r = sweep_fma(1, 1'000'000, all_functions());
    EXPECT_EQ(r.vectors, 1'000'000u);
    EXPECT_EQ(r.class_combinations, fma_class_combinations());
    EXPECT_TRUE(r.passed()) << describe(r);
}

TEST(fma_sweep, it_hits_what_it_is_meant_to_hit) {
    std::uint64_t ties = 0, exact_zero = 0, overflow = 0, subnormal = 0, nan = 0, minus_zero = 0;
    for (std::uint64_t i = 0; i < 200'000; ++i) {
        const fma_triple t = fma_triple_of(2, i);
        const std::uint32_t r = soft::fma(t.a, t.b, t.c);
        const auto finite = [](std::uint32_t x) { return (x & 0x7f800000u) != 0x7f800000u; };
        const bool operands = finite(t.a) && finite(t.b) && finite(t.c);
        nan += (r & 0x7fffffffu) > 0x7f800000u;
        exact_zero += operands && r == 0 && (t.c & 0x7fffffffu) != 0;
        minus_zero += r == 0x80000000u;
        overflow += operands && !finite(r);
        subnormal += (r & 0x7f800000u) == 0 && (r & 0x7fffffu) != 0;
        // A tie of a normal result, exact in binary64: the product has 48 digits, and a sum of what lies so
        // close together 52 at most.
        const double p = static_cast<double>(std::bit_cast<float>(t.a)) * std::bit_cast<float>(t.b);
        const double c = std::bit_cast<float>(t.c), s = p + c;
        if (operands && (s - p) == c && (s - c) == p && std::isnormal(static_cast<float>(s))) {
            ties += (std::bit_cast<std::uint64_t>(s) & 0x1fffffffu) == 0x10000000u;
        }
    }
    EXPECT_GT(ties, 1000u);
    EXPECT_GT(exact_zero, 1000u);
    EXPECT_GT(overflow, 1000u);
    EXPECT_GT(subnormal, 1000u);
    EXPECT_GT(nan, 1000u);
    EXPECT_GT(minus_zero, 100u);
}

// Each of these is a fault that hardware has had.
TEST(fma_sweep, faulty_functions_are_found) {
    const auto found = [](named_fma f) {
        const std::vector<named_fma> one{std::move(f)};
        return sweep_fma(3, 30'000, one).functions[0];
    };
    EXPECT_EQ(found(oracle_fma()).wrong, 0u);
    EXPECT_GT(found(faulty("two roundings",
                           [](std::uint32_t a, std::uint32_t b, std::uint32_t c) {
                               return soft::add(soft::fma(a, b, 0x80000000u), c);
                           }))
                  .wrong,
              100u);
    EXPECT_GT(found(faulty("flushes subnormal results",
                           [](std::uint32_t a, std::uint32_t b, std::uint32_t c) {
                               const std::uint32_t r = soft::fma(a, b, c);
                               return (r & 0x7f800000u) == 0 ? r & 0x80000000u : r;
                           }))
                  .wrong,
              100u);
    EXPECT_GT(found(faulty("flushes subnormal addends",
                           [](std::uint32_t a, std::uint32_t b, std::uint32_t c) {
                               return soft::fma(a, b, (c & 0x7f800000u) == 0 ? c & 0x80000000u : c);
                           }))
                  .wrong,
              100u);
    EXPECT_GT(found(faulty("lost sign of zero",
                           [](std::uint32_t a, std::uint32_t b, std::uint32_t c) {
                               const std::uint32_t r = soft::fma(a, b, c);
                               return r == 0x80000000u ? 0 : r;
                           }))
                  .wrong,
              100u);
    EXPECT_GT(found(faulty("a NaN keeps its payload",
                           [](std::uint32_t a, std::uint32_t b, std::uint32_t c) {
                               return (c & 0x7fffffffu) > 0x7f800000u ? c | 0x400000u : soft::fma(a, b, c);
                           }))
                  .wrong,
              100u);
    const fma_tally ties =
        found(faulty("ties go away from zero", [](std::uint32_t a, std::uint32_t b, std::uint32_t c) {
            const float r = std::bit_cast<float>(soft::fma(a, b, c));
            const double exact = static_cast<double>(std::bit_cast<float>(a)) * std::bit_cast<float>(b) +
                                 std::bit_cast<float>(c);
            const bool tie = (std::bit_cast<std::uint64_t>(exact) & 0x1fffffffu) == 0x10000000u;
            return soft::fma(a, b, c) +
                   (tie && std::isnormal(r) && std::abs(static_cast<double>(r)) < std::abs(exact));
        }));
    EXPECT_GT(ties.wrong, 50u);
    ASSERT_FALSE(ties.first.empty());
    EXPECT_FALSE(ties.first[0].classes.empty());
}

TEST(fma_sweep, a_triple_depends_on_seed_and_index_alone) {
    std::set<std::uint64_t> different;
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
        const fma_triple t = fma_triple_of(seed, 11 * 25 * 17 + 11 * 25 + 11); // moderate, moderate, moderate
        different.insert(std::uint64_t{t.a} << 32 | t.b);
        EXPECT_EQ(fma_triple_of(seed, 7).c, fma_triple_of(seed, 7).c);
    }
    EXPECT_GT(different.size(), 48u);
    EXPECT_EQ(fma_classes_of(11 * 25 * 17 + 11 * 25 + 11), "moderate, moderate, moderate");
    EXPECT_EQ(fma_classes_of(fma_class_combinations() + 1), "zero, zero, smallest subnormal");
}

} // namespace
} // namespace retrace
