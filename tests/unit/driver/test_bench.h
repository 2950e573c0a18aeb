#pragma once
// A device, a port and a driver, and commands that use them.
#include <memory>

#include "firmware/firmware_image.h"
#include "host/driver/device.h"
#include "tests/unit/driver/test_port.h"

namespace retrace {

struct test_bench {
    test_device machine;
    test_port door{machine};
    std::unique_ptr<device> driver;

    explicit test_bench(std::uint64_t seed = 1, const device_options& options = {},
                        const npu_config& config = test_config())
        : machine(seed, config) {
        driver = std::move(device::open(door, control_firmware(), options)).value();
    }

    /// A sound command with one program on each of these engines.
    spec::command command(std::initializer_list<unsigned> engines = {0}) const {
        spec::command c;
        c.opcode = static_cast<std::uint8_t>(spec::command_opcode::run);
        c.phase = static_cast<std::uint8_t>(spec::phase::forward);
        for (const unsigned engine : engines) {
            c.program_engine[c.program_count] = static_cast<std::uint8_t>(engine);
            c.programs[c.program_count++] = {
                static_cast<std::uint32_t>(driver->capabilities().region(spec::region_kind::programs).base),
                4};
        }
        return c;
    }
};

} // namespace retrace
