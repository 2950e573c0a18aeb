#pragma once
// A block of 32-bit registers as the generated tables describe it (spec::host_block::registers,
// spec::control_block::registers): what a bus access sees of RO, RW, RW1C, WO and reserved bits. What a
// register *does* belongs to the owner of the block, who is called through the hook and reaches the stored
// bits from the hardware's side.
//
//   access  bus read            bus write
//   RO      stored bits         ignored
//   RW      stored bits         stored
//   RW1C    stored bits         ones clear
//   WO      0                   not stored; the hook gets them
//   none    0 (reserved)        ignored
#include <cstdint>
#include <functional>
#include <span>
#include <stdexcept>
#include <utility>
#include <vector>

#include "hw/spec/spec.h"

namespace retrace {

/// How a bus access ended. `refused`: the register exists, but what the access asks for is a mistake of the
/// guest.
enum class register_status : std::uint8_t { ok, bad_offset, unaligned, refused };

/// The initial value of a register that carries configuration.
struct register_value {
    std::uint32_t offset = 0, value = 0;
};

/// The table or the configuration does not fit: a mistake of whoever builds the device.
struct register_config_error : std::runtime_error {
    using std::runtime_error::runtime_error;
};

class register_file {
public:
    /// One access to a register marked side_effect. Reads: called before the value is taken, so the owner can
    /// refresh it. Writes: called after RW and RW1C bits changed; `value` holds the written bits that are not
    /// reserved or RO.
    struct access {
        const spec::register_info* info = nullptr;
        std::uint32_t index = 0;  ///< element of an array, otherwise 0
        std::uint32_t offset = 0; ///< of this element
        bool is_write = false;
        std::uint32_t value = 0;
    };
    using hook = std::function<register_status(const access&)>;

    /// Throws register_config_error when a configured value names no register or sets bits that are not
    /// configuration.
    register_file(std::span<const spec::register_info> table, std::span<const register_value> configuration);

    void set_hook(hook callback) { hook_ = std::move(callback); }

    /// Every register to its reset value; configuration stays.
    void reset();

    // The bus side. A failed read leaves `value` 0, a failed write changes nothing; `refused` comes from the
    // hook.
    register_status read(std::uint32_t offset, std::uint32_t& value);
    register_status write(std::uint32_t offset, std::uint32_t value);

    // The hardware's side: any bit that the bus can read. Bits under `mask` change, reserved and WO bits
    // never. No hook is called. Throws std::logic_error for an offset without a register.
    std::uint32_t get(std::uint32_t offset) const;
    void set(std::uint32_t offset, std::uint32_t value, std::uint32_t mask = ~0u);

    std::uint32_t field(std::uint32_t offset, std::uint32_t mask, std::uint32_t shift) const {
        return (get(offset) & mask) >> shift;
    }
    void set_field(std::uint32_t offset, std::uint32_t mask, std::uint32_t shift, std::uint32_t value) {
        set(offset, value << shift, mask);
    }

private:
    struct cell {
        const spec::register_info* info = nullptr;
        std::uint32_t index = 0, value = 0, initial = 0;
    };
    const cell* find(std::uint32_t offset) const;
    cell* find(std::uint32_t offset) { return const_cast<cell*>(std::as_const(*this).find(offset)); }
    register_status notify(const cell& target, std::uint32_t offset, bool is_write, std::uint32_t value);

    std::vector<cell> cells_;            // in order of the table
    std::vector<std::uint16_t> by_word_; // offset / 4 -> 1 + index into cells_, 0: no register
    hook hook_;
};

} // namespace retrace
