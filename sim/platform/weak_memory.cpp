#include "sim/platform/weak_memory.h"

#include <algorithm>
#include <cstring>

#include "hw/spec/counter_random.h"

namespace retrace {

namespace {

constexpr std::size_t page_bytes = 4096, granule_bytes = 8, granules_per_draw = 128;

/// Of the random words, beside those of the device's stress (hw/README.md, 9.13).
constexpr std::uint32_t store_channel = 500, load_channel = 501, whether_channel = 502;

philox_counter draw(std::uint64_t seed, std::uint32_t channel, std::uint32_t order, std::uint64_t number) {
    return philox4x32_10({static_cast<std::uint32_t>(number), static_cast<std::uint32_t>(number >> 32), channel, order},
                         {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)});
}

} // namespace

weak_memory::weak_memory(std::span<std::byte> device_side, std::uint64_t seed)
    : device_(device_side), cpu_(device_side.size()), agreed_(device_side.size()), seed_(seed) {}

/// What has changed in `from` since both sides agreed goes to `to`, in the granules that are `chosen`. `over`: also over what `to` has
/// changed itself.
template <typename Chosen>
void weak_memory::carry(std::byte* from, std::byte* to, bool over, Chosen&& chosen) {
    std::byte* agreed = agreed_.get();
    for (std::size_t page = 0; page < device_.size(); page += page_bytes) {
        const std::size_t page_end = std::min(page + page_bytes, device_.size());
        if (std::memcmp(from + page, agreed + page, page_end - page) == 0)
            continue;
        for (std::size_t at = page; at < page_end; at += granule_bytes) {
            const std::size_t end = std::min(at + granule_bytes, page_end);
            if (std::memcmp(from + at, agreed + at, end - at) == 0 || !chosen(at / granule_bytes))
                continue;
            for (std::size_t i = at; i < end; ++i)
                if (from[i] != agreed[i] && (over || to[i] == agreed[i]))
                    to[i] = agreed[i] = from[i];
        }
    }
}

void weak_memory::carry_some(std::byte* from, std::byte* to, bool over, std::uint32_t channel) {
    std::size_t drawn = ~std::size_t{0};
    philox_counter words{};
    carry(from, to, over, [&](std::size_t granule) {
        if (granule / granules_per_draw != drawn) {
            drawn = granule / granules_per_draw;
            words = draw(seed_, channel, static_cast<std::uint32_t>(drawn), moments_);
        }
        return (words[granule / 32 % 4] >> granule % 32 & 1) != 0;
    });
}

void weak_memory::write_barrier() {
    carry(cpu_.get(), device_.data(), true, [](std::size_t) { return true; });
}

void weak_memory::read_barrier() {
    carry(device_.data(), cpu_.get(), false, [](std::size_t) { return true; });
}

void weak_memory::let_time_pass() {
    const philox_counter whether = draw(seed_, whether_channel, 0, ++moments_);
    if (whether[0] % 2 == 0)
        carry_some(cpu_.get(), device_.data(), true, store_channel);
    if (whether[1] % 2 == 0)
        carry_some(device_.data(), cpu_.get(), false, load_channel);
}

} // namespace retrace
