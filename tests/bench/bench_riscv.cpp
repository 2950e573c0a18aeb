// Speed of the control core: guest instructions per second (items_per_second).

#include "tlm/core/riscv/riscv_core.h"

#include <algorithm>
#include <benchmark/benchmark.h>
#include <cstdint>
#include <cstring>
#include <fmt/format.h>
#include <map>
#include <string>
#include <vector>

#include "tests/bench/figures.h"
#include "tests/bench/references.h"

namespace {

using namespace retrace;

// The slowest of the loops below, because a control program is a mix of them.
const bench::figure_handle core_figure({"control core, M instructions/s", " M", 100});

constexpr uint32_t ram_base = 0x80000000;
constexpr uint32_t a0 = 10, a1 = 11, a2 = 12, a3 = 13, sp = 2, zero = 0;

constexpr uint32_t r_type(uint32_t funct7, uint32_t rs2, uint32_t rs1, uint32_t funct3, uint32_t rd) {
    return funct7 << 25 | rs2 << 20 | rs1 << 15 | funct3 << 12 | rd << 7 | 0x33;
}
constexpr uint32_t addi(uint32_t rd, uint32_t rs1, int32_t imm) {
    return static_cast<uint32_t>(imm) << 20 | rs1 << 15 | rd << 7 | 0x13;
}
constexpr uint32_t lw(uint32_t rd, uint32_t rs1, int32_t imm) {
    return static_cast<uint32_t>(imm) << 20 | rs1 << 15 | 2 << 12 | rd << 7 | 0x03;
}
constexpr uint32_t sw(uint32_t rs2, uint32_t rs1, uint32_t imm) {
    return (imm >> 5) << 25 | rs2 << 20 | rs1 << 15 | 2 << 12 | (imm & 31) << 7 | 0x23;
}
constexpr uint32_t bne_back(uint32_t rs1, uint32_t rs2, uint32_t words) {
    const uint32_t offset = 0 - words * 4;
    return (offset >> 31) << 31 | (offset >> 5 & 63) << 25 | rs2 << 20 | rs1 << 15 | 1 << 12 |
           (offset >> 1 & 15) << 8 | (offset >> 11 & 1) << 7 | 0x63;
}
constexpr uint32_t jump_back(uint32_t words) {
    const uint32_t offset = 0 - words * 4;
    return (offset >> 20 & 1) << 31 | (offset >> 1 & 0x3ff) << 21 | (offset >> 11 & 1) << 20 |
           (offset >> 12 & 0xff) << 12 | 0x6f;
}

riscv_core make_core(const std::vector<uint32_t>& program) {
    riscv_config config;
    config.private_memory = {{ram_base, 1 << 20}};
    riscv_core core(config);
    std::vector<uint8_t> bytes(program.size() * 4);
    std::memcpy(bytes.data(), program.data(), bytes.size());
    core.write_memory(ram_base, bytes);
    core.reset(ram_base);
    core.set_x(sp, ram_base + 0x8000);
    return core;
}

// Returns the best rate seen, in instructions per second.
double run(benchmark::State& state, const std::vector<uint32_t>& program, bool traced = false) {
    riscv_core core = make_core(program);
    uint64_t seen = 0;
    if (traced) {
        core.set_hook([&](const riscv_retired& instruction) { seen += instruction.value; });
    }
    const uint64_t before = core.retired();
    double best = 0;
    for (auto _ : state) {
        const uint64_t retired = core.retired();
        const double start = bench::cpu_seconds();
        if (core.run(core.cycle() + 1'000'000) != riscv_core::stop::cycle_limit) {
            state.SkipWithError("the program left its loop");
            break;
        }
        best = std::max(best, static_cast<double>(core.retired() - retired) / (bench::cpu_seconds() - start));
    }
    benchmark::DoNotOptimize(seen);
    state.SetItemsProcessed(static_cast<int64_t>(core.retired() - before));
    return best;
}

// Every loop's best rate so far; the figure is the slowest of them.
void run_for_figure(benchmark::State& state, const char* name, const std::vector<uint32_t>& program) {
    static std::map<std::string, double> rates;
    rates[name] = std::max(rates[name], run(state, program) * 1e-6);
    double slowest = rates[name];
    std::string how = "loops:";
    for (const auto& [loop, rate] : rates) {
        slowest = std::min(slowest, rate);
        how += fmt::format(" {} {:.0f}", loop, rate);
    }
    core_figure.measured(slowest, how);
}

const std::vector<uint32_t> count_loop = {
    addi(a0, a0, 1),          r_type(0, a0, a1, 0, a1), // add  a1, a1, a0
    r_type(0, a0, a2, 4, a2),                           // xor  a2, a2, a0
    bne_back(a0, zero, 3),    jump_back(4),
};

const std::vector<uint32_t> copy_loop = {
    lw(a1, sp, 0),  r_type(0, a0, a1, 0, a1), sw(a1, sp, 4),         lw(a2, sp, 8),
    sw(a2, sp, 12), addi(a0, a0, 1),          bne_back(a0, zero, 6), jump_back(7),
};

const std::vector<uint32_t> multiply_loop = {
    addi(a0, a0, 1),
    r_type(1, a0, a0, 0, a1), // mul  a1, a0, a0
    r_type(1, a0, a1, 5, a2), // divu a2, a1, a0
    r_type(1, a0, a1, 7, a3), // remu a3, a1, a0
    jump_back(4),
};

void riscv_count_loop(benchmark::State& state) { run_for_figure(state, "count", count_loop); }
void riscv_copy_loop(benchmark::State& state) { run_for_figure(state, "copy", copy_loop); }
void riscv_multiply_divide_loop(benchmark::State& state) {
    run_for_figure(state, "multiply-divide", multiply_loop);
}
void riscv_count_loop_with_hook(benchmark::State& state) { run(state, count_loop, true); }

// The price of leaving the core for one access outside private memory and coming back.
void riscv_bus_round_trip(benchmark::State& state) {
    riscv_core core = make_core({lw(a1, a0, 0), jump_back(1)});
    core.set_x(a0, 0x10000000);
    for (auto _ : state) {
        if (core.run(core.cycle() + 1000) != riscv_core::stop::bus_access) {
            state.SkipWithError("the core made no access");
            break;
        }
        core.complete_bus(1, true);
    }
    state.SetItemsProcessed(state.iterations());
}

} // namespace

BENCHMARK(riscv_count_loop);
BENCHMARK(riscv_copy_loop);
BENCHMARK(riscv_multiply_divide_loop);
BENCHMARK(riscv_count_loop_with_hook);
BENCHMARK(riscv_bus_round_trip);
