#include "sim/log/sqlite_log.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include <sqlite3.h>

namespace retrace {

namespace {

constexpr std::uint64_t rows_per_commit = 100'000;

constexpr const char* schema = R"(
CREATE TABLE tensor(tag INTEGER PRIMARY KEY, name TEXT);            -- names of tensor tags: IO_3, W_3, dW_3, G_3 ...
CREATE TABLE code(kind TEXT, value INTEGER, name TEXT);             -- names of the numbers in columns memory, phase, opcode, status
CREATE TABLE command(                                               -- one row per command as the device ran it
  device INTEGER, sequence INTEGER, context INTEGER, phase INTEGER, step INTEGER, layer INTEGER,
  begun INTEGER, operands INTEGER, PRIMARY KEY(device, sequence)) WITHOUT ROWID;
CREATE TABLE command_moment(                                        -- submitted and seen: the host; ended: the device
  device INTEGER, sequence INTEGER, moment TEXT, cycle INTEGER, status INTEGER);
CREATE TABLE command_wait(device INTEGER, sequence INTEGER, waits_for INTEGER);   -- wait set of a command
CREATE TABLE operand(                                               -- operand table of a command; access: 1 read, 2 write, 4 release at its end
  device INTEGER, sequence INTEGER, slot INTEGER, memory INTEGER, base INTEGER, bytes INTEGER,
  tag INTEGER, version INTEGER, access INTEGER);
CREATE TABLE access(                                                -- tile level: one memory operand of one instruction
  begun INTEGER, ended INTEGER, device INTEGER, context INTEGER, engine INTEGER, sequence INTEGER, step INTEGER, pc INTEGER,
  opcode INTEGER, write INTEGER, memory INTEGER, base INTEGER,
  size0 INTEGER, size1 INTEGER, size2 INTEGER, size3 INTEGER, stride1 INTEGER, stride2 INTEGER, stride3 INTEGER,
  tag INTEGER, version INTEGER);
CREATE TABLE tensor_life(                                           -- live, complete, overwritten, released: per tensor version and memory
  cycle INTEGER, device INTEGER, moment TEXT, memory INTEGER, tag INTEGER, version INTEGER, sequence INTEGER,
  bytes INTEGER, checksum INTEGER);
CREATE TABLE stale_read(                                            -- reads of bytes that are not live or not the expected tensor's
  cycle INTEGER, device INTEGER, engine INTEGER, sequence INTEGER, pc INTEGER, memory INTEGER, address INTEGER, bytes INTEGER,
  expected_tag INTEGER, expected_version INTEGER, found_tag INTEGER, found_version INTEGER);
CREATE TABLE occupancy(                                             -- live bytes at the end of each command
  cycle INTEGER, device INTEGER, name TEXT, sequence INTEGER, live INTEGER, peak INTEGER);
CREATE TABLE host_event(                                            -- weights_written, gradient_received, weights_updated
  cycle INTEGER, action TEXT, step INTEGER, layer INTEGER, tag INTEGER, version INTEGER, checksum INTEGER);

CREATE VIEW commands AS                                             -- a command with its times and names, for people
  SELECT c.device, c.sequence, p.name AS phase, c.step, c.layer, c.begun,
         (SELECT cycle FROM command_moment m WHERE m.device = c.device AND m.sequence = c.sequence AND moment = 'submitted') AS submitted,
         (SELECT cycle FROM command_moment m WHERE m.device = c.device AND m.sequence = c.sequence AND moment = 'ended') AS ended,
         (SELECT cycle FROM command_moment m WHERE m.device = c.device AND m.sequence = c.sequence AND moment = 'seen') AS seen,
         (SELECT s.name FROM command_moment m JOIN code s ON s.kind = 'status' AND s.value = m.status
           WHERE m.device = c.device AND m.sequence = c.sequence AND moment = 'ended') AS status
  FROM command c JOIN code p ON p.kind = 'phase' AND p.value = c.phase;
CREATE VIEW accesses AS                                             -- tile level with names
  SELECT a.begun, a.ended, a.engine, a.sequence, a.step, a.pc, o.name AS opcode, a.write, m.name AS memory, a.base,
         a.size0, a.size1, a.stride1, t.name AS tensor, a.version
  FROM access a JOIN code o ON o.kind = 'opcode' AND o.value = a.opcode JOIN code m ON m.kind = 'memory' AND m.value = a.memory
  LEFT JOIN tensor t ON t.tag = a.tag;
)";

constexpr const char* indices = R"(
CREATE INDEX IF NOT EXISTS command_moment_key ON command_moment(device, sequence, moment);
CREATE INDEX IF NOT EXISTS operand_key ON operand(device, sequence);
CREATE INDEX IF NOT EXISTS access_key ON access(device, sequence);
CREATE INDEX IF NOT EXISTS tensor_life_key ON tensor_life(device, tag, version);
)";

