#include "tlm/core/riscv/elf.h"

#include "tlm/core/riscv/bare_machine.h"

#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <random>
#include <string>

namespace {

using namespace retrace;

std::vector<uint8_t> file_bytes(const std::string& name) {
    std::ifstream file(GUEST_PROGRAMS "/" + name + ".elf", std::ios::binary);
    std::vector<uint8_t> bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    EXPECT_GT(bytes.size(), 1000u);
    return bytes;
}

void put(std::vector<uint8_t>& bytes, size_t offset, uint32_t value, unsigned count) {
    for (unsigned index = 0; index < count; ++index) {
        bytes.at(offset + index) = static_cast<uint8_t>(value >> (8 * index));
    }
}

uint32_t get(const std::vector<uint8_t>& bytes, size_t offset, unsigned count) {
    uint32_t value = 0;
    for (unsigned index = 0; index < count; ++index) {
        value |= uint32_t{bytes.at(offset + index)} << (8 * index);
    }
    return value;
}

// Parses, and when that succeeds loads and runs for a moment. Only the two documented errors may come out.
bool survives(std::vector<uint8_t> bytes) {
    bare_config config;
    config.ram_bytes = 1 << 20;
    config.instruction_limit = 2000;
    try {
        const elf_image image(std::move(bytes));
        image.symbol("tohost");
        image.symbol("");
        bare_machine machine(image, config);
        machine.run();
        machine.signature();
        return true;
    } catch (const elf_error& error) {
        EXPECT_GT(std::string(error.what()).size(), 10u);
        return false;
    }
}

// Where the file's parts are, for the tests that break them.
struct parts {
    explicit parts(const std::vector<uint8_t>& bytes)
        : segments(get(bytes, 28, 4)), sections(get(bytes, 32, 4)), section_count(get(bytes, 48, 2)) {
        for (uint32_t index = 0; index < get(bytes, 44, 2); ++index) {
            if (get(bytes, segments + index * 32, 4) == 1) {
                loads.push_back(segments + index * 32);
            }
        }
        for (uint32_t index = 0; index < section_count; ++index) {
            const uint32_t at = sections + index * 40;
            symbols = get(bytes, at + 4, 4) == 2 ? at : symbols;
        }
    }
    uint32_t segments;
    uint32_t sections;
    uint32_t section_count;
    uint32_t symbols = 0;
    std::vector<uint32_t> loads;
};

TEST(elf, reads_entry_segments_and_symbols) {
    const elf_image image(file_bytes("memory"));
    EXPECT_EQ(image.entry(), 0x80000000u);
    EXPECT_EQ(image.symbol("_start"), 0x80000000u);
    ASSERT_TRUE(image.symbol("tohost"));
    EXPECT_EQ(*image.symbol("tohost") % 4096, 0u);
    EXPECT_FALSE(image.symbol("tohos"));
    EXPECT_FALSE(image.symbol("tohost_"));
    ASSERT_GE(image.segments().size(), 2u);
    EXPECT_EQ(image.segments()[0].address, 0x80000000u);
    const auto& data = image.segments()[1];
    EXPECT_EQ(data.address, *image.symbol("tohost"));
    EXPECT_GE(data.memory_bytes, data.content.size() + 2052) << "bss";
}

TEST(elf, a_moved_image_keeps_its_segments) {
    elf_image first(file_bytes("memory"));
    const uint8_t* content = first.segments()[0].content.data();
    const elf_image second = std::move(first);
    EXPECT_EQ(second.segments()[0].content.data(), content);
    EXPECT_TRUE(second.symbol("tohost"));
}

TEST(elf, a_file_without_sections_has_no_symbols) {
    std::vector<uint8_t> bytes = file_bytes("memory");
    put(bytes, 32, 0, 4);
    put(bytes, 48, 0, 2);
    EXPECT_FALSE(elf_image(bytes).symbol("tohost"));
}

TEST(elf, names_the_field_that_is_wrong) {
    const std::vector<uint8_t> good = file_bytes("memory");
    const parts at(good);
    ASSERT_GE(at.loads.size(), 2u);
    ASSERT_NE(at.symbols, 0u);
    const uint32_t names = at.sections + get(good, at.symbols + 24, 4) * 40;
    const struct {
        size_t offset;
        uint32_t value;
        unsigned count;
        const char* message;
    } cases[] = {
        {0, 0x7e, 1, "not an ELF file"},
        {4, 2, 1, "class 2"},
        {5, 2, 1, "encoding 2"},
        {6, 0, 1, "version"},
        {20, 2, 4, "version 2"},
        {16, 1, 2, "type 1"},
        {16, 3, 2, "type 3"},
        {18, 62, 2, "machine 62"},
        {24, 0x80000002, 4, "entry"},
        {28, 0xfffffff0, 4, "program header table"},
        {42, 31, 2, "program headers of 31"},
        {44, 0, 2, "no program headers"},
        {44, 0xffff, 2, "program header table"},
        {at.loads[0] + 4, 0xffffffff, 4, "content of segment"},
        {at.loads[0] + 16, 0xffffffff, 4, "content of segment"},
        {at.loads[0] + 20, 4, 4, "in the file but 4 in memory"},
        {at.loads[1] + 12, 0xfffffffc, 4, "beyond the 32-bit address space"},
        {at.loads[1] + 12, 0x80000004, 4, "overlap"},
        {32, 0xfffffff0, 4, "section header table"},
        {46, 39, 2, "section headers of 39"},
        {at.symbols + 16, 0xfffffff0, 4, "symbol table"},
        {at.symbols + 20, 17, 4, "symbol table of 17"},
        {at.symbols + 36, 0, 4, "entries of 0"},
        {at.symbols + 24, 0xffff, 4, "section 65535"},
        {at.symbols + 24, 0, 4, "section 0"},
        {names + 20, 0, 4, "zero byte"},
        {names + 16, 0xffffffff, 4, "string table"},
        {get(good, at.symbols + 16, 4), 0xffffffff, 4, "name of symbol 0"},
        {get(good, at.symbols + 16, 4) + 16, get(good, names + 20, 4), 4, "name of symbol 1"},
    };
    for (const auto& each : cases) {
        std::vector<uint8_t> bytes = good;
        put(bytes, each.offset, each.value, each.count);
        try {
            elf_image image(std::move(bytes));
            ADD_FAILURE() << "accepted, expected: " << each.message;
        } catch (const elf_error& error) {
            EXPECT_NE(std::string(error.what()).find(each.message), std::string::npos) << error.what();
        }
    }
}

TEST(elf, names_a_file_that_cannot_be_read) {
    try {
        elf_image::from_file("no/such/file.elf");
        FAIL();
    } catch (const elf_error& error) {
        EXPECT_NE(std::string(error.what()).find("no/such/file.elf"), std::string::npos);
    }
    EXPECT_THROW(elf_image::from_file(GUEST_PROGRAMS), elf_error) << "a folder";
}

TEST(elf_hostile, every_truncation_is_refused_or_harmless) {
    const std::vector<uint8_t> good = file_bytes("ends_1");
    const parts at(good);
    const size_t needed = at.sections + at.section_count * 40;
    ASSERT_EQ(needed, good.size()) << "the section headers come last";
    for (size_t size = 0; size < good.size(); ++size) {
        EXPECT_FALSE(survives({good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size)})) << size;
    }
    EXPECT_TRUE(survives(good));
}

