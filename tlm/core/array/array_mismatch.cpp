#include "tlm/core/array/array_mismatch.h"

#include <bit>
#include <cinttypes>
#include <cstdio>

namespace retrace {
namespace {

std::string number(std::uint64_t n) { return std::to_string(n); }

std::string shape(unsigned rows, unsigned columns) { return number(rows) + " x " + number(columns); }

std::string list(const std::vector<std::string>& names) {
    std::string text;
    for (std::size_t i = 0; i < names.size(); ++i) {
        text += (i == 0 ? "" : i + 1 == names.size() ? " and " : ", ") + names[i];
    }
    return text;
}

std::string sentence(const array_mismatch_facts& f) {
    std::string text = f.unit + ", cycle " + number(f.cycle) + ", " + describe(f.transaction);
    if (f.kind != mismatch_kind::protocol && f.kind != mismatch_kind::shape) {
        text += ", row " + number(f.row) + " column " + number(f.column);
    }
    const char* separator = ": ";
    for (const array_statement& s : f.statements) {
        text += separator + s.who + " ";
        separator = ", ";
        if (!s.present) {
            text += s.note;
            continue;
        }
        text += "says " + describe_word(s.bits, f.integer);
        if (f.transaction.kind != transaction_kind::accumulate) {
            text += " in cycle " + number(s.cycle);
        }
    }
    if (!f.wrong.empty()) {
        text += "; wrong: " + list(f.wrong);
        if (f.ulps) {
            text += " by " + number(*f.ulps) + (f.integer ? "" : " ULP");
        }
    }
    if (f.compared != 0) {
        text += "; " + number(f.differing) + " of " + number(f.compared) +
                (f.transaction.kind == transaction_kind::accumulate ? " words" : " sums") + " differ";
    }
    return text + ".";
}

} // namespace

std::string describe_word(std::uint32_t bits, bool integer) {
    char text[48];
    if (integer) {
        std::snprintf(text, sizeof text, "0x%08" PRIx32 " (%" PRId32 ")", bits,
                      static_cast<std::int32_t>(bits));
    } else {
        std::snprintf(text, sizeof text, "0x%08" PRIx32 " (%.9g)", bits,
                      static_cast<double>(std::bit_cast<float>(bits)));
    }
    return text;
}

std::string describe(const array_transaction& t) {
    const std::string name = "transaction " + number(t.number) + " ";
    const std::string view = shape(t.rows, t.columns) + " " + name_of(t.format);
    switch (t.kind) {
    case transaction_kind::load_weights:
        return name + "(load of " + view + " at " + number(t.cycle) + ")";
    case transaction_kind::stream:
        return name + "(stream of " + view + " at " + number(t.cycle) + (t.swap ? " with swap" : "") +
               ", weights of transaction " + number(t.weights) + ")";
    case transaction_kind::freeze:
        return name + "(freeze at " + number(t.cycle) + " for " + number(t.count) + ")";
    case transaction_kind::accumulate:
        break;
    }
    return name + "(accumulate of " + view + ", after cycle " + number(t.cycle) + ")";
}

std::string describe(const array_mismatch_facts& f) {
    std::string text = sentence(f);
    if (!f.history.empty()) {
        text += "\noperand history, by the oracle:";
        const bool accumulate = f.transaction.kind == transaction_kind::accumulate;
        for (std::size_t k = 0; k < f.history.size(); ++k) {
            const operand_step& s = f.history[k];
            text += accumulate ? "\n  " : "\n  k " + number(k) + ": ";
            text += describe_word(s.before, f.integer) + " + " + describe_word(s.a, f.integer);
            text += accumulate ? "" : " * " + describe_word(s.w, f.integer);
            text += " = " + describe_word(s.after, f.integer);
        }
    }
    if (!f.recent.empty()) {
        text += "\nlast " + number(f.recent.size()) + " transactions:";
        for (const array_transaction& t : f.recent) {
            text += "\n  " + describe(t);
        }
    }
    return text;
}

std::optional<std::uint64_t> ulp_distance(std::uint32_t a, std::uint32_t b) {
    const auto place = [](std::uint32_t bits) {
        const auto magnitude = static_cast<std::int64_t>(bits & 0x7fffffffu);
        return (bits >> 31) != 0 ? -magnitude : magnitude;
    };
    constexpr std::int64_t infinity = 0x7f800000;
    const std::int64_t x = place(a), y = place(b);
    if (x > infinity || x < -infinity || y > infinity || y < -infinity) {
        return std::nullopt;
    }
    return static_cast<std::uint64_t>(x > y ? x - y : y - x);
}

} // namespace retrace
