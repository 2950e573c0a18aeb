#include "host/driver/allocator.h"

#include <algorithm>
#include <bit>
#include <fmt/format.h>

namespace retrace {

namespace {

std::uint64_t aligned(std::uint64_t address, std::uint64_t alignment) {
    return (address + alignment - 1) & ~(alignment - 1);
}

} // namespace

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
        const std::uint64_t address = aligned(begin, alignment);
        if (address - begin > size || bytes > size - (address - begin)) {
            continue;
        }
        free_.erase(piece);
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
    return full(bytes, alignment, tag);
}

driver_failure range_allocator::full(std::uint64_t bytes, std::uint64_t alignment, std::uint32_t tag) const {
    // With more capacity the request would go behind the last allocation, or into the free piece that ends
    // the range.
    std::uint64_t begin = base_ + capacity_;
    if (!free_.empty() && free_.rbegin()->first + free_.rbegin()->second == begin) {
        begin = free_.rbegin()->first;
    }
    const std::uint64_t smallest = aligned(begin, alignment) + bytes - base_;
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

device_allocator::device_allocator(const compiler::device_capabilities& capabilities) {
    for (const compiler::memory_region& region : capabilities.regions) {
        regions_.push_back(
            {region.kind, range_allocator(fmt::format("region {} of device DRAM", spec::name_of(region.kind)),
                                          region.base, region.bytes)});
    }
}

result<allocation> device_allocator::allocate(spec::region_kind region, std::uint64_t bytes,
                                              std::uint64_t alignment, std::uint32_t tag) {
    for (entry& each : regions_) {
        if (each.kind == region) {
            return each.range.allocate(bytes, alignment, tag);
        }
    }
    return driver_failure{driver_error::bad_argument,
                          fmt::format("the device has no region {}: give it one in npu.device_dram.regions",
                                      spec::name_of(region)),
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

host_allocator::host_allocator(port& door)
    : memory_(door.host_memory()), range_("host memory", door.host_memory_address(), memory_.size()) {}

result<host_buffer> host_allocator::allocate(std::uint64_t bytes, std::uint64_t alignment,
                                             std::uint32_t tag) {
    auto got = range_.allocate(bytes, alignment, tag);
    if (!got) {
        return got.failure();
    }
    return host_buffer{memory_.subspan(got->address - range_.base(), bytes), got->address};
}

} // namespace retrace
