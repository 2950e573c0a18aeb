#pragma once
// The event log: an event sink that writes a SQLite file. Schema and ready views: sqlite_log.cpp; `retrace help log` prints them.
// The same events give the same bytes: rows are inserted in order, commits happen every fixed number of rows.
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

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

    /// Commits what there is and builds the indices; no event may follow. Throws log_error when the log could not be written whole. A log
    /// that is not closed commits what it can when it is destroyed.
    void close();
    std::uint64_t rows() const { return rows_; }

private:
    class statement;
    void run(const char* sql);
    void count_row();
    void commit();

    sqlite3* database_ = nullptr;
    std::vector<std::uint32_t> tile_steps_;
    std::unique_ptr<statement> command_, wait_, operand_, access_, tensor_, stale_, occupancy_, host_, name_, moment_;
    std::uint64_t rows_ = 0, uncommitted_ = 0;
    bool closed_ = false;
};

/// SQL that creates the tables and views, with a comment per column.
const char* log_schema();

} // namespace retrace
