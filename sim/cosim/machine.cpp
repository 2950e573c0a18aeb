#include "sim/cosim/machine.h"

namespace retrace::cosim {

using spec::memory_kind;
using spec::region_kind;

npu_config config_of(const machine_settings& m, const std::string& array) {
    npu_config c;
    c.preset = "cosim";
    c.array.rows = c.array.columns = m.size;
    c.array.implementation = array;
    c.array.fma_depth = m.fma_depth;
    c.array.weight_registers = m.weight_registers;
    c.array.operand_cycles = m.operand_cycles;
    if (m.stress_seed)
        c.stress = {m.stress_seed, m.request_stress, m.chunk_stress, m.message_stress, m.reorder};
    if (m.stress_seed && m.array_stress)
        c.array.stress = {m.stress_seed, 5 + m.stress_seed % 200, 1 + (m.stress_seed >> 8) % 12};
    c.psum = {m.psum_banks, m.psum_rows};
    c.state_buffer = {m.state_buffer_bytes, m.state_buffer_banks};
    c.activation = {m.activation_lanes, 4};
    c.vector = {m.vector_lanes, 4};
    c.dma = {m.dma_queues, m.dma_chunk, m.dma_outstanding, 8, m.transpose_rate};
    c.device_dram.capacity_bytes = dram_data_bytes + dram_program_bytes;
    c.device_dram.channels = m.dram_channels;
    c.device_dram.banks = m.dram_banks;
    c.device_dram.page_bytes = 1024;
    // A run is short: with the presets' 3.9 us a refresh would hardly ever meet an access.
    c.device_dram.t_refi_ns = m.refresh ? 700 : 1e9;
    c.device_dram.t_rfc_ns = m.refresh ? 110 : 1;
    c.device_dram.regions = {{region_kind::activations, dram_data_bytes / 2},
                             {region_kind::gradients, dram_data_bytes / 4},
                             {region_kind::weights, dram_data_bytes / 4},
                             {region_kind::programs, dram_program_bytes}};
    c.host_link.host_memory_bytes = host_memory_bytes;
    c.host_link.latency_ns = 60;
    c.sequencer.fetch_block = m.fetch_block;
    c.ideal_memories = m.ideal_memories;
    c.check_protocol = true;
    c.watchdog_cycles = 2'000'000;
    return c;
}

device_capabilities capabilities_of(const machine_settings& m) {
    const npu_config c = config_of(m);
    device_capabilities d;
    d.rows = d.columns = m.size;
    d.fma_depth = m.fma_depth;
    d.operand_cycles = m.operand_cycles;
    d.weight_registers = m.weight_registers;
    d.psum_banks = m.psum_banks;
    d.psum_rows = m.psum_rows;
    d.state_buffer_bytes = m.state_buffer_bytes;
    d.state_buffer_banks = m.state_buffer_banks;
    d.dma_queues = m.dma_queues;
    d.activation_lanes = m.activation_lanes;
    d.vector_lanes = m.vector_lanes;
    d.dram_bytes = c.device_dram.capacity_bytes;
    d.host_bytes = c.host_link.host_memory_bytes;
    std::uint64_t base = 0;
    for (const dram_region& r : c.device_dram.regions) {
        d.regions.push_back({r.kind, base, r.bytes});
        base += r.bytes;
    }
    return d;
}

std::uint64_t capacity_of(const machine_settings& m, memory_kind memory) {
    switch (memory) {
    case memory_kind::host:
        return host_data_bytes;
    case memory_kind::device_dram:
        return dram_data_bytes;
    case memory_kind::state_buffer:
        return m.state_buffer_bytes;
    case memory_kind::psum:
        return std::uint64_t{m.psum_banks} * m.psum_rows * m.size * 4;
    default:
        return 0;
    }
}

} // namespace retrace::cosim
