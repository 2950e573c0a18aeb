#include "tlm/core/accounting/command_book.h"

#include <algorithm>

namespace retrace {

void command_book::fetched(std::uint64_t cycle, const spec::command& c) {
    line l;
    l.sequence = c.sequence;
    l.step = c.step;
    l.layer = c.layer;
    l.opcode = static_cast<spec::command_opcode>(c.opcode);
    l.phase = static_cast<spec::phase>(c.phase);
    std::copy(std::begin(c.wait), std::end(c.wait), l.waits.begin());
    for (unsigned p = 0; p < c.program_count && p < spec::max_programs; ++p)
        if (c.program_engine[p] < spec::max_engines)
            l.engines |= 1u << c.program_engine[p];
    l.work_begin = c.work_base;
    l.work_end = std::uint64_t{c.work_base} + c.work_bytes;
    l.psum_begin = c.psum_first;
    l.psum_end = unsigned{c.psum_first} + c.psum_count;
    l.since = cycle;
    lines_.push_back(l);
}

void command_book::begun(std::uint64_t cycle, unsigned context, const spec::command& command) {
    const auto mine = [&] {
        return std::find_if(lines_.begin(), lines_.end(),
                            [&](const line& l) { return l.sequence == command.sequence && l.now == state::fetched; });
    };
    if (mine() == lines_.end())
        fetched(cycle, command);
    const auto found = mine();
    found->now = state::begun;
    found->context = context;
    found->since = cycle;
}

void command_book::ended(std::uint64_t cycle, unsigned context) {
    for (line& l : lines_)
        if (l.now == state::begun && l.context == context) {
            l.now = state::ended;
            l.since = cycle;
        }
}

void command_book::completed(std::uint32_t sequence) {
    ++posted_;
    // Of several that claim one number, the first was refused or ran first.
    const auto found = std::find_if(lines_.begin(), lines_.end(), [&](const line& l) { return l.sequence == sequence; });
    if (found != lines_.end())
        lines_.erase(found);
}

void command_book::clear() {
    lines_.clear();
    posted_ = 0;
}

const command_book::line* command_book::find(std::uint32_t sequence) const {
    const auto found = std::find_if(lines_.begin(), lines_.end(), [&](const line& l) { return l.sequence == sequence; });
    return found == lines_.end() ? nullptr : &*found;
}

bool overlap(const command_book::line& a, const command_book::line& b) {
    const auto meet = [](auto a_begin, auto a_end, auto b_begin, auto b_end) {
        return a_begin != a_end && b_begin != b_end && a_begin < b_end && b_begin < a_end;
    };
    return meet(a.work_begin, a.work_end, b.work_begin, b.work_end) || meet(a.psum_begin, a.psum_end, b.psum_begin, b.psum_end);
}

} // namespace retrace
