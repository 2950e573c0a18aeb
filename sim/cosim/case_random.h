#pragma once
// The generator's random numbers: a counter-based stream per seed, so that a case does not depend on any library.
#include <initializer_list>

#include "hw/spec/counter_random.h"

namespace retrace::cosim {

class case_random {
public:
    explicit case_random(std::uint64_t seed) : seed_(seed) {}

    std::uint32_t word() { return counter_random(seed_, 0, stream, count_++); }
    /// 0 .. n - 1
    std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>(std::uint64_t{word()} * n >> 32); }
    /// low .. high, both included
    std::uint32_t between(std::uint32_t low, std::uint32_t high) { return low + below(high - low + 1); }
    bool chance(unsigned percent) { return below(100) < percent; }
    template <typename T>
    T of(std::initializer_list<T> values) {
        return values.begin()[below(static_cast<std::uint32_t>(values.size()))];
    }

private:
    static constexpr std::uint32_t stream = 0xc051;
    std::uint64_t seed_, count_ = 0;
};

} // namespace retrace::cosim
