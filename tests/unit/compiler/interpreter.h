#pragma once
// An untimed device for tests: it runs commands' engine programs in any order that semaphores, wait sets and
// in-order engines allow, chosen by a seeded random number, and shares no code with the model under tlm/. It
// computes values with scalar std::fma by the numeric contract, keeps an owner (tag, version) for every byte,
// counts live bytes, and collects as faults: reads of bytes that are not live or belong to somebody else,
// accesses outside an operand's limit or permission, two engines on the same bytes at the same time (one of
// them writing), working sets that overlap, semaphore overflow, and commands that never end.
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "host/device_capabilities.h"
#include "host/compiler/program.h"

namespace retrace::compiler::testing {

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

    std::vector<std::byte> data;
    std::vector<std::uint64_t> owner;
    const part& all() const { return all_; }
    const std::vector<part>& parts() const { return parts_; }

private:
    void count(std::uint64_t at, std::int64_t delta);
    part all_;
    std::vector<part> parts_;
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

    /// Puts programs into device DRAM (as the loader would, under tag 0).
    void load(std::uint64_t address, const engine_program& program);
    /// Runs commands as a ring would hand them over: sequence numbers ascending, wait sets by sequence number
    /// (0: none).
    void run(const std::vector<spec::command>& commands);

private:
    struct rect {
        spec::memory_kind memory{};
        std::uint64_t base = 0, rows = 0, row_bytes = 0, pitch = 0;
        bool write = false;
        std::uint64_t owner = 0;
        bool overlaps(const rect& other) const;
    };
    struct flight {
        unsigned engine = 0;
        std::size_t running = 0;
        unsigned lane = 0; ///< PE: 0 weights, 1 rows; flights of a lane finish in order
        instruction code{};
        std::vector<rect> rects;
        std::vector<std::byte> result; ///< rows of the destination, packed
        bool accumulate = false, integer = false;
    };
    struct engine_state {
        std::vector<instruction> code;
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

    void fault(const running_command& c, unsigned engine, const std::string& what);
    bool start_command();
    bool advance(std::size_t running, unsigned engine);
    void finish(std::size_t flight_index);
    void end_if_done(std::size_t running);
    bool begin(running_command& c, std::size_t running, unsigned engine, const instruction& code);
    bool matrix(running_command& c, flight& f);
    bool copy(running_command& c, flight& f);
    tagged_bytes* memory(spec::memory_kind kind);
    std::byte* bytes(spec::memory_kind kind, std::uint64_t address);
    bool resolve(running_command& c, unsigned engine, unsigned slot, unsigned tag_slot, std::uint64_t offset,
                 std::uint64_t rows, std::uint64_t row_bytes, std::uint64_t pitch, bool write, rect& r);
    std::vector<float> load(const rect& r, std::uint64_t columns, spec::number_format format);

    device_capabilities device_;
    std::mt19937_64 random_;
    std::vector<spec::command> pending_;
    std::vector<bool> started_;
    std::vector<running_command> running_;
    std::vector<flight> flights_;
    std::map<std::uint32_t, bool> ended_;
    // The array: weights being loaded and active ones, as floats (or integers, exact in float for int8).
    std::vector<float> shadow_, active_;
    unsigned shadow_columns_ = 0, active_columns_ = 0, shadow_rows_ = 0, active_rows_ = 0;
    bool shadow_full_ = false, shadow_landed_ = false;
};

/// Elements as the interpreter stores them.
float bf16_value(std::uint16_t bits);
std::uint16_t bf16_bits(float value);

} // namespace retrace::compiler::testing
