#include "tlm/core/riscv/riscv_core.h"

#include <cstring>

// The interpreter's loop. Everything a guest instruction needs is in local variables; `op` walks over the
// decode cache of one bank, so pc is implicit. The loop returns to execute() when the cycle limit is reached
// or anything but straight computation happens (see `leave`); members are up to date at that moment.

namespace retrace {

namespace {

template <class T>
T load(const uint8_t* from) {
    T value;
    std::memcpy(&value, from, sizeof value);
    return value;
}

template <class T>
void store(uint8_t* to, uint32_t value) {
    const T narrow = static_cast<T>(value);
    std::memcpy(to, &narrow, sizeof narrow);
}

constexpr int32_t as_signed(uint32_t value) { return static_cast<int32_t>(value); }
constexpr int64_t sign_extended(uint32_t value) { return static_cast<int32_t>(value); }
constexpr uint32_t high_half(int64_t value) {
    return static_cast<uint32_t>(static_cast<uint64_t>(value) >> 32);
}

// Unprivileged spec, "Division Operations": no traps; division by zero and overflow have defined results.
constexpr bool overflows(uint32_t a, uint32_t b) { return a == 0x80000000u && b == ~0u; }
constexpr uint32_t div_signed(uint32_t a, uint32_t b) {
    return b == 0 ? ~0u : overflows(a, b) ? a : static_cast<uint32_t>(as_signed(a) / as_signed(b));
}
constexpr uint32_t rem_signed(uint32_t a, uint32_t b) {
    return b == 0 ? a : overflows(a, b) ? 0 : static_cast<uint32_t>(as_signed(a) % as_signed(b));
}

constexpr uint32_t access_bytes(riscv_kind kind) {
    switch (kind) {
    case riscv_kind::lw:
    case riscv_kind::sw:
        return 4;
    case riscv_kind::lh:
    case riscv_kind::lhu:
    case riscv_kind::sh:
        return 2;
    default:
        return 1;
    }
}

} // namespace

void riscv_core::interpret(riscv_memory::bank& code, uint64_t until_cycle) {
    const riscv_timing cost = timing_;
    uint32_t* const x = x_.data();
    const riscv_op* const ops = code.ops.get();
    const riscv_op* op = ops + (pc_ - code.base) / 4;
    uint64_t cycle = cycle_;
    uint64_t retired = retired_;

    // The bank of the last data access; accesses elsewhere look their bank up.
    uint32_t data_base = code.base;
    uint32_t data_bytes = code.bytes;
    uint8_t* data = code.data.get();

    const auto index = [&] { return static_cast<uint32_t>(op - ops); };
    const auto here = [&] { return code.base + index() * 4; };
    const auto leave = [&](uint32_t pc) {
        pc_ = pc;
        cycle_ = cycle;
        retired_ = retired;
    };

    while (cycle < until_cycle) {
        const uint32_t a = x[op->rs1];
        const uint32_t b = x[op->rs2];
        const uint32_t imm = op->imm;
        uint32_t result = 0;

        // clang-format off
        switch (op->kind) {
        case riscv_kind::constant: result = imm; break;
        case riscv_kind::addi: result = a + imm; break;
        case riscv_kind::slti: result = as_signed(a) < as_signed(imm); break;
        case riscv_kind::sltiu: result = a < imm; break;
        case riscv_kind::xori: result = a ^ imm; break;
        case riscv_kind::ori: result = a | imm; break;
        case riscv_kind::andi: result = a & imm; break;
        case riscv_kind::slli: result = a << imm; break;
        case riscv_kind::srli: result = a >> imm; break;
        case riscv_kind::srai: result = static_cast<uint32_t>(as_signed(a) >> imm); break;
        case riscv_kind::add: result = a + b; break;
        case riscv_kind::sub: result = a - b; break;
        case riscv_kind::sll: result = a << (b & 31); break;
        case riscv_kind::slt: result = as_signed(a) < as_signed(b); break;
        case riscv_kind::sltu: result = a < b; break;
        case riscv_kind::xor_: result = a ^ b; break;
        case riscv_kind::srl: result = a >> (b & 31); break;
        case riscv_kind::sra: result = static_cast<uint32_t>(as_signed(a) >> (b & 31)); break;
        case riscv_kind::or_: result = a | b; break;
        case riscv_kind::and_: result = a & b; break;

        case riscv_kind::mul: result = a * b; goto multiplied;
        case riscv_kind::mulh: result = high_half(sign_extended(a) * sign_extended(b)); goto multiplied;
        case riscv_kind::mulhsu:
            result = high_half(sign_extended(a) * static_cast<int64_t>(b));
            goto multiplied;
        case riscv_kind::mulhu: result = static_cast<uint32_t>(uint64_t{a} * b >> 32); goto multiplied;
        case riscv_kind::div: result = div_signed(a, b); goto divided;
        case riscv_kind::divu: result = b == 0 ? ~0u : a / b; goto divided;
        case riscv_kind::rem: result = rem_signed(a, b); goto divided;
        case riscv_kind::remu: result = b == 0 ? a : a % b; goto divided;

        case riscv_kind::lb: {
            const uint32_t offset = a + imm - data_base;
            if (offset >= data_bytes) goto elsewhere;
            result = static_cast<uint32_t>(load<int8_t>(data + offset));
            goto loaded;
        }
        case riscv_kind::lbu: {
            const uint32_t offset = a + imm - data_base;
            if (offset >= data_bytes) goto elsewhere;
            result = load<uint8_t>(data + offset);
            goto loaded;
        }
        // Bases and sizes are multiples of 4: an aligned address inside a bank has all its bytes there.
        case riscv_kind::lh: {
            const uint32_t offset = a + imm - data_base;
            if (offset >= data_bytes || (offset & 1) != 0) goto elsewhere;
            result = static_cast<uint32_t>(load<int16_t>(data + offset));
            goto loaded;
        }
        case riscv_kind::lhu: {
            const uint32_t offset = a + imm - data_base;
            if (offset >= data_bytes || (offset & 1) != 0) goto elsewhere;
            result = load<uint16_t>(data + offset);
            goto loaded;
        }
        case riscv_kind::lw: {
            const uint32_t offset = a + imm - data_base;
            if (offset >= data_bytes || (offset & 3) != 0) goto elsewhere;
            result = load<uint32_t>(data + offset);
            goto loaded;
        }
        case riscv_kind::sb: {
            const uint32_t offset = a + imm - data_base;
            if (offset >= data_bytes) goto elsewhere;
            store<uint8_t>(data + offset, b);
            goto stored;
        }
        case riscv_kind::sh: {
            const uint32_t offset = a + imm - data_base;
            if (offset >= data_bytes || (offset & 1) != 0) goto elsewhere;
            store<uint16_t>(data + offset, b);
            goto stored;
        }
        case riscv_kind::sw: {
            const uint32_t offset = a + imm - data_base;
            if (offset >= data_bytes || (offset & 3) != 0) goto elsewhere;
            store<uint32_t>(data + offset, b);
            goto stored;
        }

        case riscv_kind::beq: if (a == b) goto taken; goto not_taken;
        case riscv_kind::bne: if (a != b) goto taken; goto not_taken;
        case riscv_kind::blt: if (as_signed(a) < as_signed(b)) goto taken; goto not_taken;
        case riscv_kind::bge: if (as_signed(a) >= as_signed(b)) goto taken; goto not_taken;
        case riscv_kind::bltu: if (a < b) goto taken; goto not_taken;
        case riscv_kind::bgeu: if (a >= b) goto taken; goto not_taken;

        case riscv_kind::jal:
            x[op->rd] = here() + 4;
            op += as_signed(imm);
            cycle += cost.jump;
            ++retired;
            continue;
        case riscv_kind::jalr: {
            const uint32_t target = (a + imm) & ~1u;
            if ((target & 3) != 0) {
                leave(here());
                take_exception(riscv_cause::misaligned_fetch, target);
                return;
            }
            x[op->rd] = here() + 4;
            cycle += cost.jump;
            ++retired;
            if (target - code.base >= code.bytes) {
                leave(target);
                return;
            }
            op = ops + (target - code.base) / 4;
            continue;
        }
        case riscv_kind::jal_far: {
            const uint32_t target = here() + imm;
            leave(here());
            if ((target & 3) != 0) {
                take_exception(riscv_cause::misaligned_fetch, target);
            } else {
                x[op->rd] = pc_ + 4;
                finish(cost.jump, target);
            }
            return;
        }
        case riscv_kind::branch_far:
            leave(here());
            branch_far(code.fetched[index()]);
            return;

        case riscv_kind::fence:
            cycle += cost.fence;
            ++retired;
            ++op;
            continue;
        case riscv_kind::fence_i:
            cycle += cost.fence_i;
            ++retired;
            ++op;
            memory_.drop_decoded();
            continue;

        case riscv_kind::csr:
            leave(here());
            execute_csr(code.fetched[index()]);
            return;
        case riscv_kind::mret:
            leave(here());
            execute_mret();
            return;
        case riscv_kind::wfi:
            leave(here());
            finish(cost.wfi, pc_ + 4);
            state_ = state::asleep;
            return;
        case riscv_kind::ecall:
            leave(here());
            take_exception(riscv_cause::ecall_machine, 0);
            return;
        case riscv_kind::ebreak:
            leave(here());
            take_exception(riscv_cause::breakpoint, pc_);
            return;
        case riscv_kind::illegal: {
            // Privileged spec, mtval: the shortest of the instruction and ILEN bits. A word whose low bits are not 11
            // encodes a 16-bit instruction.
            const uint32_t word = code.fetched[index()];
            leave(here());
            take_exception(riscv_cause::illegal_instruction, (word & 3) == 3 ? word : word & 0xffff);
            return;
        }
        case riscv_kind::end_of_range:
            leave(here());
            return;
        case riscv_kind::undecoded:
            riscv_memory::decode(code, index());
            continue;
        }
        // clang-format on

        x[op->rd] = result;
        cycle += cost.alu;
        ++retired;
        ++op;
        continue;

    multiplied:
        x[op->rd] = result;
        cycle += cost.mul;
        ++retired;
        ++op;
        continue;

    divided:
        x[op->rd] = result;
        cycle += cost.div;
        ++retired;
        ++op;
        continue;

    loaded:
        x[op->rd] = result;
        cycle += cost.load;
        ++retired;
        ++op;
        continue;

    stored:
        cycle += cost.store;
        ++retired;
        ++op;
        continue;

    taken:
        op += as_signed(imm);
        cycle += cost.branch_taken;
        ++retired;
        continue;

    not_taken:
        ++op;
        cycle += cost.branch_not_taken;
        ++retired;
        continue;

    elsewhere : {
        // A load or store that is misaligned, in another bank, or outside private memory.
        const uint32_t address = a + imm;
        const bool is_store = op->kind >= riscv_kind::sb && op->kind <= riscv_kind::sw;
        if ((address & (access_bytes(op->kind) - 1)) != 0) {
            leave(here());
            take_exception(is_store ? riscv_cause::misaligned_store : riscv_cause::misaligned_load, address);
            return;
        }
        riscv_memory::bank* other = memory_.find(address);
        if (other == nullptr) {
            leave(here());
            request_bus(code.fetched[index()], address);
            return;
        }
        data_base = other->base;
        data_bytes = other->bytes;
        data = other->data.get();
        continue;
    }
    }
    leave(here());
}

} // namespace retrace
