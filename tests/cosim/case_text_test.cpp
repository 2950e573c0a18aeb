// Cases as files: inverse of each other, strict, and whatever a file holds, either a legal case or an error that says where.
#include <gtest/gtest.h>

#include "hw/spec/counter_random.h"
#include "sim/cosim/case_rules.h"
#include "sim/cosim/generator.h"
#include "sim/cosim/reference.h"
#include "tests/cosim/small_case.h"

namespace retrace::cosim {
namespace {

std::string error_of(const std::string& text) {
    try {
        require_legal(parse_case(text, "file"), "file");
    } catch (const case_error& e) {
        return e.what();
    }
    return {};
}

std::string edited(std::string text, const std::string& old, const std::string& now) {
    const auto at = text.find(old);
    EXPECT_NE(at, text.npos) << old;
    return text.replace(at, old.size(), now);
}

TEST(case_text, a_case_survives_its_text) {
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        const test_case c = generate(seed);
        ASSERT_EQ(parse_case(to_text(c), "file"), c) << "seed " << seed;
        ASSERT_EQ(to_text(parse_case(to_text(c), "file")), to_text(c));
    }
}

TEST(case_text, faults_of_a_file_name_their_place) {
    const std::string good = to_text(test::small_case());
    ASSERT_EQ(error_of(good), "");
    const struct {
        std::string text, part;
    } faults[] = {
        {"", "not JSON"},
        {"[]", "object"},
        {"{}", "'format' is missing"},
        {good.substr(0, good.size() / 2), "not JSON"},
        {edited(good, "cosim case 1", "cosim case 9"), "'format' must be"},
        {edited(good, "\"seed\": 77", "\"seed\": -1"), "file.seed"},
        {edited(good, "\"seed\": 77", "\"seed\": 1e300"), "file.seed"},
        {edited(good, "\"size\":8", "\"size\":9"), "machine.size: 9"},
        {edited(good, "\"size\":8", "\"sice\":8"), "'size' is missing"},
        {edited(good, "\"size\":8", "\"size\":8,\"colour\":3"), "unknown key 'colour'"},
        {edited(good, "\"fma_depth\":1", "\"fma_depth\":4000000000"), "fma_depth"},
        {edited(good, "\"operand_cycles\":[4,1,1,1,1]", "\"operand_cycles\":[4,1,1,1]"), "5 numbers"},
        {edited(good, "\"operand_cycles\":[4,", "\"operand_cycles\":[0,"), "operand_cycles"},
        {edited(good, "\"dma_queues\":3", "\"dma_queues\":2"), "dma2 has no copy"},
        {edited(good, "\"name\":\"rows\"", "\"name\":\"h_in\""), "two buffers 'h_in'"},
        {edited(good, "\"bytes\":512", "\"bytes\":4294967295"), "buffer rows"},
        {edited(good, "\"base\":4096", "\"base\":511"), "overlap"},
        {edited(good, "\"memory\":\"psum\"", "\"memory\":\"flash\""), "'flash' is none of"},
        {edited(good, "\"op\":\"copy\"", "\"op\":\"jump\""), "commands[0].operations[0]"},
        {edited(good, "\"engine\":\"dma0\"", "\"engine\":\"vector\""), "vector has no copy"},
        {edited(good, "\"buffer\":\"weights\",\"offset\":128", "\"buffer\":\"weights\",\"offset\":600"),
         "operations[4]: a: bytes 600"},
        {edited(good, "\"sizes\":[256,1,1,1]", "\"sizes\":[0,1,1,1]"), "sizes must be at least 1"},
        {edited(good, "\"sizes\":[256,1,1,1]", "\"sizes\":[1,4294967295,65535,65535]"), "runs"},
        {edited(good, "\"sizes\":[256,1,1,1]", "\"sizes\":[32,1,1,1]"), "not live"},
        {edited(good, "\"m\":5,\"k\":3", "\"m\":5,\"k\":2"), "rows of 2 bf16 for weights of 3"},
        {edited(good, "\"swap\":true,\"accumulate\":false", "\"swap\":false,\"accumulate\":false"), "no weights"},
        {edited(good, "\"function\":\"relu\"", "\"function\":\"sine\""), "'sine' is none of"},
        {edited(good, "\"scale\":\"3f800000\"", "\"scale\":\"1.0\""), "hexadecimal"},
        {edited(good, "\"token\":1", "\"token\":0"), "token"},
        {edited(good, "\"release\":[]", "\"release\":[\"nobody\"]"), "no buffer 'nobody'"},
        {edited(good, "\"release\":[]", "\"release\":[\"h_in\"]"), "not tracked"},
        {edited(good, "{\"step\"", "{\"work\":{\"base\":0,\"bytes\":100,\"psum_first\":0,\"psum_count\":0},\"step\""),
         "only in part"},
    };
    for (const auto& f : faults) {
        const std::string error = error_of(f.text);
        EXPECT_NE(error.find(f.part), error.npos) << "'" << f.part << "' is not in: " << error;
        EXPECT_EQ(error.rfind("file", 0), 0u) << error;
    }
}

TEST(case_text, deep_nesting_is_an_error_and_no_crash) {
    EXPECT_NE(error_of(std::string(100000, '[')), "");
    EXPECT_NE(error_of("{\"format\":\"retrace cosim case 1\",\"seed\":1,\"machine\":" + std::string(5000, '[') +
                       std::string(5000, ']') + "}"),
              "");
}

// Random damage: either an error, or a case that the reference runs without a fault, because the rules say it is legal.
TEST(case_text, damaged_files_are_errors_or_legal_cases) {
    unsigned errors = 0, legal = 0;
    std::vector<std::string> texts;
    for (std::uint64_t seed = 1; seed <= 20; ++seed)
        texts.push_back(to_text(generate(seed)));
    for (std::uint32_t trial = 0; trial < 1200; ++trial) {
        auto random = [&, n = 0u]() mutable { return counter_random(4711, 0, trial, n++); };
        std::string text = texts[random() % texts.size()];
        if (random() % 4 == 0) {
            for (unsigned i = 1 + random() % 4; i > 0; --i)
                text[random() % text.size()] = static_cast<char>(random());
        } else {
            // One number becomes another: what mistakes of a person look like.
            std::size_t at = random() % text.size();
            while (at + 1 < text.size() && (text[at] < '0' || text[at] > '9'))
                ++at;
            std::size_t end = at;
            while (end < text.size() && text[end] >= '0' && text[end] <= '9')
                ++end;
            constexpr std::uint32_t values[] = {0, 1, 2, 3, 5, 8, 64, 65536, 0x7fffffff, 0xffffffff};
            text.replace(at, end - at, std::to_string(random() % 2 ? values[random() % 10] : random() % 100));
        }
        test_case c;
        try {
            c = parse_case(text, "file");
            require_legal(c, "file");
            prepare(c, spec::host_window_base);
        } catch (const case_error&) {
            ++errors;
            continue;
        }
        ++legal;
        const auto reference = run_reference(c, prepare(c, spec::host_window_base));
        ASSERT_TRUE(reference->faults.empty()) << "trial " << trial << ": " << reference->faults.front();
    }
    EXPECT_GT(errors, 200u);
    EXPECT_GT(legal, 100u);
}

} // namespace
} // namespace retrace::cosim
