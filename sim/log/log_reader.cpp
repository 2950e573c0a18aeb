#include "sim/log/log_reader.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <utility>

#include <sqlite3.h>

#include "sim/log/printable.h"

namespace retrace {

namespace {

/// What a question may do: SELECT, with functions and recursion, of tables and views.
int only_reading(void*, int action, const char*, const char* second, const char*, const char*) {
    switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_RECURSIVE: return SQLITE_OK;
    case SQLITE_FUNCTION: return second && std::string_view(second) == "load_extension" ? SQLITE_DENY : SQLITE_OK;
    default: return SQLITE_DENY;
    }
}

std::uint64_t bytes_in(const std::string& path) {
    std::error_code error;
    const auto bytes = std::filesystem::file_size(path, error);
    return error ? 0 : bytes;
}

/// A log in write-ahead mode cannot be read without files being written beside it. No run makes one.
void refuse_write_ahead(const std::string& path) {
    // SQLite's file format, 1.3: the two version bytes at offset 18.
    char header[20] = {};
    std::ifstream(path, std::ios::binary).read(header, sizeof header);
    std::error_code error;
    if (header[18] == 2 || header[19] == 2 || std::filesystem::exists(path + "-wal", error))
        throw log_reader_error("the event log " + printable(path) +
                               " cannot be asked: it is in SQLite's write-ahead mode, as no run leaves it; in a copy, "
                               "PRAGMA journal_mode=DELETE ends that");
}

bool needs_recovery(int result, sqlite3* database) {
    const int extended = sqlite3_extended_errcode(database);
    return extended == SQLITE_READONLY_ROLLBACK || extended == SQLITE_READONLY_RECOVERY || (result & 0xff) == SQLITE_CANTOPEN;
}

/// Whether a journal names another file. SQLite would delete that one when it has rolled back (its file format, 3), and the journal of a
/// single database, as a run writes it, has no such name.
bool names_another_file(const std::string& journal) {
    constexpr unsigned char magic[] = {0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7};
    std::ifstream in(journal, std::ios::binary | std::ios::ate);
    if (!in || in.tellg() < std::streamoff{sizeof magic})
        return false;
    char end[sizeof magic] = {};
    in.seekg(-std::streamoff{sizeof magic}, std::ios::end);
    in.read(end, sizeof end);
    return std::equal(std::begin(magic), std::end(magic), end, [](unsigned char a, char b) { return a == static_cast<unsigned char>(b); });
}

} // namespace

void recover_log(const std::string& path) {
    refuse_write_ahead(path);
    sqlite3* database = nullptr;
    const auto look = [&](int how) {
        int result = sqlite3_open_v2(path.c_str(), &database, how | SQLITE_OPEN_NOMUTEX, nullptr);
        if (result == SQLITE_OK)
            result = sqlite3_exec(database, "SELECT 1 FROM sqlite_master", nullptr, nullptr, nullptr);
        const bool needed = database && needs_recovery(result, database);
        sqlite3_close(std::exchange(database, nullptr));
        return needed;
    };
    std::error_code error;
    if (!std::filesystem::is_regular_file(path, error) || !std::filesystem::exists(path + "-journal", error) || !look(SQLITE_OPEN_READONLY))
        return;
    if (names_another_file(path + "-journal"))
        throw log_reader_error("the event log " + printable(path) + " cannot be read: the journal beside it is no run's");
    if (look(SQLITE_OPEN_READWRITE))
        throw log_reader_error("the event log " + printable(path) +
                               " cannot be read: its run was killed, and what it left half written cannot be taken back, because "
                               "the file or its folder is read-only; copy the run's folder and ask the copy");
}

