#include "sim/cosim/generator.h"

#include "sim/cosim/case_builder.h"
#include "sim/cosim/reference.h"

namespace retrace::cosim {

using spec::memory_kind;

namespace {

constexpr std::initializer_list<unsigned> machine_sizes{8, 16}, machine_depths{1, 3};

machine_settings random_machine(case_random& r) {
    machine_settings m;
    m.size = r.of(machine_sizes);
    m.fma_depth = r.of(machine_depths);
    m.weight_registers = r.chance(25) ? 1 : 2;
    if (r.chance(40))
        for (unsigned& o : m.operand_cycles)
            o = r.between(1, 4);
    m.psum_banks = r.of({2u, 4u, 8u});
    m.psum_rows = r.of({8u, 16u, 32u});
    m.state_buffer_bytes = r.of({16384u, 32768u, 65536u});
    m.state_buffer_banks = r.of({1u, 2u, 4u, 8u, 16u});
    m.activation_lanes = r.of({1u, 4u, 8u, 16u});
    m.vector_lanes = r.of({1u, 4u, 8u, 16u});
    m.dma_queues = r.between(1, 5);
    m.dma_chunk = r.of({64u, 128u, 256u, 1024u, 4096u});
    m.dma_outstanding = r.of({1u, 2u, 4u, 8u});
    m.transpose_rate = r.of({1u, 4u, 8u, 32u});
    m.dram_channels = r.of({1u, 2u, 4u});
    m.dram_banks = r.of({1u, 2u, 4u, 8u});
    m.refresh = r.chance(75);
    m.fetch_block = r.of({1u, 2u, 4u, 16u});
    m.ideal_memories = r.chance(8);
    m.stress_seed = r.chance(50) ? r.word() | 1u : 0;
    if (m.stress_seed) {
        case_random kinds(m.stress_seed); // none, some or all of them
        m.array_stress = kinds.chance(50);
        m.request_stress = kinds.chance(50) ? kinds.of({1u, 7u, 40u}) : 0;
        m.chunk_stress = kinds.chance(50) ? kinds.of({1u, 16u, 100u}) : 0;
        m.message_stress = kinds.chance(50) ? kinds.of({1u, 50u, 700u}) : 0;
        m.reorder = kinds.chance(50);
    }
    return m;
}

struct owner {
    std::uint32_t tag = 0, version = 0;
};

/// Buffers of every memory, sixteen in all: one command can use each of them.
class buffer_maker {
public:
    buffer_maker(case_random& r, test_case& c) : random_(r), case_(c) {}

    void run() {
        // One or two families of tags: a copy between device memories stays within one.
        owners_ = {{0, 0}};
        if (random_.chance(70))
            owners_.push_back({random_.between(1, 20), random_.between(0, 3)});
        if (random_.chance(30))
            owners_.push_back({random_.between(21, 0xffffffff), random_.word()});
        host();
        dram();
        state_buffer();
        psum();
    }

private:
    buffer& add(std::string name, memory_kind memory, std::uint64_t base, std::uint64_t bytes) {
        buffer b;
        b.name = std::move(name);
        b.memory = memory;
        b.base = static_cast<std::uint32_t>(base);
        b.bytes = static_cast<std::uint32_t>(bytes);
        if (memory != memory_kind::host) {
            const owner o = owners_[random_.below(static_cast<std::uint32_t>(owners_.size()))];
            b.tag = o.tag, b.version = o.version;
        }
        case_.buffers.push_back(std::move(b));
        return case_.buffers.back();
    }

    void host() {
        std::uint64_t at = random_.below(64);
        const auto common = static_cast<spec::number_format>(random_.below(5));
        for (unsigned i = 0; i < 4; ++i) {
            buffer& b = add("h" + std::to_string(i), memory_kind::host, at, random_.between(2048, 8192));
            at += b.bytes + random_.below(64);
            b.seed = random_.word();
            b.values = static_cast<value_class>(i == 3 ? 0 : random_.between(1, value_class_count - 1));
            b.format = i == 0 || random_.chance(40) ? common
                                                    : static_cast<spec::number_format>(random_.below(spec::number_format_count));
        }
    }

    void dram() {
        std::uint64_t at = random_.below(4096);
        for (unsigned i = 0; i < 3; ++i) {
            const buffer& b = add("d" + std::to_string(i), memory_kind::device_dram, at, random_.between(1024, 8192));
            at += b.bytes + random_.below(random_.chance(50) ? 16 : 20000);
        }
    }

    void state_buffer() {
        const std::uint32_t share = case_.machine.state_buffer_bytes / 6;
        const bool aligned = random_.chance(50);
        for (unsigned i = 0; i < 6; ++i) {
            const std::uint32_t gap = random_.below(64), bytes = random_.between(share / 2, share - 64);
            // The sixth is for working sets.
            buffer& b = add(i == 5 ? work_buffer : "s" + std::to_string(i), memory_kind::state_buffer,
                            i * share + (aligned ? 0 : gap), bytes);
            if (i == 5)
                b.tag = b.version = 0;
        }
    }

    void psum() {
        const machine_settings& m = case_.machine;
        const std::uint32_t row = m.size * 4, working_banks = std::max(1u, m.psum_banks / 4);
        const std::uint32_t rows = (m.psum_banks - working_banks) * m.psum_rows,
                            first = random_.between(1, std::max(1u, rows / 2));
        add("p0", memory_kind::psum, 0, first * row);
        if (rows > first)
            add("p1", memory_kind::psum, first * row, (rows - first) * row);
        add(work_sums, memory_kind::psum, rows * row, working_banks * m.psum_rows * row).tag = 0;
        case_.buffers.back().version = 0;
    }

    case_random& random_;
    test_case& case_;
    std::vector<owner> owners_;
};

/// Cuts commands when they need more semaphores or program memory than there is; the rest of them is dropped.
void fit(test_case& c) {
    for (;;) {
        try {
            prepare(c, spec::host_window_base);
            return;
        } catch (const case_error&) {
            // A prefix of a legal command is legal but for loads that nobody takes.
            for (command& k : c.commands)
                if (k.operations.size() > 8)
                    k.operations.resize(k.operations.size() * 3 / 4);
            while (const auto fault = find_fault(c)) {
                command& k = c.commands[fault->command];
                if (fault->operation)
                    k.operations.erase(k.operations.begin() + static_cast<std::ptrdiff_t>(*fault->operation));
                else if (!k.operations.empty())
                    k.operations.pop_back();
                if (k.operations.empty())
                    k = {};
            }
        }
    }
}

} // namespace

std::vector<machine_settings> generated_machines() {
    std::vector<machine_settings> all;
    for (const unsigned size : machine_sizes)
        for (const unsigned depth : machine_depths) {
            all.emplace_back();
            all.back().size = size;
            all.back().fma_depth = depth;
        }
    return all;
}

test_case generate(std::uint64_t seed) {
    case_random random(seed);
    test_case c;
    c.seed = seed;
    c.machine = random_machine(random);
    buffer_maker(random, c).run();
    case_builder(random, c).run();
    fit(c);
    return c;
}

} // namespace retrace::cosim
