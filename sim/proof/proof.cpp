#include "sim/proof/proof.h"

#include <memory>

#include <fmt/format.h>
#include <sqlite3.h>

#include "sim/proof/check_lists.h"
#include "sim/proof/tables.h"

namespace retrace {

namespace {

constexpr std::size_t shown_examples = 5;

class log_reader {
public:
    explicit log_reader(const std::string& path) : path_(path) {
        // A file that is not there must not be created by asking about it.
        if (sqlite3_open_v2(path.c_str(), &database_, SQLITE_OPEN_READONLY, nullptr) != SQLITE_OK) {
            const std::string reason = database_ ? sqlite3_errmsg(database_) : "out of memory";
            sqlite3_close(database_);
            throw proof_error("cannot read the event log " + path + ": " + reason);
        }
        run("PRAGMA temp_store = MEMORY");
    }
    ~log_reader() { sqlite3_close_v2(database_); }
    log_reader(const log_reader&) = delete;
    log_reader& operator=(const log_reader&) = delete;

    void run(const char* sql) {
        if (sqlite3_exec(database_, sql, nullptr, nullptr, nullptr) != SQLITE_OK)
            refuse();
    }

    /// Calls `row` with a statement that stands on a row, for each.
    template <typename Row>
    void query(const char* sql, Row&& row) {
        sqlite3_stmt* prepared = nullptr;
        if (sqlite3_prepare_v2(database_, sql, -1, &prepared, nullptr) != SQLITE_OK)
            refuse();
        const std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)> statement(prepared, sqlite3_finalize);
        int result = SQLITE_ROW;
        while ((result = sqlite3_step(prepared)) == SQLITE_ROW)
            row(prepared);
        if (result != SQLITE_DONE)
            refuse();
    }

private:
    [[noreturn]] void refuse() const {
        throw proof_error("the event log " + path_ + " cannot be asked: " + sqlite3_errmsg(database_));
    }

    std::string path_;
    sqlite3* database_ = nullptr;
};

std::string quoted(const std::string& text) {
    std::string out = "'";
    for (const char c : text)
        out += c == '\'' ? "''" : std::string(1, c);
    return out + "'";
}

void tell_expectations(log_reader& log, const proof_expectations& e) {
    log.run(proof::expectation_tables());
    std::string sql = fmt::format("INSERT INTO expected VALUES({}, {}, {}, {}, {});", quoted(e.schedule),
                                  e.layers, e.spacing, e.batch, e.executions);
    for (const proof_expectations::memory& m : e.memories)
        sql += fmt::format("INSERT INTO capacity VALUES({}, {}, {}, {});", quoted(m.name), m.base, m.bytes,
                           m.region ? 1 : 0);
    for (std::size_t k = 1; k <= e.layers; ++k)
        sql += fmt::format("INSERT INTO wanted_layer VALUES({}, {});", k,
                           k < e.bias.size() && e.bias[k] ? 1 : 0);
    log.run(sql.c_str());
}

bool applies(proof_scope scope, const proof_expectations& e) {
    switch (scope) {
    case proof_scope::always:
        return true;
    case proof_scope::regenerates:
        return expected_executions(e.schedule, e.layers, e.spacing) > e.layers;
    case proof_scope::in_place:
        return e.schedule == "recompute" && e.layers >= 2;
    case proof_scope::small_activations:
        return e.small_activations;
    }
    return true;
}

std::string text_of_row(sqlite3_stmt* row) {
    std::string text;
    for (int c = 0; c < sqlite3_column_count(row); ++c) {
        const unsigned char* value = sqlite3_column_text(row, c);
        if (value)
            text += fmt::format("{}{}={}", text.empty() ? "" : ", ", sqlite3_column_name(row, c),
                                reinterpret_cast<const char*>(value));
    }
    return text;
}

} // namespace

const char* to_string(proof_outcome outcome) {
    switch (outcome) {
    case proof_outcome::holds:
        return "holds";
    case proof_outcome::fails:
        return "FAILS";
    case proof_outcome::nothing_to_check:
        return "NOTHING TO CHECK";
    case proof_outcome::does_not_apply:
        return "does not apply";
    }
    return "?";
}

std::span<const proof_check> proof_checks() {
    static const std::vector<proof_check> all = [] {
        std::vector<proof_check> list;
        for (const auto part : {proof::order_checks(), proof::memory_checks(), proof::host_checks()})
            list.insert(list.end(), part.begin(), part.end());
        return list;
    }();
    return all;
}

std::vector<proof_result> prove(const std::string& events_sqlite, const proof_expectations& expectations) {
    log_reader log(events_sqlite);
    tell_expectations(log, expectations);
    log.run(proof::derived_tables());
    std::vector<proof_result> results;
    for (const proof_check& check : proof_checks()) {
        proof_result& r = results.emplace_back();
        r.check = &check;
        if (!applies(check.scope, expectations)) {
            r.outcome = proof_outcome::does_not_apply;
            continue;
        }
        log.query(check.looked_at, [&](sqlite3_stmt* row) {
            r.looked_at = static_cast<std::uint64_t>(sqlite3_column_int64(row, 0));
        });
        log.query(check.violations, [&](sqlite3_stmt* row) {
            if (r.violations++ < shown_examples)
                r.examples.push_back(text_of_row(row));
        });
        r.outcome = r.violations != 0  ? proof_outcome::fails
                    : r.looked_at == 0 ? proof_outcome::nothing_to_check
                                       : proof_outcome::holds;
    }
    return results;
}

std::string describe(std::span<const proof_result> results) {
    std::string text = fmt::format("{:<26} {:<17} {:>9}  {}\n", "check", "outcome", "looked at", "claim");
    for (const proof_result& r : results) {
        text += fmt::format("{:<26} {:<17} {:>9}  {}\n", r.check->name, to_string(r.outcome), r.looked_at,
                            r.check->claim);
        for (const std::string& row : r.examples)
            text += fmt::format("    {}\n", row);
        if (r.violations > r.examples.size())
            text += fmt::format("    and {} more\n", r.violations - r.examples.size());
    }
    return text;
}

} // namespace retrace
