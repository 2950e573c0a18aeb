#include "sim/support/sha256.h"

#include <gtest/gtest.h>

namespace retrace {
namespace {

// FIPS 180-4 examples, as published with the standard.
TEST(sha256, gives_the_published_digests) {
    EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
              "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST(sha256, does_not_depend_on_the_pieces_and_starts_anew) {
    sha256 digest;
    for (int round = 0; round < 2; ++round) {
        digest.add("a");
        digest.add("");
        digest.add("bc");
        EXPECT_EQ(digest.hex(), sha256_hex("abc"));
    }
}

} // namespace
} // namespace retrace
