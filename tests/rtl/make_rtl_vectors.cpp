// Writes vectors for the Verilog test benches, made without any RTL: inputs of every cycle from the contract in
// array_interface.h, outputs from the stepped array and from the host's arithmetic.
//   make_rtl_vectors array ROWS COLUMNS DEPTH FIRST_SEED PROGRAMS FILE
//   make_rtl_vectors fma FIRST_SEED COUNT FILE          a b c result
//   make_rtl_vectors adder FIRST_SEED COUNT FILE        accumulate integer sum psum result
#include <cstring>
#include <fstream>
#include <iostream>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ostream.h>

#include "tests/rtl/array_program.h"
#include "tests/rtl/fma_triples.h"
#include "tlm/core/array/array_timing.h"
#include "tlm/core/array/frozen_time.h"
#include "tlm/core/array/stepped_array.h"

namespace retrace::test {
namespace {

// What stands at the ports in an unstalled cycle, and what is at the outputs after it.
struct port_cycle {
    bool operand_valid = false, operand_swap = false, step = false, last = false;
    unsigned operand_format = 0, weight_format = 0;
    std::vector<std::uint32_t> operands, weights;
    unsigned inside = 0; // columns of the weight row
    std::map<unsigned, std::uint32_t> sums;
};

std::uint32_t code_of(const matrix_view& view, unsigned row, unsigned column) {
    std::uint32_t code = 0;
    std::memcpy(&code, view.data + row * view.row_pitch_bytes + std::size_t{column} * bytes_of(view.format),
                bytes_of(view.format));
    return code;
}

// The element with the highest index first, as Verilog reads a vector.
std::string hex(const std::vector<std::uint32_t>& words, unsigned count) {
    std::string text;
    for (unsigned i = count; i-- > 0;) {
        text += fmt::format("{:08x}", i < words.size() ? words[i] : 0);
    }
    return text;
}

class array_vectors {
public:
    array_vectors(const array_program& program, std::ostream& out) : config_(program.config), timing_(config_) {
        stepped_array stepped(config_);
        results_ = run(stepped, program);
        for (const array_call& call : program.calls) {
            place(call);
        }
        write(program.end, out);
    }

private:
    void place(const array_call& call) {
        if (call.what == array_call::kind::freeze) {
            time_.freeze(call.cycle, call.count);
            for (std::uint64_t t = call.cycle; t < call.cycle + call.count; ++t) {
                frozen_[t] = true;
            }
        } else if (call.what == array_call::kind::load) {
            place_load(time_.to_own(call.cycle), call.matrix->view());
        } else if (call.what == array_call::kind::stream) {
            place_stream(time_.to_own(call.cycle), call.matrix->view(), call.swap);
        }
    }
    void place_load(std::uint64_t start, const matrix_view& w) {
        const unsigned o = config_.cycles_of(w.format);
        for (unsigned i = 0; i < config_.rows; ++i) {
            port_cycle& p = own_[start + std::uint64_t{i} * o];
            const unsigned row = config_.rows - 1 - i;
            p.step = true;
            p.weight_format = static_cast<unsigned>(w.format);
            p.inside = row < w.rows ? w.columns : 0;
            for (unsigned c = 0; c < p.inside; ++c) {
                p.weights.push_back(code_of(w, row, c));
            }
        }
        own_[start + std::uint64_t{config_.rows} * o - 1].last = true;
    }
    void place_stream(std::uint64_t start, const matrix_view& a, bool swap) {
        const column_sums& sums = results_.at(streams_++);
        for (unsigned i = 0; i < a.rows; ++i) {
            port_cycle& p = own_[start + std::uint64_t{i} * config_.cycles_of(a.format)];
            p.operand_valid = true;
            p.operand_swap = swap && i == 0;
            p.operand_format = static_cast<unsigned>(a.format);
            for (unsigned k = 0; k < a.columns; ++k) {
                p.operands.push_back(code_of(a, i, k));
            }
            // Columns beyond the tile pass the zero that enters at the top.
            for (unsigned c = 0; c < config_.columns; ++c) {
                const std::uint64_t stamp = timing_.stamp(start, a.format, i, c);
                own_[stamp].sums[c] = c < sums.columns ? sums.bits[std::size_t{i} * sums.columns + c] : 0u;
            }
        }
    }
    void write(std::uint64_t end, std::ostream& out) {
        std::mt19937 engine(1);
        std::uint64_t own = 0;
        for (std::uint64_t t = 0; t <= end + 2; ++t) {
            const bool stall = frozen_.count(t) != 0;
            port_cycle p;
            if (!stall) {
                const auto found = own_.find(own++);
                p = found == own_.end() ? port_cycle{} : found->second;
            } else {
                // Whatever stands at the ports of a frozen array must not matter.
                p.operand_valid = p.step = true;
                p.operand_swap = engine() % 2 != 0;
                p.last = engine() % 2 != 0;
                p.inside = config_.columns;
                p.operands.assign(config_.rows, 0x7fc12345u);
                p.weights.assign(config_.columns, 0xff812345u);
            }
            std::uint64_t valid = 0;
            std::vector<std::uint32_t> sums(config_.columns);
            for (const auto& [column, bits] : p.sums) {
                valid |= std::uint64_t{1} << column;
                sums[column] = bits;
            }
            fmt::print(out, "{:d} {:d} {:d} {:x} {} {:d} {:d} {:x} {:x} {} {:x} {}\n", stall, p.operand_valid,
                       p.operand_swap, p.operand_format, hex(p.operands, config_.rows), p.step, p.last,
                       p.weight_format, (std::uint64_t{1} << p.inside) - 1, hex(p.weights, config_.columns), valid,
                       hex(sums, config_.columns));
        }
    }

