#pragma once
// Reading an event log that may come from anywhere: without trusting what its schema says, every fault of the file an exception. Nothing
// is written, but for what a killed run left half done: SQLite takes that back before anybody can read the file.
#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace retrace {

/// The log cannot be read, or is not one; also a question that is none (exit 2).
class log_reader_error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// Takes back what a process that was killed left half written in the log (its journal lies beside it). Does nothing to a log that is
/// whole, or is none. Throws log_reader_error: the folder is read-only, or the journal is no event log's.
void recover_log(const std::string& path);

class log_reader {
public:
    /// Opens what stands there, recover_log() if need be, and looks whether it has the tables of an event log. Throws log_reader_error.
    explicit log_reader(const std::string& path);
    ~log_reader();
    log_reader(const log_reader&) = delete;
    log_reader& operator=(const log_reader&) = delete;

    /// From now on only statements that read are accepted, whatever they are called: for questions that people type.
    void allow_only_reading();
    const std::string& path() const { return path_; }
    sqlite3* handle() { return database_; }
    [[noreturn]] void refuse(const std::string& why) const;

private:
    void open();
    std::string path_;
    sqlite3* database_ = nullptr;
};

/// A statement and the row it stands on. Numbers of a log are counts, addresses and cycles: what is negative, no number or
/// missing reads as 0, unless a question says otherwise.
class log_query {
public:
    log_query(log_reader& log, std::string_view sql);
    ~log_query();
    log_query(log_query&& other) noexcept : log_(other.log_), handle_(other.handle_) { other.handle_ = nullptr; }
    log_query& operator=(log_query&&) = delete;

    template <typename... Values>
    log_query& bind(const Values&... values) {
        int at = 0;
        (bind_at(++at, values), ...);
        return *this;
    }
    bool next();  ///< false after the last row
    void reset(); ///< to be asked again, with other values
    int columns() const;
    std::string_view name(int column) const;
    bool null(int column) const;
    bool numeric(int column) const; ///< INTEGER or REAL
    bool blob(int column) const;
    std::uint64_t number(int column) const;
    std::int64_t integer(int column) const;             ///< as it stands
    std::string_view text(int column) const;            ///< until next()
    std::span<const std::byte> bytes(int column) const; ///< until next()

private:
    void bind_at(int at, std::string_view text);
    void bind_at(int at, const std::string& text) { bind_at(at, std::string_view(text)); }
    template <typename Number>
    void bind_at(int at, Number value) {
        bind_integer(at, static_cast<std::int64_t>(value));
    }
    void bind_integer(int at, std::int64_t value);

    log_reader& log_;
    sqlite3_stmt* handle_ = nullptr;
};

} // namespace retrace
