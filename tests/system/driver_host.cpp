#include <cstring>
#include <random>

#include <fmt/format.h>

#include "host/compiler/kernel_builder.h"
#include "host/compiler/program.h"
#include "tests/system/ordering_bench.h"

namespace retrace::test {

namespace {

using compiler::engine_program;
using spec::memory_kind;

constexpr unsigned rounds = 48, lanes = 6;
constexpr unsigned block_bytes = 16, blocks = 96;   // a program of that many instructions takes the mover two copies
constexpr std::uint64_t bytes = block_bytes * blocks;
constexpr std::uint64_t timeout = 3'000'000;

template <typename T>
T checked(result<T> r, const char* what) {
    if (!r)
        throw std::runtime_error(fmt::format("{}: {}", what, r.failure().text));
    if constexpr (!std::is_void_v<T>)
        return std::move(r).value();
}

/// Copies slot `from` to slot `to` in `pieces`, `reversed` in the order of the blocks.
std::vector<compiler::instruction> copy_program(unsigned from, unsigned to, unsigned pieces, bool reversed = false) {
    std::vector<compiler::instruction> code;
    const std::uint64_t piece = bytes / pieces;
    for (unsigned i = 0; i < pieces; ++i)
        code.push_back(compiler::encode(
            compiler::make_copy({}, to, {from, i * piece, piece}, {to, (reversed ? pieces - 1 - i : i) * piece, piece}, piece, 1)));
    return code;
}

spec::operand place(memory_kind memory, std::uint64_t base, bool written) {
    return {base, static_cast<std::uint32_t>(bytes), 0, 0, static_cast<std::uint8_t>(memory), static_cast<std::uint8_t>(written ? 2 : 1), 0};
}

class lanes_of_rounds {
public:
    lanes_of_rounds(const ordering_setup& setup, simulated_port& platform, device& npu)
        : random_(setup.seed), platform_(platform), npu_(npu) {
        whole_0_ = load(copy_program(0, 1, 1));
        pieces_2_ = load(copy_program(2, 3, 8));
        whole_2_ = load(copy_program(2, 3, 1));
        for (lane& l : lanes_) {
            for (unsigned half = 0; half < 2; ++half) {
                l.in[half] = checked(npu_.host().allocate(bytes), "host memory");
                l.out[half] = checked(npu_.host().allocate(bytes), "host memory");
                l.dram[half] = checked(npu_.memory().allocate(spec::region_kind::activations, bytes), "device memory").address;
            }
            l.staging = checked(npu_.host().allocate(blocks * spec::instruction_bytes), "host memory");
            l.program = checked(npu_.memory().allocate(spec::region_kind::programs, l.staging.bytes.size(), spec::program_alignment), "programs")
                            .address;
        }
    }

    void run() {
        for (unsigned round = 0; round < rounds; ++round) {
            lane& l = lanes_[round % lanes];
            finish(l);
            begin(l, round % lanes, round);
            for (auto n = random_() % 4; n > 0; --n)
                platform_.compute(1 + random_() % 3000);
            if (random_() % 4 == 0)
                finish(lanes_[random_() % lanes]);
        }
        for (lane& l : lanes_)
            finish(l);
        checked(npu_.wait_all(timeout), "what is left");
        one_at_a_time();
    }

private:
    struct lane {
        host_buffer in[2], out[2], staging;
        std::uint64_t dram[2]{}, program = 0;
        std::vector<command_handle> handles;
        std::vector<std::byte> expected[2];
        unsigned round = 0;
    };

    spec::program load(const std::vector<compiler::instruction>& code) {
        const auto at = checked(
            npu_.memory().allocate(spec::region_kind::programs, code.size() * spec::instruction_bytes, spec::program_alignment), "programs");
        checked(npu_.load_programs(at.address, std::as_bytes(std::span(code)), timeout), "loading a program");
        return {static_cast<std::uint32_t>(at.address), static_cast<std::uint32_t>(code.size())};
    }

    command_handle launch(lane& l, const spec::command& c) {
        l.handles.push_back(checked(npu_.launch(c, timeout), "launching"));
        return l.handles.back();
    }

    static void add_program(spec::command& c, unsigned queue, const spec::program& p) {
        c.program_engine[c.program_count] = static_cast<std::uint8_t>(spec::engine_dma + queue % 3);
        c.programs[c.program_count++] = p;
    }

