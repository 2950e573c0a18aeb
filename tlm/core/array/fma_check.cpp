#include "tlm/core/array/fma_check.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "tlm/core/array/fma_classes.h"

namespace retrace {
namespace {

constexpr std::size_t batch_size = 8192;

bool is_nan(std::uint32_t bits) { return (bits & 0x7fffffffu) > 0x7f800000u; }

// Triples on their way through all functions.
class batch {
public:
    batch(std::span<const named_fma> functions, std::size_t keep, bool any_nan)
        : functions_(functions), keep_(keep), any_nan_(any_nan) {
        for (auto* v : {&a_, &b_, &c_, &expected_}) {
            v->reserve(batch_size);
        }
        numbers_.reserve(batch_size);
        for (const named_fma& f : functions) {
            report_.functions.push_back({f.name, 0, {}});
        }
    }

    void add(std::uint64_t number, const fma_triple& t, std::uint32_t expected) {
        a_.push_back(t.a);
        b_.push_back(t.b);
        c_.push_back(t.c);
        expected_.push_back(expected);
        numbers_.push_back(number);
        if (a_.size() == batch_size) {
            run();
        }
    }

    fma_report finish() {
        run();
        return std::move(report_);
    }

private:
    void run() {
        got_.resize(a_.size());
        for (std::size_t f = 0; f < functions_.size() && !a_.empty(); ++f) {
            functions_[f].run(a_, b_, c_, got_);
            for (std::size_t i = 0; i < a_.size(); ++i) {
                if (got_[i] != expected_[i] && !(any_nan_ && is_nan(got_[i]) && is_nan(expected_[i]))) {
                    note(report_.functions[f], i);
                }
            }
        }
        report_.vectors += a_.size();
        for (auto* v : {&a_, &b_, &c_, &expected_}) {
            v->clear();
        }
        numbers_.clear();
    }

    void note(fma_tally& tally, std::size_t i) {
        ++tally.wrong;
        if (tally.first.size() < keep_) {
            tally.first.push_back({numbers_[i], any_nan_ ? "" : fma_classes_of(numbers_[i]), a_[i], b_[i],
                                   c_[i], expected_[i], got_[i]});
        }
    }

    std::span<const named_fma> functions_;
    std::size_t keep_;
    bool any_nan_;
    fma_report report_;
    std::vector<std::uint32_t> a_, b_, c_, expected_, got_;
    std::vector<std::uint64_t> numbers_;
};

int hex_digit(char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

struct vector_line {
    fma_triple operands;
    std::uint32_t result;
};

// What a line is, or why it is not one.
enum class line_kind { vector, blank, malformed };

line_kind parse(const char* at, const char* end, vector_line& line) {
    std::uint32_t words[5];
    const auto space = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
    unsigned count = 0;
    for (;;) {
        while (at != end && space(*at)) {
            ++at;
        }
        if (at == end) {
            break;
        }
        if (count == 5) {
            return line_kind::malformed;
        }
        unsigned digits = 0;
        words[count] = 0;
        for (; at != end && !space(*at); ++at, ++digits) {
            const int digit = hex_digit(*at);
            if (digit < 0 || digits == 8) {
                return line_kind::malformed;
            }
            words[count] = words[count] << 4 | static_cast<std::uint32_t>(digit);
        }
        if (count < 4 && digits != 8) {
            return line_kind::malformed;
        }
        ++count;
    }
    if (count == 0) {
        return line_kind::blank;
    }
    line = {{words[0], words[1], words[2]}, words[3]};
    return count == 5 ? line_kind::vector : line_kind::malformed;
}

[[noreturn]] void malformed(const std::string& name, std::uint64_t number, const char* at, const char* end) {
    constexpr std::ptrdiff_t shown = 80;
    std::string text(at, at + std::min(shown, end - at));
    for (char& c : text) {
        c = c >= ' ' && c <= '~' ? c : '?';
    }
    throw fma_vector_error(name + ":" + std::to_string(number) + ": '" + text +
                           "' is not `a b c result flags` in hexadecimal, eight digits each but the flags");
}

} // namespace

bool fma_report::passed() const {
    return std::all_of(functions.begin(), functions.end(), [](const fma_tally& t) { return t.wrong == 0; });
}

std::string describe(const fma_report& report) {
    std::string text;
    for (const fma_tally& t : report.functions) {
        text +=
            t.name + ": " + std::to_string(t.wrong) + " of " + std::to_string(report.vectors) + " wrong\n";
        for (const fma_difference& d : t.first) {
            char words[128];
            std::snprintf(words, sizeof words,
                          "%08" PRIx32 " * %08" PRIx32 " + %08" PRIx32 " = %08" PRIx32 ", got %08" PRIx32,
                          d.a, d.b, d.c, d.expected, d.got);
            text += d.classes.empty()
                        ? "  line " + std::to_string(d.number) + ": " + words + "\n"
                        : "  triple " + std::to_string(d.number) + ": " + words + " (" + d.classes + ")\n";
        }
    }
    return text;
}

fma_report check_fma_vectors(std::istream& in, const std::string& name, std::span<const named_fma> functions,
                             std::size_t keep) {
    constexpr std::size_t piece = 1u << 20, longest_line = 4096;
    batch vectors(functions, keep, true);
    std::vector<char> buffer(longest_line + piece);
    std::size_t left = 0; // characters of an unfinished line at the start of the buffer
    std::uint64_t number = 0, found = 0;
    const auto take = [&](const char* at, const char* end) {
        ++number;
        vector_line line;
        const line_kind kind = parse(at, end, line);
        if (kind == line_kind::malformed) {
            malformed(name, number, at, end);
        }
        if (kind == line_kind::vector) {
            vectors.add(number, line.operands, line.result);
            ++found;
        }
    };
    for (bool more = true; more;) {
        in.read(buffer.data() + left, static_cast<std::streamsize>(piece));
        if (in.bad()) {
            throw fma_vector_error(name + ": cannot be read after line " + std::to_string(number));
        }
        more = !in.eof() && !in.fail();
        const char* at = buffer.data();
        const char* end = at + left + in.gcount();
        while (const void* newline = std::memchr(at, '\n', static_cast<std::size_t>(end - at))) {
            take(at, static_cast<const char*>(newline));
            at = static_cast<const char*>(newline) + 1;
        }
        left = static_cast<std::size_t>(end - at);
        if (left > longest_line) {
            malformed(name, number + 1, at, end);
        }
        if (!more && left != 0) {
            take(at, end); // the last line need not end
        }
        std::memmove(buffer.data(), at, left);
    }
    if (found == 0) {
        throw fma_vector_error(name + ": there is no vector in it");
    }
    return vectors.finish();
}

fma_report check_fma_file(const std::string& path, std::span<const named_fma> functions, std::size_t keep) {
    std::ifstream in(path, std::ios::binary);
    if (!in) {
        throw fma_vector_error(path + ": cannot be opened");
    }
    return check_fma_vectors(in, path, functions, keep);
}

fma_report sweep_fma(std::uint64_t seed, std::uint64_t count, std::span<const named_fma> functions,
                     std::size_t keep) {
    batch triples(functions, keep, false);
    const named_fma oracle = oracle_fma();
    fma_triple t{};
    std::uint32_t expected = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
        t = fma_triple_of(seed, i);
        oracle.run({&t.a, 1}, {&t.b, 1}, {&t.c, 1}, {&expected, 1});
        triples.add(i, t, expected);
    }
    fma_report report = triples.finish();
    report.class_combinations = std::min(count, fma_class_combinations());
    return report;
}

} // namespace retrace
