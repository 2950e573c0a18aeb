#include "tests/module/device_bench.h"

#include <random>
#include <set>
#include <sstream>

#include <fmt/format.h>

#include "tlm/core/array/kernel_array.h"
#include "tlm/core/array/stepped_array.h"

namespace retrace::test {

using spec::memory_kind;

npu_config bench_config() {
    npu_config c;
    c.array.rows = c.array.columns = 8;
    c.psum.banks = 4;
    c.psum.rows = 32;
    c.state_buffer.capacity_bytes = 64u << 10;
    c.state_buffer.banks = 8;
    c.activation = {4, 8};
    c.vector = {4, 6};
    c.dma.queues = 3;
    c.device_dram.capacity_bytes = 4u << 20;
    c.device_dram.t_refi_ns = 0;
    c.host_link.host_memory_bytes = 4u << 20;
    c.check_protocol = true;
    return c;
}

femtoseconds::femtoseconds() {
    static const bool once = [] {
        sc_core::sc_set_time_resolution(1, sc_core::SC_FS);
        return true;
    }();
    static_cast<void>(once);
}

pe_array::array_factory kernel_factory() {
    return [](const array_config& shape) { return std::make_unique<kernel_array>(shape); };
}

pe_array::array_factory stepped_factory() {
    return [](const array_config& shape) { return std::make_unique<stepped_array>(shape); };
}

device_bench::device_bench(const npu_config& c, const pe_array::array_factory& array, const std::string& name)
    : config(c), clock(config.clock_hz), arbitration((name + "_arbiter").c_str(), clock),
      stalls(spec::engine_dma + config.dma.queues), device_signals(probes, "npu0"),
      plane{config, 0, clock, arbitration, contexts, semaphore_changed, stalls, &events, device_signals},
      dram_memory("device_dram", memory_kind::device_dram, config.device_dram.capacity_bytes, 1, 0, &events),
      buffer_memory("state_buffer", memory_kind::state_buffer, config.state_buffer.capacity_bytes, 1, 0,
                    &events),
      psum_memory("psum", memory_kind::psum,
                  std::uint64_t{config.psum.banks} * config.psum.rows * config.array.columns * 4, 4, 0,
                  &events),
      dram((name + "_dram").c_str(), plane, dram_memory),
      buffer((name + "_buffer").c_str(), plane, buffer_memory),
      psum_ports(config.ideal_memories ? 0 : config.psum.banks), registers(64),
      link((name + "_link").c_str(), plane,
           {[this](std::uint32_t offset, std::uint32_t& value) {
                if (offset / 4 >= registers.size())
                    return false;
                value = registers[offset / 4];
                return true;
            },
            [this](std::uint32_t offset, std::uint32_t value) {
                if (offset / 4 >= registers.size())
                    return false;
                registers[offset / 4] = value;
                return true;
            },
            [this](std::uint64_t address, std::uint32_t data) {
                messages.emplace_back(address, data);
                message_cycles.push_back(clock.now());
            }}),
      finished([this](unsigned e, spec::engine_fault fault, std::uint32_t pc, std::uint32_t detail) {
          endings.push_back({e, fault, pc, detail, clock.now()});
          if (--running_ == 0 && sc_core::sc_is_running())
              sc_core::sc_pause();
      }),
      on_chip{buffer, psum_memory, psum_ports, std::uint64_t{config.psum.rows} * config.array.columns * 4},
      pe((name + "_pe").c_str(), plane, on_chip, array, finished),
      activation((name + "_activation").c_str(), spec::engine_activation, plane, config.activation, on_chip,
                 finished),
      vector((name + "_vector").c_str(), spec::engine_vector, plane, config.vector, on_chip, finished),
      sockets(config.check_protocol) {
    engines = {&pe, &activation, &vector};
    for (unsigned q = 0; q < config.dma.queues; ++q) {
        dma.push_back(std::make_unique<dma_queue>(fmt::format("{}_dma{}", name, q).c_str(),
                                                  spec::engine_dma + q, plane, finished));
        sockets.bind(dma.back()->host, link.port);
        sockets.bind(dma.back()->dram, dram.port);
        sockets.bind(dma.back()->buffer, buffer.port);
        engines.push_back(dma.back().get());
    }
    for (engine* e : engines)
        sockets.bind(e->fetch, dram.port);
    for (unsigned c2 = 0; c2 < spec::contexts; ++c2)
        begin(c2, standard_command());
}

spec::command device_bench::standard_command() const {
    spec::command c;
    c.opcode = static_cast<std::uint8_t>(spec::command_opcode::run);
    c.sequence = 1;
    c.step = 1;
    c.seed = 42;
    c.operand_count = slots;
    const auto buffer_bytes = static_cast<std::uint32_t>(config.state_buffer.capacity_bytes);
    const auto psum_bytes = static_cast<std::uint32_t>(psum_memory.capacity());
    const auto kind = [](memory_kind k) { return static_cast<std::uint8_t>(k); };
    c.operands[work] = {0, buffer_bytes, 0, 0, kind(memory_kind::state_buffer), 3, 0};
    c.operands[sums] = {0, psum_bytes, 0, 0, kind(memory_kind::psum), 3, 0};
    c.operands[slot::dram] = {0, 1u << 20, 0, 0, kind(memory_kind::device_dram), 3, 0};
    c.operands[slot::host] = {spec::host_window_base, 1u << 20, 0, 0, kind(memory_kind::host), 3, 0};
    c.operands[tensor] = {1u << 20, 64u << 10, 7, 1, kind(memory_kind::device_dram), 3, 0};
    c.operands[read_only] = {0, buffer_bytes, 0, 0, kind(memory_kind::state_buffer), 1, 0};
    c.operands[write_only] = {0, buffer_bytes, 0, 0, kind(memory_kind::state_buffer), 2, 0};
    c.operands[beyond] = {buffer_bytes - 64, 4096, 0, 0, kind(memory_kind::state_buffer), 3, 0};
    c.operands[beyond_psum] = {psum_bytes - 256, 4096, 0, 0, kind(memory_kind::psum), 3, 0};
    c.operands[beyond_dram] = {config.device_dram.capacity_bytes - 64, 4096, 0, 0,
                               kind(memory_kind::device_dram),         3,    0};
    return c;
}

void device_bench::start(unsigned engine, const program& p, unsigned context) {
    const std::uint32_t address = next_program_;
    for (std::size_t i = 0; i < p.size(); ++i)
        dram_memory.write(address + i * spec::instruction_bytes, p[i].data(), spec::instruction_bytes, {},
                          {});
    next_program_ += static_cast<std::uint32_t>((p.size() + 1) * spec::instruction_bytes);
    start_at(engine, address, static_cast<std::uint32_t>(p.size()), context);
}

void device_bench::start_at(unsigned engine, std::uint32_t address, std::uint32_t count, unsigned context) {
    if (sc_core::sc_get_status() < sc_core::SC_RUNNING)
        sc_core::sc_start(sc_core::SC_ZERO_TIME); // elaboration
    // As the control core does: after everything else of this cycle.
    if (const sc_core::sc_time delay = clock.until(clock.now(), clock_phase::control);
        delay != sc_core::SC_ZERO_TIME)
        sc_core::sc_start(delay);
    ++running_;
    engines[engine]->start(context, address, count);
}

bool device_bench::run(std::uint64_t cycles) {
    const std::uint64_t end = clock.now() + cycles;
    while (running_ != 0 && clock.now() < end)
        sc_core::sc_start(clock.until(end));
    return running_ == 0;
}

void device_bench::pass(std::uint64_t cycles) {
    const std::uint64_t end = clock.now() + cycles;
    while (clock.now() < end)
        sc_core::sc_start(clock.until(end));
}

device_bench::ending device_bench::one_ending() {
    EXPECT_EQ(endings.size(), 1u);
    const ending e = endings.empty() ? ending{} : endings.front();
    endings.clear();
    return e;
}

device_bench::ending device_bench::execute(unsigned engine, const program& p) {
    start(engine, p);
    EXPECT_TRUE(run()) << engines[engine]->describe();
    return one_ending();
}

void device_bench::put(tagged_memory& memory, std::uint64_t address, const std::vector<std::byte>& bytes,
                       trace::tensor_id owner) {
    memory.write(address, bytes.data(), bytes.size(), owner, {});
}

std::vector<std::byte> device_bench::get(const tagged_memory& memory, std::uint64_t address,
                                         std::size_t bytes) const {
    std::vector<std::byte> out(bytes);
    memory.peek(address, out.data(), bytes);
    return out;
}

std::vector<std::uint32_t> device_bench::words(const tagged_memory& memory, std::uint64_t address,
                                               std::size_t count) const {
    std::vector<std::uint32_t> out(count);
    memory.peek(address, reinterpret_cast<std::byte*>(out.data()), count * 4);
    return out;
}

std::vector<trace::access_event> device_bench::accesses(unsigned engine, std::uint32_t pc) const {
    std::vector<trace::access_event> found;
    for (const trace::access_event& e : events.accesses)
        if (e.engine == engine && e.pc == pc)
            found.push_back(e);
    return found;
}

std::string sorted_lines(const std::string& text) {
    std::istringstream in(text);
    std::multiset<std::string> lines;
    for (std::string line; std::getline(in, line);)
        lines.insert(line);
    std::string out;
    for (const std::string& line : lines)
        out += line + "\n";
    return out;
}

std::vector<std::byte> random_bytes(std::size_t count, unsigned seed) {
    std::mt19937 engine(seed);
    std::vector<std::byte> v(count);
    for (std::byte& b : v)
        b = static_cast<std::byte>(engine());
    return v;
}

std::vector<std::byte> random_matrix(number_format f, std::size_t elements, unsigned seed) {
    std::mt19937 engine(seed);
    std::vector<std::byte> v(elements * bytes_of(f));
    for (std::size_t i = 0; i < elements; ++i) {
        const float value = static_cast<float>(static_cast<int>(engine() % 4001) - 2000) / 512;
        const auto bits = std::bit_cast<std::uint32_t>(value);
        std::uint32_t code = bits;
        switch (f) {
        case number_format::bf16:
            code = narrow_bf16(bits);
            break;
        case number_format::fp8_e4m3:
            code = narrow_e4m3(bits);
            break;
        case number_format::fp8_e5m2:
            code = narrow_e5m2(bits);
            break;
        case number_format::int8:
            code = engine();
            break;
        default:
            break;
        }
        std::memcpy(v.data() + i * bytes_of(f), &code, bytes_of(f));
    }
    return v;
}

} // namespace retrace::test
