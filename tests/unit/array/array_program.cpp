#include "tests/unit/array/array_program.h"

#include "tlm/core/array/array_timing.h"
#include "tlm/core/array/frozen_time.h"

namespace retrace::test {
namespace {

class generator {
public:
    generator(const array_config& config, std::uint32_t seed, const program_options& options)
        : config_(config), options_(options), timing_(config), engine_(seed) {}

    array_program make() {
        for (unsigned tile = 0; tile < options_.tiles; ++tile) {
            const number_format weights = operand_formats[draw(5)];
            const unsigned k = size(config_.rows), n = size(config_.columns);
            const std::uint64_t load_from = tile == 0 ? 0 : timing_.earliest_reload(swap_at_, weights);
            const std::uint64_t load = call(array_call::kind::load, load_from, matrix(k, n, weights));
            maybe_freeze(load);
            stream_from_ = std::max(stream_from_, timing_.load_complete(load, weights));
            const unsigned streams = draw(3) == 0 ? 2 + draw(3) : 1; // weights are used again without a swap
            for (unsigned s = 0; s < streams; ++s) {
                const number_format operands = is_integer(weights) ? weights : operand_formats[draw(4)];
                const unsigned m = draw(4) == 0 ? 1 : 1 + draw(3 * config_.rows);
                maybe_collect(std::min(stream_from_, load));
                const std::uint64_t start =
                    call(array_call::kind::stream, stream_from_, matrix(m, k, operands));
                program_.calls.back().swap = s == 0;
                swap_at_ = s == 0 ? start : swap_at_;
                stream_from_ = timing_.next_stream(start, operands, m);
                maybe_freeze(start);
            }
            if (options_.accumulates && draw(2) == 0) {
                accumulate();
            }
        }
        program_.end = time_.to_outer(stream_from_) + 10000;
        return std::move(program_);
    }

private:
    unsigned draw(unsigned limit) { return static_cast<unsigned>(engine_()) % limit; }
    unsigned size(unsigned limit) { return draw(3) == 0 ? limit : 1 + draw(limit); }

    std::size_t matrix(unsigned rows, unsigned columns, number_format format) {
        program_.matrices.emplace_back(rows, columns, format, all_flavours[draw(6)], engine_);
        return program_.matrices.size() - 1;
    }

    // Own cycle of a call at `from` or, sometimes, somewhat later.
    std::uint64_t call(array_call::kind what, std::uint64_t from, std::size_t matrix) {
        std::uint64_t own = from + (draw(3) != 0 ? 0 : draw(8) != 0 ? draw(6) : draw(150));
        while (time_.to_outer(own) < passed_) {
            ++own;
        }
        array_call& c = program_.calls.emplace_back();
        c.what = what;
        c.cycle = time_.to_outer(own);
        c.matrix = matrix;
        return own;
    }

    void maybe_freeze(std::uint64_t around_own) {
        if (!options_.freezes || draw(3) != 0) {
            return;
        }
        array_call& c = program_.calls.emplace_back();
        c.what = array_call::kind::freeze;
        c.cycle = std::max({time_.to_outer(around_own) + draw(60), frozen_until_, passed_});
        c.count = 1 + draw(20);
        time_.freeze(c.cycle, c.count);
        frozen_until_ = c.cycle + c.count;
    }

    // Lets time pass, up to before the own cycle in which the next call may have to happen.
    void maybe_collect(std::uint64_t limit_own) {
        const std::uint64_t limit = time_.to_outer(limit_own);
        if (draw(3) != 0 || limit <= passed_ + 1) {
            return;
        }
        array_call& c = program_.calls.emplace_back();
        c.what = array_call::kind::collect;
        c.cycle = passed_ + draw(static_cast<unsigned>(std::min<std::uint64_t>(limit - passed_ - 1, 500)));
        passed_ = c.cycle + 1;
    }

    void accumulate() {
        array_call& c = program_.calls.emplace_back();
        c.what = array_call::kind::accumulate;
        c.integer = draw(3) == 0;
        for (unsigned i = 1 + draw(2 * config_.columns); i > 0; --i) {
            c.words.push_back(word());
            c.sums.push_back(word());
        }
    }
    std::uint32_t word() {
        constexpr std::uint32_t corners[] = {0,          0x80000000, 1,          0x7fffff,
                                             0x800000,   0x3f800000, 0xbf800000, 0x7f7fffff,
                                             0x7f800000, 0xff800000, 0x7fa00000};
        return draw(2) != 0 ? corners[draw(11)] : static_cast<std::uint32_t>(engine_());
    }

    const array_config config_;
    const program_options options_;
    const array_timing timing_;
    std::mt19937 engine_;
    array_program program_;
    frozen_time time_;
    std::uint64_t passed_ = 0, frozen_until_ = 0, swap_at_ = 0, stream_from_ = 0; // the latter two own
};

} // namespace

array_program random_program(const array_config& config, std::uint32_t seed, const program_options& options) {
    return generator(config, seed, options).make();
}

bool same(const array_outcome& a, const array_outcome& b) {
    const auto equal = [](const column_sums& x, const column_sums& y) {
        return x.rows == y.rows && x.columns == y.columns && x.bits == y.bits && x.cycles == y.cycles &&
               x.first_cycle == y.first_cycle && x.last_cycle == y.last_cycle;
    };
    return a.accumulated == b.accumulated &&
           std::equal(a.streams.begin(), a.streams.end(), b.streams.begin(), b.streams.end(), equal);
}

array_outcome play(const array_program& p, array_interface& array, bool stamps,
                   const std::function<void(const array_call&)>& before_call) {
    array_outcome outcome;
    column_sums out;
    array.want_stamps(stamps);
    for (const array_call& c : p.calls) {
        if (before_call) {
            before_call(c);
        }
        switch (c.what) {
        case array_call::kind::load:
            array.load_weights(c.cycle, p.matrices[c.matrix].view());
            break;
        case array_call::kind::stream:
            array.stream(c.cycle, p.matrices[c.matrix].view(), c.swap);
            break;
        case array_call::kind::freeze:
            array.freeze(c.cycle, c.count);
            break;
        case array_call::kind::collect:
            while (array.collect(c.cycle, out)) {
                outcome.streams.push_back(out);
            }
            break;
        case array_call::kind::accumulate: {
            std::vector<std::uint32_t> words = c.words;
            array.accumulate(words, c.sums, c.integer);
            outcome.accumulated.insert(outcome.accumulated.end(), words.begin(), words.end());
            break;
        }
        }
    }
    while (array.collect(p.end, out)) {
        outcome.streams.push_back(out);
    }
    return outcome;
}

} // namespace retrace::test
