#include "sim/log/sqlite_log.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iterator>

#include <sqlite3.h>

#include "sim/log/requesters.h"

namespace retrace {

namespace {

constexpr std::uint64_t rows_per_commit = 10'000; ///< what a disk that fills can take away; more often would cost time

/// What SQLite says of its last failure, and what the user can do where the disk did not take any more.
std::string failure_text(sqlite3* database) {
    const int code = sqlite3_errcode(database) & 0xff, cause = sqlite3_system_errno(database);
    const char* file = sqlite3_db_filename(database, "main");
    std::string text = "event log: " + std::string(sqlite3_errmsg(database));
    if (code != SQLITE_FULL && code != SQLITE_IOERR)
        return text;
    return text + (cause ? std::string(" (") + std::strerror(cause) + ")" : "") + ": " + (file ? file : "it") +
           " cannot grow, the disk is full or a limit is reached. What was logged until shortly before is kept. Less is logged with fewer "
           "log.steps, nothing with log.events=false";
}

constexpr const char* resource_names[] = {"banks", "lines", "dram", "link_up", "link_down", "transposer", "host"};

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
            throw log_error(failure_text(database_));
    }

private:
    void bind(int column, std::string_view text) {
        sqlite3_bind_text(handle_, column, text.data(), static_cast<int>(text.size()), SQLITE_TRANSIENT);
    }
    void bind(int column, const std::string& text) { bind(column, std::string_view(text)); }
    void bind(int column, const char* text) { sqlite3_bind_text(handle_, column, text, -1, SQLITE_STATIC); }
    void bind(int column, std::nullptr_t) { sqlite3_bind_null(handle_, column); }
    void bind(int column, std::span<const std::byte> bytes) {
        sqlite3_bind_blob(handle_, column, bytes.data(), static_cast<int>(bytes.size()), SQLITE_STATIC);
    }
    template <typename Number>
    void bind(int column, Number value) {
        sqlite3_bind_int64(handle_, column, static_cast<sqlite3_int64>(value));
    }

    sqlite3* database_;
    sqlite3_stmt* handle_ = nullptr;
};

sqlite_log::sqlite_log(const std::string& path, std::vector<std::uint32_t> tile_steps) : tile_steps_(std::move(tile_steps)) {
    std::sort(tile_steps_.begin(), tile_steps_.end());
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
        run(log_schema());
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
        program_ = prepare("INSERT INTO program VALUES(?,?,?,?,?,?,?,?,?,?,?)");
        code_ = prepare("INSERT INTO program_code VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?)");
        instruction_ = prepare("INSERT INTO instruction VALUES(?,?,?,?,?,?,?,?,?,?)");
        grant_ = prepare("INSERT INTO grant_ VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?)");
        mover_ = prepare("INSERT INTO mover VALUES(?,?,?,?,?,?)");
        machine_ = prepare("INSERT OR REPLACE INTO machine VALUES(?,?)");
        statement step(database_, "INSERT OR IGNORE INTO logged_step VALUES(?)");
        for (const std::uint32_t s : tile_steps_)
            step.insert(s);
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
        codes("fault", spec::engine_fault_count, [](unsigned v) { return static_cast<spec::engine_fault>(v); });
        for (unsigned r = 0; r < std::size(resource_names); ++r)
            code.insert("resource", r, resource_names[r]);
        for (unsigned e = 0; e < spec::max_engines; ++e)
            code.insert("engine", e, engine_label(e));
        for (unsigned r = 0; r <= requesters::answer; ++r)
            if (const std::string name = requesters::name(r); !name.empty())
                code.insert("requester", r, name);
        commit(); // from here on it can be read, whatever comes
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
    for (const auto& [engine, program] : running_)
        insert(program, nullptr);
    running_.clear();
    for (auto* s : {&command_, &wait_, &operand_, &access_, &tensor_, &stale_, &occupancy_, &host_, &name_, &moment_, &program_, &code_,
                    &instruction_, &grant_, &mover_, &machine_})
        s->reset();
    run("COMMIT");
    // Separately: without the indices the log is whole, only slower to ask.
    run(log_indices());
}

