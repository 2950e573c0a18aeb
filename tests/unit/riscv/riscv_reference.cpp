#include "tests/unit/riscv/riscv_reference.h"

#include "tests/unit/riscv/riscv_encode.h"

#include <stdexcept>

namespace retrace::test {

namespace {

struct description {
    enum shape { two_registers, immediate, shift, load, store, branch, jump, upper } shape;
    uint32_t funct3;
    uint32_t funct7;
    unsigned cycles;
};

const std::map<std::string, description>& instructions() {
    using d = description;
    static const std::map<std::string, description> table = {
        {"add", {d::two_registers, 0, 0, 1}},
        {"sub", {d::two_registers, 0, 0x20, 1}},
        {"sll", {d::two_registers, 1, 0, 1}},
        {"slt", {d::two_registers, 2, 0, 1}},
        {"sltu", {d::two_registers, 3, 0, 1}},
        {"xor", {d::two_registers, 4, 0, 1}},
        {"srl", {d::two_registers, 5, 0, 1}},
        {"sra", {d::two_registers, 5, 0x20, 1}},
        {"or", {d::two_registers, 6, 0, 1}},
        {"and", {d::two_registers, 7, 0, 1}},
        {"mul", {d::two_registers, 0, 1, 3}},
        {"mulh", {d::two_registers, 1, 1, 3}},
        {"mulhsu", {d::two_registers, 2, 1, 3}},
        {"mulhu", {d::two_registers, 3, 1, 3}},
        {"div", {d::two_registers, 4, 1, 34}},
        {"divu", {d::two_registers, 5, 1, 34}},
        {"rem", {d::two_registers, 6, 1, 34}},
        {"remu", {d::two_registers, 7, 1, 34}},
        {"addi", {d::immediate, 0, 0, 1}},
        {"slti", {d::immediate, 2, 0, 1}},
        {"sltiu", {d::immediate, 3, 0, 1}},
        {"xori", {d::immediate, 4, 0, 1}},
        {"ori", {d::immediate, 6, 0, 1}},
        {"andi", {d::immediate, 7, 0, 1}},
        {"slli", {d::shift, 1, 0, 1}},
        {"srli", {d::shift, 5, 0, 1}},
        {"srai", {d::shift, 5, 0x20, 1}},
        {"lb", {d::load, 0, 0, 2}},
        {"lh", {d::load, 1, 0, 2}},
        {"lw", {d::load, 2, 0, 2}},
        {"lbu", {d::load, 4, 0, 2}},
        {"lhu", {d::load, 5, 0, 2}},
        {"sb", {d::store, 0, 0, 1}},
        {"sh", {d::store, 1, 0, 1}},
        {"sw", {d::store, 2, 0, 1}},
        {"beq", {d::branch, 0, 0, 0}},
        {"bne", {d::branch, 1, 0, 0}},
        {"blt", {d::branch, 4, 0, 0}},
        {"bge", {d::branch, 5, 0, 0}},
        {"bltu", {d::branch, 6, 0, 0}},
        {"bgeu", {d::branch, 7, 0, 0}},
        {"jal", {d::jump, 0, 0, 2}},
        {"lui", {d::upper, 0, 0x37, 1}},
        {"auipc", {d::upper, 0, 0x17, 1}},
    };
    return table;
}

unsigned access_size(const std::string& name) { return name[1] == 'b' ? 1 : name[1] == 'h' ? 2 : 4; }

int64_t wrap(int64_t value) {
    value &= 0xffffffff;
    return value >= 0x80000000 ? value - 0x100000000 : value;
}
int64_t as_unsigned(int64_t value) { return value < 0 ? value + 0x100000000 : value; }
int64_t floor_shift(int64_t value, int64_t places) {
    for (; places > 0; --places) {
        value = (value - (value % 2 != 0 && value < 0 ? 1 : 0)) / 2;
    }
    return value;
}

} // namespace

uint32_t abstract_instruction::word() const {
    const description& d = instructions().at(name);
    switch (d.shape) {
    case description::two_registers:
        return encode::r_type(d.funct7, d.funct3, rd, rs1, rs2);
    case description::immediate:
        return encode::i_type(0x13, d.funct3, rd, rs1, imm);
    case description::shift:
        return encode::i_type(0x13, d.funct3, rd, rs1, static_cast<int32_t>(d.funct7 << 5) | imm);
    case description::load:
        return encode::i_type(0x03, d.funct3, rd, rs1, imm);
    case description::store:
        return encode::s_type(d.funct3, rs2, rs1, imm);
    case description::branch:
        return encode::b_type(d.funct3, rs1, rs2, imm);
    case description::jump:
        return encode::jal(rd, imm);
    case description::upper:
        return static_cast<uint32_t>(imm) << 12 | rd << 7 | d.funct7;
    }
    throw std::logic_error("no such shape");
}

std::vector<abstract_instruction> random_program(std::mt19937& random, size_t length) {
    std::vector<std::string> names;
    for (const auto& [name, unused] : instructions()) {
        names.push_back(name);
    }
    std::vector<abstract_instruction> program;
    for (size_t index = 0; index < length; ++index) {
        abstract_instruction next;
        next.name = names[random() % names.size()];
        const description& d = instructions().at(next.name);
        next.rd = random() % data_register;
        next.rs1 = random() % 32;
        next.rs2 = random() % 4 == 0 ? next.rs1 : random() % 32;
        next.imm = static_cast<int32_t>(random() % 4096) - 2048;
        switch (d.shape) {
        case description::shift:
            next.imm = static_cast<int32_t>(random() % 32);
            break;
        case description::load:
        case description::store:
            next.rs1 = data_register;
            next.imm -= next.imm & static_cast<int32_t>(access_size(next.name) - 1);
            break;
        case description::branch:
        case description::jump:
            next.imm = 4 * static_cast<int32_t>(1 + random() % 6);
            break;
        case description::upper:
            next.imm = static_cast<int32_t>(random() % (1 << 20));
            break;
        default:
            break;
        }
        program.push_back(next);
    }
    return program;
}

reference_evaluator::reference_evaluator(uint32_t base, const std::vector<uint32_t>& registers)
    : base_(base) {
    for (const uint32_t value : registers) {
        registers_.push_back(wrap(value));
    }
}

int64_t reference_evaluator::load(uint32_t address, unsigned bytes, bool is_signed) const {
    int64_t value = 0;
    int64_t weight = 1;
    for (unsigned index = 0; index < bytes; ++index, weight *= 256) {
        const auto found = memory_.find(address + index);
        value += weight * (found == memory_.end() ? 0 : found->second);
    }
    return is_signed && value >= weight / 2 ? value - weight : value;
}

bool reference_evaluator::compute(const abstract_instruction& instruction, int64_t& result) const {
    std::string name = instruction.name;
    const int64_t a = registers_[instruction.rs1];
    int64_t b = registers_[instruction.rs2];
    const auto shape = instructions().at(name).shape;
    if (shape == description::immediate || shape == description::shift) {
        b = instruction.imm;
        name = name == "sltiu" ? "sltu" : name.substr(0, name.size() - 1);
    }
    const int64_t ua = as_unsigned(a);
    const int64_t ub = as_unsigned(b);
    const int64_t places = ub % 32;
    const int64_t power = int64_t{1} << places;
    if (name == "add") {
        result = a + b;
    } else if (name == "sub") {
        result = a - b;
    } else if (name == "sll" || name == "sl") {
        result = ua * power;
    } else if (name == "srl") {
        result = ua / power;
    } else if (name == "sra") {
        result = floor_shift(a, places);
    } else if (name == "slt") {
        result = a < b ? 1 : 0;
    } else if (name == "sltu") {
        result = ua < ub ? 1 : 0;
    } else if (name == "xor") {
        result = (ua | ub) - (ua & ub);
    } else if (name == "or") {
        result = ua + ub - (ua & ub);
    } else if (name == "and") {
        result = ua & ub;
    } else if (name == "mul") {
        result = static_cast<int64_t>(static_cast<uint64_t>(ua) * static_cast<uint64_t>(ub) % 0x100000000);
    } else if (name == "mulh") {
        result = floor_shift(a * b, 32);
    } else if (name == "mulhsu") {
        result = floor_shift(a * ub, 32);
    } else if (name == "mulhu") {
        result = static_cast<int64_t>(static_cast<uint64_t>(ua) * static_cast<uint64_t>(ub) / 0x100000000);
    } else if (name == "div") {
        result = b == 0 ? -1 : a / b; // the overflow case wraps by itself in 64 bits
    } else if (name == "divu") {
        result = ub == 0 ? -1 : ua / ub;
    } else if (name == "rem") {
        result = b == 0 ? a : a % b;
    } else if (name == "remu") {
        result = ub == 0 ? ua : ua % ub;
    } else {
        return false;
    }
    return true;
}

std::vector<reference_evaluator::effect>
reference_evaluator::run(const std::vector<abstract_instruction>& program) {
    std::vector<effect> effects;
    size_t index = 0;
    while (index < program.size()) {
        const abstract_instruction& instruction = program[index];
        const std::string& name = instruction.name;
        const description& d = instructions().at(name);
        const uint32_t pc = base_ + static_cast<uint32_t>(index) * 4;
        size_t next = index + 1;
        const size_t target = index + static_cast<size_t>(instruction.imm / 4);
        bool writes = true;
        int64_t result = 0;
        cycles_ += d.cycles;
        if (compute(instruction, result)) {
            // nothing else to do
        } else if (name == "lui") {
            result = int64_t{instruction.imm} * 4096;
        } else if (name == "auipc") {
            result = pc + int64_t{instruction.imm} * 4096;
        } else if (name == "jal") {
            result = pc + int64_t{4};
            next = target;
        } else if (d.shape == description::branch) {
            writes = false;
            const int64_t a = registers_[instruction.rs1];
            const int64_t b = registers_[instruction.rs2];
            const bool less = name.back() == 'u' ? as_unsigned(a) < as_unsigned(b) : a < b;
            const bool taken = name == "beq"    ? a == b
                               : name == "bne"  ? a != b
                               : name[1] == 'l' ? less
                                                : !less;
            next = taken ? target : next;
            cycles_ += taken ? 2 : 1;
        } else {
            const auto address = static_cast<uint32_t>(registers_[instruction.rs1] + instruction.imm);
            if (d.shape == description::load) {
                result = load(address, access_size(name), name.back() != 'u');
            } else {
                writes = false;
                int64_t value = as_unsigned(registers_[instruction.rs2]);
                for (unsigned byte = 0; byte < access_size(name); ++byte, value /= 256) {
                    memory_[address + byte] = static_cast<uint8_t>(value % 256);
                }
            }
        }
        if (writes && instruction.rd != 0) {
            registers_[instruction.rd] = wrap(result);
        }
        const uint32_t rd = writes ? instruction.rd : 0;
        effects.push_back({pc, rd, rd == 0 ? 0 : reg(rd)});
        index = next;
    }
    return effects;
}

} // namespace retrace::test