    void begin(lane& l, unsigned number, unsigned round) {
        l.round = round;
        const bool reversed = random_() % 2;
        for (unsigned half = 0; half < 2; ++half) {
            for (std::byte& b : l.in[half].bytes)
                b = static_cast<std::byte>(random_());
            l.expected[half].assign(l.in[half].bytes.begin(), l.in[half].bytes.end());
        }
        if (reversed)
            for (unsigned i = 0; i < blocks; ++i)
                std::memcpy(l.expected[0].data() + (blocks - 1 - i) * block_bytes, l.in[0].bytes.data() + i * block_bytes, block_bytes);

        // A program of its own, over the one that the lane ran before.
        const std::vector<compiler::instruction> code = copy_program(0, 1, blocks, reversed);
        std::memcpy(l.staging.bytes.data(), code.data(), l.staging.bytes.size());
        const auto program_bytes = static_cast<std::uint32_t>(l.staging.bytes.size());
        spec::command loads;
        loads.opcode = static_cast<std::uint8_t>(spec::command_opcode::load);
        loads.operand_count = 2;
        loads.operands[0] = {l.staging.bus_address, program_bytes, 0, 0, static_cast<std::uint8_t>(memory_kind::host), 1, 0};
        loads.operands[1] = {l.program, program_bytes, 0, 0, static_cast<std::uint8_t>(memory_kind::device_dram), 2, 0};
        const command_handle loaded = launch(l, loads);

        spec::command up;
        up.opcode = static_cast<std::uint8_t>(spec::command_opcode::run);
        up.operand_count = 4;
        for (unsigned half = 0; half < 2; ++half) {
            up.operands[2 * half] = place(memory_kind::host, l.in[half].bus_address, false);
            up.operands[2 * half + 1] = place(memory_kind::device_dram, l.dram[half], true);
        }
        add_program(up, number, whole_0_);
        add_program(up, number + 1, pieces_2_);
        const command_handle uploaded = launch(l, up);

        spec::command down;
        down.opcode = static_cast<std::uint8_t>(spec::command_opcode::run);
        down.operand_count = 4;
        for (unsigned half = 0; half < 2; ++half) {
            down.operands[2 * half] = place(memory_kind::device_dram, l.dram[half], false);
            down.operands[2 * half + 1] = place(memory_kind::host, l.out[half].bus_address, true);
        }
        down.wait[0] = loaded.sequence;
        down.wait[1] = uploaded.sequence;
        add_program(down, number + 2, {static_cast<std::uint32_t>(l.program), blocks});
        add_program(down, number, whole_2_);
        launch(l, down);
    }

    /// No later completion makes up for the interrupt that was missed.
    void one_at_a_time() {
        for (unsigned n = 0; n < 24; ++n) {
            spec::command nop;
            nop.opcode = static_cast<std::uint8_t>(spec::command_opcode::nop);
            checked(npu_.wait(checked(npu_.launch(nop, timeout), "launching"), timeout), "a command alone");
        }
    }

    void finish(lane& l) {
        if (l.handles.empty())
            return;
        const command_handle down = l.handles.back();
        if (random_() % 4 == 0)
            for (unsigned asked = 0; asked < 2000 && !checked(npu_.completed(down), "polling"); ++asked) {
            }
        checked(npu_.wait(down, timeout), "the download");
        for (unsigned half = 0; half < 2; ++half)
            for (std::size_t i = 0; i < bytes; ++i)
                if (l.out[half].bytes[i] != l.expected[half][i])
                    throw std::runtime_error(fmt::format("round {}: byte {} of result {} is {:#04x}, not {:#04x}", l.round, i, half,
                                                         std::to_integer<unsigned>(l.out[half].bytes[i]),
                                                         std::to_integer<unsigned>(l.expected[half][i])));
        for (const command_handle h : {l.handles[0], l.handles[1]})
            checked(npu_.wait(h, timeout), "load and upload");
        l.handles.clear();
    }

    std::mt19937_64 random_;
    simulated_port& platform_;
    device& npu_;
    spec::program whole_0_, pieces_2_, whole_2_;
    lane lanes_[lanes];
};

} // namespace

void driver_host(const ordering_setup& setup, simulated_port& platform, forgetful_port&, device& npu) {
    lanes_of_rounds(setup, platform, npu).run();
}

void resetting_host(const ordering_setup& setup, simulated_port& platform, forgetful_port&, device& npu) {
    std::mt19937_64 random(setup.seed);
    for (unsigned generation = 0; generation < 16; ++generation) {
        const std::uint64_t begin = npu.device_cycle();
        std::vector<command_handle> handles;
        for (auto n = 1 + random() % 12; n > 0; --n) {
            spec::command nop;
            nop.opcode = static_cast<std::uint8_t>(spec::command_opcode::nop);
            nop.wait[0] = handles.empty() ? 0 : handles.back().sequence;
            handles.push_back(checked(npu.launch(nop, timeout), "launching"));
        }
        if (generation % 2 == 0) {
            platform.compute(1 + random() % 6000);
        } else {
            for (const command_handle h : handles) {
                const spec::completion done = checked(npu.wait(h, timeout), "waiting");
                if (done.start_cycle < begin)
                    throw std::runtime_error(fmt::format("command {} of generation {} was launched after cycle {} and began in cycle {}",
                                                         h.sequence, generation, begin, done.start_cycle));
            }
        }
        checked(npu.reset(), "the reset");
    }
}

} // namespace retrace::test
