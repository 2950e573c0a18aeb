#pragma once
// A whole processor behind its port: firmware, driver, and engine programs written by hand.
#include <algorithm>
#include <initializer_list>

#include "firmware/firmware_image.h"
#include "host/driver/device.h"
#include "sim/platform/platform.h"
#include "tests/module/device_bench.h"

namespace retrace::test {

inline npu_config whole_config() {
    npu_config c = bench_config();
    c.device_dram.t_refi_ns = 3900;
    c.device_dram.regions = {{spec::region_kind::activations, 1u << 20},
                             {spec::region_kind::gradients, 1u << 20},
                             {spec::region_kind::weights, 1u << 20},
                             {spec::region_kind::programs, 1u << 20}};
    c.watchdog_cycles = 3'000'000;
    return c;
}

class npu_bench {
public:
    explicit npu_bench(const npu_config& c = whole_config()) : config(c), door(config, 0, &events) {
        device_options options;
        options.sink = &events;
        driver = std::move(device::open(door, control_firmware(), options)).value();
        host = driver->host().allocate(1u << 20, 4096).value();
        next_program = 3u << 20;
    }
    struct part {
        unsigned engine;
        program code;
    };
    /// A command with the operand table of `slot` and these programs, which it puts into device memory.
    spec::command command(std::initializer_list<part> parts) {
        spec::command c;
        c.opcode = static_cast<std::uint8_t>(spec::command_opcode::run);
        c.phase = static_cast<std::uint8_t>(spec::phase::forward);
        c.step = 1;
        for (const part& p : parts) {
            const auto bytes = std::as_bytes(std::span(p.code.data(), p.code.size()));
            EXPECT_TRUE(driver->load_programs(next_program, bytes));
            c.program_engine[c.program_count] = static_cast<std::uint8_t>(p.engine);
            c.programs[c.program_count++] = {next_program, static_cast<std::uint32_t>(p.code.size())};
            next_program += static_cast<std::uint32_t>(bytes.size());
        }
        const auto kind = [](spec::memory_kind k) { return static_cast<std::uint8_t>(k); };
        c.operand_count = tensor + 1;
        c.work_base = 0;
        c.work_bytes = 32768;
        c.psum_count = 2;
        c.operands[work] = {0, 32768, 0, 0, kind(spec::memory_kind::state_buffer), 3, 0};
        c.operands[sums] = {0, 2 * 32 * 8 * 4, 0, 0, kind(spec::memory_kind::psum), 3, 0};
        c.operands[slot::dram] = {0, 1u << 20, 3, 1, kind(spec::memory_kind::device_dram), 3, 0};
        c.operands[slot::host] = {host.bus_address, 1u << 20, 0, 0, kind(spec::memory_kind::host), 3, 0};
        c.operands[tensor] = {1u << 20, 64u << 10, 7, 1, kind(spec::memory_kind::device_dram), 3, 0};
        return c;
    }
    result<spec::completion> execute(const spec::command& c) {
        auto handle = driver->launch(c);
        if (!handle)
            return handle.failure();
        return driver->wait(handle.value());
    }

    event_recorder events;
    npu_config config;
    simulated_port door;
    std::unique_ptr<device> driver;
    host_buffer host;
    std::uint32_t next_program;
};

} // namespace retrace::test
