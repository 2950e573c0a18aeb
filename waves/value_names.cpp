#include "waves/value_names.h"

#include <cmath>

#include <fmt/format.h>

#include "hw/spec/spec.h"

namespace retrace {

namespace {

using names = std::vector<std::pair<std::uint64_t, std::string>>;

/// Codes 0 .. count - 1 of an enumeration of the specification.
template <typename Code>
names codes(unsigned count) {
    names all;
    for (unsigned i = 0; i < count; ++i)
        if (const std::string_view name = spec::name_of(static_cast<Code>(i)); !name.empty())
            all.emplace_back(i, name);
    return all;
}

/// The 256 values of an 8-bit float (OCP OFP8). A NaN that the machine does not make shows its code.
names fp8(unsigned mantissa_bits, int bias, bool has_infinity, unsigned canonical_nan) {
    names all;
    for (unsigned code = 0; code < 256; ++code) {
        const unsigned magnitude = code & 0x7f, mantissa = magnitude & ((1u << mantissa_bits) - 1);
        const unsigned exponent = magnitude >> mantissa_bits, highest = 0x7fu >> mantissa_bits;
        const bool special = has_infinity ? exponent == highest : magnitude == 0x7f;
        std::string name;
        if (special && mantissa != 0) {
            name = code == canonical_nan ? "NaN" : fmt::format("NaN {:02x}", code);
        } else {
            const int shift = static_cast<int>(exponent == 0 ? 1 : exponent) - bias - static_cast<int>(mantissa_bits);
            const double value = special ? INFINITY : std::ldexp(exponent == 0 ? mantissa : mantissa + (1u << mantissa_bits), shift);
            name = fmt::format("{:.9g}", code & 0x80 ? -value : value);
        }
        all.emplace_back(code, name);
    }
    return all;
}

constexpr std::string_view filters[] = {"sequencer", "opcode", "fault", "phase", "requester", "core", "fp8_e4m3", "fp8_e5m2"};

} // namespace

std::span<const std::string_view> named_filters() { return filters; }

names value_names(std::string_view filter) {
    if (filter == "sequencer") // and "core": trace/probe_values.h
        return {{0, "idle"}, {1, "starts"}, {2, "fetches"}, {3, "issues"}, {4, "waits"}, {5, "executes"}, {6, "lands"}};
    if (filter == "core")
        return {{0, "reset"}, {1, "runs"}, {2, "sleeps"}, {3, "halted"}};
    if (filter == "opcode") {
        names all;
        for (const spec::instruction_info& i : spec::instructions)
            all.emplace_back(static_cast<std::uint64_t>(i.code), std::string(spec::name_of(i.code)));
        return all;
    }
    if (filter == "fault")
        return codes<spec::engine_fault>(spec::engine_fault_count);
    if (filter == "phase")
        return codes<spec::phase>(spec::phase_count);
    if (filter == "requester") {
        // hw/README.md, 9.2
        names all{{0, "-"}, {1, "activation"}, {2, "vector"}, {20, "array weights"}, {21, "array operands"}, {60, "mover"}};
        constexpr unsigned queues = spec::max_engines - spec::engine_dma;
        for (unsigned q = 0; q < queues; ++q) {
            const std::string name = "dma" + std::to_string(q);
            all.emplace_back(3 + q, name + " read");
            all.emplace_back(43 + q, name + " write");
            all.emplace_back(103 + q, "fetch " + name);
        }
        for (const auto& [number, name] : {std::pair{100, "fetch array"}, {101, "fetch activation"}, {102, "fetch vector"}, {200, "host register"},
                                           {201, "interrupt"}, {202, "register answer"}})
            all.emplace_back(number, name);
        return all;
    }
    if (filter == "fp8_e4m3")
        return fp8(3, 7, false, 0x7f);
    if (filter == "fp8_e5m2")
        return fp8(2, 15, true, 0x7e);
    return {};
}

} // namespace retrace
