// Where the interpreter's instructions read and write: operands as regions of memory, and what a finished instruction leaves
// there.
#include <algorithm>
#include <cstring>

#include "hw/spec/spec.h"
#include "sim/cosim/interpreter.h"
#include "sim/cosim/reference_numbers.h"

namespace retrace::cosim {

using spec::memory_kind;

namespace {

constexpr std::uint64_t key(const spec::operand& o) { return std::uint64_t{o.tag} << 32 | o.version; }

} // namespace

std::uint64_t interpreter::region::end() const {
    std::uint64_t last = base + run;
    for (int d = 0; d < 3; ++d)
        last += (counts[d] - 1) * strides[d];
    return last;
}

std::uint64_t interpreter::region::address(std::uint64_t n) const {
    const std::uint64_t i = n % counts[0], j = n / counts[0] % counts[1], k = n / counts[0] / counts[1];
    return base + i * strides[0] + j * strides[1] + k * strides[2];
}

bool interpreter::region::overlaps(const region& other) const {
    if (memory != other.memory || end() <= other.base || other.end() <= base)
        return false;
    const auto sorted = [](const region& r) {
        std::vector<std::uint64_t> starts(r.runs());
        for (std::uint64_t n = 0; n < starts.size(); ++n)
            starts[n] = r.address(n);
        std::sort(starts.begin(), starts.end());
        return starts;
    };
    const std::vector<std::uint64_t> mine = sorted(*this), theirs = sorted(other);
    for (std::size_t m = 0, t = 0; m < mine.size() && t < theirs.size();) {
        if (mine[m] < theirs[t] + other.run && theirs[t] < mine[m] + run)
            return true;
        if (mine[m] < theirs[t])
            ++m;
        else
            ++t;
    }
    return false;
}

std::optional<std::uint64_t> interpreter::region::find(memory_kind where, std::uint64_t byte) const {
    if (where != memory || byte < base || byte >= end())
        return {};
    for (std::uint64_t n = 0; n < runs(); ++n)
        if (const std::uint64_t a = address(n); byte >= a && byte - a < run)
            return n * run + (byte - a);
    return {};
}

bool interpreter::resolve(running_command& c, unsigned engine, unsigned slot, unsigned tag_slot, std::uint64_t offset,
                          region& r) {
    if (slot >= c.command.operand_count || tag_slot >= c.command.operand_count) {
        fault(c, engine, "slot " + std::to_string(slot) + " does not exist");
        return false;
    }
    const spec::operand& o = c.command.operands[slot];
    const auto wanted = static_cast<std::uint8_t>(r.write ? spec::operand_access::write : spec::operand_access::read);
    if (!(o.access & wanted))
        fault(c, engine, "access to slot " + std::to_string(slot) + " is not permitted");
    r.base = 0;
    if (r.run == 0 || r.runs() == 0 || offset + r.end() > o.bytes) {
        fault(c, engine, "access outside slot " + std::to_string(slot));
        return false;
    }
    r.memory = static_cast<memory_kind>(o.memory);
    r.base = o.base + offset;
    r.owner = key(c.command.operands[tag_slot]);
    return true;
}

bool interpreter::operand(running_command& c, flight& f, const spec::memory_operand& m, std::uint64_t rows,
                          std::uint64_t row_bytes, bool write) {
    region r;
    r.run = row_bytes;
    r.counts[0] = rows;
    r.strides[0] = m.pitch;
    r.write = write;
    if (rows > 1 && m.pitch < row_bytes) {
        fault(c, f.engine, "access outside slot " + std::to_string(m.slot) + ": rows overlap");
        return false;
    }
    if (!resolve(c, f.engine, m.slot, m.tag_slot, m.offset, r))
        return false;
    f.regions.push_back(r);
    return true;
}

void interpreter::write(running_command& c, const flight& f) {
    const region& d = f.regions.back();
    tagged_bytes* m = memory(d.memory);
    if (!m)
        to_host[static_cast<std::uint32_t>(d.owner >> 32)] += f.result.size();
    const auto track = writers_.find(d.memory);
    for (std::uint64_t n = 0; n < d.runs(); ++n) {
        const std::uint64_t address = d.address(n);
        std::byte* to = bytes(d.memory, address);
        const std::byte* from = f.result.data() + n * d.run;
        if (f.accumulate) {
            if (!m->owned(address, d.run, d.owner))
                fault(c, f.engine, "stale accumulator");
            for (std::uint64_t e = 0; e < d.run; e += 4) {
                std::uint32_t old, more;
                std::memcpy(&old, to + e, 4);
                std::memcpy(&more, from + e, 4);
                const std::uint32_t sum = f.integer ? old + more : add(old, more);
                if (f.integer)
                    census_.wrapped += ((old ^ sum) & (more ^ sum)) >> 31;
                else
                    value_census::add(census_.accumulated, sum);
                std::memcpy(to + e, &sum, 4);
            }
        } else
            std::memcpy(to, from, d.run);
        if (track != writers_.end()) {
            const std::uint64_t first = d.memory == memory_kind::host ? address - spec::host_window_base : address;
            std::fill_n(track->second.begin() + static_cast<std::ptrdiff_t>(first), d.run,
                        static_cast<std::uint32_t>(executed_.size()));
        }
        if (m) {
            std::map<std::uint32_t, std::uint64_t> lost;
            m->set_owner(address, d.run, d.owner, &lost);
            const std::uint64_t work = c.command.work_base, end = work + c.command.work_bytes;
            const bool working =
                d.memory == memory_kind::psum || (d.memory == memory_kind::state_buffer && d.base >= work && d.base < end);
            if (!working)
                for (const auto& [tag, count] : lost)
                    overwritten[{tag, static_cast<std::uint32_t>(d.owner >> 32)}] += count;
        }
    }
    if (!f.detail.empty()) {
        std::string line = describe(executed_.back()) + "\n      " + f.detail;
        if (f.accumulate) {
            std::uint32_t after = 0;
            std::memcpy(&after, bytes(watched_->first, watched_->second & ~std::uint64_t{3}), 4);
            line += "\n      accumulated to " + text_of_word(after, f.integer);
        }
        history_.push_back(std::move(line));
    }
}

} // namespace retrace::cosim
