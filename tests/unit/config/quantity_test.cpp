#include "sim/config/quantity.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <random>

namespace retrace {
namespace {

template <class F>
std::string fault(F&& f) {
    try {
        f();
    } catch (const value_error& error) {
        return error.what();
    }
    return "accepted";
}

TEST(parse_whole, takes_decimal_digits_only) {
    EXPECT_EQ(parse_whole("0"), 0u);
    EXPECT_EQ(parse_whole("18446744073709551615"), 18446744073709551615u);
    for (const char* text : {"", " 1", "1 ", "-1", "+1", "1e3", "0x10", "1.0", "1_000", "ten", "1KiB"})
        EXPECT_NE(fault([&] { parse_whole(text); }).find("is not a whole number"), std::string::npos) << text;
    EXPECT_EQ(fault([] { parse_whole("08"); }), "'08' has a leading zero");
    EXPECT_EQ(fault([] { parse_whole("00"); }), "'00' has a leading zero");
    EXPECT_EQ(fault([] { parse_whole("18446744073709551616"); }), "'18446744073709551616' is too large");
}

TEST(parse_real, takes_finite_decimal_numbers_only) {
    EXPECT_EQ(parse_real("0.05"), 0.05);
    EXPECT_EQ(parse_real("-2"), -2.0);
    EXPECT_EQ(parse_real("1e-3"), 1e-3);
    EXPECT_EQ(parse_real("1e+3"), 1000.0);
    for (const char* text :
         {"", "nan", "inf", "-inf", ".inf", "infinity", "0x1p3", "1,5", "1.5f", "1e", "--1", "+1"})
        EXPECT_NE(fault([&] { parse_real(text); }).find("is not a number"), std::string::npos) << text;
    EXPECT_EQ(fault([] { parse_real("08.5"); }), "'08.5' has a leading zero");
    EXPECT_EQ(fault([] { parse_real("1e999"); }), "'1e999' is too large or too small");
    EXPECT_EQ(fault([] { parse_real("1e-999"); }), "'1e-999' is too large or too small");
}

TEST(parse_boolean, takes_two_words) {
    EXPECT_TRUE(parse_boolean("true"));
    EXPECT_FALSE(parse_boolean("false"));
    EXPECT_EQ(fault([] { parse_boolean("yes"); }), "'yes' is not true or false");
}

TEST(parse_bytes, knows_binary_and_decimal_units) {
    EXPECT_EQ(parse_bytes("4096"), 4096u);
    EXPECT_EQ(parse_bytes("17B"), 17u);
    EXPECT_EQ(parse_bytes("4KiB"), 4096u);
    EXPECT_EQ(parse_bytes("64 MiB"), 64u << 20);
    EXPECT_EQ(parse_bytes("1.5MiB"), 3u << 19);
    EXPECT_EQ(parse_bytes("1.50MiB"), 3u << 19);
    EXPECT_EQ(parse_bytes("2GB"), 2'000'000'000u);
    EXPECT_EQ(parse_bytes("0.001kB"), 1u);
    EXPECT_EQ(parse_bytes("0.0MiB"), 0u);
    EXPECT_EQ(parse_bytes("15GiB"), 15ull << 30);
}

TEST(parse_bytes, says_what_is_wrong) {
    EXPECT_EQ(fault([] { parse_bytes("64mib"); }),
              "'64mib' is not a size: its units are B, KiB, MiB, GiB, kB, MB, GB (did you mean 'MiB'?)");
    EXPECT_NE(fault([] { parse_bytes("64MHz"); }).find("'64MHz' is not a size"), std::string::npos);
    EXPECT_NE(fault([] { parse_bytes("many"); }).find("write for example 64MiB"), std::string::npos);
    EXPECT_NE(fault([] { parse_bytes("-1"); }).find("is not a size"), std::string::npos);
    EXPECT_EQ(fault([] { parse_bytes("1.5"); }), "'1.5' is not a whole number of bytes");
    EXPECT_EQ(fault([] { parse_bytes("0.3KiB"); }), "'0.3KiB' is not a whole number of bytes");
    EXPECT_EQ(fault([] { parse_bytes("17179869184GiB"); }), "'17179869184GiB' is too large");
    EXPECT_EQ(fault([] { parse_bytes("99999999999999999999GiB"); }),
              "'99999999999999999999GiB' is too large");
    EXPECT_EQ(fault([] { parse_bytes("064KiB"); }), "'064KiB' has a leading zero");
    EXPECT_NE(fault([] { parse_bytes(std::string(1000, '9')); }).find("too many digits"), std::string::npos);
}

TEST(quantities, know_their_units) {
    EXPECT_EQ(parse_frequency("1.4GHz"), 1.4e9);
    EXPECT_EQ(parse_frequency("1400MHz"), 1.4e9);
    EXPECT_EQ(parse_frequency("32768Hz"), 32768.0);
    EXPECT_EQ(parse_time("250ns"), 250.0);
    EXPECT_EQ(parse_time("1us"), 1000.0);
    EXPECT_EQ(parse_time("0.5 ms"), 5e5);
    EXPECT_EQ(parse_time("100ps"), 0.1);
    EXPECT_EQ(parse_time("0"), 0.0);
    EXPECT_EQ(parse_bandwidth("16GB/s"), 16e9);
    EXPECT_EQ(parse_bandwidth("16GiB/s"), 16.0 * (1u << 30));
}

TEST(quantities, need_the_right_unit) {
    EXPECT_EQ(fault([] { parse_frequency("1000"); }),
              "'1000' needs a unit; write for example 1.4GHz or 800MHz");
    EXPECT_NE(fault([] { parse_frequency("1GB"); }).find("is not a frequency"), std::string::npos);
    EXPECT_NE(fault([] { parse_time("5sec"); }).find("is not a time"), std::string::npos);
    EXPECT_NE(fault([] { parse_bandwidth("16GB"); }).find("(did you mean 'GB/s'?)"), std::string::npos);
}

TEST(formats, are_readable) {
    EXPECT_EQ(format_bytes(0), "0");
    EXPECT_EQ(format_bytes(100), "100");
    EXPECT_EQ(format_bytes(160 << 10), "160KiB");
    EXPECT_EQ(format_bytes(64u << 20), "64MiB");
    EXPECT_EQ(format_bytes(4ull << 30), "4GiB");
    EXPECT_EQ(format_frequency(1.4e9), "1.4GHz");
    EXPECT_EQ(format_frequency(8e8), "800MHz");
    EXPECT_EQ(format_frequency(1), "1Hz");
    EXPECT_EQ(format_time(3900), "3900ns");
    EXPECT_EQ(format_time(0.5), "0.5ns");
    EXPECT_EQ(format_time(2.5e6), "2.5ms");
    EXPECT_EQ(format_bandwidth(16e9), "16GB/s");
    EXPECT_EQ(format_bandwidth(16.0 * (1u << 30)), "17.179869184GB/s");
    EXPECT_EQ(format_real(0.0625), "0.0625");
}

TEST(formats, parse_back_to_the_same_bits) {
    std::mt19937_64 random(7);
    for (int i = 0; i < 20'000; ++i) {
        const std::uint64_t bits = random() >> (random() % 64);
        EXPECT_EQ(parse_bytes(format_bytes(bits)), bits);
        const double value =
            std::ldexp(static_cast<double>(random() >> 11), static_cast<int>(random() % 60) - 70);
        EXPECT_EQ(parse_real(format_real(value)), value);
        const double large = 1e6 + value * 1e6;
        EXPECT_EQ(parse_frequency(format_frequency(large)), large);
        EXPECT_EQ(parse_bandwidth(format_bandwidth(large)), large);
        const double time = static_cast<double>(random() % 1'000'000'007) / 1000.0;
        EXPECT_EQ(parse_time(format_time(time)), time);
    }
}

} // namespace
} // namespace retrace
