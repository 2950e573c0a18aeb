#include "tests/unit/riscv/riscv_encode.h"
#include "tests/unit/riscv/riscv_reference.h"

#include <gtest/gtest.h>
#include <random>

namespace {

using namespace retrace;
using namespace retrace::test;
using stop = riscv_core::stop;

constexpr uint32_t data_base = ram + 0x8000;

std::vector<uint32_t> random_registers(std::mt19937& random) {
    const uint32_t corners[] = {0,          1,          2,          31,         32,    0x7fffffff,
                                0x80000000, 0x80000001, 0xffffffff, 0xfffffffe, 0xffff};
    std::vector<uint32_t> registers(32);
    for (uint32_t index = 1; index < 32; ++index) {
        registers[index] =
            random() % 2 == 0 ? corners[random() % std::size(corners)] : static_cast<uint32_t>(random());
    }
    registers[data_register] = data_base;
    return registers;
}

riscv_core load_program(const std::vector<uint32_t>& words, const std::vector<uint32_t>& registers) {
    riscv_core core = make_core({});
    put_words(core, ram, words);
    core.reset(ram);
    for (uint32_t index = 1; index < 32; ++index) {
        core.set_x(index, registers[index]);
    }
    return core;
}

TEST(riscv_random, agrees_with_the_reference_on_every_instruction) {
    std::mt19937 random(4711);
    for (int round = 0; round < 1500; ++round) {
        const std::vector<uint32_t> registers = random_registers(random);
        const auto program = random_program(random, 200);
        std::vector<uint32_t> words;
        for (const auto& instruction : program) {
            words.push_back(instruction.word());
        }
        reference_evaluator reference(ram, registers);
        const auto expected = reference.run(program);

        riscv_core traced = load_program(words, registers);
        std::vector<riscv_retired> seen;
        traced.set_hook([&](const riscv_retired& each) { seen.push_back(each); });
        ASSERT_EQ(traced.run(reference.cycles()), stop::cycle_limit);
        for (size_t index = 0; index < expected.size(); ++index) {
            ASSERT_LT(index, seen.size());
            const auto& instruction = program[(expected[index].pc - ram) / 4];
            ASSERT_EQ(seen[index].pc, expected[index].pc) << "round " << round << " step " << index;
            ASSERT_EQ(seen[index].rd, expected[index].rd) << instruction.name;
            ASSERT_EQ(seen[index].value, expected[index].value)
                << instruction.name << " x" << instruction.rd << ", x" << instruction.rs1 << ", x"
                << instruction.rs2 << ", " << instruction.imm << " in round " << round << " step " << index;
        }
        ASSERT_EQ(seen.size(), expected.size());

        riscv_core plain = load_program(words, registers);
        ASSERT_EQ(plain.run(reference.cycles()), stop::cycle_limit);
        ASSERT_EQ(plain.cycle(), reference.cycles());
        ASSERT_EQ(plain.retired(), expected.size());
        for (uint32_t index = 0; index < 32; ++index) {
            ASSERT_EQ(plain.x(index), reference.reg(index)) << "x" << index << " in round " << round;
        }
        for (const auto& [address, value] : reference.memory()) {
            uint8_t byte = 0;
            ASSERT_TRUE(plain.read_memory(address, std::span(&byte, 1)));
            ASSERT_EQ(byte, value) << std::hex << address << " in round " << std::dec << round;
        }
    }
}

// Words that are mostly instructions: a real opcode with random fields, system instructions with CSRs that
// exist, noise.
uint32_t random_word(std::mt19937& random) {
    const uint32_t opcodes[] = {0x37, 0x17, 0x6f, 0x67, 0x63, 0x03, 0x23, 0x13, 0x33, 0x0f, 0x73};
    const uint32_t csrs[] = {0x300, 0x301, 0x304, 0x305, 0x340, 0x341, 0x342, 0x343,
                             0x344, 0xb00, 0xb02, 0xb80, 0xb82, 0xc00, 0xf14};
    const auto word = static_cast<uint32_t>(random());
    switch (random() % 16) {
    case 0:
        return word;
    case 1:
        return csrs[random() % std::size(csrs)] << 20 | (word & 0xfff80) | 0x73;
    case 2: {
        const uint32_t whole[] = {encode::ecall, encode::ebreak, encode::mret, encode::wfi, encode::fence_i};
        return whole[random() % std::size(whole)];
    }
    case 3:
        return encode::b_type(random() % 8, word & 31, word >> 5 & 31,
                              (static_cast<int32_t>(random() % 64) - 32) * 2);
    case 4:
        return encode::jal(word & 31, (static_cast<int32_t>(random() % 64) - 32) * 2);
    default:
        return (word & ~0x7fu) | opcodes[random() % std::size(opcodes)];
    }
}

struct trace_end {
    std::vector<uint32_t> state;
    uint64_t cycle = 0;
    uint64_t retired = 0;
    uint64_t hash = 0;
};

// Runs a program of noise with a scripted environment. Everything the environment does depends on core-local
// time only, so the way run() is sliced must not show. `slice` 0 means no slices but the environment's own
// events.
trace_end run_noise(uint32_t seed, uint64_t slice, bool traced) {
    std::mt19937 random(seed);
    std::vector<uint32_t> words(256);
    for (uint32_t& word : words) {
        word = random_word(random);
    }
    std::vector<uint32_t> registers = random_registers(random);
    for (uint32_t index = 1; index < 32; index += 3) {
        registers[index] = ram + static_cast<uint32_t>(random() % 1024);
    }
    // The handler sends every trap back into the noise, behind the instruction that trapped, until noise
    // overwrites it.
    constexpr uint32_t handler = ram + 0x800, mtvec = 0x305, mepc = 0x341;
    words[0] = encode::csrrw(0, mtvec, data_register);
    words.back() = encode::jal(0, -512);
    registers[data_register] = handler;
    riscv_core core = load_program(words, registers);
    put_words(core, handler,
              {encode::csrrs(30, mepc, 0), encode::addi(30, 30, 4), encode::i_type(0x13, 7, 30, 30, 0x3fc),
               encode::lui(29, ram >> 12), encode::r_type(0, 6, 30, 30, 29), encode::csrrw(0, mepc, 30),
               encode::mret});
    if (traced) {
        core.set_hook([](const riscv_retired&) {});
    }
    trace_end end;
    const auto mix = [&](uint64_t value) { end.hash = (end.hash ^ value) * 0x100000001b3u; };
    constexpr uint64_t period = 97;
    constexpr uint64_t last = 62 * period;
    while (core.cycle() < last) {
        const uint64_t phase = core.cycle() / period;
        core.set_external_interrupt(phase % 3 == 1);
        core.set_timer_interrupt(phase % 5 == 2);
        core.set_software_interrupt(phase % 7 == 3);
        const uint64_t event = (phase + 1) * period;
        const uint64_t until = slice == 0 ? event : std::min(event, core.cycle() + slice);
        const stop reason = core.run(until);
        if (reason == stop::bus_access) {
            const riscv_bus_access access = core.pending_bus();
            mix(access.address);
            mix(access.bytes | (access.is_write ? 8 : 0));
            mix(access.data);
            mix(core.cycle());
            core.complete_bus(access.address * 2654435761u, access.address % 16 != 8);
        } else if (reason == stop::wait_for_interrupt) {
            core.advance_to((core.cycle() / period + 1) * period);
        } else if (reason == stop::halted) {
            break;
        }
    }
    for (uint32_t index = 0; index < 32; ++index) {
        end.state.push_back(core.x(index));
    }
    for (uint32_t number = 0; number < 0x1000; ++number) {
        end.state.push_back(core.csr(number).value_or(0));
    }
    for (uint32_t offset = 0; offset < 4096; offset += 4) {
        end.state.push_back(get_word(core, ram + offset));
    }
    end.state.push_back(core.pc());
    end.cycle = core.cycle();
    end.retired = core.retired();
    return end;
}

TEST(riscv_random, noise_is_defined_and_does_not_depend_on_how_time_is_sliced) {
    uint64_t retired = 0;
    for (uint32_t seed = 1; seed <= 1500; ++seed) {
        const trace_end whole = run_noise(seed, 0, false);
        const trace_end sliced = run_noise(seed, 1 + seed % 5, false);
        const trace_end traced = run_noise(seed, 0, true);
        ASSERT_EQ(whole.state, sliced.state) << seed;
        ASSERT_EQ(whole.state, traced.state) << seed;
        ASSERT_EQ(whole.hash, sliced.hash) << seed;
        ASSERT_EQ(whole.hash, traced.hash) << seed;
        ASSERT_EQ(whole.cycle, sliced.cycle) << seed;
        ASSERT_EQ(whole.cycle, traced.cycle) << seed;
        ASSERT_EQ(whole.retired, traced.retired) << seed;
        retired += whole.retired;
    }
    EXPECT_GT(retired, 1000000u) << "the noise hardly executed anything";
}

} // namespace
