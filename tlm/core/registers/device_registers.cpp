#include "tlm/core/registers/device_registers.h"

#include <bit>
#include <cmath>
#include <fmt/format.h>

namespace retrace {

namespace {

namespace host = spec::host_block;
namespace control = spec::control_block;

class configuration {
public:
    void add(const char* what, std::uint32_t offset, std::uint64_t value, std::uint32_t mask = ~0u) {
        const int shift = std::countr_zero(mask);
        if (value > (mask >> shift)) {
            throw register_config_error(
                fmt::format("{} is {}, but its register holds at most {}", what, value, mask >> shift));
        }
        const std::uint32_t bits = static_cast<std::uint32_t>(value) << shift;
        for (register_value& each : values) {
            if (each.offset == offset) {
                each.value |= bits;
                return;
            }
        }
        values.push_back({offset, bits});
    }

    void add64(std::uint32_t low, std::uint32_t high, std::uint64_t value) {
        add("low half", low, value & 0xffffffff);
        add("high half", high, value >> 32);
    }

    std::vector<register_value> values;
};

} // namespace

unsigned engine_count(const npu_config& config) {
    return static_cast<unsigned>(spec::engine_dma) + config.dma.queues;
}

std::vector<register_value> host_configuration(const npu_config& c) {
    configuration out;
    out.add("array.rows", host::array_shape, c.array.rows, host::array_shape_rows_mask);
    out.add("array.columns", host::array_shape, c.array.columns, host::array_shape_columns_mask);
    out.add("array.fma_depth", host::array_timing, c.array.fma_depth, host::array_timing_fma_depth_mask);
    out.add("array.weight_registers", host::array_timing, c.array.weight_registers,
            host::array_timing_weight_registers_mask);
    const std::uint32_t cycles[] = {host::operand_cycles_fp32_mask, host::operand_cycles_bf16_mask,
                                    host::operand_cycles_fp8_e4m3_mask, host::operand_cycles_fp8_e5m2_mask,
                                    host::operand_cycles_int8_mask};
    for (std::size_t i = 0; i < std::size(cycles); ++i) {
        out.add("array.operand_cycles", host::operand_cycles, c.array.operand_cycles[i], cycles[i]);
    }
    out.add("psum.banks", host::psum_shape, c.psum.banks, host::psum_shape_banks_mask);
    out.add("psum.rows", host::psum_shape, c.psum.rows, host::psum_shape_rows_mask);
    out.add("state_buffer.capacity_bytes", host::state_buffer_bytes, c.state_buffer.capacity_bytes);
    out.add("state_buffer.banks", host::state_buffer_banks, c.state_buffer.banks);
    out.add64(host::dram_bytes_low, host::dram_bytes_high, c.device_dram.capacity_bytes);
    out.add("dma.queues", host::dma_queues, c.dma.queues);
    out.add("clock_hz", host::clock_khz, static_cast<std::uint64_t>(std::llround(c.clock_hz / 1000)));
    out.add("control_core.memory_bytes", host::tcm_bytes, c.control_core.memory_bytes);
    out.add("host_link.host_memory_bytes", host::host_bytes, c.host_link.host_memory_bytes);
    out.add("activation.lanes", host::lanes, c.activation.lanes, host::lanes_activation_mask);
    out.add("vector.lanes", host::lanes, c.vector.lanes, host::lanes_vector_mask);
    const peak_rates rates = rates_of(c);
    out.add("DRAM rate", host::rates, rates.dram, host::rates_dram_mask);
    out.add("link rate", host::rates, rates.link, host::rates_link_mask);
    out.add("transpose rate", host::transpose_rate, rates.transpose);
    const auto& regions = c.device_dram.regions;
    if (regions.size() > spec::max_regions) {
        throw register_config_error(fmt::format("device_dram.regions has {} entries, at most {} are possible",
                                                regions.size(), spec::max_regions));
    }
    out.add("device_dram.regions", host::region_count, regions.size());
    std::uint64_t base = 0;
    for (std::size_t i = 0; i < regions.size(); ++i) {
        const auto at = static_cast<std::uint32_t>(i) * host::region_base_stride;
        out.add("device_dram.regions: the first byte of a region", host::region_base + at, base);
        out.add("device_dram.regions: the bytes of a region", host::region_bytes + at, regions[i].bytes);
        out.add("device_dram.regions: kind", host::region_kind + at,
                static_cast<std::uint64_t>(regions[i].kind));
        base += regions[i].bytes;
    }
    return out.values;
}

std::vector<register_value> control_configuration(const npu_config& c) {
    if (c.dma.queues > spec::max_dma_queues) {
        throw register_config_error(
            fmt::format("dma.queues is {}, at most {} are possible", c.dma.queues, spec::max_dma_queues));
    }
    configuration out;
    out.add("engines", control::engine_count, engine_count(c));
    out.add64(control::dram_bytes_low, control::dram_bytes_high, c.device_dram.capacity_bytes);
    out.add("state_buffer.capacity_bytes", control::state_buffer_bytes, c.state_buffer.capacity_bytes);
    out.add("psum: its bytes", control::psum_bytes,
            std::uint64_t{c.psum.banks} * c.psum.rows * c.array.columns * 4);
    out.add("psum.banks", control::psum_banks, c.psum.banks);
    out.add("host_link.host_memory_bytes", control::host_bytes, c.host_link.host_memory_bytes);
    std::uint64_t base = 0;
    for (const dram_region& region : c.device_dram.regions) {
        if (region.kind == spec::region_kind::programs) {
            out.add("region programs: its first byte", control::program_base, base);
            out.add("region programs: its bytes", control::program_bytes, region.bytes);
            break;
        }
        base += region.bytes;
    }
    return out.values;
}

} // namespace retrace
