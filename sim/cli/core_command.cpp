#include <cstdio>
#include <fstream>

#include <fmt/format.h>

#include "sim/cli/commands.h"
#include "sim/report/run_folder.h"
#include "tlm/core/riscv/bare_machine.h"

namespace retrace::cli {

namespace {

/// A line per retired instruction, as RISC-V simulators commonly write their commit logs: hart, privilege, pc, word, register, value.
void print_retired(const riscv_retired& i) {
    if (i.rd != 0)
        fmt::print("core   0: 3 0x{:08x} (0x{:08x}) x{:<2} 0x{:08x}\n", i.pc, i.word, i.rd, i.value);
    else
        fmt::print("core   0: 3 0x{:08x} (0x{:08x})\n", i.pc, i.word);
}

void write_signature(const std::string& file, const bare_machine& machine) {
    std::ofstream out(file, std::ios::trunc);
    for (const std::uint32_t word : machine.signature())
        out << fmt::format("{:08x}\n", word);
    out.flush();
    if (!out)
        throw run_folder_error(fmt::format("cannot write the signature to {}", file));
}

} // namespace

int core(const core_options& options) {
    bare_config config;
    config.instruction_limit = options.limit;
    config.ram_bytes = options.memory_bytes;
    const elf_image image = elf_image::from_file(options.elf);
    if (!options.signature.empty())
        for (const char* symbol : {"begin_signature", "end_signature"})
            if (!image.symbol(symbol))
                throw elf_error(fmt::format("{}: --signature needs the symbol {}, which this file does not define", options.elf, symbol));
    bare_machine machine(image, config);
    if (options.trace)
        machine.core().set_hook(print_retired);
    const bare_result result = machine.run();
    if (!options.signature.empty())
        write_signature(options.signature, machine);
    fmt::print("{}: {}\n{} instructions, {} cycles\n", options.elf, result.message, result.instructions, result.cycles);
    return result.passed ? success : program_fault;
}

} // namespace retrace::cli
