#include "host/driver/rings.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace retrace {

void submission_ring::put(const spec::command& command) {
    std::memcpy(memory_.bytes.data() + tail_ % entries_ * spec::command_bytes, &command, sizeof command);
    tail_ = (tail_ + 1) % (2 * entries_);
}

void submission_ring::clear() {
    std::fill(memory_.bytes.begin(), memory_.bytes.end(), std::byte{0});
    tail_ = 0;
}

std::optional<spec::completion> completion_ring::take(port& door) {
    const std::byte* entry = memory_.bytes.data() + consumed_ % entries_ * spec::completion_bytes;
    // The device writes this word; nothing else tells the compiler that it changes.
    const auto* valid =
        reinterpret_cast<const volatile std::uint32_t*>(entry + offsetof(spec::completion, valid));
    if (*valid != consumed_ / entries_ + 1) {
        return std::nullopt;
    }
    door.read_barrier();
    spec::completion completion;
    std::memcpy(&completion, entry, sizeof completion);
    ++consumed_;
    return completion;
}

void completion_ring::clear() {
    std::fill(memory_.bytes.begin(), memory_.bytes.end(), std::byte{0});
    consumed_ = 0;
}

} // namespace retrace