log_reader::log_reader(const std::string& path) : path_(path) {
    refuse_write_ahead(path);
    open();
    try {
        // What a killed run left half done hinders the first look into the file, not opening it.
        if (const int result = sqlite3_exec(database_, "SELECT 1 FROM sqlite_master", nullptr, nullptr, nullptr); needs_recovery(result, database_)) {
            sqlite3_close_v2(std::exchange(database_, nullptr));
            recover_log(path);
            open();
        }
        // The file may come from anywhere: no triggers, no side effects hidden in views, cells checked before they are believed.
        sqlite3_db_config(database_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
        sqlite3_db_config(database_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
        sqlite3_db_config(database_, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
        sqlite3_limit(database_, SQLITE_LIMIT_LENGTH, 64 << 20);
        sqlite3_limit(database_, SQLITE_LIMIT_ATTACHED, 0);
        for (const char* sql :
             {"PRAGMA cell_size_check=ON", "PRAGMA mmap_size=0", "PRAGMA query_only=ON", "PRAGMA cache_size=-16000"})
            if (sqlite3_exec(database_, sql, nullptr, nullptr, nullptr) != SQLITE_OK)
                refuse(sqlite3_errmsg(database_));
        for (const char* table :
             {"tensor", "code", "command", "command_moment", "command_wait", "operand", "access", "tensor_life", "occupancy",
              "host_event", "logged_step", "machine", "program", "program_code", "instruction", "grant_"}) {
            log_query query(*this, "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = ?");
            query.bind(std::string_view(table));
            if (!query.next() || query.number(0) == 0)
                refuse(bytes_in(path) == 0 ? std::string("it is empty: the run was stopped before it had written anything there")
                                           : std::string("it has no table ") + table + ": it is no event log, or one of an earlier version");
        }
    } catch (...) {
        sqlite3_close_v2(database_);
        throw;
    }
}

void log_reader::open() {
    // A file that is not there must not be created by asking about it.
    if (sqlite3_open_v2(path_.c_str(), &database_, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, nullptr) == SQLITE_OK)
        return;
    const std::string reason = database_ ? sqlite3_errmsg(database_) : "out of memory";
    sqlite3_close(std::exchange(database_, nullptr));
    throw log_reader_error("cannot read the event log " + printable(path_) + ": " + printable(reason));
}

log_reader::~log_reader() { sqlite3_close_v2(database_); }

void log_reader::allow_only_reading() { sqlite3_set_authorizer(database_, only_reading, nullptr); }

void log_reader::refuse(const std::string& why) const {
    throw log_reader_error("the event log " + printable(path_) + " cannot be asked: " + printable(why));
}

log_query::log_query(log_reader& log, std::string_view sql) : log_(log) {
    const char* rest = nullptr;
    if (sqlite3_prepare_v2(log.handle(), sql.data(), static_cast<int>(sql.size()), &handle_, &rest) != SQLITE_OK)
        log_.refuse(sqlite3_errmsg(log.handle()));
    if (!handle_)
        log_.refuse("there is no question in it");
    // What stands behind may be a comment.
    const std::size_t left = rest ? static_cast<std::size_t>(sql.data() + sql.size() - rest) : 0;
    sqlite3_stmt* second = nullptr;
    if (left == 0)
        return;
    const int result = sqlite3_prepare_v2(log.handle(), rest, static_cast<int>(left), &second, nullptr);
    const bool more = result != SQLITE_OK || second;
    sqlite3_finalize(second);
    if (more) {
        sqlite3_finalize(handle_);
        log_.refuse("one question at a time: a single SELECT, or WITH ... SELECT");
    }
}

log_query::~log_query() { sqlite3_finalize(handle_); }

void log_query::bind_at(int at, std::string_view text) {
    sqlite3_bind_text(handle_, at, text.data(), static_cast<int>(text.size()), SQLITE_TRANSIENT);
}

void log_query::bind_integer(int at, std::int64_t value) { sqlite3_bind_int64(handle_, at, value); }

bool log_query::next() {
    const int result = sqlite3_step(handle_);
    if (result != SQLITE_ROW && result != SQLITE_DONE)
        log_.refuse(sqlite3_errmsg(log_.handle()));
    return result == SQLITE_ROW;
}

void log_query::reset() { sqlite3_reset(handle_); }

int log_query::columns() const { return sqlite3_column_count(handle_); }
std::string_view log_query::name(int column) const {
    const char* name = sqlite3_column_name(handle_, column);
    return name ? name : "";
}
bool log_query::null(int column) const { return sqlite3_column_type(handle_, column) == SQLITE_NULL; }
bool log_query::numeric(int column) const {
    const int type = sqlite3_column_type(handle_, column);
    return type == SQLITE_INTEGER || type == SQLITE_FLOAT;
}
bool log_query::blob(int column) const { return sqlite3_column_type(handle_, column) == SQLITE_BLOB; }
std::int64_t log_query::integer(int column) const { return sqlite3_column_int64(handle_, column); }
std::uint64_t log_query::number(int column) const {
    const std::int64_t value = integer(column);
    return value < 0 ? 0 : static_cast<std::uint64_t>(value);
}
std::string_view log_query::text(int column) const {
    const unsigned char* text = sqlite3_column_text(handle_, column);
    return text ? std::string_view(reinterpret_cast<const char*>(text),
                                   static_cast<std::size_t>(sqlite3_column_bytes(handle_, column)))
                : std::string_view();
}
std::span<const std::byte> log_query::bytes(int column) const {
    const void* data = sqlite3_column_blob(handle_, column);
    return data ? std::span(static_cast<const std::byte*>(data), static_cast<std::size_t>(sqlite3_column_bytes(handle_, column)))
                : std::span<const std::byte>();
}

} // namespace retrace
