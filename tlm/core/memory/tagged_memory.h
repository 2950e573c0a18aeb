#pragma once
// A memory whose bytes know whose they are. It stores data and, per granule, the tensor (tag, version) that wrote it; it counts live
// bytes per region with a high-water mark, and notices reads of bytes that are not live or belong to somebody else.
//
// Contract (hw/README.md, "Memory"): bytes are live from their first write until released or overwritten under another tag or version.
// A working set counts whole from begin to end, but its bytes are readable only once written. Bytes that are not live read as 0xFF.
// Not modelled: time (see timing/), ECC.
#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "tlm/core/memory/zeroed_array.h"
#include "trace/events.h"

namespace retrace {

/// Who makes an access, for events.
struct access_origin {
    std::uint64_t cycle = 0;
    unsigned engine = 0;
    std::uint32_t sequence = 0, pc = 0;
};

class tagged_memory {
public:
    struct region {
        std::string name;
        std::uint64_t base = 0, bytes = 0;
        std::uint64_t live = 0, peak = 0;
    };

    /// `granule`: bytes per ownership entry, 1 or 4; address and length of what changes ownership must be a multiple of it.
    tagged_memory(std::string name, spec::memory_kind kind, std::uint64_t capacity, unsigned granule, unsigned device,
                  trace::event_sink* sink);

    void add_region(std::string name, std::uint64_t base, std::uint64_t bytes);

    const std::string& name() const { return name_; }
    spec::memory_kind kind() const { return kind_; }
    std::uint64_t capacity() const { return capacity_; }
    bool contains(std::uint64_t address, std::uint64_t bytes) const { return address <= capacity_ && bytes <= capacity_ - address; }

    /// Checks that `rows` runs of `row_bytes` are live under `expected`; logs one stale-read event for the first bytes that are not.
    /// Returns false if there were any.
    bool check(std::uint64_t address, std::uint64_t rows, std::uint64_t row_bytes, std::uint64_t pitch, trace::tensor_id expected,
               const access_origin& origin);
    /// Copies bytes out; bytes that are not live come out as 0xFF. Ownership is checked as by check().
    void read(std::uint64_t address, std::byte* destination, std::uint64_t bytes, trace::tensor_id expected, const access_origin& origin);
    /// Copies bytes out without any check or event (debug access, checksums).
    void peek(std::uint64_t address, std::byte* destination, std::uint64_t bytes) const;
    void write(std::uint64_t address, const std::byte* source, std::uint64_t bytes, trace::tensor_id owner, const access_origin& origin);
    /// Takes ownership of bytes that the caller writes through data().
    void claim(std::uint64_t address, std::uint64_t bytes, trace::tensor_id owner, const access_origin& origin);

    /// Direct access for engines: bytes that are not live hold 0xFF here too.
    std::byte* data() { return data_.get(); }

    /// Releases every byte of the range that `owner` owns.
    void release(std::uint64_t address, std::uint64_t bytes, trace::tensor_id owner, const access_origin& origin);
    void begin_working_set(std::uint64_t address, std::uint64_t bytes, const access_origin& origin);
    void end_working_set(std::uint64_t address, std::uint64_t bytes, const access_origin& origin);

    /// Logs `complete` for the bytes of the range that `owner` owns: how many, and their checksum in address order.
    void log_complete(std::uint64_t address, std::uint64_t bytes, trace::tensor_id owner, const access_origin& origin) const;
    void log_occupancy(const access_origin& origin) const;

    std::uint64_t live_bytes() const { return total_.live; }
    std::uint64_t peak_bytes() const { return total_.peak; }
    const std::vector<region>& regions() const { return regions_; }
    std::uint64_t stale_reads() const { return stale_reads_; }

private:
    using owner_index = std::uint16_t;
    static constexpr owner_index nobody = 0, reserved = 1, first_owner = 2, mixed = 0xffff;
    /// Granules that share an entry of lines_. Almost all of a memory belongs to one owner line by line, so that ownership costs two
    /// bytes per line, not per granule; only a line with several owners (`mixed`) has its granules in owner_.
    static constexpr std::uint64_t line = 64;
    struct owner_entry {
        trace::tensor_id tensor;
        std::uint64_t bytes = 0;
    };

    owner_index find_owner(trace::tensor_id tensor) const; ///< nobody if it owns no byte
    owner_index make_owner(trace::tensor_id tensor);
    void set_owner(std::uint64_t address, std::uint64_t bytes, owner_index owner, trace::tensor_event::moment loss,
                   const access_origin& origin);
    void count(std::uint64_t address, std::uint64_t bytes, bool live);
    owner_index owner_at(std::uint64_t granule) const {
        const owner_index o = lines_[granule / line];
        return o == mixed ? owner_[granule] : o;
    }
    bool uniform(std::uint64_t first, std::uint64_t granules, owner_index owner) const;
    std::uint64_t run_end(std::uint64_t first, std::uint64_t limit) const; ///< of the granules that have the owner of `first`
    void assign_part(std::uint64_t line_number, std::uint64_t from, std::uint64_t to, owner_index owner);
    void assign(std::uint64_t first, std::uint64_t granules, owner_index owner);
    void log_loss(owner_index owner, std::uint64_t bytes, trace::tensor_event::moment what, const access_origin& origin);
    void report_stale(std::uint64_t address, std::uint64_t bytes, trace::tensor_id expected, owner_index wanted,
                      const access_origin& origin);

    std::string name_;
    spec::memory_kind kind_;
    std::uint64_t capacity_;
    unsigned shift_; ///< log2 of the granule
    unsigned device_;
    trace::event_sink* sink_;
    zeroed_array<std::byte> data_;
    zeroed_array<owner_index> lines_; ///< owner of each line, or `mixed`
    zeroed_array<owner_index> owner_; ///< per granule, of mixed lines
    std::vector<owner_entry> owners_;
    std::vector<owner_index> free_owners_;
    std::unordered_map<std::uint64_t, owner_index> index_;
    mutable std::uint64_t last_key_ = 0; ///< the last answer of index_: accesses come in rows of one tensor
    mutable owner_index last_index_ = nobody;
    region total_;
    std::vector<region> regions_;
    std::uint64_t stale_reads_ = 0;
};

} // namespace retrace
