#include "tests/rtl/array_program.h"

#include <algorithm>
#include <random>

#include <fmt/format.h>

#include "tlm/core/array/array_timing.h"
#include "tlm/core/array/frozen_time.h"

namespace retrace::test {
namespace {

class generator {
public:
    generator(const array_config& config, std::uint32_t seed) : engine_(seed), timing_(config) {
        program_.config = config;
    }

    unsigned draw(unsigned limit) { return static_cast<unsigned>(engine_() % limit); }

    const test_matrix& matrix(unsigned rows, unsigned columns, number_format format, flavour kind) {
        return program_.matrices.emplace_back(rows, columns, format, kind, engine_);
    }

    // A load at own cycle `gap` after the earliest, and the stream that takes it.
    void tile(const test_matrix& w, number_format format, unsigned gap) {
        const std::uint64_t own = not_passed((first_ ? 0 : timing_.earliest_reload(swap_, format)) + gap);
        first_ = false;
        add({array_call::kind::load, time_.to_outer(own), 0, false, &w});
        load_ = own;
        stream_from_ = std::max(stream_from_, timing_.load_complete(own, format));
    }
    void stream(const test_matrix& a, unsigned gap, bool swap) {
        const matrix_view view = a.view();
        const std::uint64_t own = not_passed(stream_from_ + gap);
        add({array_call::kind::stream, time_.to_outer(own), 0, swap, &a});
        swap_ = swap ? own : swap_;
        last_start_ = own;
        stream_from_ = timing_.next_stream(own, view.format, view.rows);
        last_stamp_ = timing_.last_stamp(own, view.format, view.rows);
    }
    void freeze(std::uint64_t from_own, unsigned after, unsigned count) {
        const std::uint64_t at = std::max({time_.to_outer(from_own) + after, frozen_until_, passed_});
        time_.freeze(at, count);
        frozen_until_ = at + count;
        add({array_call::kind::freeze, at, count, false, nullptr});
    }
    // Up to a cycle before the next call may come.
    void collect() {
        const std::uint64_t limit = time_.to_outer(std::min(stream_from_, load_));
        if (limit > passed_ + 1) {
            const std::uint64_t now = passed_ + draw(static_cast<unsigned>(std::min<std::uint64_t>(limit - passed_ - 1, 400)));
            passed_ = now + 1;
            add({array_call::kind::collect, now, 0, false, nullptr});
        }
    }
    std::uint64_t load_start() const { return load_; }
    std::uint64_t last_start() const { return last_start_; }

    array_program finish() {
        program_.end = time_.to_outer(last_stamp_);
        return std::move(program_);
    }

private:
    void add(const array_call& call) { program_.calls.push_back(call); }
    std::uint64_t not_passed(std::uint64_t own) const {
        while (time_.to_outer(own) < passed_) {
            ++own;
        }
        return own;
    }

    std::mt19937 engine_;
    array_timing timing_;
    array_program program_;
    frozen_time time_;
    std::uint64_t stream_from_ = 0, swap_ = 0, load_ = 0, last_start_ = 0, last_stamp_ = 0; // own cycles
    std::uint64_t passed_ = 0, frozen_until_ = 0;
    bool first_ = true;
};

} // namespace

array_program random_program(const array_config& config, std::uint32_t seed, const program_options& options) {
    generator g(config, seed);
    // Mostly none: what is legal at the earliest cycle is what breaks.
    const auto gap = [&] { return g.draw(3) != 0 ? 0 : g.draw(8) != 0 ? g.draw(6) : g.draw(150); };
    const auto maybe_freeze = [&](std::uint64_t around) {
        if (options.freezes && g.draw(2) == 0) {
            g.freeze(around, g.draw(40), g.draw(6) == 0 ? 1 + g.draw(60) : 1 + g.draw(4));
        }
    };
    for (unsigned tile = 0; tile < options.tiles; ++tile) {
        const number_format weights = operand_formats[g.draw(5)];
        const unsigned k = g.draw(3) == 0 ? config.rows : 1 + g.draw(config.rows);
        const unsigned n = g.draw(3) == 0 ? config.columns : 1 + g.draw(config.columns);
        g.tile(g.matrix(k, n, weights, all_flavours[g.draw(6)]), weights, gap());
        maybe_freeze(g.load_start());
        const unsigned streams = g.draw(3) == 0 ? 1 + g.draw(3) : 1;
        for (unsigned s = 0; s < streams; ++s) {
            const number_format operands = is_integer(weights) ? weights : operand_formats[g.draw(4)];
            const unsigned m = g.draw(4) == 0 ? 1 : 1 + g.draw(options.longest_stream);
            if (g.draw(3) == 0) {
                g.collect();
            }
            g.stream(g.matrix(m, k, operands, all_flavours[g.draw(6)]), gap(), s == 0);
            maybe_freeze(g.last_start());
        }
    }
    return g.finish();
}

array_program all_tail_shapes(const array_config& config, number_format format, std::uint32_t seed) {
    generator g(config, seed);
    for (unsigned k = 1; k <= config.rows; ++k) {
        for (unsigned n = 1; n <= config.columns; ++n) {
            g.tile(g.matrix(k, n, format, all_flavours[g.draw(6)]), format, 0);
            g.stream(g.matrix(1 + (k * 3 + n) % 11, k, format, all_flavours[g.draw(6)]), 0, true);
        }
    }
    return g.finish();
}

std::vector<column_sums> run(array_interface& array, const array_program& program) {
    std::vector<column_sums> results;
    column_sums out;
    array.want_stamps(true);
    for (const array_call& call : program.calls) {
        switch (call.what) {
        case array_call::kind::load:
            array.load_weights(call.cycle, call.matrix->view());
            break;
        case array_call::kind::stream:
            array.stream(call.cycle, call.matrix->view(), call.swap);
            break;
        case array_call::kind::freeze:
            array.freeze(call.cycle, call.count);
            break;
        case array_call::kind::collect:
            while (array.collect(call.cycle, out)) {
                results.push_back(out);
            }
            break;
        }
    }
    while (array.collect(program.end, out)) {
        results.push_back(out);
    }
    return results;
}

std::string difference(const std::vector<column_sums>& expected, const std::vector<column_sums>& got) {
    if (expected.size() != got.size()) {
        return fmt::format("{} streams have come out instead of {}", got.size(), expected.size());
    }
    for (std::size_t s = 0; s < expected.size(); ++s) {
        const column_sums &e = expected[s], &g = got[s];
        if (e.rows != g.rows || e.columns != g.columns || e.bits.size() != g.bits.size()) {
            return fmt::format("stream {}: {} x {} sums instead of {} x {}", s, g.rows, g.columns, e.rows, e.columns);
        }
        for (std::size_t i = 0; i < e.bits.size(); ++i) {
            if (e.bits[i] != g.bits[i] || e.cycles[i] != g.cycles[i]) {
                return fmt::format("stream {}, row {}, column {}: {:08x} in cycle {} instead of {:08x} in cycle {}", s,
                                   i / e.columns, i % e.columns, g.bits[i], g.cycles[i], e.bits[i], e.cycles[i]);
            }
        }
        if (e.first_cycle != g.first_cycle || e.last_cycle != g.last_cycle) {
            return fmt::format("stream {}: cycles {} to {} instead of {} to {}", s, g.first_cycle, g.last_cycle,
                               e.first_cycle, e.last_cycle);
        }
    }
    return {};
}

} // namespace retrace::test
