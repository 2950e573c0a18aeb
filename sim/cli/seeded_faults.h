#pragma once
// The faults that this program can be run with on purpose. An ordinary build has none; the one that tests/faults makes has them all.
#include <span>
#include <string_view>

namespace retrace {

struct seeded_fault_description {
    std::string_view name, unit, what;
};

std::span<const seeded_fault_description> seeded_faults();
/// Puts one of them into effect, before the device is made.
void seed_fault(std::string_view name);

} // namespace retrace
