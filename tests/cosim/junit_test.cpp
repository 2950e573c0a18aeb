// JUnit XML is well-formed whatever stands in messages. The parser here knows the little XML that is needed to be strict about
// it.
#include <cctype>
#include <cstring>
#include <map>
#include <stdexcept>
#include <vector>

#include <gtest/gtest.h>

#include "hw/spec/counter_random.h"
#include "sim/cosim/junit.h"

namespace retrace::cosim {
namespace {

struct element {
    std::string name, text;
    std::map<std::string, std::string> attributes;
    std::vector<element> children;
};

class xml_parser {
public:
    explicit xml_parser(const std::string& text) : text_(text) {}

    element document() {
        expect("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
        space();
        element root = parse();
        space();
        if (at_ != text_.size())
            fail("something after the document");
        return root;
    }

private:
    [[noreturn]] void fail(const std::string& what) const { throw std::runtime_error(what + " at byte " + std::to_string(at_)); }
    char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
    void space() {
        while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_])))
            ++at_;
    }
    void expect(const std::string& what) {
        if (text_.compare(at_, what.size(), what) != 0)
            fail("no " + what);
        at_ += what.size();
    }
    std::string name() {
        const std::size_t begin = at_;
        while (std::isalnum(static_cast<unsigned char>(peek())))
            ++at_;
        if (begin == at_)
            fail("a name is missing");
        return text_.substr(begin, at_ - begin);
    }
    std::string characters(char end) {
        std::string out;
        while (peek() != end) {
            if (at_ >= text_.size() || peek() == '<')
                fail("text does not end");
            const auto byte = static_cast<unsigned char>(peek());
            if (byte < 0x20 && byte != '\n' && byte != '\t')
                fail("a control character");
            if (peek() != '&') {
                out += text_[at_++];
                continue;
            }
            bool known = false;
            for (const auto& [entity, c] : {std::pair{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}})
                if (text_.compare(at_, std::strlen(entity), entity) == 0) {
                    out += c;
                    at_ += std::strlen(entity);
                    known = true;
                    break;
                }
            if (!known)
                fail("an unknown entity");
        }
        return out;
    }
    element parse() {
        element e;
        expect("<");
        e.name = name();
        for (space(); peek() != '>' && peek() != '/'; space()) {
            const std::string key = name();
            expect("=\"");
            if (!e.attributes.emplace(key, characters('"')).second)
                fail("attribute twice");
            expect("\"");
        }
        if (peek() == '/') {
            expect("/>");
            return e;
        }
        expect(">");
        for (;;) {
            e.text += characters('<');
            if (text_.compare(at_, 2, "</") == 0)
                break;
            e.children.push_back(parse());
        }
        expect("</" + e.name + ">");
        return e;
    }

    const std::string& text_;
    std::size_t at_ = 0;
};

TEST(junit, names_every_case_and_what_failed) {
    const std::string text =
        to_junit("a suite", {{"seed 1", 0.5, false, "", ""}, {"seed 2", 1.25, true, "psum: 3 < 4 & \"more\"", "line\n<tag>"}});
    const element root = xml_parser(text).document();
    EXPECT_EQ(root.name, "testsuites");
    ASSERT_EQ(root.children.size(), 1u);
    const element& suite = root.children[0];
    EXPECT_EQ(suite.attributes.at("name"), "a suite");
    EXPECT_EQ(suite.attributes.at("tests"), "2");
    EXPECT_EQ(suite.attributes.at("failures"), "1");
    EXPECT_EQ(suite.attributes.at("time"), "1.750");
    ASSERT_EQ(suite.children.size(), 2u);
    EXPECT_EQ(suite.children[0].attributes.at("name"), "seed 1");
    EXPECT_TRUE(suite.children[0].children.empty());
    ASSERT_EQ(suite.children[1].children.size(), 1u);
    const element& failure = suite.children[1].children[0];
    EXPECT_EQ(failure.name, "failure");
    EXPECT_EQ(failure.attributes.at("message"), "psum: 3 < 4 & \"more\"");
    EXPECT_EQ(failure.text, "line\n<tag>");
}

TEST(junit, any_bytes_may_stand_in_a_message) {
    for (std::uint32_t trial = 0; trial < 2000; ++trial) {
        std::string message;
        for (std::uint32_t i = 0; i < 40; ++i)
            message += static_cast<char>(counter_random(1, 0, trial, i));
        const std::string text = to_junit("s", {{message, 0, true, message, message}});
        EXPECT_NO_THROW(xml_parser(text).document()) << "trial " << trial;
    }
    EXPECT_NO_THROW(xml_parser(to_junit("s", {})).document());
}

TEST(junit, characters_beyond_ascii_survive_and_broken_ones_do_not) {
    const element root =
        xml_parser(to_junit("s", {{"n", 0, true, "\u00b5 \u20ac \U0001d11e", std::string("\xc3\x28 \xed\xa0\x80 \xff")}}))
            .document();
    const element& failure = root.children[0].children[0].children[0];
    EXPECT_EQ(failure.attributes.at("message"), "\u00b5 \u20ac \U0001d11e");
    EXPECT_EQ(failure.text, "?( ??? ?");
}

} // namespace
} // namespace retrace::cosim