    array_config config_;
    array_timing timing_;
    frozen_time time_;
    std::vector<column_sums> results_;
    std::size_t streams_ = 0;
    std::map<std::uint64_t, port_cycle> own_;
    std::map<std::uint64_t, bool> frozen_;
};

void write_fma(std::uint64_t seed, unsigned count, std::ostream& out) {
    std::mt19937_64 engine(seed);
    const auto write = [&](const fma_triple& t) {
        fmt::print(out, "{:08x} {:08x} {:08x} {:08x}\n", t.a, t.b, t.c, expected_fma(t));
    };
    const auto corners = fma_corners();
    for (unsigned i = 0; i < count; ++i) {
        const auto corner = [&] { return corners[engine() % corners.size()]; };
        write(i % 3 == 0 ? fma_triple{corner(), corner(), corner()} : draw_triple(engine));
    }
}

void write_adder(std::uint64_t seed, unsigned count, std::ostream& out) {
    std::mt19937_64 engine(seed);
    array_config config;
    stepped_array stepped(config);
    for (unsigned i = 0; i < count; ++i) {
        const fma_triple t = draw_triple(engine);
        const bool accumulate = i % 4 != 0, integer = i % 3 == 0;
        std::vector<std::uint32_t> psum{i % 5 == 0 ? t.a ^ 0x80000000u : t.c};
        const std::uint32_t before = psum[0];
        if (accumulate) {
            stepped.accumulate(psum, std::vector{t.a}, integer);
        } else {
            psum[0] = t.a;
        }
        fmt::print(out, "{:d} {:d} {:08x} {:08x} {:08x}\n", accumulate, integer, t.a, before, psum[0]);
    }
}

int make(const std::vector<std::string>& arguments) {
    const auto number = [&](std::size_t i) { return static_cast<unsigned>(std::stoul(arguments.at(i))); };
    std::ofstream out(arguments.at(arguments.size() - 1));
    if (arguments.at(0) == "array") {
        array_config config;
        config.rows = number(1);
        config.columns = number(2);
        config.fma_depth = number(3);
        for (unsigned i = 0; i < number(5); ++i) {
            // First field 2: the bench resets the array.
            if (i != 0) {
                fmt::print(out, "2 0 0 0 {} 0 0 0 0 {} 0 {}\n", hex({}, config.rows), hex({}, config.columns), hex({}, config.columns));
            }
            array_vectors(random_program(config, number(4) + i, {3, true, 8}), out);
        }
    } else if (arguments.at(0) == "fma") {
        write_fma(number(1), number(2), out);
    } else if (arguments.at(0) == "adder") {
        write_adder(number(1), number(2), out);
    } else {
        throw std::invalid_argument("unknown kind of vectors: " + arguments.at(0));
    }
    out.close();
    return out ? 0 : 1;
}

} // namespace
} // namespace retrace::test

int main(int argc, char** argv) {
    try {
        return retrace::test::make({argv + 1, argv + argc});
    } catch (const std::exception& e) {
        std::cerr << "make_rtl_vectors: " << e.what() << "\n";
        return 2;
    }
}
