#include "sim/config/quantity.h"

#include <charconv>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include "sim/config/nearest.h"

namespace retrace {

namespace {

struct unit {
    std::string_view name;
    int ten = 0; ///< the unit is 10^ten * 2^two of the base unit
    int two = 0;
};

constexpr unit byte_units[] = {{"B"},     {"KiB", 0, 10}, {"MiB", 0, 20}, {"GiB", 0, 30},
                               {"kB", 3}, {"MB", 6},      {"GB", 9}};
constexpr unit frequency_units[] = {{"Hz"}, {"kHz", 3}, {"MHz", 6}, {"GHz", 9}};
constexpr unit time_units[] = {{"ps", -3}, {"ns"}, {"us", 3}, {"ms", 6}, {"s", 9}};
constexpr unit bandwidth_units[] = {{"B/s"},          {"KiB/s", 0, 10}, {"MiB/s", 0, 20},
                                    {"GiB/s", 0, 30}, {"TiB/s", 0, 40}, {"kB/s", 3},
                                    {"MB/s", 6},      {"GB/s", 9},      {"TB/s", 12}};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// A decimal without exponent, digits * 10^-decimals, and the unit behind it.
struct number_with_unit {
    std::string digits; ///< without leading zeros but at least one digit
    int decimals = 0;
    const unit* scale = nullptr; ///< null where none was written
};

number_with_unit split(std::string_view text, std::span<const unit> units, const char* what,
                       const char* example) {
    const std::string quoted = "'" + shown(text) + "'";
    number_with_unit result;
    std::size_t i = 0;
    std::string all;
    while (i < text.size() && is_digit(text[i]))
        all += text[i++];
    if (all.size() > 1 && all[0] == '0')
        throw value_error(quoted + " has a leading zero");
    if (!all.empty() && i + 1 < text.size() && text[i] == '.' && is_digit(text[i + 1]))
        for (++i; i < text.size() && is_digit(text[i]); ++result.decimals)
            all += text[i++];
    if (all.empty())
        throw value_error(quoted + " is not " + what + "; write for example " + example);
    if (all.size() > 30)
        throw value_error(quoted + " has too many digits");
    const std::size_t first = all.find_first_not_of('0');
    result.digits = first == std::string::npos ? "0" : all.substr(first);
    while (i < text.size() && text[i] == ' ')
        ++i;
    const std::string_view rest = text.substr(i);
    if (rest.empty())
        return result;
    std::vector<std::string> names;
    std::string listed;
    for (const unit& candidate : units) {
        if (candidate.name == rest)
            result.scale = &candidate;
        names.emplace_back(candidate.name);
        listed += (listed.empty() ? "" : ", ") + names.back();
    }
    if (!result.scale)
        throw value_error(quoted + " is not " + what + ": its units are " + listed + suggestion(rest, names));
    return result;
}

double decimal(const std::string& text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc::result_out_of_range || !std::isfinite(value))
        throw value_error("'" + shown(text) + "' is too large or too small");
    if (error != std::errc{} || end != text.data() + text.size())
        throw value_error("'" + shown(text) + "' is not a number");
    return value;
}

double parse_quantity(std::string_view text, std::span<const unit> units, const char* what,
                      const char* example) {
    const number_with_unit number = split(text, units, what, example);
    if (number.digits == "0")
        return 0;
    if (!number.scale)
        throw value_error("'" + shown(text) + "' needs a unit; write for example " + example);
    // One decimal string is rounded once; a power of two then changes the exponent only.
    const double value = decimal(number.digits + "e" + std::to_string(number.scale->ten - number.decimals));
    return std::ldexp(value, number.scale->two);
}

struct shortest {
    std::string digits; ///< no trailing zeros
    int exponent = 0;   ///< value = 0.digits * 10^exponent
};

shortest shortest_decimal(double value) {
    char buffer[40];
    const auto [end, error] =
        std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific);
    const std::string text(buffer, error == std::errc{} ? end : buffer);
    const std::size_t e = text.find('e');
    shortest result;
    for (const char c : text.substr(0, e))
        if (is_digit(c))
            result.digits += c;
    result.exponent = std::stoi(text.substr(e + 1)) + 1;
    while (result.digits.size() > 1 && result.digits.back() == '0')
        result.digits.pop_back();
    return result;
}

