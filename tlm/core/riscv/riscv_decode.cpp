#include "tlm/core/riscv/riscv_decode.h"

namespace retrace {

namespace {

using kind = riscv_kind;

constexpr kind branch_kinds[8] = {kind::beq, kind::bne, kind::illegal, kind::illegal,
                                  kind::blt, kind::bge, kind::bltu,    kind::bgeu};
constexpr kind load_kinds[8] = {kind::lb,  kind::lh,  kind::lw,      kind::illegal,
                                kind::lbu, kind::lhu, kind::illegal, kind::illegal};
constexpr kind store_kinds[8] = {kind::sb,      kind::sh,      kind::sw,      kind::illegal,
                                 kind::illegal, kind::illegal, kind::illegal, kind::illegal};
constexpr kind immediate_kinds[8] = {kind::addi, kind::slli, kind::slti, kind::sltiu,
                                     kind::xori, kind::srli, kind::ori,  kind::andi};
constexpr kind register_kinds[8] = {kind::add,  kind::sll, kind::slt, kind::sltu,
                                    kind::xor_, kind::srl, kind::or_, kind::and_};
constexpr kind multiply_kinds[8] = {kind::mul, kind::mulh, kind::mulhsu, kind::mulhu,
                                    kind::div, kind::divu, kind::rem,    kind::remu};

kind decode_register(uint32_t funct3, uint32_t funct7) {
    switch (funct7) {
    case 0x00:
        return register_kinds[funct3];
    case 0x01:
        return multiply_kinds[funct3];
    case 0x20:
        return funct3 == 0 ? kind::sub : funct3 == 5 ? kind::sra : kind::illegal;
    default:
        return kind::illegal;
    }
}

kind decode_immediate(uint32_t funct3, uint32_t funct7) {
    // RV32 shift amounts have five bits: bit 25 set (shamt >= 32) is an illegal instruction.
    if (funct3 == 1 && funct7 != 0) {
        return kind::illegal;
    }
    if (funct3 == 5 && funct7 != 0) {
        return funct7 == 0x20 ? kind::srai : kind::illegal;
    }
    return immediate_kinds[funct3];
}

kind decode_system(uint32_t word, uint32_t funct3) {
    if (funct3 != 0) {
        return funct3 == 4 ? kind::illegal : kind::csr;
    }
    switch (word) {
    case 0x00000073:
        return kind::ecall;
    case 0x00100073:
        return kind::ebreak;
    case 0x30200073:
        return kind::mret;
    case 0x10500073:
        return kind::wfi;
    default:
        return kind::illegal;
    }
}

} // namespace

riscv_op riscv_decode(uint32_t word, uint32_t pc, uint32_t range_base, uint32_t range_bytes) {
    const uint32_t funct3 = (word >> 12) & 7;
    const uint32_t funct7 = word >> 25;
    const uint32_t rd = (word >> 7) & 31;
    riscv_op op{kind::illegal, rd == 0 ? riscv_discard : static_cast<uint8_t>(rd),
                static_cast<uint8_t>((word >> 15) & 31), static_cast<uint8_t>((word >> 20) & 31),
                riscv_imm_i(word)};
    const auto is_near = [&](uint32_t distance) {
        const uint32_t target = pc + distance;
        return (target & 3) == 0 && target - range_base < range_bytes;
    };
    const auto words = [](uint32_t distance) {
        return static_cast<uint32_t>(static_cast<int32_t>(distance) / 4);
    };

    switch (word & 0x7f) {
    case 0x37:
        op.kind = kind::constant;
        op.imm = word & 0xfffff000;
        break;
    case 0x17:
        op.kind = kind::constant;
        op.imm = pc + (word & 0xfffff000);
        break;
    case 0x6f:
        op.imm = riscv_imm_j(word);
        op.kind = is_near(op.imm) ? kind::jal : kind::jal_far;
        op.imm = op.kind == kind::jal ? words(op.imm) : op.imm;
        break;
    case 0x67:
        op.kind = funct3 == 0 ? kind::jalr : kind::illegal;
        break;
    case 0x63:
        op.imm = riscv_imm_b(word);
        op.kind = branch_kinds[funct3];
        if (op.kind != kind::illegal) {
            if (is_near(op.imm)) {
                op.imm = words(op.imm);
            } else {
                op.kind = kind::branch_far;
            }
        }
        break;
    case 0x03:
        op.kind = load_kinds[funct3];
        break;
    case 0x23:
        op.kind = store_kinds[funct3];
        op.imm = riscv_imm_s(word);
        break;
    case 0x13:
        op.kind = decode_immediate(funct3, funct7);
        if (funct3 == 1 || funct3 == 5) {
            op.imm &= 31;
        }
        break;
    case 0x33:
        op.kind = decode_register(funct3, funct7);
        break;
    case 0x0f:
        // The other fields of fence and fence.i are reserved for finer fences and ignored, as the spec asks.
        op.kind = funct3 == 0 ? kind::fence : funct3 == 1 ? kind::fence_i : kind::illegal;
        break;
    case 0x73:
        op.kind = decode_system(word, funct3);
        break;
    default:
        break;
    }
    return op;
}

} // namespace retrace
