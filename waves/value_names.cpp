#include "waves/value_names.h"

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

constexpr std::string_view filters[] = {"sequencer", "opcode", "fault", "phase", "requester", "core"};

} // namespace

std::span<const std::string_view> named_filters() { return filters; }

names value_names(std::string_view filter) {
    if (filter == "sequencer")
        return {{0, "idle"}, {1, "fetches"}, {2, "issues"}, {3, "waits"}, {4, "executes"}};
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
    return {};
}

} // namespace retrace
