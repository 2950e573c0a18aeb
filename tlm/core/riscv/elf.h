#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace retrace {

// The message names what is wrong in the file, with offsets.
struct elf_error : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// An ELF32 little-endian RISC-V executable, parsed from bytes nobody vouches for. Everything the constructor
// accepts is inside the file and inside the 32-bit address space, and segments do not overlap, so that
// loading costs no more than the memory it fills. Throws elf_error for anything else.
class elf_image {
public:
    struct segment {
        uint32_t address;                 // load (physical) address
        std::span<const uint8_t> content; // bytes of the file, at most memory_bytes
        uint64_t memory_bytes;            // the rest is zeros (bss)
    };

    explicit elf_image(std::vector<uint8_t> bytes);
    // Segments are views into the image's own bytes: moving keeps them valid, copying would not.
    elf_image(elf_image&&) = default;
    elf_image& operator=(elf_image&&) = default;

    // Reads and parses a file; an unreadable file is an elf_error too.
    static elf_image from_file(const std::string& path);

    uint32_t entry() const { return entry_; }
    // PT_LOAD segments of non-zero size, in ascending order of address.
    const std::vector<segment>& segments() const { return segments_; }
    // The value of the first symbol of this name that the file defines; nothing when there is none or no
    // symbol table.
    std::optional<uint32_t> symbol(std::string_view name) const;

private:
    uint32_t half(uint64_t offset) const;
    uint32_t word(uint64_t offset) const;
    void check_range(const char* what, uint64_t offset, uint64_t bytes) const;
    void read_header();
    void read_segments();
    void read_symbols();

    std::vector<uint8_t> bytes_;
    uint32_t entry_ = 0;
    std::vector<segment> segments_;
    std::span<const uint8_t> symbol_table_;
    std::span<const uint8_t> strings_;
};

} // namespace retrace