const char* name_of(trace::command_event::moment m) {
    constexpr const char* names[] = {"submitted", "begun", "ended", "seen"};
    return names[static_cast<unsigned>(m)];
}
const char* name_of(trace::tensor_event::moment m) {
    constexpr const char* names[] = {"live", "complete", "overwritten", "released"};
    return names[static_cast<unsigned>(m)];
}
const char* name_of(trace::host_event::action a) {
    constexpr const char* names[] = {"weights_written", "gradient_received", "weights_updated"};
    return names[static_cast<unsigned>(a)];
}

} // namespace

const char* log_schema() { return schema; }

class sqlite_log::statement {
public:
    statement(sqlite3* database, const char* sql) : database_(database) {
        if (sqlite3_prepare_v2(database, sql, -1, &handle_, nullptr) != SQLITE_OK)
            throw log_error(std::string("event log: ") + sqlite3_errmsg(database));
    }
    ~statement() { sqlite3_finalize(handle_); }
    statement(const statement&) = delete;
    statement& operator=(const statement&) = delete;

    template <typename... Values>
    void insert(const Values&... values) {
        int column = 0;
        (bind(++column, values), ...);
        const int result = sqlite3_step(handle_);
        sqlite3_reset(handle_);
        if (result != SQLITE_DONE)
            throw log_error(std::string("event log: ") + sqlite3_errmsg(database_));
    }

private:
    void bind(int column, std::string_view text) {
        sqlite3_bind_text(handle_, column, text.data(), static_cast<int>(text.size()), SQLITE_TRANSIENT);
    }
    void bind(int column, const char* text) { sqlite3_bind_text(handle_, column, text, -1, SQLITE_STATIC); }
    template <typename Number>
    void bind(int column, Number value) {
        sqlite3_bind_int64(handle_, column, static_cast<sqlite3_int64>(value));
    }

    sqlite3* database_;
    sqlite3_stmt* handle_ = nullptr;
};

