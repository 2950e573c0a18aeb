#include "sim/cosim/comparison.h"

#include <bit>
#include <cstring>
#include <map>

#include <fmt/format.h>

#include "host/arithmetic.h"
#include "sim/cosim/machine.h"
#include "sim/cosim/reference_numbers.h"

namespace retrace::cosim {

using spec::memory_kind;
using spec::number_format;
using spec::opcode;

namespace {

struct difference {
    memory_kind memory{};
    std::uint64_t address = 0; ///< of the first byte; host: bus address
    std::size_t writer = 0;    ///< index, plus one; 0: nobody wrote it in the reference
};

/// How the bytes at an address read: element format and address of its first byte, and its place in the result.
struct element {
    std::optional<number_format> format; ///< nothing: a byte of a copy
    std::uint64_t address = 0;
    std::optional<std::pair<std::uint64_t, std::uint64_t>> place; ///< row, column
};

element element_of(const spec::command& d, const executed_instruction& w, std::uint64_t address) {
    const auto op = static_cast<opcode>(compiler::header_of(w.code).opcode);
    if (op == opcode::copy)
        return {{}, address, {}};
    const auto i = compiler::matrix_of(w.code);
    element e;
    e.format = op == opcode::matmul
                   ? (i.source_format == static_cast<unsigned>(number_format::int8) ? number_format::int32 : number_format::fp32)
                   : static_cast<number_format>(i.result_format);
    const unsigned size = bytes_of(*e.format);
    const std::uint64_t from_base = address - (d.operands[i.d.slot].base + i.d.offset);
    const bool one_row = op == opcode::reduce_columns || i.rows == 1;
    const std::uint64_t row = one_row || i.d.pitch == 0 ? 0 : from_base / i.d.pitch,
                        column = (from_base - row * i.d.pitch) / size;
    e.place = {row, column};
    e.address = address - (from_base - row * i.d.pitch) % size;
    return e;
}

std::string decoded(std::optional<number_format> f, std::uint32_t code) {
    if (!f)
        return fmt::format("{:02x}", code);
    const unsigned digits = 2 * bytes_of(*f);
    if (*f == number_format::int32)
        return fmt::format("{:08x} ({})", code, static_cast<std::int32_t>(code));
    if (*f == number_format::int8)
        return fmt::format("{:02x} ({})", code, static_cast<std::int8_t>(code));
    return fmt::format("{:0{}x} ({:.9g})", code, digits, std::bit_cast<float>(widen(*f, code)));
}

std::uint32_t code_at(const std::vector<std::byte>& memory, std::uint64_t at, unsigned size) {
    std::uint32_t code = 0;
    std::memcpy(&code, memory.data() + at, std::min<std::uint64_t>(size, memory.size() - at));
    return code;
}

std::string buffer_at(const test_case& c, const prepared_case& p, memory_kind memory, std::uint64_t address) {
    const std::uint64_t at = memory == memory_kind::host ? address - p.host_base : address;
    for (const buffer& b : c.buffers)
        if (b.memory == memory && at >= b.base && at - b.base < b.bytes)
            return fmt::format("{}+{}", b.name, at - b.base);
    return memory == memory_kind::device_dram && address >= dram_data_bytes ? "a program" : "outside of all buffers";
}

/// Without the padding of a listing.
std::string squeezed(const std::string& text) {
    std::string out;
    for (const char c : text)
        if (c != ' ' || (!out.empty() && out.back() != ' '))
            out += c;
    return out;
}

class comparer {
public:
    comparer(const test_case& c, const prepared_case& p, const interpreter& reference, const memory_image& device,
             const std::vector<std::byte>& expected_host)
        : case_(c), prepared_(p), reference_(reference), device_(device), expected_host_(expected_host) {}

    std::optional<memory_difference> run(const finish_cycle& cycle_of) {
        scan(memory_kind::host, expected_host_, device_.host, spec::host_window_base);
        scan(memory_kind::device_dram, reference_.dram.data, device_.dram, 0);
        scan(memory_kind::state_buffer, reference_.state_buffer.data, device_.state_buffer, 0);
        scan(memory_kind::psum, reference_.psum.data, device_.psum, 0);
        if (first_)
            return tell(cycle_of);
        return liveness();
    }

private:
    void scan(memory_kind memory, const std::vector<std::byte>& expected, const std::vector<std::byte>& got, std::uint64_t base) {
        for (std::size_t i = 0; i < expected.size(); ++i) {
            if (expected[i] == got[i])
                continue;
            ++counts_[memory];
            const difference d{memory, base + i, reference_.writer(memory, base + i).value_or(~std::size_t{0}) + 1};
            // Bytes that nobody wrote come last: they are strays of somebody's wrong address.
            const auto order = [](const difference& x) { return x.writer ? x.writer : ~std::size_t{0}; };
            if (!first_ || order(d) < order(*first_))
                first_ = d;
        }
    }

