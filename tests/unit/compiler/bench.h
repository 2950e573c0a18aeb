#pragma once
// Runs single kernels on the interpreter: places tensors, builds the command, reads results back. And the
// scalar reference.
#include <bit>
#include <cmath>
#include <cstring>
#include <random>

#include <gtest/gtest.h>

#include "host/arithmetic.h"
#include "host/compiler/gemm.h"
#include "sim/cosim/interpreter.h"
#include "sim/cosim/reference_numbers.h"

namespace retrace::compiler::testing {

using cosim::interpreter;

inline float bf16_value(std::uint16_t bits) {
    return std::bit_cast<float>(cosim::widen(spec::number_format::bf16, bits));
}
inline std::uint16_t bf16_bits(float value) {
    return static_cast<std::uint16_t>(
        cosim::narrow(spec::number_format::bf16, std::bit_cast<std::uint32_t>(value)));
}

/// A function as the manual defines it, bit by bit.
inline float function(spec::activation_function f, float x) {
    return std::bit_cast<float>(cosim::apply(f, std::bit_cast<std::uint32_t>(x)));
}

inline device_capabilities test_device(unsigned rows, unsigned columns, unsigned queues = 4) {
    device_capabilities d;
    d.rows = rows;
    d.columns = columns;
    d.psum_banks = 4;
    d.psum_rows = 16;
    d.state_buffer_bytes = 32 << 10;
    d.state_buffer_banks = 8;
    d.dma_queues = queues;
    d.activation_lanes = d.vector_lanes = 8;
    d.dram_bytes = 1 << 20;
    d.host_bytes = 1 << 20;
    d.regions = {{spec::region_kind::activations, 0, 256 << 10},
                 {spec::region_kind::gradients, 256 << 10, 128 << 10},
                 {spec::region_kind::weights, 384 << 10, 128 << 10},
                 {spec::region_kind::programs, 512 << 10, 512 << 10}};
    return d;
}

/// A matrix of values that the format holds exactly.
struct values {
    std::size_t rows = 0, columns = 0;
    std::vector<float> v;
    float& at(std::size_t r, std::size_t c) { return v[r * columns + c]; }
    float at(std::size_t r, std::size_t c) const { return v[r * columns + c]; }
};

inline float rounded(float v, spec::number_format f) {
    return f == spec::number_format::bf16 ? bf16_value(bf16_bits(v)) : v;
}

inline values random_values(std::size_t rows, std::size_t columns, spec::number_format f,
                            std::uint64_t seed) {
    std::mt19937_64 random(seed);
    values m{rows, columns, std::vector<float>(rows * columns)};
    std::uniform_real_distribution<float> real(-2.0f, 2.0f);
    for (float& x : m.v) {
        x = f == spec::number_format::int8 ? static_cast<float>(static_cast<int>(random() % 256) - 128)
                                           : rounded(real(random), f);
        if (f != spec::number_format::int8 && random() % 16 == 0)
            x = random() % 2 ? 0.0f : -0.0f;
    }
    return m;
}

inline void encode(const values& m, spec::number_format f, std::byte* to, std::size_t pitch) {
    for (std::size_t r = 0; r < m.rows; ++r)
        for (std::size_t c = 0; c < m.columns; ++c) {
            const float x = m.at(r, c);
            std::byte* at = to + r * pitch + c * bytes_of(f);
            if (f == spec::number_format::bf16) {
                const std::uint16_t bits = bf16_bits(x);
                std::memcpy(at, &bits, 2);
            } else if (f == spec::number_format::int8)
                *at = static_cast<std::byte>(static_cast<std::int8_t>(x));
            else
                std::memcpy(at, &x, 4);
        }
}

inline values decode(const std::byte* from, std::size_t rows, std::size_t columns, spec::number_format f,
                     std::size_t pitch) {
    values m{rows, columns, std::vector<float>(rows * columns)};
    for (std::size_t r = 0; r < rows; ++r)
        for (std::size_t c = 0; c < columns; ++c) {
            const std::byte* at = from + r * pitch + c * bytes_of(f);
            if (f == spec::number_format::bf16) {
                std::uint16_t bits;
                std::memcpy(&bits, at, 2);
                m.at(r, c) = bf16_value(bits);
            } else
                std::memcpy(&m.at(r, c), at, 4);
        }
    return m;
}

inline values transposed(const values& m) {
    values t{m.columns, m.rows, std::vector<float>(m.v.size())};
    for (std::size_t r = 0; r < m.rows; ++r)
        for (std::size_t c = 0; c < m.columns; ++c)
            t.at(c, r) = m.at(r, c);
    return t;
}

/// C = A B by the numeric contract: a fused chain per k tile of `tile` rows, tiles added in fp32.
inline values product(const values& a, const values& b, std::size_t tile) {
    values c{a.rows, b.columns, std::vector<float>(a.rows * b.columns)};
    for (std::size_t m = 0; m < a.rows; ++m)
        for (std::size_t n = 0; n < b.columns; ++n)
            for (std::size_t k0 = 0; k0 < a.columns; k0 += tile) {
                float chain = 0.0f;
                for (std::size_t k = k0; k < std::min(k0 + tile, a.columns); ++k)
                    chain = std::fma(a.at(m, k), b.at(k, n), chain);
                c.at(m, n) = k0 == 0 ? chain : c.at(m, n) + chain;
            }
    return c;
}

inline void expect_same_bits(const values& got, const values& want, const std::string& what) {
    ASSERT_EQ(got.v.size(), want.v.size()) << what;
    for (std::size_t i = 0; i < got.v.size(); ++i)
        ASSERT_EQ(std::bit_cast<std::uint32_t>(got.v[i]), std::bit_cast<std::uint32_t>(want.v[i]))
            << what << " at row " << i / got.columns << ", column " << i % got.columns << ": " << got.v[i]
            << " instead of " << want.v[i];
}

/// One kernel, one command. Operands are placed in device DRAM (or host memory), packed one after the other.
class kernel_bench {
public:
    kernel_bench(const device_capabilities& device, std::uint64_t seed)
        : device_(device), machine(device, device.host_bytes, seed) {}

