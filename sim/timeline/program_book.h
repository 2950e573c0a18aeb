#pragma once
// The programs of a log, and whom their instructions waited for. A semaphore counts, and one engine of a command waits for it
// (hw/README.md, section 4): so the n-th unit that is taken is the n-th that was given, whoever gave it, and a program says which
// units each of its instructions takes. That makes every arrow exact.
#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <unordered_map>
#include <vector>

#include "hw/spec/spec.h"
#include "sim/log/log_reader.h"

namespace retrace {

/// An instruction as the log has it.
struct logged_instruction {
    /// The rows that it is read from, in the order in which instructions ended.
    static constexpr const char* columns =
        "SELECT taken, begun, ended, device, sequence, pc, engine, opcode, requested, started FROM instruction ORDER BY rowid";

    logged_instruction() = default;
    explicit logged_instruction(const log_query& row)
        : taken(row.number(0)), begun(row.number(1)), ended(row.number(2)), device(row.number(3)), sequence(row.number(4)),
          pc(row.number(5)), requested(row.number(8)), started(row.number(9)), engine(static_cast<unsigned>(row.number(6))),
          opcode(static_cast<unsigned>(row.number(7))) {}

    std::uint64_t taken = 0, begun = 0, ended = 0;
    std::uint64_t device = 0, sequence = 0, pc = 0;
    std::uint64_t requested = 0, started = 0; ///< 0: it has no banks
    unsigned engine = 0, opcode = 0;
};

/// A wait of an instruction: which semaphore, and who gave what it took.
struct semaphore_wait {
    struct place { ///< of whoever asks: where it drew the instruction
        unsigned track = 0;
        std::uint64_t ns = 0;
    };
    struct giver {
        logged_instruction who;
        place drawn; ///< what program_book::ended() was told
    };
    unsigned semaphore = 0, count = 0;
    std::vector<giver> givers; ///< in the order of their signals, the last `most_givers`; the last one ended the wait
};

class program_book {
public:
    static constexpr std::size_t most_givers = 4;
    using code_bytes = std::array<std::byte, spec::instruction_bytes>;

    explicit program_book(log_reader& log);

    /// The instruction's code; null where the log has none.
    const code_bytes* code(const logged_instruction& i);
    spec::instruction_header header(const code_bytes& code) const;
    /// The waits of an instruction that has ended. Instructions have to come in the order of the log.
    std::vector<semaphore_wait> waits(const logged_instruction& i);
    /// Its signals, after its waits have been asked for.
    void ended(const logged_instruction& i, const semaphore_wait::place& drawn = {});

private:
    struct program_code {
        std::vector<code_bytes> instructions;
    };
    struct taken_units {
        std::uint64_t first0 = 0, first1 = 0; ///< units of wait0's, wait1's semaphore that the program took before
    };
    struct running_program {
        std::shared_ptr<const program_code> code;
        std::vector<taken_units> units; ///< by pc
    };
    struct given_units {
        std::uint64_t end; ///< units given up to here
        semaphore_wait::giver by;
    };
    struct command {
        std::uint64_t device = 0, sequence = 0;
        std::unordered_map<unsigned, running_program> programs; ///< by engine
        std::array<std::deque<given_units>, spec::semaphores> given;
    };

    command& command_of(const logged_instruction& i);
    std::shared_ptr<const program_code> load(std::uint64_t number);

    log_reader& log_;
    log_query programs_, codes_;
    std::list<command> commands_; ///< the last ones that were asked for, latest first
    std::unordered_map<std::uint64_t, std::shared_ptr<const program_code>> cache_;
    std::size_t cached_ = 0;
};

} // namespace retrace
