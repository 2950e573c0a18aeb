#include <cstdio>

#include <fmt/format.h>

#include "sim/cli/commands.h"
#include "tlm/core/riscv/bare_machine.h"

namespace retrace::cli {

int core(const core_options& options) {
    bare_config config;
    config.instruction_limit = options.limit;
    config.ram_bytes = options.memory_bytes;
    bare_machine machine(elf_image::from_file(options.elf), config);
    const bare_result result = machine.run();
    fmt::print("{}: {}\n{} instructions, {} cycles\n", options.elf, result.message, result.instructions, result.cycles);
    return result.passed ? success : program_fault;
}

} // namespace retrace::cli
