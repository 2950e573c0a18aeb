#pragma once
// What programs must ask for, before any time: the requests of every instruction in their order, with the
// bytes and banks that they touch (hw/README.md, 5, 9.3 - 9.8), and what the log has for each.
#include <deque>
#include <map>
#include <memory>
#include <tuple>
#include <vector>

#include "sim/cosim/timing_findings.h"
#include "sim/cosim/timing_memories.h"

namespace retrace::cosim::timing {

namespace requesters { // 9.2
inline constexpr unsigned weights = 20, operands = 21, writes = 40, mover = 60, fetches = 100,
                          registers = 200, interrupts = 201, answers = 202;
}

/// "dma0", "array weights", "fetch of vector", ...
std::string name_of_requester(unsigned requester);
std::string name_of_engine(unsigned engine);

/// Banks that an engine takes: `reads` and `psum` from its start s on for `cycles`, `writes` from s + latency
/// on.
struct burst {
    std::vector<bank_span> reads, writes;
    bank_span psum;
    std::uint64_t cycles = 0, latency = 0;
    bool of_array = false; ///< cycles are those of the array, which may freeze
};

struct request {
    unsigned requester = 0;
    std::uint64_t order = 0, number = 0; ///< 9.13
    std::string_view rule;               ///< that it is made, and when
    trace::resource what{};
    bool write = false;
    std::uint64_t address = 0, bytes = 0;
    std::uint32_t sequence = 0, pc = 0;
    const timed_command* command = nullptr;
    std::vector<piece> pieces;   ///< dram, lines
    burst banks;                 ///< banks
    bool done_when_sent = false; ///< link: goes on when the wire is free again
    std::uint64_t then = 0;      ///< link: goes on so long after the arrival
    const trace::grant_event* grant = nullptr;

    std::string name() const;
    time requested() const { return grant ? time(grant->requested) : time(); }
    time granted() const { return grant ? time(grant->granted) : time(); }
    time resumed() const { return grant ? time(grant->resumed) : time(); }
};

struct chunk {
    std::uint64_t order = 0;     ///< in its queue since the device was made
    std::vector<request*> reads; ///< one after the other; the transpose unit last
    request* write = nullptr;    ///< none: a nop
    time done;                   ///< its place in the order of writes is over
};

struct instruction {
    std::uint32_t pc = 0;
    spec::matrix_instruction code; ///< of a copy the header only
    request* banks = nullptr;      ///< engines other than DMA
    std::vector<chunk*> chunks;
    const trace::instruction_event* event = nullptr;

    bool is(spec::opcode o) const { return code.opcode == static_cast<std::uint8_t>(o); }
    time ended() const { return event ? time(event->ended) : time(); }
    time begun() const { return event ? time(event->begun) : time(); }
};

struct program {
    unsigned engine = 0;
    std::uint32_t sequence = 0;
    const timed_command* command = nullptr;
    const trace::program_event *begun = nullptr, *ended = nullptr;
    std::vector<request*> fetches;
    std::deque<instruction> instructions;

    std::string name() const;
    std::string name(const instruction& i) const;
};

class plan {
public:
    /// Findings: programs, instructions and grants that are missing, twice there, or not what was to be asked
    /// for.
    plan(const npu_config& config, const timing_log& log,
         const std::map<std::uint32_t, timed_command>& commands, findings& found);

    std::deque<program> programs; ///< in the order of their beginnings
    std::deque<chunk> chunks;
    std::deque<request> requests;
    /// The request behind each grant of the log; null: nothing that the log tells asks for it.
    std::vector<const request*> behind;

    /// A further request, which a grant of the requester and instruction must answer; the next one of those.
    request* ask(request r);
    /// After the last ask(): grants that nobody asked for.
    void unasked();

private:
    using key =
        std::tuple<unsigned, std::uint64_t, std::uint32_t, std::uint32_t>; ///< requester, order, sequence, pc
    static key key_of(unsigned requester, std::uint64_t order, std::uint32_t sequence, std::uint32_t pc);

    void begin(const trace::program_event& e);
    void match_instructions();
    void fetch(program& p);
    void matrix(program& p, instruction& i);
    void copy(program& p, instruction& i, const spec::copy_instruction& code);
    /// The requests of one access of a DMA queue.
    std::vector<request*> access(request r, spec::memory_kind memory, std::vector<piece> pieces);
    bank_span buffer_banks(const program& p, const spec::memory_operand& o, std::uint64_t rows,
                           std::uint64_t row_bytes) const;

    const npu_config& config_;
    const timing_log& log_;
    const std::map<std::uint32_t, timed_command>& commands_;
    findings& found_;
    state_buffer_banks buffer_;
    std::uint64_t host_latency_;
    std::map<key, std::deque<std::size_t>> unanswered_; ///< grants that no request has been found for yet
    std::map<std::pair<unsigned, std::uint64_t>, std::uint64_t> made_; ///< requests of requester and order
    std::map<unsigned, std::uint64_t> chunks_of_;                      ///< queue
};

/// A descriptor's chunks (9.8): the bytes on both sides.
struct cut {
    std::vector<piece> source, destination;
    std::uint64_t bytes = 0;
};
std::vector<cut> cut_descriptor(const spec::copy_instruction& i, std::uint64_t source,
                                std::uint64_t destination, std::uint64_t chunk_bytes);

} // namespace retrace::cosim::timing