sqlite_log::sqlite_log(const std::string& path, std::vector<std::uint32_t> tile_steps) : tile_steps_(std::move(tile_steps)) {
    // SQLite itself would open what already stands there.
    if (std::FILE* file = std::fopen(path.c_str(), "wbx"))
        std::fclose(file);
    else
        throw log_error("event log: cannot create " + path + ": " + std::strerror(errno));
    // One thread writes: without SQLite's locks a row costs a sixth less.
    if (sqlite3_open_v2(path.c_str(), &database_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr) != SQLITE_OK) {
        const std::string reason = database_ ? sqlite3_errmsg(database_) : "out of memory";
        sqlite3_close(database_);
        throw log_error("event log: cannot create " + path + ": " + reason);
    }
    try {
        run("PRAGMA page_size=8192");
        run("PRAGMA synchronous=OFF");
        run("PRAGMA cache_size=-32000");
        run("BEGIN");
        run(schema);
        const auto prepare = [this](const char* sql) { return std::make_unique<statement>(database_, sql); };
        command_ = prepare("INSERT OR IGNORE INTO command VALUES(?,?,?,?,?,?,?,?)");
        moment_ = prepare("INSERT INTO command_moment VALUES(?,?,?,?,?)");
        wait_ = prepare("INSERT INTO command_wait VALUES(?,?,?)");
        operand_ = prepare("INSERT INTO operand VALUES(?,?,?,?,?,?,?,?,?)");
        access_ = prepare("INSERT INTO access VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
        tensor_ = prepare("INSERT INTO tensor_life VALUES(?,?,?,?,?,?,?,?,?)");
        stale_ = prepare("INSERT INTO stale_read VALUES(?,?,?,?,?,?,?,?,?,?,?,?)");
        occupancy_ = prepare("INSERT INTO occupancy VALUES(?,?,?,?,?,?)");
        host_ = prepare("INSERT INTO host_event VALUES(?,?,?,?,?,?,?)");
        name_ = prepare("INSERT OR REPLACE INTO tensor VALUES(?,?)");
        statement code(database_, "INSERT INTO code VALUES(?,?,?)");
        const auto codes = [&](const char* kind, auto count, auto make) {
            for (unsigned v = 0; v < count; ++v)
                code.insert(kind, v, spec::name_of(make(v)));
        };
        codes("memory", spec::memory_kind_count, [](unsigned v) { return static_cast<spec::memory_kind>(v); });
        codes("phase", spec::phase_count, [](unsigned v) { return static_cast<spec::phase>(v); });
        codes("status", spec::command_status_count, [](unsigned v) { return static_cast<spec::command_status>(v); });
        for (const spec::instruction_info& i : spec::instructions)
            code.insert("opcode", static_cast<unsigned>(i.code), i.name);
    } catch (...) {
        sqlite3_close_v2(database_);
        throw;
    }
}

sqlite_log::~sqlite_log() {
    try {
        close();
    } catch (const log_error&) {
        // An error is already on its way, or the caller did not ask.
    }
    sqlite3_close_v2(database_);
}

void sqlite_log::close() {
    if (closed_)
        return;
    closed_ = true;
    for (auto* s : {&command_, &wait_, &operand_, &access_, &tensor_, &stale_, &occupancy_, &host_, &name_, &moment_})
        s->reset();
    run("COMMIT");
    // Separately: without the indices the log is whole, only slower to ask.
    run(indices);
}

void sqlite_log::run(const char* sql) {
    if (sqlite3_exec(database_, sql, nullptr, nullptr, nullptr) != SQLITE_OK)
        throw log_error(std::string("event log: ") + sqlite3_errmsg(database_));
}

void sqlite_log::commit() {
    run("COMMIT");
    run("BEGIN");
    uncommitted_ = 0;
}

void sqlite_log::count_row() {
    ++rows_;
    if (++uncommitted_ == rows_per_commit)
        commit();
}

void sqlite_log::on(const trace::command_event& e) {
    if (e.what != trace::command_event::moment::begun) {
        moment_->insert(e.device, e.sequence, name_of(e.what), e.cycle, static_cast<unsigned>(e.status));
        count_row();
        return;
    }
    command_->insert(e.device, e.sequence, e.context, static_cast<unsigned>(e.phase), e.step, e.layer, e.cycle, e.operands.size());
    count_row();
    for (const std::uint32_t w : e.waits)
        if (w != 0) {
            wait_->insert(e.device, e.sequence, w);
            count_row();
        }
    for (std::size_t slot = 0; slot < e.operands.size(); ++slot) {
        const spec::operand& o = e.operands[slot];
        operand_->insert(e.device, e.sequence, slot, o.memory, o.base, o.bytes, o.tag, o.version, o.access);
        count_row();
    }
}

void sqlite_log::on(const trace::access_event& e) {
    access_->insert(e.begin, e.end, e.device, e.context, e.engine, e.sequence, e.step, e.pc, static_cast<unsigned>(e.opcode), e.write,
                    static_cast<unsigned>(e.memory), e.base, e.sizes[0], e.sizes[1], e.sizes[2], e.sizes[3], e.strides[0], e.strides[1],
                    e.strides[2], e.tensor.tag, e.tensor.version);
    count_row();
}

void sqlite_log::on(const trace::tensor_event& e) {
    tensor_->insert(e.cycle, e.device, name_of(e.what), static_cast<unsigned>(e.memory), e.tensor.tag, e.tensor.version, e.sequence, e.bytes,
                    e.checksum);
    count_row();
}

void sqlite_log::on(const trace::stale_read_event& e) {
    stale_->insert(e.cycle, e.device, e.engine, e.sequence, e.pc, static_cast<unsigned>(e.memory), e.address, e.bytes, e.expected.tag,
                   e.expected.version, e.found.tag, e.found.version);
    count_row();
}

void sqlite_log::on(const trace::occupancy_event& e) {
    occupancy_->insert(e.cycle, e.device, e.name, e.sequence, e.live_bytes, e.peak_bytes);
    count_row();
}

void sqlite_log::on(const trace::host_event& e) {
    host_->insert(e.cycle, name_of(e.what), e.step, e.layer, e.tensor.tag, e.tensor.version, e.checksum);
    count_row();
}

void sqlite_log::name_tensor(std::uint32_t tag, std::string_view name) {
    name_->insert(tag, name);
    count_row();
}

bool sqlite_log::wants_accesses(std::uint32_t step) const {
    return std::find(tile_steps_.begin(), tile_steps_.end(), step) != tile_steps_.end();
}

} // namespace retrace
