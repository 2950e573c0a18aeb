#pragma once
// Who owns which bytes: of one address range, of the regions of device DRAM, of host memory that both sides
// reach. Bookkeeping only; no byte of the memory itself is touched.
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "host/device_capabilities.h"
#include "host/driver/result.h"
#include "host/port.h"

namespace retrace {

/// Bytes that belong to a tensor (or to nobody in particular, tag 0) until they are freed.
struct allocation {
    std::uint64_t address = 0, bytes = 0;
    std::uint32_t tag = 0;
};

/// First fit from the bottom of [base, base + capacity); freed neighbours merge.
class range_allocator {
public:
    range_allocator(std::string name, std::uint64_t base, std::uint64_t capacity);

    /// `alignment` is a power of two, of the address. 0 bytes is a bad_argument. What does not fit is
    /// out_of_memory: the text names the tag's need, the free bytes, the largest free piece, and the smallest
    /// capacity with which this call succeeds.
    result<allocation> allocate(std::uint64_t bytes, std::uint64_t alignment = 64, std::uint32_t tag = 0);
    /// Takes exactly [address, address + bytes), for a caller with a plan of its own. out_of_memory when a
    /// part of it is taken or outside.
    result<allocation> reserve(std::uint64_t address, std::uint64_t bytes, std::uint32_t tag = 0);
    /// bad_argument when no allocation begins there.
    result<void> free(std::uint64_t address);

    const std::string& name() const { return name_; }
    std::uint64_t base() const { return base_; }
    std::uint64_t capacity() const { return capacity_; }
    std::uint64_t used() const { return used_; }
    std::uint64_t peak() const { return peak_; }
    std::uint64_t largest_free() const;
    /// Allocations in ascending order of address.
    std::vector<allocation> allocations() const;

private:
    using piece = std::map<std::uint64_t, std::uint64_t>::iterator;
    allocation take(piece from, std::uint64_t address, std::uint64_t bytes, std::uint32_t tag);
    driver_failure full(std::uint64_t bytes, std::uint64_t alignment, std::uint32_t tag) const;

    std::string name_;
    std::uint64_t base_, capacity_, used_ = 0, peak_ = 0;
    std::map<std::uint64_t, std::uint64_t> free_;     // address -> bytes, never adjacent
    std::map<std::uint64_t, allocation> allocations_; // by address
};

/// Device DRAM by region. Addresses are bytes of device DRAM.
class device_allocator {
public:
    explicit device_allocator(const device_capabilities& capabilities);

    result<allocation> allocate(spec::region_kind region, std::uint64_t bytes, std::uint64_t alignment = 64,
                                std::uint32_t tag = 0);
    result<allocation> reserve(spec::region_kind region, std::uint64_t address, std::uint64_t bytes,
                               std::uint32_t tag = 0);
    result<void> free(std::uint64_t address);
    /// The first region of that kind, or a null pointer.
    const range_allocator* region(spec::region_kind kind) const;

private:
    struct entry {
        spec::region_kind kind;
        range_allocator range;
    };
    result<range_allocator*> range_of(spec::region_kind kind);

    std::vector<entry> regions_;
};

/// A piece of host memory: where the CPU reaches it and where the device does.
struct host_buffer {
    std::span<std::byte> bytes;
    std::uint64_t bus_address = 0;
};

class host_allocator {
public:
    /// The first `reachable` bytes at most: what the device can reach of it.
    host_allocator(port& door, std::uint64_t reachable);

    result<host_buffer> allocate(std::uint64_t bytes, std::uint64_t alignment = 64, std::uint32_t tag = 0);
    result<void> free(const host_buffer& buffer) { return range_.free(buffer.bus_address); }
    const range_allocator& range() const { return range_; }

private:
    std::span<std::byte> memory_;
    range_allocator range_;
};

} // namespace retrace
