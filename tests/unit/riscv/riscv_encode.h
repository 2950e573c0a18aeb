#pragma once

#include "tlm/core/riscv/riscv_core.h"

#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <span>
#include <vector>

// Instruction words for tests, by the formats of the unprivileged spec.
namespace retrace::encode {

constexpr uint32_t r_type(uint32_t funct7, uint32_t funct3, uint32_t rd, uint32_t rs1, uint32_t rs2) {
    return funct7 << 25 | rs2 << 20 | rs1 << 15 | funct3 << 12 | rd << 7 | 0x33;
}
constexpr uint32_t i_type(uint32_t opcode, uint32_t funct3, uint32_t rd, uint32_t rs1, int32_t imm) {
    return static_cast<uint32_t>(imm) << 20 | rs1 << 15 | funct3 << 12 | rd << 7 | opcode;
}
constexpr uint32_t s_type(uint32_t funct3, uint32_t rs2, uint32_t rs1, int32_t imm) {
    const auto bits = static_cast<uint32_t>(imm);
    return (bits >> 5) << 25 | rs2 << 20 | rs1 << 15 | funct3 << 12 | (bits & 31) << 7 | 0x23;
}
constexpr uint32_t b_type(uint32_t funct3, uint32_t rs1, uint32_t rs2, int32_t offset) {
    const auto bits = static_cast<uint32_t>(offset);
    return (bits >> 31) << 31 | (bits >> 5 & 63) << 25 | rs2 << 20 | rs1 << 15 | funct3 << 12 |
           (bits >> 1 & 15) << 8 | (bits >> 11 & 1) << 7 | 0x63;
}

constexpr uint32_t addi(uint32_t rd, uint32_t rs1, int32_t imm) { return i_type(0x13, 0, rd, rs1, imm); }
constexpr uint32_t lb(uint32_t rd, uint32_t rs1, int32_t imm) { return i_type(0x03, 0, rd, rs1, imm); }
constexpr uint32_t lh(uint32_t rd, uint32_t rs1, int32_t imm) { return i_type(0x03, 1, rd, rs1, imm); }
constexpr uint32_t lw(uint32_t rd, uint32_t rs1, int32_t imm) { return i_type(0x03, 2, rd, rs1, imm); }
constexpr uint32_t lbu(uint32_t rd, uint32_t rs1, int32_t imm) { return i_type(0x03, 4, rd, rs1, imm); }
constexpr uint32_t lhu(uint32_t rd, uint32_t rs1, int32_t imm) { return i_type(0x03, 5, rd, rs1, imm); }
constexpr uint32_t sb(uint32_t rs2, uint32_t rs1, int32_t imm) { return s_type(0, rs2, rs1, imm); }
constexpr uint32_t sh(uint32_t rs2, uint32_t rs1, int32_t imm) { return s_type(1, rs2, rs1, imm); }
constexpr uint32_t sw(uint32_t rs2, uint32_t rs1, int32_t imm) { return s_type(2, rs2, rs1, imm); }
constexpr uint32_t lui(uint32_t rd, uint32_t upper) { return upper << 12 | rd << 7 | 0x37; }
constexpr uint32_t auipc(uint32_t rd, uint32_t upper) { return upper << 12 | rd << 7 | 0x17; }
constexpr uint32_t jal(uint32_t rd, int32_t offset) {
    const auto bits = static_cast<uint32_t>(offset);
    return (bits >> 20 & 1) << 31 | (bits >> 1 & 0x3ff) << 21 | (bits >> 11 & 1) << 20 |
           (bits >> 12 & 0xff) << 12 | rd << 7 | 0x6f;
}
constexpr uint32_t jalr(uint32_t rd, uint32_t rs1, int32_t imm) { return i_type(0x67, 0, rd, rs1, imm); }
constexpr uint32_t csrrw(uint32_t rd, uint32_t number, uint32_t rs1) {
    return number << 20 | rs1 << 15 | 1 << 12 | rd << 7 | 0x73;
}
constexpr uint32_t csrrs(uint32_t rd, uint32_t number, uint32_t rs1) {
    return number << 20 | rs1 << 15 | 2 << 12 | rd << 7 | 0x73;
}
constexpr uint32_t csrrsi(uint32_t rd, uint32_t number, uint32_t imm) {
    return number << 20 | imm << 15 | 6 << 12 | rd << 7 | 0x73;
}
inline constexpr uint32_t nop = 0x00000013;
inline constexpr uint32_t ecall = 0x00000073;
inline constexpr uint32_t ebreak = 0x00100073;
inline constexpr uint32_t mret = 0x30200073;
inline constexpr uint32_t wfi = 0x10500073;
inline constexpr uint32_t fence_i = 0x0000100f;

} // namespace retrace::encode

namespace retrace::test {

inline constexpr uint32_t ram = 0x80000000;
inline constexpr uint32_t ram_bytes = 0x10000;
inline constexpr uint32_t mmio = 0x10000000;

inline void put_words(riscv_core& core, uint32_t address, std::span<const uint32_t> words) {
    std::vector<uint8_t> bytes(words.size() * 4);
    for (size_t index = 0; index < bytes.size(); ++index) {
        bytes[index] = static_cast<uint8_t>(words[index / 4] >> (index % 4 * 8));
    }
    core.write_memory(address, bytes);
}
inline void put_words(riscv_core& core, uint32_t address, std::initializer_list<uint32_t> words) {
    put_words(core, address, std::span(words.begin(), words.size()));
}
inline uint32_t get_word(const riscv_core& core, uint32_t address) {
    uint8_t bytes[4] = {};
    core.read_memory(address, bytes);
    uint32_t word;
    std::memcpy(&word, bytes, 4);
    return word;
}

// A core with 64 KiB at `ram`, the program at its start and pc there.
inline riscv_core make_core(std::initializer_list<uint32_t> program, const riscv_timing& timing = {}) {
    riscv_config config;
    config.private_memory = {{ram, ram_bytes}};
    config.timing = timing;
    riscv_core core(config);
    put_words(core, ram, program);
    core.reset(ram);
    return core;
}

} // namespace retrace::test
