// Runs a piece of a test under every instruction set that this host offers and the build contains.
#pragma once

#include <cstdint>

#include "hwy/highway.h"

namespace retrace::test {

// The destructor returns to the normal choice, also when an assertion leaves the loop early.
class forced_target {
public:
    explicit forced_target(std::int64_t target) {
        hwy::SetSupportedTargetsForTest(target);
        hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    }
    forced_target(const forced_target&) = delete;
    forced_target& operator=(const forced_target&) = delete;
    ~forced_target() {
        hwy::SetSupportedTargetsForTest(0);
        hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    }
};

template <typename Function>
void for_every_target(Function function) {
    // The baseline (scalar) target is always compiled in and always runs.
    std::int64_t targets = hwy::SupportedTargets() | HWY_STATIC_TARGET;
    while (targets != 0) {
        const std::int64_t target = targets & -targets;
        targets &= targets - 1;
        forced_target forced(target);
        function(target);
    }
}

} // namespace retrace::test
