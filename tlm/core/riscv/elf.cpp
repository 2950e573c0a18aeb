#include "tlm/core/riscv/elf.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include <fstream>
#include <iterator>

// Layouts and constants: System V ABI, "Object Files", and the RISC-V ELF psABI.

namespace retrace {

namespace {

constexpr uint32_t file_header_bytes = 52;
constexpr uint32_t program_header_bytes = 32;
constexpr uint32_t section_header_bytes = 40;
constexpr uint32_t symbol_bytes = 16;
constexpr uint32_t type_executable = 2;
constexpr uint32_t machine_riscv = 243;
constexpr uint32_t segment_load = 1;
constexpr uint32_t section_symbols = 2;
constexpr uint32_t section_strings = 3;

uint32_t little_endian(std::span<const uint8_t> bytes) {
    uint32_t value = 0;
    for (size_t index = bytes.size(); index-- > 0;) {
        value = value << 8 | bytes[index];
    }
    return value;
}

} // namespace

elf_image::elf_image(std::vector<uint8_t> bytes) : bytes_(std::move(bytes)) {
    read_header();
    read_segments();
    read_symbols();
}

elf_image elf_image::from_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        throw elf_error(fmt::format("{}: cannot be opened", path));
    }
    std::vector<uint8_t> bytes;
    try {
        bytes.assign(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    } catch (
        const std::ios_base::failure&) { // reading a folder ends here, below the stream's own error state
        throw elf_error(fmt::format("{}: cannot be read as a file", path));
    }
    try {
        return elf_image(std::move(bytes));
    } catch (const elf_error& error) {
        throw elf_error(fmt::format("{}: {}", path, error.what()));
    }
}

void elf_image::check_range(const char* what, uint64_t offset, uint64_t bytes) const {
    if (offset > bytes_.size() || bytes > bytes_.size() - offset) {
        throw elf_error(
            fmt::format("ELF: {} at offset {} needs {} bytes, the file has {}: truncated or corrupt", what,
                        offset, bytes, bytes_.size()));
    }
}

uint32_t elf_image::half(uint64_t offset) const {
    return little_endian(std::span(bytes_).subspan(offset, 2));
}
uint32_t elf_image::word(uint64_t offset) const {
    return little_endian(std::span(bytes_).subspan(offset, 4));
}

void elf_image::read_header() {
    static constexpr uint8_t magic[4] = {0x7f, 'E', 'L', 'F'};
    if (bytes_.size() < 4 || std::memcmp(bytes_.data(), magic, 4) != 0) {
        throw elf_error("not an ELF file: the magic number is missing; give a RISC-V executable");
    }
    check_range("file header", 0, file_header_bytes);
    if (bytes_[4] != 1 || bytes_[5] != 1) {
        throw elf_error(
            fmt::format("ELF: class {} and data encoding {}, need ELF32 little-endian (1 and 1); build "
                        "with -march=rv32im -mabi=ilp32",
                        bytes_[4], bytes_[5]));
    }
    if (bytes_[6] != 1 || word(20) != 1) {
        throw elf_error(fmt::format("ELF: version {} is unknown, need 1", word(20)));
    }
    if (half(18) != machine_riscv) {
        throw elf_error(fmt::format("ELF: machine {}, need {} (RISC-V)", half(18), machine_riscv));
    }
    if (half(16) != type_executable) {
        throw elf_error(fmt::format("ELF: type {}, need 2 (executable); link the program, and not as "
                                    "position-independent",
                                    half(16)));
    }
    entry_ = word(24);
    if (entry_ % 4 != 0) {
        throw elf_error(fmt::format("ELF: entry {:#010x} is not a multiple of 4", entry_));
    }
}

