#pragma once
// A log whose every row is known: one device, one command of each kind that a test asks for.
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "sim/log/sqlite_log.h"
#include "tlm/core/npu_config.h"

namespace retrace::test {

class hand_made_log {
public:
    /// Steps 1 and 2 are at tile level.
    explicit hand_made_log(std::vector<std::uint32_t> tile_steps = {1, 2});
    ~hand_made_log();
    hand_made_log(const hand_made_log&) = delete;
    hand_made_log& operator=(const hand_made_log&) = delete;

    sqlite_log& log() { return *log_; }
    /// Closes the log and returns its path.
    std::string close();
    std::string file(const std::string& name) const { return (folder_ / name).string(); }
    /// The file behind close(), changed by SQL.
    void change(const std::string& sql);

    void begin(std::uint32_t sequence, std::uint32_t step, std::uint64_t cycle, std::vector<spec::operand> operands = {},
               spec::phase phase = spec::phase::forward, unsigned context = 0);
    void end(std::uint32_t sequence, std::uint64_t cycle, unsigned context = 0);
    /// A program of these instructions begins.
    void program(std::uint32_t sequence, std::uint32_t step, unsigned engine, std::uint64_t cycle,
                 std::vector<spec::matrix_instruction> code);
    void program_bytes(std::uint32_t sequence, std::uint32_t step, unsigned engine, std::uint64_t cycle,
                       std::vector<std::byte> code);
    void instruction(std::uint32_t sequence, std::uint32_t step, unsigned engine, std::uint32_t pc, spec::opcode opcode,
                     std::uint64_t taken, std::uint64_t begun, std::uint64_t ended);
    void access(const trace::access_event& e) { log_->on(e); }

private:
    std::filesystem::path folder_;
    std::unique_ptr<sqlite_log> log_;
    std::vector<std::byte> code_; ///< of the program that begins
};

/// An instruction of which only opcode, shape and semaphores matter; counts of 0: none.
spec::matrix_instruction instruction_with(spec::opcode opcode, unsigned wait, unsigned wait_count, unsigned signal,
                                          unsigned signal_count);

} // namespace retrace::test
