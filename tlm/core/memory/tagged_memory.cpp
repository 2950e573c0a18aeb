#include "tlm/core/memory/tagged_memory.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "tlm/core/seeded_fault.h"

namespace retrace {

namespace {

std::uint64_t key_of(trace::tensor_id tensor) { return std::uint64_t{tensor.tag} << 32 | tensor.version; }

/// First entry of [first, limit) that is not `value`; whole blocks at a time, which the compiler vectorises.
std::uint64_t first_other(const std::uint16_t* o, std::uint64_t first, std::uint64_t limit, std::uint16_t value) {
    constexpr std::uint64_t block = 64;
    for (; first + block <= limit; first += block) {
        std::uint16_t difference = 0;
        for (std::uint64_t j = 0; j < block; ++j)
            difference = static_cast<std::uint16_t>(difference | (o[first + j] ^ value));
        if (difference != 0)
            break;
    }
    while (first < limit && o[first] == value)
        ++first;
    return first;
}

} // namespace

tagged_memory::tagged_memory(std::string name, spec::memory_kind kind, std::uint64_t capacity, unsigned granule, unsigned device,
                             trace::event_sink* sink)
    : name_(std::move(name)), kind_(kind), capacity_(capacity), shift_(granule == 4 ? 2 : 0), device_(device), sink_(sink), data_(capacity),
      lines_((capacity >> shift_) / line + 1), owner_(((capacity >> shift_) / line + 1) * line, page_size::ordinary) {
    if (kind != spec::memory_kind::device_dram && kind != spec::memory_kind::host)
        std::memset(data_.get(), 0xff, capacity); // engines read these memories directly
    owners_.resize(first_owner);
    total_ = {name_, 0, capacity, 0, 0};
}

void tagged_memory::add_region(std::string name, std::uint64_t base, std::uint64_t bytes) {
    if (!contains(base, bytes))
        throw std::invalid_argument("region '" + name + "' does not lie inside " + name_);
    regions_.push_back({std::move(name), base, bytes, 0, 0});
}

tagged_memory::owner_index tagged_memory::find_owner(trace::tensor_id tensor) const {
    const std::uint64_t key = key_of(tensor);
    if (last_index_ == nobody || last_key_ != key) {
        const auto found = index_.find(key);
        if (found == index_.end())
            return nobody;
        last_key_ = key;
        last_index_ = found->second;
    }
    return last_index_;
}

tagged_memory::owner_index tagged_memory::make_owner(trace::tensor_id tensor) {
    if (const owner_index known = find_owner(tensor); known != nobody)
        return known;
    const auto at = index_.emplace(key_of(tensor), nobody).first;
    if (!free_owners_.empty()) {
        at->second = free_owners_.back();
        free_owners_.pop_back();
    } else {
        if (owners_.size() >= mixed)
            throw std::runtime_error(name_ + ": more than 65,533 tensor versions are live at once");
        at->second = static_cast<owner_index>(owners_.size());
        owners_.emplace_back();
    }
    owners_[at->second] = {tensor, 0};
    return at->second;
}

bool tagged_memory::uniform(std::uint64_t first, std::uint64_t granules, owner_index owner) const {
    const std::uint64_t end = first + granules, end_line = (end - 1) / line + 1;
    for (std::uint64_t l = first / line;; ++l) {
        l = first_other(lines_.get(), l, end_line, owner);
        if (l == end_line)
            return true;
        if (lines_[l] != mixed)
            return false;
        const std::uint64_t to = std::min(end, (l + 1) * line);
        if (first_other(owner_.get(), std::max(first, l * line), to, owner) != to)
            return false;
    }
}

std::uint64_t tagged_memory::run_end(std::uint64_t first, std::uint64_t limit) const {
    const owner_index value = owner_at(first);
    const std::uint64_t end_line = (limit - 1) / line + 1;
    for (std::uint64_t l = first / line;; ++l) {
        l = first_other(lines_.get(), l, end_line, value);
        if (l == end_line)
            return limit;
        const std::uint64_t from = std::max(first, l * line), to = std::min(limit, (l + 1) * line);
        const std::uint64_t end = lines_[l] == mixed ? first_other(owner_.get(), from, to, value) : from;
        if (end != to)
            return end;
    }
}

void tagged_memory::assign_part(std::uint64_t l, std::uint64_t from, std::uint64_t to, owner_index owner) {
    if (lines_[l] == owner)
        return;
    owner_index* o = owner_.get() + l * line;
    if (lines_[l] != mixed)
        std::fill(o, o + line, lines_[l]);
    std::fill(o + from, o + to, owner);
    lines_[l] = first_other(o, 0, line, owner) == line ? owner : mixed; // it may have become one owner's
}

void tagged_memory::assign(std::uint64_t first, std::uint64_t granules, owner_index owner) {
    const std::uint64_t end = first + granules, last_line = end / line;
    std::uint64_t l = first / line;
    if (first % line != 0) {
        assign_part(l, first % line, std::min(line, end - l * line), owner);
        ++l;
    }
    if (l < last_line)
        std::fill(lines_.get() + l, lines_.get() + last_line, owner);
    if (l <= last_line && end % line != 0)
        assign_part(last_line, 0, end % line, owner);
}

void tagged_memory::count(std::uint64_t address, std::uint64_t bytes, bool live) {
    const auto apply = [live](region& r, std::uint64_t part) {
        r.live = live ? r.live + part : r.live - part;
        r.peak = std::max(r.peak, r.live);
    };
    apply(total_, bytes);
    for (region& r : regions_) // a run may reach over the end of a region: each counts its own part
        if (const std::uint64_t from = std::max(address, r.base), to = std::min(address + bytes, r.base + r.bytes); from < to)
            apply(r, to - from);
}

void tagged_memory::log_loss(owner_index owner, std::uint64_t bytes, trace::tensor_event::moment what, const access_origin& origin) {
    owner_entry& entry = owners_[owner];
    entry.bytes -= bytes;
    if (entry.bytes != 0)
        return;
    if (sink_ && entry.tensor.tag != 0)
        sink_->on(trace::tensor_event{what, origin.cycle, device_, kind_, entry.tensor, origin.sequence, bytes, 0});
    index_.erase(key_of(entry.tensor));
    last_index_ = nobody;
    free_owners_.push_back(owner);
}

void tagged_memory::set_owner(std::uint64_t address, std::uint64_t bytes, owner_index owner, trace::tensor_event::moment loss,
                              const access_origin& origin) {
    const std::uint64_t first = address >> shift_, granules = bytes >> shift_;
    if (granules == 0 || uniform(first, granules, owner))
        return;
    const bool gains = owner >= first_owner;
    if (gains && owners_[owner].bytes == 0 && sink_ && owners_[owner].tensor.tag != 0)
        sink_->on(trace::tensor_event{trace::tensor_event::moment::live, origin.cycle, device_, kind_, owners_[owner].tensor,
                                      origin.sequence, 0, 0});
    // The new owner gains before the old ones lose, so that rewriting a tensor by itself never looks like its end.
    if (gains)
        owners_[owner].bytes += bytes;
    for (std::uint64_t i = first, limit = first + granules; i < limit;) {
        const owner_index old = owner_at(i);
        const std::uint64_t end = run_end(i, limit);
        const std::uint64_t run = (end - i) << shift_;
        if (old != owner && (old == nobody || owner == nobody))
            count(i << shift_, run, old == nobody);
        if (old >= first_owner)
            log_loss(old, run, loss, origin);
        i = end;
    }
    assign(first, granules, owner);
}

void tagged_memory::claim(std::uint64_t address, std::uint64_t bytes, trace::tensor_id owner, const access_origin& origin) {
    if (bytes != 0)
        set_owner(address, bytes, make_owner(owner), trace::tensor_event::moment::overwritten, origin);
}

void tagged_memory::write(std::uint64_t address, const std::byte* source, std::uint64_t bytes, trace::tensor_id owner,
                          const access_origin& origin) {
    if (bytes == 0)
        return;
    std::memcpy(data_.get() + address, source, bytes);
    claim(address, bytes, owner, origin);
}

void tagged_memory::report_stale(std::uint64_t address, std::uint64_t bytes, trace::tensor_id expected, owner_index wanted,
                                 const access_origin& origin) {
    ++stale_reads_;
    if (!sink_)
        return;
    const std::uint64_t limit = ((address + bytes - 1) >> shift_) + 1;
    std::uint64_t wrong = 0, at = 0;
    for (std::uint64_t i = address >> shift_; i < limit;) {
        const std::uint64_t end = run_end(i, limit);
        if (owner_at(i) != wanted || wanted < first_owner) {
            if (wrong == 0)
                at = i;
            wrong += (end - i) << shift_;
        }
        i = end;
    }
    const owner_index owner = owner_at(at);
    const trace::tensor_id found = owner >= first_owner ? owners_[owner].tensor : trace::tensor_id{};
    sink_->on(trace::stale_read_event{origin.cycle, device_, origin.engine, origin.sequence, origin.pc, kind_, at << shift_, wrong,
                                      expected, found});
}

bool tagged_memory::check(std::uint64_t address, std::uint64_t rows, std::uint64_t row_bytes, std::uint64_t pitch,
                          trace::tensor_id expected, const access_origin& origin) {
    if (rows == 0 || row_bytes == 0)
        return true;
    const owner_index wanted = find_owner(expected);
    if (pitch == row_bytes) {
        row_bytes *= rows;
        rows = 1;
    }
    for (std::uint64_t r = 0; r < rows; ++r) {
        const std::uint64_t at = address + r * pitch;
        const std::uint64_t first = at >> shift_, last = (at + row_bytes - 1) >> shift_;
        // Rows of a tile mostly lie in one or two lines of their tensor.
        if (last / line - first / line <= 1 && lines_[first / line] == wanted && lines_[last / line] == wanted && wanted >= first_owner)
            continue;
        if (wanted < first_owner || !uniform(first, last - first + 1, wanted)) {
            report_stale(at, row_bytes, expected, wanted, origin);
            return false;
        }
    }
    return true;
}

void tagged_memory::peek(std::uint64_t address, std::byte* destination, std::uint64_t bytes) const {
    std::memcpy(destination, data_.get() + address, bytes);
    const std::uint64_t limit = (address + bytes + (std::uint64_t{1} << shift_) - 1) >> shift_;
    for (std::uint64_t i = address >> shift_; i < limit;) {
        const std::uint64_t end = run_end(i, limit);
        if (owner_at(i) < first_owner) {
            const std::uint64_t from = std::max(address, i << shift_), to = std::min(address + bytes, end << shift_);
            std::memset(destination + (from - address), 0xff, to - from);
        }
        i = end;
    }
}

void tagged_memory::read(std::uint64_t address, std::byte* destination, std::uint64_t bytes, trace::tensor_id expected,
                         const access_origin& origin) {
    if (bytes == 0)
        return;
    if (check(address, 1, bytes, bytes, expected, origin))
        std::memcpy(destination, data_.get() + address, bytes);
    else
        peek(address, destination, bytes);
}

void tagged_memory::release(std::uint64_t address, std::uint64_t bytes, trace::tensor_id owner, const access_origin& origin) {
    const owner_index mine = find_owner(owner);
    if (mine == nobody || bytes == 0 || RETRACE_FAULT(lost_release))
        return;
    const std::uint64_t last = (address + bytes) >> shift_;
    for (std::uint64_t i = address >> shift_; i < last && owners_[mine].bytes != 0;) {
        const std::uint64_t end = run_end(i, last);
        if (owner_at(i) != mine) {
            i = end;
            continue;
        }
        std::memset(data_.get() + (i << shift_), 0xff, (end - i) << shift_);
        const bool all = owners_[mine].bytes == (end - i) << shift_;
        set_owner(i << shift_, (end - i) << shift_, nobody, trace::tensor_event::moment::released, origin);
        if (all)
            break; // `mine` may now belong to another tensor
        i = end;
    }
}

void tagged_memory::begin_working_set(std::uint64_t address, std::uint64_t bytes, const access_origin& origin) {
    if (bytes == 0)
        return;
    // Bytes that nobody owns hold 0xFF already; only what a program left there has to be wiped.
    if (!uniform(address >> shift_, bytes >> shift_, nobody))
        std::memset(data_.get() + address, 0xff, bytes);
    set_owner(address, bytes, reserved, trace::tensor_event::moment::overwritten, origin);
}

void tagged_memory::end_working_set(std::uint64_t address, std::uint64_t bytes, const access_origin& origin) {
    if (bytes == 0)
        return;
    // What nobody has written since it was reserved holds 0xFF still.
    const std::uint64_t last = (address + bytes) >> shift_;
    for (std::uint64_t i = address >> shift_; i < last;) {
        const std::uint64_t end = run_end(i, last);
        if (owner_at(i) >= first_owner)
            std::memset(data_.get() + (i << shift_), 0xff, (end - i) << shift_);
        i = end;
    }
    set_owner(address, bytes, nobody, trace::tensor_event::moment::released, origin);
}

void tagged_memory::log_complete(std::uint64_t address, std::uint64_t bytes, trace::tensor_id owner, const access_origin& origin) const {
    if (!sink_ || owner.tag == 0)
        return;
    const owner_index mine = find_owner(owner);
    std::uint64_t live = 0;
    XXH3_state_t state;
    XXH3_64bits_reset(&state);
    if (mine != nobody) {
        const std::uint64_t last = (address + bytes) >> shift_;
        for (std::uint64_t i = address >> shift_; i < last;) {
            const std::uint64_t end = run_end(i, last);
            if (owner_at(i) != mine) {
                i = end;
                continue;
            }
            XXH3_64bits_update(&state, data_.get() + (i << shift_), (end - i) << shift_);
            live += (end - i) << shift_;
            i = end;
        }
    }
    sink_->on(trace::tensor_event{trace::tensor_event::moment::complete, origin.cycle, device_, kind_, owner, origin.sequence, live,
                                  XXH3_64bits_digest(&state)});
}

void tagged_memory::log_occupancy(const access_origin& origin) const {
    if (!sink_)
        return;
    const auto log = [&](const region& r) {
        sink_->on(trace::occupancy_event{origin.cycle, device_, r.name, origin.sequence, r.live, r.peak});
    };
    log(total_);
    for (const region& r : regions_)
        log(r);
}

} // namespace retrace