    memory_difference tell(const finish_cycle& cycle_of) const {
        const auto& expected = first_->memory == memory_kind::host           ? expected_host_
                               : first_->memory == memory_kind::device_dram  ? reference_.dram.data
                               : first_->memory == memory_kind::state_buffer ? reference_.state_buffer.data
                                                                             : reference_.psum.data;
        const auto& got = first_->memory == memory_kind::host           ? device_.host
                          : first_->memory == memory_kind::device_dram  ? device_.dram
                          : first_->memory == memory_kind::state_buffer ? device_.state_buffer
                                                                        : device_.psum;
        const std::uint64_t base = first_->memory == memory_kind::host ? spec::host_window_base : 0;
        memory_difference result;
        result.kind = "memory";
        std::string& text = result.sentence;
        element e{{}, first_->address, {}};
        text = fmt::format("{} {:#x} ({})", spec::name_of(first_->memory), first_->address,
                           buffer_at(case_, prepared_, first_->memory, first_->address));
        if (first_->writer) {
            const executed_instruction& w = reference_.executed()[first_->writer - 1];
            e = element_of(prepared_.commands[w.sequence - 1], w, first_->address);
            text += fmt::format(", written last by {} {} of command {}", compiler::engine_name(w.engine), w.pc,
                                prepared_.emitted.commands[w.sequence - 1].command + 1);
            if (const auto cycle = cycle_of(w.sequence, w.engine, w.pc)) {
                text += fmt::format(" in cycle {}", *cycle);
                result.cycle = *cycle;
            }
            if (const std::string origin = describe_origin(case_, prepared_, w.sequence, w.engine, w.pc); !origin.empty())
                text += fmt::format(" ({})", squeezed(origin));
            if (e.place)
                text += fmt::format(", row {} column {}", e.place->first, e.place->second);
        } else {
            text += ", which no instruction writes";
        }
        const unsigned size = e.format ? bytes_of(*e.format) : 1;
        const std::uint32_t want = code_at(expected, e.address - base, size), have = code_at(got, e.address - base, size);
        text += fmt::format(": expected {}, got {}", decoded(e.format, want), decoded(e.format, have));
        if (e.format) {
            const bool integer = *e.format == number_format::int8 || *e.format == number_format::int32;
            if (!integer && (is_nan(widen(*e.format, want)) || is_nan(widen(*e.format, have))))
                text += ", of which one is a NaN";
            else
                text += fmt::format(", {} {} apart", ulp_distance(*e.format, want, have), integer ? "" : "ulp");
        }
        text += "; differing bytes:";
        for (const auto& [memory, count] : counts_)
            text += fmt::format(" {} in {}", count, spec::name_of(memory));
        reference_options again;
        again.watched = {first_->memory, first_->address};
        const auto watched = run_reference(case_, prepared_, again);
        for (const std::string& line : watched->history())
            result.history += "  " + line + "\n";
        return result;
    }

    std::optional<memory_difference> liveness() const {
        if (device_.stale_reads)
            return memory_difference{
                "liveness", fmt::format("the device logged {} stale reads; a legal case has none", device_.stale_reads), {}};
        for (const auto& [name, want, have] : {std::tuple{"device_dram", reference_.dram.all().live, device_.dram_live},
                                               {"state_buffer", reference_.state_buffer.all().live, device_.state_buffer_live},
                                               {"psum", reference_.psum.all().live, device_.psum_live}})
            if (want != have)
                return memory_difference{
                    "liveness", fmt::format("{}: expected {} live bytes at the end, got {}", name, want, have), {}};
        return {};
    }

    const test_case& case_;
    const prepared_case& prepared_;
    const interpreter& reference_;
    const memory_image& device_;
    const std::vector<std::byte>& expected_host_;
    std::optional<difference> first_;
    std::map<memory_kind, std::uint64_t> counts_;
};

} // namespace

std::optional<memory_difference> compare(const test_case& c, const prepared_case& p, const interpreter& reference,
                                         const memory_image& device, const std::vector<std::byte>& expected_host,
                                         const finish_cycle& cycle_of) {
    return comparer(c, p, reference, device, expected_host).run(cycle_of);
}

std::string describe(const trace::access_event& e, std::size_t command) {
    std::string text = fmt::format("cycle {:>7} .. {:>7}  command {} {:<10} {:>3} {:<14} {} {} {:#x} {} bytes", e.begin, e.end,
                                   command, compiler::engine_name(e.engine), e.pc, spec::name_of(e.opcode),
                                   e.write ? "writes" : "reads ", spec::name_of(e.memory), e.base, e.sizes[0]);
    for (unsigned d = 1; d < 4; ++d)
        if (e.sizes[d] > 1)
            text += fmt::format(" x {} every {}", e.sizes[d], e.strides[d - 1]);
    return text;
}

} // namespace retrace::cosim
