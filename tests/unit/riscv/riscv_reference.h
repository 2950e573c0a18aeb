#pragma once

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

// A second opinion on RV32IM: a generator of random programs and an evaluator that never sees an instruction
// word. Both work on mnemonics; the evaluator computes in wide signed integers and knows memory as a map of
// bytes, so it shares no idea with the core it judges.
namespace retrace::test {

struct abstract_instruction {
    std::string name;
    uint32_t rd = 0;
    uint32_t rs1 = 0;
    uint32_t rs2 = 0;
    int32_t imm = 0; // for branches and jumps the distance in bytes; for lui and auipc the upper 20 bits

    uint32_t word() const;
};

// Registers the generator never writes: the base of data accesses.
inline constexpr uint32_t data_register = 31;

// Straight-line code with forward branches and jumps. Loads and stores go to `data_register` + [-2048, 2047],
// aligned.
std::vector<abstract_instruction> random_program(std::mt19937& random, size_t length);

class reference_evaluator {
public:
    struct effect {
        uint32_t pc;
        uint32_t rd; // 0: no register
        uint32_t value;
    };

    reference_evaluator(uint32_t base, const std::vector<uint32_t>& registers);

    // Executes the program from its first instruction until it leaves it.
    std::vector<effect> run(const std::vector<abstract_instruction>& program);

    uint32_t reg(uint32_t index) const { return static_cast<uint32_t>(registers_.at(index)); }
    const std::map<uint32_t, uint8_t>& memory() const { return memory_; }
    uint64_t cycles() const { return cycles_; }

private:
    bool compute(const abstract_instruction& instruction, int64_t& result) const;
    int64_t load(uint32_t address, unsigned bytes, bool is_signed) const;

    uint32_t base_;
    std::vector<int64_t> registers_; // values as two's complement numbers
    std::map<uint32_t, uint8_t> memory_;
    uint64_t cycles_ = 0;
};

} // namespace retrace::test
