// Fuzz target of the ELF reader and of the control core. Whatever comes in, the only way out but success is elf_error; what is
// accepted runs the same whether it is traced or not and however its time is sliced.
//
// Input: an ELF file.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "tlm/core/riscv/bare_machine.h"

namespace {

using namespace retrace;

constexpr std::uint64_t instructions = 3000;
constexpr unsigned slices = 3;

void require(bool holds, const char* what) {
    if (holds)
        return;
    std::fprintf(stderr, "not so: %s\n", what);
    std::abort();
}

elf_image parse(const std::uint8_t* data, std::size_t size) {
    return elf_image(std::vector<std::uint8_t>(data, data + size));
}

void check_segments(const elf_image& image, std::size_t file_bytes) {
    std::uint64_t end = 0, content = 0;
    require(!image.segments().empty(), "an accepted file has a segment");
    for (const elf_image::segment& s : image.segments()) {
        require(s.address >= end, "segments ascend and are apart");
        require(s.memory_bytes != 0 && s.content.size() <= s.memory_bytes, "a segment holds its content");
        require(s.content.size() <= file_bytes, "content lies in the file");
        end = s.address + s.memory_bytes;
        for (const std::uint8_t byte : s.content)
            content += byte;
    }
    require(end <= std::uint64_t{1} << 32, "segments end in the address space");
    // The sum is wanted for its reads only.
    require(content <= 255 * std::uint64_t{file_bytes} * image.segments().size(), "bytes are bytes");
}

bare_config small_machine(std::uint64_t limit) {
    bare_config config;
    config.ram_bytes = 64u << 10;
    config.instruction_limit = limit;
    return config;
}

void run(const elf_image& image) {
    bare_machine sliced(image, small_machine(instructions / slices)), traced(image, small_machine(instructions));
    std::uint64_t reported = 0;
    traced.core().set_hook([&](const riscv_retired&) { ++reported; });
    const bare_result whole = traced.run();
    bare_result parts = sliced.run();
    for (unsigned s = 1; s < slices && parts.reason == bare_exit::instruction_limit; ++s)
        parts = sliced.run();
    require(reported == whole.instructions, "every retired instruction is traced");
    require(!whole.message.empty(), "a result has a message");
    require(parts.reason == whole.reason && parts.message == whole.message, "slices and the whole end the same");
    require(parts.instructions == whole.instructions && parts.cycles == whole.cycles, "in the same time");
    require(sliced.core().pc() == traced.core().pc(), "at the same pc");
    for (unsigned x = 0; x < 32; ++x)
        require(sliced.core().x(x) == traced.core().x(x), "with the same registers");
    require(sliced.signature() == traced.signature(), "with the same signature");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    try {
        const elf_image image = parse(data, size);
        check_segments(image, size);
        for (const std::string_view name : {"", "tohost", "begin_signature", "no such name"})
            (void)image.symbol(name);
        run(image);
    } catch (const elf_error& error) {
        require(!std::string_view(error.what()).empty(), "an error has a message");
    }
    return 0;
}
