#pragma once
// An untimed device: it runs commands' engine programs in any order that semaphores, wait sets and in-order engines allow, chosen
// by a seeded random number, and shares no code with the model under tlm/. It computes values by the numeric contract
// (reference_numbers.h), keeps an owner (tag, version) for every byte, counts live bytes, and collects as faults: reads of bytes
// that are not live or belong to somebody else, accesses outside an operand's limit or permission, two engines on the same bytes
// at the same time (one of them writing), working sets that overlap, semaphore overflow, and commands that never end.
//
// On request it also remembers which instruction wrote each byte last, and the whole history of one byte.
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "host/compiler/program.h"
#include "host/device_capabilities.h"
#include "sim/cosim/value_census.h"

namespace retrace::cosim {

class tagged_bytes {
public:
    struct part {
        std::uint64_t base = 0, bytes = 0, live = 0, peak = 0;
    };
    static constexpr std::uint64_t nobody = ~0ull, reserved = ~0ull - 1;

    void resize(std::uint64_t bytes);
    void add_part(std::uint64_t base, std::uint64_t bytes) { parts_.push_back({base, bytes, 0, 0}); }
    /// Makes the bytes `owner`'s; returns how many changed hands from each previous tag.
    void set_owner(std::uint64_t at, std::uint64_t bytes, std::uint64_t owner,
                   std::map<std::uint32_t, std::uint64_t>* lost = nullptr);
    void release(std::uint64_t at, std::uint64_t bytes, std::uint64_t owner);
    bool owned(std::uint64_t at, std::uint64_t bytes, std::uint64_t owner) const;
    std::uint64_t live_under_tag(std::uint32_t tag) const;
    /// Bytes of a working set are lost: they read as 0xFF and belong to `owner`.
    void wipe(std::uint64_t at, std::uint64_t bytes, std::uint64_t owner);

    std::vector<std::byte> data;
    std::vector<std::uint64_t> owner;
    const part& all() const { return all_; }
    const std::vector<part>& parts() const { return parts_; }

private:
    void count(std::uint64_t at, std::int64_t delta);
    part all_;
    std::vector<part> parts_;
};

/// An instruction that has been executed, by whom.
struct executed_instruction {
    std::uint32_t sequence = 0; ///< of the command
    unsigned engine = 0;
    std::uint32_t pc = 0;
    compiler::instruction code{};
};

class interpreter {
public:
    interpreter(const device_capabilities& device, std::uint64_t host_bytes, std::uint64_t seed);

    std::vector<std::byte> host;           ///< bus address spec::host_window_base
    tagged_bytes dram, state_buffer, psum; ///< dram's parts follow device.regions
    std::vector<std::string> faults;
    std::vector<std::uint32_t> completed; ///< sequence numbers in order of completion
    /// Bytes outside working sets that went from one tag directly to another: {old, new} -> bytes.
    std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint64_t> overwritten;
    /// Bytes of each tag that DMA wrote to host memory.
    std::map<std::uint32_t, std::uint64_t> to_host;
    /// An elementwise instruction may write where it reads (the engines read all before they write). Compiled programs never do.
    bool in_place_allowed = false;

    /// Puts programs into device DRAM (as the loader would, under tag 0).
    void load(std::uint64_t address, const compiler::engine_program& program);
    /// Runs commands as a ring would hand them over: sequence numbers ascending, wait sets by sequence number
    /// (0: none). `nop` commands only wait.
    void run(const std::vector<spec::command>& commands);

    /// Remembers the last writer of every byte from now on.
    void remember_writers();
    /// Who wrote the byte last, as an index into executed(); nothing if no instruction has.
    std::optional<std::size_t> writer(spec::memory_kind memory, std::uint64_t address) const;
    /// Instructions in the order in which they finished.
    const std::vector<executed_instruction>& executed() const { return executed_; }
    /// From now on history() grows by a line for every write to the byte, with the operands that made its element.
    void watch(spec::memory_kind memory, std::uint64_t address) { watched_ = {memory, address}; }
    const std::vector<std::string>& history() const { return history_; }
    /// Classes of the numbers that instructions have met so far.
    const value_census& census() const { return census_; }

private:
    /// The bytes of one operand: runs of `run` bytes, repeated in up to three dimensions.
    struct region {
        spec::memory_kind memory{};
        std::uint64_t base = 0, run = 0;
        std::array<std::uint64_t, 3> counts{1, 1, 1}, strides{};
        bool write = false;
        std::uint64_t owner = 0;

