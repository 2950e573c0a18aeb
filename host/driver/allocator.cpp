#include "host/driver/allocator.h"

#include <algorithm>
#include <bit>
#include <fmt/format.h>

#include "host/arithmetic.h"

namespace retrace {

// ---- range_allocator

range_allocator::range_allocator(std::string name, std::uint64_t base, std::uint64_t capacity)
    : name_(std::move(name)), base_(base), capacity_(capacity) {
    if (capacity != 0) {
        free_.emplace(base, capacity);
    }
}

result<allocation> range_allocator::allocate(std::uint64_t bytes, std::uint64_t alignment,
                                             std::uint32_t tag) {
    if (bytes == 0 || !std::has_single_bit(alignment)) {
        return driver_failure{
            driver_error::bad_argument,
            fmt::format(
                "{}: {} bytes at an alignment of {}: bytes must not be 0, the alignment a power of two",
                name_, bytes, alignment),
            {}};
    }
    for (auto piece = free_.begin(); piece != free_.end(); ++piece) {
        const auto [begin, size] = *piece;
        const std::uint64_t address = round_up(begin, alignment);
        if (address - begin > size || bytes > size - (address - begin)) {
            continue;
        }
        return take(piece, address, bytes, tag);
    }
    return full(bytes, alignment, tag);
}

result<allocation> range_allocator::reserve(std::uint64_t address, std::uint64_t bytes, std::uint32_t tag) {
    if (bytes == 0) {
        return driver_failure{driver_error::bad_argument, fmt::format("{}: 0 bytes reserved", name_), {}};
    }
    const auto after = free_.upper_bound(address);
    if (after != free_.begin()) {
        const auto [begin, size] = *std::prev(after);
        if (address - begin <= size && bytes <= size - (address - begin)) {
            return take(std::prev(after), address, bytes, tag);
        }
    }
    return driver_failure{
        driver_error::out_of_memory,
        fmt::format(
            "{}: tag {} needs the {} bytes from {:#x} on, but they are not all free; {} of {} are available",
            name_, tag, bytes, address, capacity_ - used_, capacity_),
        {}};
}

/// [address, address + bytes) out of the free piece that holds it.
allocation range_allocator::take(piece from, std::uint64_t address, std::uint64_t bytes, std::uint32_t tag) {
    const auto [begin, size] = *from;
    free_.erase(from);
    if (address != begin) {
        free_.emplace(begin, address - begin);
    }
    if (address + bytes != begin + size) {
        free_.emplace(address + bytes, begin + size - (address + bytes));
    }
    used_ += bytes;
    peak_ = std::max(peak_, used_);
    return allocations_.emplace(address, allocation{address, bytes, tag}).first->second;
}

driver_failure range_allocator::full(std::uint64_t bytes, std::uint64_t alignment, std::uint32_t tag) const {
    // With more capacity the request would go behind the last allocation, or into the free piece that ends
    // the range.
    std::uint64_t begin = base_ + capacity_;
    if (!free_.empty() && free_.rbegin()->first + free_.rbegin()->second == begin) {
        begin = free_.rbegin()->first;
    }
    const std::uint64_t smallest = round_up(begin, alignment) + bytes - base_;
    return {driver_error::out_of_memory,
            fmt::format("{} is full: tag {} needs {} bytes (alignment {}), {} of {} are available, the "
                        "largest piece has {}; the "
                        "smallest capacity that would do is {} bytes",
                        name_, tag, bytes, alignment, capacity_ - used_, capacity_, largest_free(), smallest),
            {}};
}

result<void> range_allocator::free(std::uint64_t address) {
    const auto found = allocations_.find(address);
    if (found == allocations_.end()) {
        return driver_failure{
            driver_error::bad_argument, fmt::format("{}: nothing is allocated at {:#x}", name_, address), {}};
    }
    std::uint64_t begin = address, end = address + found->second.bytes;
    used_ -= found->second.bytes;
    allocations_.erase(found);
    const auto after = free_.lower_bound(begin);
    if (after != free_.begin()) {
        const auto before = std::prev(after);
        if (before->first + before->second == begin) {
            begin = before->first;
            free_.erase(before);
        }
    }
    if (after != free_.end() && after->first == end) {
        end += after->second;
        free_.erase(after);
    }
    free_.emplace(begin, end - begin);
    return {};
}

std::uint64_t range_allocator::largest_free() const {
    std::uint64_t largest = 0;
    for (const auto& [address, bytes] : free_) {
        largest = std::max(largest, bytes);
    }
    return largest;
}

std::vector<allocation> range_allocator::allocations() const {
    std::vector<allocation> all;
    for (const auto& [address, each] : allocations_) {
        all.push_back(each);
    }
    return all;
}

// ---- device_allocator

device_allocator::device_allocator(const device_capabilities& capabilities) {
    for (const memory_region& region : capabilities.regions) {
        regions_.push_back(
            {region.kind, range_allocator(fmt::format("region {} of device DRAM", spec::name_of(region.kind)),
                                          region.base, region.bytes)});
    }
}

result<allocation> device_allocator::allocate(spec::region_kind region, std::uint64_t bytes,
                                              std::uint64_t alignment, std::uint32_t tag) {
    const auto range = range_of(region);
    return range ? (*range)->allocate(bytes, alignment, tag) : range.failure();
}

result<allocation> device_allocator::reserve(spec::region_kind region, std::uint64_t address,
                                             std::uint64_t bytes, std::uint32_t tag) {
    const auto range = range_of(region);
    return range ? (*range)->reserve(address, bytes, tag) : range.failure();
}

result<range_allocator*> device_allocator::range_of(spec::region_kind kind) {
    for (entry& each : regions_) {
        if (each.kind == kind) {
            return &each.range;
        }
    }
    return driver_failure{driver_error::bad_argument,
                          fmt::format("the device has no region {}: give it one in npu.device_dram.regions",
                                      spec::name_of(kind)),
                          {}};
}

result<void> device_allocator::free(std::uint64_t address) {
    for (entry& each : regions_) {
        if (address - each.range.base() < each.range.capacity()) {
            return each.range.free(address);
        }
    }
    return driver_failure{
        driver_error::bad_argument, fmt::format("address {:#x} of device DRAM is in no region", address), {}};
}

const range_allocator* device_allocator::region(spec::region_kind kind) const {
    for (const entry& each : regions_) {
        if (each.kind == kind) {
            return &each.range;
        }
    }
    return nullptr;
}

// ---- host_allocator

host_allocator::host_allocator(port& door, std::uint64_t reachable)
    : memory_(door.host_memory()),
      range_("host memory", door.host_memory_address(), std::min<std::uint64_t>(memory_.size(), reachable)) {}

result<host_buffer> host_allocator::allocate(std::uint64_t bytes, std::uint64_t alignment,
                                             std::uint32_t tag) {
    auto got = range_.allocate(bytes, alignment, tag);
    if (!got) {
        return got.failure();
    }
    return host_buffer{memory_.subspan(got->address - range_.base(), bytes), got->address};
}

} // namespace retrace
