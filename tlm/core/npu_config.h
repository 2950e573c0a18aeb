#pragma once
// Every number of one processor. Presets and YAML fill these structs (sim/config); the device model is built from them.
#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "hw/spec/spec.h"
#include "tlm/core/array/array_interface.h"
#include "tlm/core/array/array_stalls.h"

namespace retrace {

/// The cycles [start, stop) run on another implementation of the array than the rest.
struct array_implementation_window {
    std::uint64_t start = 0, stop = 0;
    std::string implementation;
};

struct array_settings {
    unsigned rows = 32, columns = 32;
    unsigned fma_depth = 1;                                   ///< D: pipeline stages of the FMA
    unsigned weight_registers = 2;                            ///< 2: the next weights load while this tile computes; 1: serial
    std::array<unsigned, 5> operand_cycles{4, 1, 1, 1, 1};    ///< cycles a row takes: fp32, bf16, fp8_e4m3, fp8_e5m2, int8
    std::string implementation = "kernel";                    ///< kernel | stepped | rtl | lockstep
    std::vector<array_implementation_window> windows;         ///< command line only: changes no result
    array_stress stress;                                      ///< random stalls of the whole array; none unless asked for
};

inline array_config shape_of(const array_settings& settings) {
    array_config shape;
    shape.rows = settings.rows;
    shape.columns = settings.columns;
    shape.fma_depth = settings.fma_depth;
    std::copy(settings.operand_cycles.begin(), settings.operand_cycles.end(), shape.operand_cycles.begin());
    return shape;
}

struct psum_settings {
    unsigned banks = 8;
    unsigned rows = 256; ///< rows of C 32-bit words in a bank
};

struct state_buffer_settings {
    std::uint64_t capacity_bytes = 2u << 20;
    unsigned banks = 16; ///< equal, consecutive parts; a line is 4 bytes in each of R partitions
};

struct engine_settings {
    unsigned lanes = 32;         ///< elements per cycle
    unsigned latency_cycles = 8; ///< pipeline of an instruction, added to its passes
};

struct dma_settings {
    unsigned queues = 4;
    unsigned chunk_bytes = 4096;              ///< a transfer is cut into chunks of at most this; the unit of arbitration
    unsigned outstanding_chunks = 4;          ///< chunks a queue has in flight between its read and its write side
    unsigned setup_cycles = 16;               ///< from taking an instruction to its first request
    unsigned transpose_bytes_per_cycle = 32;  ///< throughput of the tile transpose unit
};

struct dram_region {
    spec::region_kind kind{};
    std::uint64_t bytes = 0;
};

struct dram_settings {
    std::uint64_t capacity_bytes = 64u << 20;
    unsigned channels = 2, banks = 8;
    unsigned burst_bytes = 64;      ///< consecutive bursts go to consecutive channels
    unsigned page_bytes = 2048;     ///< row buffer of a bank, per channel
    unsigned burst_cycles = 2;      ///< a burst on the channel's data bus
    double t_rcd_ns = 14, t_rp_ns = 14, t_cas_ns = 14, t_refi_ns = 3900, t_rfc_ns = 260;
    std::vector<dram_region> regions; ///< laid out in this order from address 0
};

struct link_settings {
    double latency_ns = 250;             ///< one way
    double bytes_per_second = 16e9;      ///< each direction
    unsigned payload_bytes = 256;        ///< largest payload of a packet
    unsigned header_bytes = 24;          ///< per packet, on the wire
    std::uint64_t host_memory_bytes = 64u << 20; ///< host memory the device can reach
    double host_latency_ns = 80;         ///< host memory, per read request
};

struct core_settings {
    unsigned memory_bytes = 64u << 10; ///< private memory; at most spec::firmware_window_bytes
};

struct sequencer_settings {
    unsigned fetch_block = 16;  ///< instructions fetched at once
    unsigned issue_cycles = 2;  ///< from a fetched instruction to its first action
};

/// Random back-pressure on whatever is shared, to find what depends on when something happens (hw/README.md, 9.13). Values never change.
struct stress_settings {
    std::uint64_t seed = 1;
    std::uint64_t request_cycles = 0; ///< a request is held back before the arbitration, at most
    std::uint64_t chunk_cycles = 0;   ///< a place of a DMA queue stays taken after its chunk was written, at most
    std::uint64_t message_cycles = 0; ///< a message of the link arrives late, at most
    bool reorder = false;             ///< and then messages overtake each other where the bus allows it
    bool operator==(const stress_settings&) const = default;
};

struct npu_config {
    std::string preset = "small";
    double clock_hz = 1e9;
    array_settings array;
    psum_settings psum;
    state_buffer_settings state_buffer;
    engine_settings activation, vector;
    dma_settings dma;
    dram_settings device_dram;
    link_settings host_link;
    core_settings control_core;
    sequencer_settings sequencer;
    stress_settings stress;
    bool ideal_memories = false; ///< banks never conflict, every memory access takes one cycle (`gemm --serial`)
    bool check_protocol = false; ///< tests: a checker on every socket (tlm/protocol_checker.h); changes no cycle
    std::uint64_t watchdog_cycles = 50'000'000; ///< no engine finishes an instruction for this long while a command is unfinished: a hang
};

/// Bytes per cycle that memory and link can move at most, rounded down but at least 1: what the device tells its driver.
struct peak_rates {
    std::uint64_t dram, link, transpose;
};

inline peak_rates rates_of(const npu_config& c) {
    const dram_settings& d = c.device_dram;
    const link_settings& l = c.host_link;
    const double payload = l.bytes_per_second / c.clock_hz * l.payload_bytes / (l.payload_bytes + l.header_bytes);
    const auto whole = [](std::uint64_t bytes) { return bytes < 1 ? 1 : bytes > 0xffff ? 0xffff : bytes; };
    return {whole(std::uint64_t{d.channels} * d.burst_bytes / d.burst_cycles), whole(static_cast<std::uint64_t>(payload)),
            whole(c.dma.transpose_bytes_per_cycle)};
}

} // namespace retrace
