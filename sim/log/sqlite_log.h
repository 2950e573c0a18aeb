#pragma once
// The event log: an event sink that writes a SQLite file. Schema and ready views: log_schema.cpp; `retrace help log` prints them.
// The same events give the same bytes: rows are inserted in order, commits happen every fixed number of rows.
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "sim/log/log_schema.h"
#include "trace/events.h"

struct sqlite3;
struct sqlite3_stmt;

namespace retrace {

class log_error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

class sqlite_log : public trace::event_sink {
public:
    /// Creates the file (it must not exist). `tile_steps`: training steps logged at tile level. Throws log_error.
    sqlite_log(const std::string& path, std::vector<std::uint32_t> tile_steps);
    ~sqlite_log() override;

    void on(const trace::command_event& e) override;
    void on(const trace::access_event& e) override;
    void on(const trace::tensor_event& e) override;
    void on(const trace::stale_read_event& e) override;
    void on(const trace::occupancy_event& e) override;
    void on(const trace::host_event& e) override;
    void name_tensor(std::uint32_t tag, std::string_view name) override;
    bool wants_accesses(std::uint32_t step) const override;
    /// While a command of a step at tile level is on the device. Timing events of other commands are dropped.
    bool wants_timing() const override { return !active_.empty(); }
    void timing(const trace::program_event& e) override;
    void timing(const trace::instruction_event& e) override;
    void timing(const trace::grant_event& e) override;
    void timing(const trace::mover_event& e) override;

    /// A number of the processor that whoever reads the log needs (sim/timeline/machine.h).
    void describe_machine(std::string_view key, std::int64_t value);
    /// How to look into device DRAM (without side effects), to log the instructions of a program when an engine begins it.
    using memory_reader = std::function<void(unsigned device, std::uint64_t address, std::span<std::byte> to)>;
    void read_programs_with(memory_reader reader) { read_program_ = std::move(reader); }

    /// Commits what there is and builds the indices; no event may follow. Throws log_error when the log could not be written whole. A log
    /// that is not closed commits what it can when it is destroyed.
    void close();
    std::uint64_t rows() const { return rows_; }

private:
    class statement;
    void run(const char* sql);
    void count_row();
    void commit();
    /// Number of this program's code in program_code, which has it afterwards; -1 without a reader.
    std::int64_t code_of(const trace::program_event& e);
    struct running_program {
        trace::program_event begun;
        std::int64_t code;
    };
    void insert(const running_program& p, const trace::program_event* ended);

    struct active_command {
        unsigned device, context;
        std::uint32_t sequence;
    };
    struct bank_grant {
        std::uint32_t sequence, pc;
        trace::cycle_t requested, started;
    };
    struct known_code {
        std::int64_t number;
        std::vector<std::byte> bytes;
    };

    sqlite3* database_ = nullptr;
    std::vector<std::uint32_t> tile_steps_; ///< ascending
    std::unique_ptr<statement> command_, wait_, operand_, access_, tensor_, stale_, occupancy_, host_, name_, moment_;
    std::unique_ptr<statement> program_, code_, instruction_, grant_, mover_, machine_;
    std::map<std::pair<unsigned, unsigned>, std::vector<bank_grant>> bank_grants_; ///< by device and engine; of instructions that have not ended
    std::vector<active_command> active_; ///< commands at tile level that are on the device
    std::map<std::pair<unsigned, unsigned>, running_program> running_; ///< by device and engine
    std::map<std::pair<std::uint64_t, std::uint32_t>, std::vector<known_code>> codes_; ///< by address and count
    std::int64_t code_count_ = 0;
    memory_reader read_program_;
    std::uint64_t rows_ = 0, uncommitted_ = 0;
    bool closed_ = false;
};

} // namespace retrace
