#include "sim/platform/capabilities.h"

#include <cmath>
#include <stdexcept>

namespace retrace {

device_capabilities capabilities_of(const npu_config& c) {
    device_capabilities d;
    d.rows = c.array.rows;
    d.columns = c.array.columns;
    d.fma_depth = c.array.fma_depth;
    d.operand_cycles = c.array.operand_cycles;
    d.weight_registers = c.array.weight_registers;
    d.psum_banks = c.psum.banks;
    d.psum_rows = c.psum.rows;
    d.state_buffer_bytes = c.state_buffer.capacity_bytes;
    d.state_buffer_banks = c.state_buffer.banks;
    d.dma_queues = c.dma.queues;
    d.activation_lanes = c.activation.lanes;
    d.vector_lanes = c.vector.lanes;
    d.clock_khz = static_cast<std::uint32_t>(std::llround(c.clock_hz / 1000));
    d.dram_bytes = c.device_dram.capacity_bytes;
    d.host_bytes = c.host_link.host_memory_bytes;
    const peak_rates rates = rates_of(c);
    d.dram_bytes_per_cycle = static_cast<unsigned>(rates.dram);
    d.link_bytes_per_cycle = static_cast<unsigned>(rates.link);
    d.transpose_bytes_per_cycle = static_cast<unsigned>(rates.transpose);
    std::uint64_t base = 0;
    for (const dram_region& r : c.device_dram.regions) {
        d.regions.push_back({r.kind, base, r.bytes});
        base += r.bytes;
    }
    return d;
}

void check_same(const device_capabilities& a, const device_capabilities& b) {
    const auto same_regions = [&] {
        if (a.regions.size() != b.regions.size())
            return false;
        for (std::size_t i = 0; i < a.regions.size(); ++i)
            if (a.regions[i].kind != b.regions[i].kind || a.regions[i].base != b.regions[i].base || a.regions[i].bytes != b.regions[i].bytes)
                return false;
        return true;
    };
    if (a.rows != b.rows || a.columns != b.columns || a.fma_depth != b.fma_depth || a.operand_cycles != b.operand_cycles ||
        a.weight_registers != b.weight_registers || a.psum_banks != b.psum_banks || a.psum_rows != b.psum_rows ||
        a.state_buffer_bytes != b.state_buffer_bytes || a.state_buffer_banks != b.state_buffer_banks || a.dma_queues != b.dma_queues ||
        a.activation_lanes != b.activation_lanes || a.vector_lanes != b.vector_lanes || a.clock_khz != b.clock_khz ||
        a.dram_bytes != b.dram_bytes || a.host_bytes != b.host_bytes ||
        a.dram_bytes_per_cycle != b.dram_bytes_per_cycle || a.link_bytes_per_cycle != b.link_bytes_per_cycle ||
        a.transpose_bytes_per_cycle != b.transpose_bytes_per_cycle || !same_regions())
        throw std::logic_error("the device's registers do not show what the configuration says; configuration, model and driver disagree");
}

} // namespace retrace
