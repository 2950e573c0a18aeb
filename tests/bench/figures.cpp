#include "tests/bench/figures.h"

#include <algorithm>
#include <cstdio>
#include <optional>
#include <vector>

#include <fmt/format.h>

namespace retrace::bench {

namespace {

struct line {
    figure definition;
    std::optional<double> value;
    std::string note;
};

std::vector<line>& lines() {
    static std::vector<line> all;
    return all;
}

std::string number(double value, const std::string& unit) {
    return fmt::format("{:.{}f}{}", value, value < 10 ? 3 : 1, unit);
}

} // namespace

figure_handle::figure_handle(const figure& definition) : index_(lines().size()) {
    lines().push_back({definition, {}, {}});
}

void figure_handle::measured(double value, const std::string& note) const {
    lines()[index_].value = value;
    lines()[index_].note = note;
}

void print_figures() {
    std::size_t widest = 0;
    for (const line& l : lines())
        widest = std::max(widest, l.definition.name.size());
    const auto row = [&](const std::string& name, const std::string& measured, const std::string& target,
                         const std::string& ratio, const std::string& note) {
        fmt::print("{:<{}}  {:>14}  {:>16}  {:>6}  {}\n", name, widest, measured, target, ratio, note);
    };
    fmt::print("\n");
    row("figure", "measured", "target", "ratio", "how");
    for (const line& l : lines()) {
        const figure& f = l.definition;
        const bool larger = f.kind == bound::at_least;
        const std::string target = (larger ? ">= " : "< ") + number(f.target, f.unit);
        if (!l.value) {
            row(f.name, "-", target, "-", "not measured in this run");
            continue;
        }
        const double ratio = larger ? *l.value / f.target : f.target / std::max(*l.value, 1e-9);
        row(f.name, number(*l.value, f.unit), target, fmt::format("{:.2f}", ratio), l.note);
    }
    fmt::print("A ratio of 1 or more meets the target. Each figure is the best of several repetitions.\n");
    std::fflush(stdout);
}

} // namespace retrace::bench
