#pragma once
// Sets of bytes of one memory, as sorted runs: what an operation reads or writes.
#include <cstdint>
#include <vector>

#include "hw/spec/spec.h"

namespace retrace::cosim {

struct byte_run {
    std::uint64_t begin = 0, end = 0;
};

class byte_set {
public:
    byte_set() = default;
    byte_set(spec::memory_kind memory, std::vector<byte_run> runs);
    /// `run` bytes, repeated counts[0] x counts[1] x counts[2] times with the strides.
    static byte_set strided(spec::memory_kind memory, std::uint64_t base, std::uint64_t run, const std::uint64_t (&counts)[3],
                            const std::uint64_t (&strides)[3]);

    spec::memory_kind memory() const { return memory_; }
    bool empty() const { return runs_.empty(); }
    bool overlaps(const byte_set& other) const;
    const std::vector<byte_run>& runs() const { return runs_; }
    std::uint64_t first() const { return runs_.front().begin; }
    std::uint64_t end() const { return runs_.back().end; }

private:
    spec::memory_kind memory_{};
    std::vector<byte_run> runs_; ///< ascending, apart
};

inline bool overlap(const std::vector<byte_set>& a, const std::vector<byte_set>& b) {
    for (const byte_set& x : a)
        for (const byte_set& y : b)
            if (x.overlaps(y))
                return true;
    return false;
}

} // namespace retrace::cosim
