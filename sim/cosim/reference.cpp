#include "sim/cosim/reference.h"

#include <fmt/format.h>

#include "sim/cosim/machine.h"
#include "sim/cosim/values.h"

namespace retrace::cosim {

prepared_case prepare(const test_case& c, std::uint64_t host_base) {
    prepared_case p;
    p.emitted = emit(c);
    p.host_base = host_base;
    std::uint64_t at = dram_data_bytes;
    for (std::size_t i = 0; i < p.emitted.commands.size(); ++i) {
        spec::command d = p.emitted.descriptor(c, i, host_base);
        d.sequence = static_cast<std::uint32_t>(i + 1);
        const emitted_command& e = p.emitted.commands[i];
        for (std::size_t w = 0; w < e.waits.size(); ++w)
            d.wait[w] = static_cast<std::uint32_t>(e.waits[w] + 1);
        for (std::size_t n = 0; n < e.programs.size(); ++n) {
            d.programs[n].address = static_cast<std::uint32_t>(at);
            at += e.programs[n].code.size() * spec::instruction_bytes;
        }
        p.commands.push_back(d);
    }
    if (at > dram_data_bytes + dram_program_bytes)
        throw case_error(
            fmt::format("its programs have {} bytes; there is room for {}", at - dram_data_bytes, dram_program_bytes));
    return p;
}

std::vector<prepared_case::program_place> prepared_case::programs() const {
    std::vector<program_place> all;
    for (std::size_t i = 0; i < commands.size(); ++i)
        for (std::size_t n = 0; n < emitted.commands[i].programs.size(); ++n)
            all.push_back({commands[i].programs[n].address, &emitted.commands[i].programs[n]});
    return all;
}

std::unique_ptr<interpreter> run_reference(const test_case& c, const prepared_case& p, const reference_options& options) {
    auto machine =
        std::make_unique<interpreter>(capabilities_of(c.machine), host_memory_bytes, options.interleaving.value_or(c.seed));
    machine->in_place_allowed = true;
    for (const buffer& b : c.buffers)
        if (b.memory == spec::memory_kind::host)
            fill(b, std::span(machine->host).subspan(p.host_base - spec::host_window_base + b.base, b.bytes));
    for (const auto& place : p.programs())
        machine->load(place.address, *place.program);
    if (options.writers)
        machine->remember_writers();
    if (options.watched)
        machine->watch(options.watched->first, options.watched->second);
    machine->run(p.commands);
    return machine;
}

std::string describe_origin(const test_case& c, const prepared_case& p, std::uint32_t sequence, unsigned engine,
                            std::uint32_t pc) {
    if (sequence == 0 || sequence > p.emitted.commands.size())
        return {};
    const emitted_command& e = p.emitted.commands[sequence - 1];
    const auto found = e.origin.find(engine);
    if (found == e.origin.end() || pc >= found->second.size() || found->second[pc] < 0)
        return {};
    return describe(c, c.commands[e.command].operations[static_cast<std::size_t>(found->second[pc])]);
}

} // namespace retrace::cosim
