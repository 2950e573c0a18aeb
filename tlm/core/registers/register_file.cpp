#include "tlm/core/registers/register_file.h"

#include <algorithm>
#include <fmt/format.h>

namespace retrace {

namespace {

std::uint32_t readable(const spec::register_info& info) { return info.ro | info.rw | info.rw1c; }
std::uint32_t writable(const spec::register_info& info) { return info.rw | info.rw1c | info.wo; }

} // namespace

register_file::register_file(std::span<const spec::register_info> table,
                             std::span<const register_value> configuration) {
    for (const spec::register_info& info : table) {
        for (std::uint32_t i = 0; i < info.count; ++i) {
            const std::uint32_t offset = info.offset + i * info.stride;
            if (offset % 4 != 0) {
                throw register_config_error(
                    fmt::format("register {} at {:#x} is not a word", info.name, offset));
            }
            by_word_.resize(std::max<std::size_t>(by_word_.size(), offset / 4 + 1));
            if (by_word_[offset / 4] != 0) {
                throw register_config_error(fmt::format("two registers at {:#x}", offset));
            }
            cells_.push_back({&info, i, info.reset, info.reset});
            by_word_[offset / 4] = static_cast<std::uint16_t>(cells_.size());
        }
    }
    for (const register_value& entry : configuration) {
        cell* target = find(entry.offset);
        if (target == nullptr) {
            throw register_config_error(
                fmt::format("configured register {:#x} does not exist", entry.offset));
        }
        if ((entry.value & ~target->info->config) != 0) {
            throw register_config_error(
                fmt::format("register {} cannot hold the configured value {:#x}: its configuration "
                            "bits are {:#x}",
                            target->info->name, entry.value, target->info->config));
        }
        target->initial = target->info->reset | entry.value;
    }
    reset();
}

void register_file::reset() {
    for (cell& each : cells_) {
        each.value = each.initial;
    }
}

const register_file::cell* register_file::find(std::uint32_t offset) const {
    if (offset % 4 != 0 || offset / 4 >= by_word_.size() || by_word_[offset / 4] == 0) {
        return nullptr;
    }
    return &cells_[by_word_[offset / 4] - 1u];
}

register_status register_file::notify(const cell& target, std::uint32_t offset, bool is_write,
                                      std::uint32_t value) {
    if (!target.info->side_effect || !hook_) {
        return register_status::ok;
    }
    return hook_({target.info, target.index, offset, is_write, value});
}

register_status register_file::read(std::uint32_t offset, std::uint32_t& value) {
    value = 0;
    if (offset % 4 != 0) {
        return register_status::unaligned;
    }
    cell* target = find(offset);
    if (target == nullptr) {
        return register_status::bad_offset;
    }
    const register_status status = notify(*target, offset, false, 0);
    if (status == register_status::ok) {
        value = target->value & readable(*target->info);
    }
    return status;
}

register_status register_file::write(std::uint32_t offset, std::uint32_t value) {
    if (offset % 4 != 0) {
        return register_status::unaligned;
    }
    cell* target = find(offset);
    if (target == nullptr) {
        return register_status::bad_offset;
    }
    const spec::register_info& info = *target->info;
    const std::uint32_t before = target->value;
    target->value = (before & ~info.rw) | (value & info.rw);
    target->value &= ~(value & info.rw1c);
    const register_status status = notify(*target, offset, true, value & writable(info));
    if (status != register_status::ok) {
        target->value = before;
    }
    return status;
}

std::uint32_t register_file::get(std::uint32_t offset) const {
    const cell* target = find(offset);
    if (target == nullptr) {
        throw std::logic_error(fmt::format("register_file: no register at {:#x}", offset));
    }
    return target->value;
}

void register_file::set(std::uint32_t offset, std::uint32_t value, std::uint32_t mask) {
    cell* target = find(offset);
    if (target == nullptr) {
        throw std::logic_error(fmt::format("register_file: no register at {:#x}", offset));
    }
    mask &= readable(*target->info);
    target->value = (target->value & ~mask) | (value & mask);
}

} // namespace retrace
