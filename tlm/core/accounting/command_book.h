#pragma once
// The commands between the submission ring and the completion ring, as the device's own blocks see them pass: descriptors that the mover
// brings in, contexts that begin and end, completions that it takes out. Firmware does as it likes in between; this is what a report can
// say about it (who waits for what). Costs a line per command, no simulated time, and changes nothing.
#include <array>
#include <cstdint>
#include <vector>

#include "hw/spec/spec.h"

namespace retrace {

class command_book {
public:
    enum class state : std::uint8_t {
        fetched, ///< in the control core's memory
        begun,   ///< in a context
        ended    ///< its context has ended; its completion has not left
    };
    struct line {
        std::uint32_t sequence = 0, step = 0, layer = 0;
        spec::command_opcode opcode{};
        spec::phase phase{};
        std::array<std::uint32_t, spec::max_waits> waits{};
        std::uint32_t engines = 0; ///< one bit each
        std::uint64_t work_begin = 0, work_end = 0;
        unsigned psum_begin = 0, psum_end = 0;
        state now = state::fetched;
        unsigned context = 0;    ///< begun
        std::uint64_t since = 0; ///< cycle from which it is in this state
    };

    void fetched(std::uint64_t cycle, const spec::command& command);
    /// What the core begins counts even if nobody saw it being fetched.
    void begun(std::uint64_t cycle, unsigned context, const spec::command& command);
    void ended(std::uint64_t cycle, unsigned context);
    /// Its completion is in host memory.
    void completed(std::uint32_t sequence);
    void clear();

    /// In the order in which they were fetched.
    const std::vector<line>& lines() const { return lines_; }
    const line* find(std::uint32_t sequence) const;
    /// Completions written since the control core left reset.
    std::uint64_t posted() const { return posted_; }

private:
    std::vector<line> lines_;
    std::uint64_t posted_ = 0;
};

/// Whether two commands' working sets overlap, so that they cannot run at the same time (hw/README.md, section 3).
bool overlap(const command_book::line& a, const command_book::line& b);

} // namespace retrace