    /// Reserves bytes; tag = slot number + 1.
    spec::operand in_dram(std::uint64_t bytes, unsigned tag, std::uint8_t access) {
        spec::operand o = operand(spec::memory_kind::device_dram, dram_at_, bytes, tag, access);
        dram_at_ = (dram_at_ + bytes + 63) / 64 * 64;
        return o;
    }
    spec::operand in_host(std::uint64_t bytes, unsigned tag, std::uint8_t access) {
        spec::operand o =
            operand(spec::memory_kind::host, spec::host_window_base + host_at_, bytes, tag, access);
        host_at_ = (host_at_ + bytes + 63) / 64 * 64;
        return o;
    }
    std::byte* bytes(const spec::operand& o) {
        return o.memory == static_cast<std::uint8_t>(spec::memory_kind::host)
                   ? machine.host.data() + (o.base - spec::host_window_base)
                   : machine.dram.data.data() + o.base;
    }
    void put(const spec::operand& o, const values& m, spec::number_format f, std::size_t pitch) {
        encode(m, f, bytes(o), pitch);
        if (o.memory == static_cast<std::uint8_t>(spec::memory_kind::device_dram))
            for (std::size_t r = 0; r < m.rows; ++r)
                machine.dram.set_owner(o.base + r * pitch, m.columns * bytes_of(f),
                                       std::uint64_t{o.tag} << 32 | o.version);
    }

    /// `tensors`: the operands behind WORK and PSUM, in slot order.
    spec::command command(const compiled_kernel& kernel, const std::vector<spec::operand>& tensors) {
        spec::command c;
        c.opcode = static_cast<std::uint8_t>(spec::command_opcode::run);
        c.sequence = ++sequence_;
        c.work_base = 1024; // not zero, so that a kernel that forgets its slot is found
        c.work_bytes = static_cast<std::uint32_t>(kernel.work_bytes);
        c.psum_first = 0;
        c.psum_count = static_cast<std::uint16_t>(kernel.psum_banks);
        std::uint64_t program_at = 0; // commands run one at a time and may reuse the space
        for (const engine_program& p : kernel.programs) {
            program_at = (program_at + 63) / 64 * 64;
            const std::uint64_t at = device_.region(spec::region_kind::programs).base + program_at;
            machine.load(at, p);
            c.program_engine[c.program_count] = static_cast<std::uint8_t>(p.engine);
            c.programs[c.program_count++] = {static_cast<std::uint32_t>(at),
                                             static_cast<std::uint32_t>(p.code.size())};
            program_at += p.code.size() * spec::instruction_bytes;
        }
        c.operands[0] = operand(spec::memory_kind::state_buffer, c.work_base, kernel.work_bytes, 0, 3);
        c.operands[1] =
            operand(spec::memory_kind::psum, 0, kernel.psum_banks * device_.psum_bank_bytes(), 0, 3);
        c.operands[0].version = c.operands[1].version = 0;
        for (std::size_t t = 0; t < tensors.size(); ++t)
            c.operands[2 + t] = tensors[t];
        c.operand_count = static_cast<std::uint8_t>(2 + tensors.size());
        return c;
    }

    void run(const spec::command& c) {
        machine.run({c});
        ASSERT_TRUE(machine.faults.empty()) << machine.faults.front();
    }

    work_space space() const { return {1024, device_.state_buffer_bytes - 1024}; }

    static spec::operand operand(spec::memory_kind memory, std::uint64_t base, std::uint64_t bytes,
                                 unsigned tag, std::uint8_t access) {
        spec::operand o;
        o.base = base;
        o.bytes = static_cast<std::uint32_t>(bytes);
        o.tag = tag;
        o.version = 7;
        o.memory = static_cast<std::uint8_t>(memory);
        o.access = access;
        return o;
    }

private:
    device_capabilities device_;
    std::uint64_t dram_at_ = 0, host_at_ = 0;
    std::uint32_t sequence_ = 0;

public:
    interpreter machine;
};

inline void expect_sound(const compiled_kernel& kernel) {
    const auto faults = check(kernel.programs, limits_of(kernel));
    ASSERT_TRUE(faults.empty()) << faults.front() << "\n" << disassemble(kernel);
}

} // namespace retrace::compiler::testing
