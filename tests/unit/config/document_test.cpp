#include "sim/config/document.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>

namespace retrace {
namespace {

std::string fault(const std::string& text) {
    try {
        parse_document(text, "f.yaml");
    } catch (const config_error& error) {
        return error.what();
    }
    return "accepted";
}

TEST(parse_document, keeps_the_line_of_every_key_and_value) {
    const document_node root = parse_document("a: 1\n# comment\nb:\n  c: [x,\n   'y']\n", "f.yaml");
    ASSERT_EQ(root.entries.size(), 2u);
    EXPECT_EQ(root.entries[0].where, "f.yaml:1");
    EXPECT_EQ(root.entries[1].where, "f.yaml:3");
    const document_node* list = root.find("b")->find("c");
    ASSERT_NE(list, nullptr);
    ASSERT_EQ(list->entries.size(), 2u);
    EXPECT_EQ(list->entries[0].value.where, "f.yaml:4");
    EXPECT_FALSE(list->entries[0].value.quoted);
    EXPECT_EQ(list->entries[1].value.where, "f.yaml:5");
    EXPECT_TRUE(list->entries[1].value.quoted);
    EXPECT_EQ(root.find("z"), nullptr);
}

TEST(parse_document, refuses_files_without_content_at_line_1) {
    for (const char* text : {"", "\n\n", "# only a comment\n", "---\n", "---\n...\n", "~", "null\n"})
        EXPECT_EQ(fault(text), "f.yaml:1: the file is empty; `retrace help config` lists the keys") << text;
}

TEST(parse_document, refuses_what_is_not_a_mapping) {
    EXPECT_EQ(fault("- a\n"), "f.yaml:1: a configuration is a mapping of keys, not a list");
    EXPECT_EQ(fault("\nhello\n"), "f.yaml:2: a configuration is a mapping of keys, not a single value");
}

TEST(parse_document, refuses_duplicate_keys_at_any_depth) {
    EXPECT_EQ(fault("a: 1\nb: 2\na: 3\n"), "f.yaml:3: duplicate key 'a', first at f.yaml:1");
    EXPECT_EQ(fault("x:\n  - {k: 1, k: 2}\n"), "f.yaml:2: duplicate key 'k', first at f.yaml:2");
    EXPECT_EQ(fault("a: 1\n'a': 3\n"), "f.yaml:2: duplicate key 'a', first at f.yaml:1");
}

TEST(parse_document, refuses_anchors_aliases_tags_and_further_documents) {
    EXPECT_EQ(fault("a: &x 1\n"), "f.yaml:1: YAML anchors (&name) are not supported; write the value itself");
    EXPECT_EQ(fault("a: 1\nb: &x [1]\nc: *x\n"),
              "f.yaml:2: YAML anchors (&name) are not supported; write the value itself");
    EXPECT_EQ(fault("a: !!int 1\n"), "f.yaml:1: YAML tags (tag:yaml.org,2002:int) are not supported");
    EXPECT_EQ(fault("a: 1\n---\nb: 2\n"),
              "f.yaml:2: a second YAML document; a configuration is one document");
}

TEST(parse_document, refuses_keys_that_are_not_words) {
    EXPECT_EQ(fault("[a, b]: 1\n"), "f.yaml:1: a key must be a word, not a list or a mapping");
    EXPECT_EQ(fault("{a: 1}: 1\n"), "f.yaml:1: a key must be a word, not a list or a mapping");
    EXPECT_EQ(fault("~: 1\n"), "f.yaml:1: a key must be a word");
}

TEST(parse_document, reports_broken_yaml_with_its_line) {
    EXPECT_EQ(fault("a: 1\nb: [1, 2\n").rfind("f.yaml:", 0), 0u);
    EXPECT_NE(fault("a: 1\nb: \"open\n").find("not valid YAML"), std::string::npos);
    EXPECT_NE(fault("a: 1\nb: 'open\nc: 2\n").find("not valid YAML"), std::string::npos);
    EXPECT_EQ(fault("a: b: c\n").rfind("f.yaml:1: not valid YAML: ", 0), 0u);
}

TEST(parse_document, limits_depth_size_and_number_of_values) {
    const auto lists = [](std::size_t n) { return "a: " + std::string(n, '[') + std::string(n, ']'); };
    EXPECT_EQ(fault(lists(15)), "accepted"); // the top is a level too
    EXPECT_EQ(fault(lists(16)), "f.yaml:1: nested deeper than 16 levels");
    EXPECT_NE(fault(std::string(100'000, '[')), "accepted");
    std::string nested = "a: ";
    for (int i = 0; i < 100; ++i)
        nested += "{a: ";
    EXPECT_EQ(fault(nested), "f.yaml:1: nested deeper than 16 levels");
    std::string indented;
    for (int i = 0; i < 600; ++i)
        indented += std::string(static_cast<std::size_t>(i), ' ') + "a:\n";
    EXPECT_EQ(fault(indented), "f.yaml:17: nested deeper than 16 levels");
    EXPECT_EQ(fault("a: '" + std::string(max_text_bytes, 'x') + "'"),
              "f.yaml:1: larger than 1048576 bytes; not a configuration");
    std::string many = "a: [";
    for (std::size_t i = 0; i < max_nodes; ++i)
        many += "1,";
    EXPECT_EQ(fault(many + "]"), "f.yaml:1: more than 100000 values");
}

TEST(parse_document, survives_every_byte_and_every_truncation) {
    const std::string text = "a: {b: [1, 'x', \"\\u00e9\"], c: |\n  text\n}\nd: >-\n  more\ne: 0x1\n";
    for (std::size_t n = 0; n < text.size(); ++n)
        fault(text.substr(0, n));
    for (std::size_t n = 0; n < text.size(); ++n)
        for (int byte = 0; byte < 256; ++byte) {
            std::string changed = text;
            changed[n] = static_cast<char>(byte);
            fault(changed); // any answer will do but a crash or another exception
        }
    SUCCEED();
}

TEST(parse_override_value, is_a_plain_word_unless_it_looks_like_yaml) {
    EXPECT_EQ(parse_override_value("16", "--set a").text, "16");
    EXPECT_EQ(parse_override_value("a: b", "--set a").text, "a: b");
    const document_node list = parse_override_value("[1, 2]", "--set a");
    ASSERT_EQ(list.entries.size(), 2u);
    EXPECT_EQ(list.entries[1].value.where, "--set a");
    EXPECT_TRUE(parse_override_value("'x'", "--set a").quoted);
    EXPECT_EQ(parse_override_value("null", "--set a").type, document_node::kind::null);
    EXPECT_EQ(parse_override_value("", "--set a").type, document_node::kind::null);
    try {
        parse_override_value("{a: [}", "--set a");
        FAIL();
    } catch (const config_error& error) {
        EXPECT_EQ(std::string(error.what()).rfind("--set a: not valid YAML", 0), 0u) << error.what();
    }
}

TEST(read_config_file, says_why_a_file_cannot_be_read) {
    const auto message = [](const std::string& path) -> std::string {
        try {
            read_config_file(path);
        } catch (const config_error& error) {
            return error.what();
        }
        return "accepted";
    };
    EXPECT_EQ(message("no/such/file.yaml"), "no/such/file.yaml:1: there is no such file");
    const std::string folder = std::filesystem::temp_directory_path().string();
    EXPECT_EQ(message(folder), folder + ":1: this is a folder, not a configuration file");
}

} // namespace
} // namespace retrace
