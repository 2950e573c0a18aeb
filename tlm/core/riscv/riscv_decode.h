#pragma once

#include <cstdint>

namespace retrace {

// What the interpreter's switch dispatches on. `undecoded` is zero, so zeroed memory is an empty decode
// cache.
enum class riscv_kind : uint8_t {
    undecoded,
    end_of_range, // sentinel behind the last word of a range: sequential execution left the range
    illegal,
    constant, // lui and auipc: the result is known when the instruction is decoded
    jal,      // target inside the same range, word aligned: imm is the distance in words
    jal_far,  // any other target
    jalr,
    beq,
    bne,
    blt,
    bge,
    bltu,
    bgeu,       // target inside the same range: imm is the distance in words
    branch_far, // any other target: evaluated from the instruction word
    lb,
    lh,
    lw,
    lbu,
    lhu,
    sb,
    sh,
    sw,
    addi,
    slti,
    sltiu,
    xori,
    ori,
    andi,
    slli,
    srli,
    srai,
    add,
    sub,
    sll,
    slt,
    sltu,
    xor_,
    srl,
    sra,
    or_,
    and_,
    mul,
    mulh,
    mulhsu,
    mulhu,
    div,
    divu,
    rem,
    remu,
    fence,
    fence_i,
    csr,
    ecall,
    ebreak,
    mret,
    wfi,
};

// One predecoded instruction. Writes to x0 go to register index `riscv_discard`, so the interpreter never
// tests for x0.
struct riscv_op {
    riscv_kind kind;
    uint8_t rd;
    uint8_t rs1;
    uint8_t rs2;
    uint32_t imm; // sign-extended; for `constant` the result; for near jumps and branches a signed distance
                  // in words
};
static_assert(sizeof(riscv_op) == 8);

inline constexpr uint8_t riscv_discard = 32;

// Decodes `word` found at `pc`, a word-aligned address inside the range [range_base, range_base +
// range_bytes).
riscv_op riscv_decode(uint32_t word, uint32_t pc, uint32_t range_base, uint32_t range_bytes);

// Immediates by instruction format (unprivileged spec, "Immediate Encoding Variants"), sign-extended.
constexpr uint32_t riscv_imm_i(uint32_t word) {
    return static_cast<uint32_t>(static_cast<int32_t>(word) >> 20);
}

constexpr uint32_t riscv_imm_s(uint32_t word) { return (riscv_imm_i(word) & ~0x1fu) | ((word >> 7) & 0x1f); }

constexpr uint32_t riscv_imm_b(uint32_t word) {
    const uint32_t sign = static_cast<uint32_t>(static_cast<int32_t>(word) >> 31);
    return (sign << 12) | ((word & 0x80) << 4) | ((word >> 20) & 0x7e0) | ((word >> 7) & 0x1e);
}

constexpr uint32_t riscv_imm_j(uint32_t word) {
    const uint32_t sign = static_cast<uint32_t>(static_cast<int32_t>(word) >> 31);
    return (sign << 20) | (word & 0xff000) | ((word >> 9) & 0x800) | ((word >> 20) & 0x7fe);
}

} // namespace retrace
