#include "tlm/core/riscv/riscv_memory.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <fmt/format.h>

namespace retrace {

// Guest words are read and written with memcpy.
static_assert(std::endian::native == std::endian::little,
              "the control core's memory needs a little-endian host");

namespace {

constexpr uint32_t page_words = 1024;

template <class T>
riscv_memory::calloc_array<T> allocate(uint64_t count, const riscv_range& range) {
    auto* pointer = static_cast<T*>(std::calloc(count, sizeof(T)));
    if (pointer == nullptr) {
        throw riscv_config_error(fmt::format("control core: the host has no memory for the private range at "
                                             "{:#010x} of {} bytes; make it smaller",
                                             range.base, range.bytes));
    }
    return riscv_memory::calloc_array<T>(pointer);
}

void check(const riscv_range& range) {
    if (range.base % 4 != 0 || range.bytes % 4 != 0 || range.bytes == 0) {
        throw riscv_config_error(
            fmt::format("control core: private range at {:#010x} of {} bytes: base and size must "
                        "be multiples of 4 and the size not 0",
                        range.base, range.bytes));
    }
    if (range.bytes > (uint64_t{1} << 31) || range.base + range.bytes > (uint64_t{1} << 32)) {
        throw riscv_config_error(
            fmt::format("control core: private range at {:#010x} of {} bytes: at most 2 GiB, "
                        "ending at or below 2^32",
                        range.base, range.bytes));
    }
}

} // namespace

riscv_memory::riscv_memory(std::span<const riscv_range> ranges) {
    for (const riscv_range& range : ranges) {
        check(range);
        for (const bank& other : banks_) {
            if (range.base < uint64_t{other.base} + other.bytes && other.base < range.base + range.bytes) {
                throw riscv_config_error(
                    fmt::format("control core: private ranges at {:#010x} and {:#010x} overlap; "
                                "move one of them",
                                range.base, other.base));
            }
        }
        const uint64_t words = range.bytes / 4;
        bank added;
        added.base = range.base;
        added.bytes = static_cast<uint32_t>(range.bytes);
        added.data = allocate<uint8_t>(range.bytes, range);
        added.ops = allocate<riscv_op>(words + 1, range);
        added.fetched = allocate<uint32_t>(words, range);
        added.ops[words].kind = riscv_kind::end_of_range;
        added.page_is_decoded.resize((words + page_words - 1) / page_words);
        banks_.push_back(std::move(added));
    }
}

void riscv_memory::decode(bank& target, uint32_t index) {
    uint32_t word;
    std::memcpy(&word, &target.data[uint64_t{index} * 4], 4);
    target.ops[index] = riscv_decode(word, target.base + index * 4, target.base, target.bytes);
    target.fetched[index] = word;
    const uint32_t page = index / page_words;
    if (!target.page_is_decoded[page]) {
        target.page_is_decoded[page] = true;
        target.decoded_pages.push_back(page);
    }
}

void riscv_memory::drop_decoded() {
    for (bank& each : banks_) {
        const uint32_t words = each.bytes / 4;
        for (const uint32_t page : each.decoded_pages) {
            const uint32_t first = page * page_words;
            std::fill(&each.ops[first], &each.ops[std::min(first + page_words, words)], riscv_op{});
            each.page_is_decoded[page] = false;
        }
        each.decoded_pages.clear();
    }
}

bool riscv_memory::holds(uint32_t address, uint64_t bytes) const {
    uint64_t position = address;
    const uint64_t end = position + bytes;
    while (position < end) {
        const bank* at = position >> 32 == 0 ? find(static_cast<uint32_t>(position)) : nullptr;
        if (at == nullptr) {
            return false;
        }
        position = uint64_t{at->base} + at->bytes;
    }
    return true;
}

bool riscv_memory::read(uint32_t address, std::span<uint8_t> bytes) const {
    if (!holds(address, bytes.size())) {
        return false;
    }
    while (!bytes.empty()) {
        const bank& from = *find(address);
        const uint32_t offset = address - from.base;
        const size_t count = std::min<size_t>(bytes.size(), from.bytes - offset);
        std::memcpy(bytes.data(), &from.data[offset], count);
        bytes = bytes.subspan(count);
        address += static_cast<uint32_t>(count);
    }
    return true;
}

bool riscv_memory::write(uint32_t address, std::span<const uint8_t> bytes) {
    if (!holds(address, bytes.size())) {
        return false;
    }
    while (!bytes.empty()) {
        bank& to = *find(address);
        const uint32_t offset = address - to.base;
        const size_t count = std::min<size_t>(bytes.size(), to.bytes - offset);
        std::memcpy(&to.data[offset], bytes.data(), count);
        for (size_t index = offset / 4; index <= (offset + count - 1) / 4; ++index) {
            if (to.page_is_decoded[index / page_words]) {
                to.ops[index] = riscv_op{};
            }
        }
        bytes = bytes.subspan(count);
        address += static_cast<uint32_t>(count);
    }
    return true;
}

bool riscv_memory::fill_zero(uint32_t address, uint64_t bytes) {
    if (!holds(address, bytes)) {
        return false;
    }
    static constexpr uint8_t zeros[4096] = {};
    while (bytes > 0) {
        const uint64_t count = std::min<uint64_t>(bytes, sizeof zeros);
        write(address, std::span(zeros, count));
        address += static_cast<uint32_t>(count);
        bytes -= count;
    }
    return true;
}

} // namespace retrace
