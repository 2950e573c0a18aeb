#pragma once
// What the driver read from a device's registers, as far as compiler and planner need it. They decide from
// nothing else, so a plan fits the device it was made for and no other.
#include <array>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "hw/spec/spec.h"

namespace retrace {

struct memory_region {
    spec::region_kind kind{};
    std::uint64_t base = 0;  ///< first byte in device DRAM
    std::uint64_t bytes = 0; ///< capacity
};

struct device_capabilities {
    unsigned rows = 32, columns = 32;                      ///< PE array, R x C
    unsigned fma_depth = 1;                                ///< D
    std::array<unsigned, 5> operand_cycles{4, 1, 1, 1, 1}; ///< by number_format, fp32 .. int8
    unsigned weight_registers = 2;
    unsigned psum_banks = 8, psum_rows = 256; ///< rows of C words in a bank
    std::uint64_t state_buffer_bytes = 2u << 20;
    unsigned state_buffer_banks = 16; ///< equal, consecutive parts
    unsigned dma_queues = 4;
    unsigned activation_lanes = 32, vector_lanes = 32; ///< elements per cycle
    std::uint32_t clock_khz = 1'000'000;
    std::uint64_t dram_bytes = 64u << 20;
    std::uint64_t host_bytes = 64u << 20;
    std::vector<memory_region> regions;

    // Peak rates. They and what follows steer the choice of blockings and the predicted cycles, never
    // correctness.
    unsigned dram_bytes_per_cycle = 32;
    unsigned link_bytes_per_cycle = 14;
    unsigned transpose_bytes_per_cycle = 32;
    // What no register tells.
    unsigned engine_latency_cycles = 12;
    unsigned command_cycles = 600; ///< fetch, validation, start and completion of a command by the firmware

    std::uint64_t psum_bank_bytes() const { return std::uint64_t{psum_rows} * columns * 4; }
    std::uint64_t state_buffer_bank_bytes() const { return state_buffer_bytes / state_buffer_banks; }

    /// The region of that kind; throws std::runtime_error where the device has none.
    const memory_region& region(spec::region_kind kind) const {
        for (const memory_region& r : regions)
            if (r.kind == kind)
                return r;
        throw std::runtime_error("the device has no region '" + std::string(spec::name_of(kind)) +
                                 "' in its device DRAM: give it one in npu.device_dram.regions");
    }
};

/// Something does not fit: which memory or region, what it would need, what it has, and the smallest capacity
/// that would do.
class capacity_error : public std::runtime_error {
public:
    capacity_error(std::string memory, std::uint64_t needed, std::uint64_t available, std::uint64_t smallest,
                   std::string culprit)
        : std::runtime_error(memory + " is too small: " + culprit + " needs " + std::to_string(needed) +
                             " bytes, " + std::to_string(available) +
                             " are available; the smallest capacity that would do is " +
                             std::to_string(smallest) + " bytes"),
          memory_(std::move(memory)), culprit_(std::move(culprit)), needed_(needed), available_(available),
          smallest_(smallest) {}

    const std::string& memory() const { return memory_; }   ///< "activations", "state_buffer", "psum", ...
    const std::string& culprit() const { return culprit_; } ///< the tensor or operation that breaks it
    std::uint64_t needed_bytes() const { return needed_; }
    std::uint64_t available_bytes() const { return available_; }
    std::uint64_t smallest_capacity() const { return smallest_; }

private:
    std::string memory_, culprit_;
    std::uint64_t needed_, available_, smallest_;
};

} // namespace retrace