void elf_image::read_segments() {
    const uint64_t table = word(28);
    const uint32_t entry_bytes = half(42);
    const uint32_t count = half(44);
    if (count == 0) {
        throw elf_error("ELF: no program headers, nothing to load; link the program");
    }
    if (entry_bytes != program_header_bytes) {
        throw elf_error(
            fmt::format("ELF: program headers of {} bytes, need {}", entry_bytes, program_header_bytes));
    }
    check_range("program header table", table, uint64_t{count} * program_header_bytes);
    for (uint32_t index = 0; index < count; ++index) {
        const uint64_t at = table + uint64_t{index} * program_header_bytes;
        const uint64_t memory_bytes = word(at + 20);
        if (word(at) != segment_load || memory_bytes == 0) {
            continue;
        }
        const uint64_t offset = word(at + 4);
        const uint32_t address = word(at + 12);
        const uint64_t file_bytes = word(at + 16);
        check_range(fmt::format("content of segment {}", index).c_str(), offset, file_bytes);
        if (file_bytes > memory_bytes) {
            throw elf_error(fmt::format("ELF: segment {} has {} bytes in the file but {} in memory", index,
                                        file_bytes, memory_bytes));
        }
        if (address + memory_bytes > uint64_t{1} << 32) {
            throw elf_error(
                fmt::format("ELF: segment {} at {:#010x} of {} bytes ends beyond the 32-bit address space",
                            index, address, memory_bytes));
        }
        segments_.push_back({address, std::span(bytes_).subspan(offset, file_bytes), memory_bytes});
    }
    if (segments_.empty()) {
        throw elf_error("ELF: no loadable segment");
    }
    const auto by_address = [](const segment& left, const segment& right) {
        return left.address < right.address;
    };
    std::stable_sort(segments_.begin(), segments_.end(), by_address);
    for (size_t index = 1; index < segments_.size(); ++index) {
        const segment& before = segments_[index - 1];
        if (before.address + before.memory_bytes > segments_[index].address) {
            throw elf_error(fmt::format("ELF: the segments at {:#010x} and {:#010x} overlap", before.address,
                                        segments_[index].address));
        }
    }
}

void elf_image::read_symbols() {
    const uint64_t table = word(32);
    const uint32_t entry_bytes = half(46);
    const uint32_t count = half(48);
    if (table == 0 || count == 0) {
        return; // a stripped file is a good file
    }
    if (entry_bytes != section_header_bytes) {
        throw elf_error(
            fmt::format("ELF: section headers of {} bytes, need {}", entry_bytes, section_header_bytes));
    }
    check_range("section header table", table, uint64_t{count} * section_header_bytes);
    const auto content = [&](uint32_t index, const char* what) {
        const uint64_t at = table + uint64_t{index} * section_header_bytes;
        check_range(what, word(at + 16), word(at + 20));
        return std::span<const uint8_t>(bytes_).subspan(word(at + 16), word(at + 20));
    };
    for (uint32_t index = 0; index < count; ++index) {
        const uint64_t at = table + uint64_t{index} * section_header_bytes;
        if (word(at + 4) != section_symbols) {
            continue;
        }
        if (word(at + 36) != symbol_bytes || word(at + 20) % symbol_bytes != 0) {
            throw elf_error(
                fmt::format("ELF: symbol table of {} bytes with entries of {}, need entries of {}",
                            word(at + 20), word(at + 36), symbol_bytes));
        }
        const uint32_t link = word(at + 24);
        if (link >= count || word(table + uint64_t{link} * section_header_bytes + 4) != section_strings) {
            throw elf_error(
                fmt::format("ELF: the symbol table's string table is section {}, which is none", link));
        }
        symbol_table_ = content(index, "symbol table");
        strings_ = content(link, "string table");
        if (strings_.empty() || strings_.back() != 0) {
            throw elf_error("ELF: the string table of the symbols does not end with a zero byte");
        }
        break; // an executable has at most one
    }
    for (size_t at = 0; at < symbol_table_.size(); at += symbol_bytes) {
        if (little_endian(symbol_table_.subspan(at, 4)) >= strings_.size()) {
            throw elf_error(
                fmt::format("ELF: the name of symbol {} lies outside the string table", at / symbol_bytes));
        }
    }
}

std::optional<uint32_t> elf_image::symbol(std::string_view name) const {
    // Comparing in place bounds the work by symbols x name length, whatever the names in the file are.
    for (size_t at = 0; at < symbol_table_.size(); at += symbol_bytes) {
        const std::span<const uint8_t> entry = symbol_table_.subspan(at, symbol_bytes);
        const bool is_defined = little_endian(entry.subspan(14, 2)) != 0;
        const auto text = strings_.subspan(little_endian(entry.first(4)));
        if (is_defined && text.size() > name.size() && text[name.size()] == 0 &&
            std::equal(name.begin(), name.end(), text.begin(),
                       [](char left, uint8_t right) { return static_cast<uint8_t>(left) == right; })) {
            return little_endian(entry.subspan(4, 4));
        }
    }
    return std::nullopt;
}

} // namespace retrace
