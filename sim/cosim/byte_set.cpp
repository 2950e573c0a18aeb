#include "sim/cosim/byte_set.h"

#include <algorithm>

namespace retrace::cosim {

byte_set::byte_set(spec::memory_kind memory, std::vector<byte_run> runs) : memory_(memory) {
    std::sort(runs.begin(), runs.end(), [](const byte_run& a, const byte_run& b) { return a.begin < b.begin; });
    for (const byte_run& r : runs) {
        if (r.begin == r.end)
            continue;
        if (!runs_.empty() && r.begin <= runs_.back().end)
            runs_.back().end = std::max(runs_.back().end, r.end);
        else
            runs_.push_back(r);
    }
}

byte_set byte_set::strided(spec::memory_kind memory, std::uint64_t base, std::uint64_t run, const std::uint64_t (&counts)[3],
                           const std::uint64_t (&strides)[3]) {
    std::vector<byte_run> runs;
    for (std::uint64_t k = 0; k < counts[2]; ++k)
        for (std::uint64_t j = 0; j < counts[1]; ++j)
            for (std::uint64_t i = 0; i < counts[0]; ++i) {
                const std::uint64_t at = base + i * strides[0] + j * strides[1] + k * strides[2];
                runs.push_back({at, at + run});
            }
    return {memory, std::move(runs)};
}

bool byte_set::overlaps(const byte_set& other) const {
    if (memory_ != other.memory_ || empty() || other.empty() || end() <= other.first() || other.end() <= first())
        return false;
    for (std::size_t a = 0, b = 0; a < runs_.size() && b < other.runs_.size();) {
        if (runs_[a].begin < other.runs_[b].end && other.runs_[b].begin < runs_[a].end)
            return true;
        if (runs_[a].end <= other.runs_[b].end)
            ++a;
        else
            ++b;
    }
    return false;
}

} // namespace retrace::cosim
