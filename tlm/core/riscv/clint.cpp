#include "tlm/core/riscv/clint.h"

#include <algorithm>

namespace retrace {

namespace {

constexpr uint32_t msip_offset = 0;
constexpr uint32_t mtimecmp_offset = 0x4000;
constexpr uint32_t mtime_offset = 0xbff8;
constexpr uint64_t last_cycle = uint64_t{1} << 63; // 200 years at 1.4 GHz

uint64_t with_word(uint64_t value, bool is_high, uint32_t word) {
    return is_high ? (value & 0xffffffffu) | uint64_t{word} << 32 : (value & 0xffffffff00000000u) | word;
}

uint32_t word_of(uint64_t value, bool is_high) {
    return static_cast<uint32_t>(is_high ? value >> 32 : value);
}

} // namespace

void clint::reset() {
    offset_ = 0;
    mtimecmp_ = ~uint64_t{0};
    msip_ = false;
    core_.set_time_offset(0);
    core_.set_software_interrupt(false);
    update();
}

bool clint::access(const riscv_bus_access& request, uint32_t& data) {
    if (request.bytes != 4) {
        return false;
    }
    const bool is_high = (request.address & 4) != 0;
    switch (request.address - base_) {
    case msip_offset:
        if (request.is_write) {
            msip_ = (request.data & 1) != 0;
            core_.set_software_interrupt(msip_);
        }
        data = msip_ ? 1 : 0;
        return true;
    case mtimecmp_offset:
    case mtimecmp_offset + 4:
        if (request.is_write) {
            mtimecmp_ = with_word(mtimecmp_, is_high, request.data);
        }
        data = word_of(mtimecmp_, is_high);
        return true;
    case mtime_offset:
    case mtime_offset + 4:
        if (request.is_write) {
            offset_ = with_word(mtime(), is_high, request.data) - core_.cycle();
            core_.set_time_offset(offset_);
        }
        data = word_of(mtime(), is_high);
        return true;
    default:
        return false;
    }
}

std::optional<uint64_t> clint::cycles_to_timer() const {
    const uint64_t now = mtime();
    if (now >= mtimecmp_ || mtimecmp_ - now > last_cycle - std::min(core_.cycle(), last_cycle)) {
        return std::nullopt;
    }
    return mtimecmp_ - now;
}

} // namespace retrace