        std::uint64_t end() const; ///< one past the last byte
        std::uint64_t runs() const { return counts[0] * counts[1] * counts[2]; }
        std::uint64_t address(std::uint64_t n) const; ///< of the n-th run, innermost dimension first
        bool overlaps(const region& other) const;
        /// Position of the byte in the packed runs, if it is one of them.
        std::optional<std::uint64_t> find(spec::memory_kind where, std::uint64_t byte) const;
    };
    struct flight {
        unsigned engine = 0;
        std::size_t running = 0;
        unsigned lane = 0; ///< PE: 0 weights, 1 rows; flights of a lane finish in order
        std::uint32_t pc = 0;
        compiler::instruction code{};
        std::vector<region> regions;
        std::vector<std::byte> result; ///< runs of the destination, packed
        bool accumulate = false, integer = false;
        std::string detail; ///< how the watched element came about
    };
    struct engine_state {
        std::vector<compiler::instruction> code;
        std::size_t pc = 0;
        unsigned waits_done = 0;
        bool active = false;
    };
    struct running_command {
        spec::command command{};
        std::map<unsigned, engine_state> engines;
        std::vector<std::uint32_t> semaphores;
        bool done = false;
    };
    struct weight_tile {
        std::vector<std::uint32_t> words; ///< binary32, or the integers of int8
        unsigned rows = 0, columns = 0;
        bool integer = false, valid = false;
    };
    struct waiting_load {
        std::size_t running = 0;
        std::uint32_t pc = 0;
        compiler::instruction code{};
    };

    void fault(const running_command& c, unsigned engine, const std::string& what);
    bool start_command();
    bool advance(std::size_t running, unsigned engine);
    bool begin_load();
    void finish(std::size_t flight_index);
    void write(running_command& c, const flight& f);
    void end_if_done(std::size_t running);
    void begin(std::size_t running, unsigned engine, std::uint32_t pc, const compiler::instruction& code);
    bool matrix(running_command& c, flight& f);
    bool matmul(running_command& c, flight& f, const spec::matrix_instruction& i, std::vector<std::uint32_t>& d);
    bool elementwise(running_command& c, flight& f, const spec::matrix_instruction& i, std::vector<std::uint32_t>& d,
                     std::uint64_t& d_rows, std::uint64_t& d_columns);
    bool copy(running_command& c, flight& f);
    tagged_bytes* memory(spec::memory_kind kind);
    std::byte* bytes(spec::memory_kind kind, std::uint64_t address);
    bool resolve(running_command& c, unsigned engine, unsigned slot, unsigned tag_slot, std::uint64_t offset,
                 region& r); ///< r's shape is filled in; sets memory, base and owner
    bool operand(running_command& c, flight& f, const spec::memory_operand& m, std::uint64_t rows, std::uint64_t row_bytes,
                 bool write);
    std::vector<std::uint32_t> load(const region& r, std::uint64_t columns, spec::number_format format, bool widened);
    /// Row and column of the watched element in a destination, if `f` writes it.
    std::optional<std::pair<std::uint64_t, std::uint64_t>> watched_element(const flight& f, std::uint64_t columns,
                                                                           unsigned element_bytes) const;

    device_capabilities device_;
    std::mt19937_64 random_;
    std::vector<spec::command> pending_;
    std::vector<bool> started_;
    std::vector<running_command> running_;
    std::vector<flight> flights_;
    std::map<std::uint32_t, bool> ended_;
    // The array. Loads wait in their port until the shadow registers have been taken over.
    std::deque<waiting_load> loads_;
    weight_tile shadow_, active_;
    bool shadow_full_ = false, shadow_landed_ = false;

    std::vector<executed_instruction> executed_;
    std::map<spec::memory_kind, std::vector<std::uint32_t>> writers_; ///< index into executed_, plus one
    std::optional<std::pair<spec::memory_kind, std::uint64_t>> watched_;
    std::vector<std::string> history_;
    value_census census_;
};

/// "command 3, pe 5: matmul ...".
std::string describe(const executed_instruction& e);

} // namespace retrace::cosim