TEST(elf_hostile, random_damage_never_crashes) {
    const std::vector<uint8_t> good = file_bytes("memory");
    const parts at(good);
    std::mt19937 random(20240611);
    int accepted = 0;
    for (int round = 0; round < 4000; ++round) {
        std::vector<uint8_t> bytes = good;
        const unsigned flips = 1 + random() % 4;
        for (unsigned flip = 0; flip < flips; ++flip) {
            // Half of the damage hits the headers, where it hurts.
            const uint32_t tables[] = {0, at.segments, at.sections};
            const size_t offset = random() % 2 == 0 ? random() % bytes.size()
                                                    : (tables[random() % 3] + random() % 128) % bytes.size();
            const uint8_t values[] = {0, 0xff, 0x80, static_cast<uint8_t>(random())};
            bytes[offset] = values[random() % 4];
        }
        accepted += survives(std::move(bytes)) ? 1 : 0;
    }
    EXPECT_GT(accepted, 100);
    EXPECT_LT(accepted, 3900);
}

TEST(elf_hostile, tohost_anywhere_is_refused_or_harmless) {
    const std::vector<uint8_t> good = file_bytes("memory");
    const parts at(good);
    const uint32_t symbols = get(good, at.symbols + 16, 4);
    const uint32_t tohost = *elf_image(good).symbol("tohost");
    size_t entry = 0;
    for (uint32_t offset = 0; offset < get(good, at.symbols + 20, 4); offset += 16) {
        entry = get(good, symbols + offset + 4, 4) == tohost && good[symbols + offset + 12] >> 4 == 1
                    ? symbols + offset
                    : entry;
    }
    ASSERT_NE(entry, 0u);
    for (const uint32_t address : {0u, 0x80000000u, 0x80000002u, 0x80000010u, 0x800ffffcu, 0x80100000u,
                                   0xfffffffcu, 0xffffffffu, tohost - 4, tohost + 4}) {
        std::vector<uint8_t> bytes = good;
        put(bytes, entry + 4, address, 4);
        ASSERT_EQ(elf_image(bytes).symbol("tohost"), address);
        const bool is_word_in_ram = address % 4 == 0 && address >= 0x80000000 && address < 0x80100000;
        EXPECT_EQ(survives(std::move(bytes)), is_word_in_ram) << std::hex << address;
    }
}

} // namespace
