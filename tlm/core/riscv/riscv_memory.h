#pragma once

#include "tlm/core/riscv/riscv_decode.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <stdexcept>
#include <vector>

namespace retrace {

// A range of private memory of the core. Base and bytes are multiples of 4; bytes is not 0; the range ends at
// or below 2^32 and holds at most 2 GiB.
struct riscv_range {
    uint32_t base = 0;
    uint64_t bytes = 0;
};

struct riscv_config_error : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// The private memory of a core with its decode cache: for each word of memory the instruction decoded from it
// and the word it was decoded from. Memory starts as zeros. All arrays come zeroed from the operating system,
// so that memory and cache nobody touches cost nothing.
class riscv_memory {
public:
    struct free_deleter {
        void operator()(void* pointer) const { std::free(pointer); }
    };
    template <class T>
    using calloc_array = std::unique_ptr<T[], free_deleter>;

    struct bank {
        uint32_t base = 0;
        uint32_t bytes = 0;
        calloc_array<uint8_t> data;
        calloc_array<riscv_op> ops;     // one per word, and the end_of_range sentinel
        calloc_array<uint32_t> fetched; // the word each op was decoded from
        std::vector<uint32_t> decoded_pages;
        std::vector<bool> page_is_decoded;
    };

    // Throws riscv_config_error when a range is malformed, two overlap, or the host has no memory for it.
    explicit riscv_memory(std::span<const riscv_range> ranges);

    // The bank that holds `address`, or nullptr.
    bank* find(uint32_t address) {
        for (bank& candidate : banks_) {
            if (address - candidate.base < candidate.bytes) {
                return &candidate;
            }
        }
        return nullptr;
    }
    const bank* find(uint32_t address) const { return const_cast<riscv_memory*>(this)->find(address); }

    // Decodes the word of `index` into the bank's cache.
    static void decode(bank& target, uint32_t index);

    // Forgets every decoded instruction: what fence.i does.
    void drop_decoded();

    // Copies bytes that may span adjacent ranges; false, and nothing copied, when a byte is not private
    // memory. Written words are visible to the next fetch.
    bool read(uint32_t address, std::span<uint8_t> bytes) const;
    bool write(uint32_t address, std::span<const uint8_t> bytes);
    bool fill_zero(uint32_t address, uint64_t bytes);

private:
    bool holds(uint32_t address, uint64_t bytes) const;

    std::vector<bank> banks_;
};

} // namespace retrace
