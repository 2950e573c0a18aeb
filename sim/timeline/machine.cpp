#include "sim/timeline/machine.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>

#include "sim/log/log_reader.h"
#include "sim/log/sqlite_log.h"
#include "tlm/core/memory/tagged_memory.h"
#include "tlm/core/timing/dram_timing.h"

namespace retrace {

std::uint64_t machine_facts::wire_cycles(std::uint64_t payload) const {
    if (link_bytes_per_second == 0)
        return 0;
    const unsigned __int128 packets = std::max<std::uint64_t>(1, payload / link_payload + (payload % link_payload != 0));
    const unsigned __int128 scaled = (payload + packets * link_header) * clock_hz + link_bytes_per_second - 1;
    return static_cast<std::uint64_t>(scaled / link_bytes_per_second);
}

void describe_machine(sqlite_log& log, const npu_config& c, const tagged_memory& dram) {
    const auto say = [&log](const std::string& key, auto value) { log.describe_machine(key, static_cast<std::int64_t>(value)); };
    say("clock", std::llround(c.clock_hz));
    say("array.rows", c.array.rows);
    say("array.columns", c.array.columns);
    say("array.fma_depth", c.array.fma_depth);
    for (unsigned f = 0; f < c.array.operand_cycles.size(); ++f)
        say("array.operand_cycles." + std::string(name_of(static_cast<spec::number_format>(f))), c.array.operand_cycles[f]);
    say("state_buffer.capacity", c.state_buffer.capacity_bytes);
    say("state_buffer.banks", c.state_buffer.banks);
    say("psum.capacity", std::uint64_t{c.psum.banks} * c.psum.rows * c.array.columns * 4);
    say("dma.queues", c.dma.queues);
    say("dma.chunk", c.dma.chunk_bytes);
    say("dma.outstanding_chunks", c.dma.outstanding_chunks);
    say("device_dram.capacity", c.device_dram.capacity_bytes);
    say("device_dram.channels", c.device_dram.channels);
    say("device_dram.burst", c.device_dram.burst_bytes);
    for (const dram_region& r : c.device_dram.regions)
        say("device_dram.regions." + std::string(name_of(r.kind)), r.bytes);
    say("host_link.bandwidth", std::llround(c.host_link.bytes_per_second));
    say("host_link.payload", c.host_link.payload_bytes);
    say("host_link.header_bytes", c.host_link.header_bytes);
    say("host_link.latency_cycles", cycles_of_ns(c.host_link.latency_ns, c.clock_hz));
    say("stress.messages", c.stress.message_cycles);
    say("sequencer.issue_cycles", c.sequencer.issue_cycles);
    say("ideal_memories", c.ideal_memories);
    log.read_programs_with([&dram](unsigned, std::uint64_t address, std::span<std::byte> to) {
        if (dram.contains(address, to.size()))
            dram.peek(address, to.data(), to.size());
    });
}

machine_facts read_machine(log_reader& log) {
    std::map<std::string, std::uint64_t> values;
    log_query query(log, "SELECT key, value FROM machine LIMIT 1000");
    while (query.next())
        values[std::string(query.text(0))] = query.number(1);
    machine_facts m;
    const auto take = [&values](const std::string& key, std::uint64_t& to, std::uint64_t least, std::uint64_t most) {
        const auto found = values.find(key);
        if (found == values.end())
            return;
        if (found->second < least || found->second > most)
            throw log_reader_error("table machine says " + key + " = " + std::to_string(found->second) +
                                   ", which no processor has");
        to = found->second;
    };
    constexpr std::uint64_t large = std::uint64_t{1} << 40;
    take("clock", m.clock_hz, 1, large);
    take("array.rows", m.array_rows, 1, spec::max_array_rows);
    take("array.columns", m.array_columns, 1, spec::max_array_columns);
    take("array.fma_depth", m.fma_depth, 1, 1024);
    for (unsigned f = 0; f < m.operand_cycles.size(); ++f)
        take("array.operand_cycles." + std::string(name_of(static_cast<spec::number_format>(f))), m.operand_cycles[f], 1, 1024);
    take("dma.chunk", m.dma_chunk, 1, large);
    take("dma.outstanding_chunks", m.dma_places, 1, 4096);
    take("device_dram.channels", m.dram_channels, 1, 4096);
    take("device_dram.burst", m.dram_burst, 1, large);
    take("host_link.bandwidth", m.link_bytes_per_second, 1, std::uint64_t{1} << 50);
    take("host_link.payload", m.link_payload, 1, large);
    take("host_link.header_bytes", m.link_header, 0, large);
    take("host_link.latency_cycles", m.link_latency, 0, large);
    take("stress.messages", m.late_messages, 0, std::uint64_t{1} << 62);
    take("sequencer.issue_cycles", m.issue_cycles, 0, large);
    std::uint64_t ideal = 0;
    take("ideal_memories", ideal, 0, 1);
    m.ideal_memories = ideal != 0;
    return m;
}

} // namespace retrace
