#pragma once
// What makes a case legal, checked by walking it in its order: machine within its limits, buffers inside their memories and
// apart, every operation one that its engine takes (hw/README.md, 4 and 5), reads of bytes that are live under the tag that the
// operation names, the array's protocol, working sets over nothing that is live. The generator builds on the same walk, so what
// it makes is legal by construction; the shrinker asks it which operations a removal has broken.
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "sim/cosim/byte_set.h"
#include "sim/cosim/test_case.h"

namespace retrace::cosim {

/// What an operation touches, in addresses of its memories (host: offsets in the case's part). Reads come with the owner they
/// expect.
struct operation_bytes {
    std::vector<byte_set> reads, writes;
    std::vector<std::uint64_t> read_owners; ///< tag and version of reads[i]; device memories only
    std::uint64_t write_owner = 0;
};

/// Tag and version as one number.
constexpr std::uint64_t owner_of(const buffer& b) { return std::uint64_t{b.tag} << 32 | b.version; }

/// The walk. State after the operations so far; try_operation() says what would be wrong with one more.
class case_walk {
public:
    explicit case_walk(const test_case& c);

    /// The first thing that is wrong with machine and buffers.
    std::optional<std::string> check_frame() const;
    std::optional<std::string> begin(const command& k);
    /// Nothing wrong: the operation has happened.
    std::optional<std::string> step(const operation& o);
    /// What step() would say; changes nothing.
    std::optional<std::string> check(const operation& o, operation_bytes& bytes) const;
    std::optional<std::string> end();

    bool live(const byte_set& bytes, std::uint64_t owner) const;
    /// Loads that no swap has taken, in this command.
    unsigned loads_ahead() const { return static_cast<unsigned>(loads_.size()); }
    struct tile {
        unsigned k = 0, n = 0;
        spec::number_format format{};
    };
    /// The weights that a matmul with or without swap would run on.
    std::optional<tile> weights(bool swap) const;

private:
    struct load {
        tile shape;
        byte_set source;
    };
    std::optional<std::string> check_machine() const;
    std::optional<std::string> matrix(const operation& o, const matrix_place& p, std::uint64_t rows, std::uint64_t row_bytes,
                                      const char* what, byte_set& bytes) const;
    std::optional<std::string> check_array(const operation& o, operation_bytes& bytes) const;
    std::optional<std::string> check_elementwise(const operation& o, operation_bytes& bytes) const;
    std::optional<std::string> check_copy(const operation& o, operation_bytes& bytes) const;
    std::vector<std::uint64_t>& owners(spec::memory_kind memory);
    void mark(spec::memory_kind memory, std::uint64_t from, std::uint64_t to, std::uint64_t owner);

    static constexpr std::uint64_t nobody = ~0ull, reserved = ~0ull - 1;
    const test_case& case_;
    std::vector<std::uint64_t> dram_, state_buffer_, psum_; ///< owner of every byte
    const command* command_ = nullptr;
    std::deque<load> loads_;
    std::optional<tile> active_;
};

/// Where a case is not legal.
struct case_fault {
    std::string text;
    std::size_t command = 0;
    std::optional<std::size_t> operation; ///< nothing: the command itself, or (command = number of commands) machine and buffers
};
std::optional<case_fault> find_fault(const test_case& c);

/// Throws case_error when the case is not legal.
void require_legal(const test_case& c, const std::string& name);

/// What every operation of a legal case touches, by command. Throws std::logic_error for a case that is not legal.
std::vector<std::vector<operation_bytes>> bytes_of_operations(const test_case& c);

} // namespace retrace::cosim