void sqlite_log::run(const char* sql) {
    if (sqlite3_exec(database_, sql, nullptr, nullptr, nullptr) != SQLITE_OK)
        throw log_error(failure_text(database_));
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
    if (e.what == trace::command_event::moment::begun && wants_accesses(e.step))
        active_.push_back({e.device, e.context, e.sequence});
    if (e.what == trace::command_event::moment::ended)
        std::erase_if(active_, [&](const active_command& a) { return a.device == e.device && a.sequence == e.sequence; });
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

std::int64_t sqlite_log::code_of(const trace::program_event& e) {
    if (!read_program_)
        return -1;
    std::vector<std::byte> bytes(std::size_t{e.count} * spec::instruction_bytes);
    read_program_(e.device, e.address, bytes);
    // The same place may hold another program later.
    std::vector<known_code>& known = codes_[{e.address, e.count}];
    for (const known_code& k : known)
        if (k.bytes == bytes)
            return k.number;
    const std::int64_t number = code_count_++;
    for (std::uint32_t pc = 0; pc < e.count; ++pc) {
        const auto at = std::span<const std::byte>(bytes).subspan(std::size_t{pc} * spec::instruction_bytes, spec::instruction_bytes);
        spec::instruction_header h;
        std::memcpy(&h, at.data(), sizeof h);
        code_->insert(number, pc, h.opcode, h.flags, h.wait0, h.wait0_count, h.wait1, h.wait1_count, h.signal0, h.signal0_count, h.signal1,
                      h.signal1_count, at);
        count_row();
    }
    known.push_back({number, std::move(bytes)});
    return number;
}

void sqlite_log::insert(const running_program& p, const trace::program_event* ended) {
    const trace::program_event& e = p.begun;
    const auto row = [&](const auto& end, const auto& fault, const auto& code) {
        program_->insert(e.device, e.context, e.engine, e.sequence, e.step, e.cycle, end, fault, e.address, e.count, code);
    };
    const auto row_with_code = [&](const auto& end, const auto& fault) { p.code < 0 ? row(end, fault, nullptr) : row(end, fault, p.code); };
    ended ? row_with_code(ended->cycle, static_cast<unsigned>(ended->fault)) : row_with_code(nullptr, nullptr);
    count_row();
}

void sqlite_log::timing(const trace::program_event& e) {
    if (!wants_accesses(e.step))
        return;
    const std::pair engine(e.device, e.engine);
    const bool begins = e.what == trace::program_event::moment::begun;
    if (const auto before = running_.find(engine); before != running_.end()) {
        insert(before->second, begins ? nullptr : &e);
        running_.erase(before);
    }
    if (begins)
        running_[engine] = {e, code_of(e)};
}

void sqlite_log::timing(const trace::instruction_event& e) {
    if (!wants_accesses(e.step))
        return;
    const auto insert = [&](const auto& requested, const auto& started) {
        instruction_->insert(e.taken, e.begun, requested, started, e.ended, e.device, e.engine, e.sequence, e.pc, static_cast<unsigned>(e.opcode));
    };
    count_row();
    // A few are under way at most. What is left of another command will not end any more.
    std::vector<bank_grant>& grants = bank_grants_[{e.device, e.engine}];
    const auto own = std::find_if(grants.begin(), grants.end(), [&](const bank_grant& g) { return g.sequence == e.sequence && g.pc == e.pc; });
    if (own == grants.end())
        return insert(nullptr, nullptr);
    insert(own->requested, own->started);
    grants.erase(own);
}

void sqlite_log::timing(const trace::grant_event& e) {
    const auto known = [&](const active_command& a) { return a.device == e.device && (a.sequence == e.sequence || e.sequence == 0); };
    if (std::none_of(active_.begin(), active_.end(), known))
        return;
    if (e.what == trace::resource::banks) {
        // Activation and vector engine ask by their own numbers, the PE array's two ports by theirs.
        std::vector<bank_grant>& grants = bank_grants_[{e.device, e.requester < spec::engine_dma ? e.requester : unsigned{spec::engine_pe}}];
        std::erase_if(grants, [&](const bank_grant& g) { return g.sequence != e.sequence; });
        grants.push_back({e.sequence, e.pc, e.requested, e.resumed});
        return;
    }
    grant_->insert(e.requested, e.granted, e.resumed, e.arrived, e.device, e.requester, e.order, static_cast<unsigned>(e.what), e.write,
                   e.address, e.bytes, e.sequence, e.pc);
    count_row();
}

void sqlite_log::timing(const trace::mover_event& e) {
    mover_->insert(e.cycle, e.device, e.host_address, e.local_address, e.bytes, e.to_host);
    count_row();
}

void sqlite_log::describe_machine(std::string_view key, std::int64_t value) {
    machine_->insert(key, value);
    count_row();
}

bool sqlite_log::wants_accesses(std::uint32_t step) const {
    return std::binary_search(tile_steps_.begin(), tile_steps_.end(), step);
}

} // namespace retrace
