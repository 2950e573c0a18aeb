#include "sim/config/nearest.h"

#include <gtest/gtest.h>

namespace retrace {
namespace {

TEST(edit_distance, counts_insertions_deletions_replacements_and_swaps) {
    EXPECT_EQ(edit_distance("", ""), 0u);
    EXPECT_EQ(edit_distance("", "abc"), 3u);
    EXPECT_EQ(edit_distance("batch", "batch"), 0u);
    EXPECT_EQ(edit_distance("bacth", "batch"), 1u);
    EXPECT_EQ(edit_distance("btch", "batch"), 1u);
    EXPECT_EQ(edit_distance("baatch", "batch"), 1u);
    EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
}

TEST(edit_distance, does_not_see_case) { EXPECT_EQ(edit_distance("mib", "MiB"), 0u); }

TEST(edit_distance, of_a_huge_word_is_bounded_work) {
    EXPECT_EQ(edit_distance(std::string(1u << 20, 'x'), "batch"), 64u);
}

TEST(nearest, takes_the_first_of_equally_near_words) {
    EXPECT_EQ(nearest("cat", {"bat", "hat", "dog"}), "bat");
    EXPECT_EQ(nearest("dig", {"bat", "hat", "dog"}), "dog");
    EXPECT_EQ(nearest("dig", {}), "");
}

TEST(shown, hides_control_characters_and_shortens_between_characters) {
    EXPECT_EQ(shown("a\nb\x7f"), "a?b?");
    EXPECT_EQ(shown(std::string(100, 'a')), std::string(60, 'a') + "...");
    EXPECT_EQ(shown(std::string(59, 'a') + "\xc3\xa9\xc3\xa9"),
              std::string(59, 'a') + "..."); // e acute is 2 bytes
}

} // namespace
} // namespace retrace
