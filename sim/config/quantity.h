#pragma once
// Numbers with units as a configuration writes them, and back. Both directions are exact: what `format`
// writes parses to the same value. Parsing throws value_error with a message without a place; the loader adds
// it.
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace retrace {

class value_error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

std::uint64_t parse_whole(std::string_view text); ///< decimal digits; no sign, leading zero, exponent or unit
double parse_real(std::string_view text);         ///< finite decimal number, exponent allowed
bool parse_boolean(std::string_view text);        ///< true | false

std::uint64_t parse_bytes(std::string_view text); ///< 4096, 64KiB, 1.5MiB, 2GB; must come out as whole bytes
double parse_frequency(std::string_view text);    ///< 1.4GHz, in Hz
double parse_time(std::string_view text);         ///< 250ns or 1us, in nanoseconds; 0 needs no unit
double parse_bandwidth(std::string_view text);    ///< 16GB/s or 16GiB/s, in bytes per second

std::string format_real(double value);         ///< shortest decimal that parses to the same binary64
std::string format_bytes(std::uint64_t value); ///< the largest of GiB, MiB, KiB that divides it
std::string format_frequency(double value);
std::string format_time(double value);
std::string format_bandwidth(double value);

} // namespace retrace