/// The shortest decimal of value / 10^ten, without an exponent: the point of the shortest decimal of value,
/// moved.
std::string positional(double value, int ten) {
    if (value == 0)
        return "0";
    const auto [digits, exponent] = shortest_decimal(value);
    const int point = exponent - ten;
    const int size = static_cast<int>(digits.size());
    if (point <= 0)
        return "0." + std::string(static_cast<std::size_t>(-point), '0') + digits;
    if (point >= size)
        return digits + std::string(static_cast<std::size_t>(point - size), '0');
    return digits.substr(0, static_cast<std::size_t>(point)) + "." +
           digits.substr(static_cast<std::size_t>(point));
}

std::string format_quantity(double value, std::span<const unit> units) {
    const unit* best = nullptr; // the largest decimal unit that leaves at least one digit before the point
    for (const unit& candidate : units)
        if (candidate.two == 0 && (!best || (value != 0 && shortest_decimal(value).exponent > candidate.ten)))
            best = &candidate;
    return positional(value, best->ten) + std::string(best->name);
}

} // namespace

std::uint64_t parse_whole(std::string_view text) {
    const std::string quoted = "'" + shown(text) + "'";
    if (text.size() > 1 && text[0] == '0' && text.find_first_not_of("0123456789") == std::string_view::npos)
        throw value_error(quoted + " has a leading zero");
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc::result_out_of_range)
        throw value_error(quoted + " is too large");
    if (error != std::errc{} || end != text.data() + text.size())
        throw value_error(quoted + " is not a whole number (decimal digits, without sign, exponent or unit)");
    return value;
}

double parse_real(std::string_view text) {
    const std::size_t start = !text.empty() && text[0] == '-' ? 1 : 0;
    if (text.size() <= start || !is_digit(text[start]))
        throw value_error("'" + shown(text) + "' is not a number");
    if (text.size() > start + 1 && text[start] == '0' && is_digit(text[start + 1]))
        throw value_error("'" + shown(text) + "' has a leading zero");
    return decimal(std::string(text));
}

bool parse_boolean(std::string_view text) {
    if (text == "true" || text == "false")
        return text == "true";
    throw value_error("'" + shown(text) + "' is not true or false");
}

std::uint64_t parse_bytes(std::string_view text) {
    number_with_unit number = split(text, byte_units, "a size", "64MiB, 4KiB or plain bytes");
    const unit scale = number.scale ? *number.scale : byte_units[0];
    while (number.decimals > 0 && number.digits.size() > 1 && number.digits.back() == '0') { // 1.50 is 1.5
        number.digits.pop_back();
        --number.decimals;
    }
    if (number.digits == "0")
        return 0;
    if (number.digits.size() > 20 || number.decimals > 18)
        throw value_error("'" + shown(text) + "' has too many digits");
    unsigned __int128 value = 0;
    for (const char c : number.digits)
        value = value * 10 + static_cast<unsigned>(c - '0');
    value <<= scale.two; // at most 10^20 * 2^30 or 10^20 * 10^9: below 2^127
    for (int i = 0; i < scale.ten; ++i)
        value *= 10;
    for (int i = 0; i < number.decimals; ++i) {
        if (value % 10 != 0)
            throw value_error("'" + shown(text) + "' is not a whole number of bytes");
        value /= 10;
    }
    if (value > std::numeric_limits<std::uint64_t>::max())
        throw value_error("'" + shown(text) + "' is too large");
    return static_cast<std::uint64_t>(value);
}

double parse_frequency(std::string_view text) {
    return parse_quantity(text, frequency_units, "a frequency", "1.4GHz or 800MHz");
}
double parse_time(std::string_view text) {
    return parse_quantity(text, time_units, "a time", "250ns or 1us");
}
double parse_bandwidth(std::string_view text) {
    return parse_quantity(text, bandwidth_units, "a bandwidth", "16GB/s or 16GiB/s");
}

std::string format_real(double value) {
    char buffer[40];
    const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value);
    return error == std::errc{} ? std::string(buffer, end) : "0";
}

std::string format_bytes(std::uint64_t value) {
    for (const auto& [name, shift] : {std::pair{"GiB", 30}, {"MiB", 20}, {"KiB", 10}})
        if (value != 0 && value % (std::uint64_t{1} << shift) == 0)
            return std::to_string(value >> shift) + name;
    return std::to_string(value);
}

std::string format_frequency(double value) { return format_quantity(value, frequency_units); }
std::string format_time(double value) { // memory timing is read in nanoseconds
    return value < 1e5 ? positional(value, 0) + "ns" : format_quantity(value, time_units);
}
std::string format_bandwidth(double value) { return format_quantity(value, bandwidth_units); }

} // namespace retrace
